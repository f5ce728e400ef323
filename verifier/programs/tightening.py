"""Bounds of single entries of a network by programs over all that comes before them (bound tightening, OBBT).

An entry's minimum and maximum over the triangle relaxation, or over the exact program (Tjeng et al., arXiv 1711.07356,
section 4.2), are bounds of it, and sharper ones make every later relaxation sharper. Each is a program of its own:
linear ones share a session and go on from each other's bases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.network.graph import Affine, Network, Port
from verifier.network.linear_maps.sparse import Sparse
from verifier.programs.margins import Conjunction, exact_optimum, relaxed_margins
from verifier.programs.solvers.backend import Backend
from verifier.property.query import Box


@dataclass(frozen=True, eq=False)
class EntryPrograms:
    """What bounds the entries of one node.

    Attributes:
        network: with NumPy weights.
        box: of inputs.
        bounds: sound on `box`, one pair of shape (size,) for each node up to the one asked about, at least.
        node: whose entries are bounded.
        exact: whether by the mixed-integer program rather than the linear one.
        deadline: for all entries together; those that it leaves keep the bounds they have.
        solver: None is HiGHS.
    """

    network: Network
    box: Box
    bounds: Sequence[tuple[np.ndarray, np.ndarray]]
    node: int
    exact: bool
    deadline: Deadline
    solver: Backend | None = None

    def bounds_of(self, entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sound lower and upper bounds, at least as sharp as those known, of entries (integers, shape (P,))."""
        forms, bounds, count = self._forms(entries), self._bounds(entries), len(entries)
        least = (self._exact_minima if self.exact else self._relaxed_minima)(forms, bounds)
        return least[:count], -least[count:]

    def _forms(self, entries: np.ndarray) -> Network:
        """The network up to the node, with the entries and then their negatives as outputs."""
        from scipy.sparse import csr_array

        count, size = len(entries), self.network.nodes[self.node].size
        signs = np.r_[np.ones(count), -np.ones(count)]
        rows = csr_array((signs, (np.arange(2 * count), np.tile(entries, 2))), shape=(2 * count, size))
        chosen = Affine((self.node,), (Sparse(rows),), np.zeros(2 * count))
        nodes = (*self.network.nodes[: self.node + 1], chosen)
        return replace(self.network, nodes=nodes, outputs=(Port("entries", (2 * count,)),))

    def _bounds(self, entries: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        lower, upper = (end[entries] for end in self.bounds[self.node])
        return [*self.bounds[: self.node + 1], (np.r_[lower, -upper], np.r_[upper, -lower])]

    def _relaxed_minima(self, forms: Network, bounds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        alone: list[Conjunction] = [(np.array([form]), np.zeros(1)) for form in range(len(bounds[-1][0]))]
        outcomes = relaxed_margins(forms, self.box, bounds, alone, self.deadline, solver=self.solver)
        return np.maximum([outcome.bound for outcome in outcomes], bounds[-1][0])

    def _exact_minima(self, forms: Network, bounds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        least = bounds[-1][0].copy()
        for form in range(len(least)):
            share = self.deadline.within(self.deadline.remaining / (len(least) - form))
            alone = np.array([form]), np.zeros(1)
            found = exact_optimum(forms, self.box, bounds, alone, share, solver=self.solver)
            least[form] = max(least[form], found.bound)
        return least
