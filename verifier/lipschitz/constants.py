"""Lipschitz constants of a network as products of norms: of its outputs, and of differences of outputs.

The constant of an affine node is the sum over its operands of the norm of the map times the operand's constant; a
function's slopes s are weights on its entries. They go half to each side, the norms being those of M diag(sqrt(s)) and
diag(sqrt(s)) W: entries with slope 0, such as inactive relus, vanish from both. Without bounds on the nodes' values the
constants are global; with bounds they hold between any two points at which the bounds hold.

Affine nodes whose operands depend on one node in simple ways, as those of MaxMin, |x| and residual layers do, are also
seen as a whole (`blocks.py`); the smaller constant counts.

For class l against j the difference of the two rows is folded into the last layer ("cross-Lipschitz": Hein &
Andriushchenko, NeurIPS 2017; Tsuzuku, Sato, Sugiyama, NeurIPS 2018).
"""

from __future__ import annotations

import numpy as np

from verifier.arrays import to_numpy
from verifier.deadline import NEVER, Deadline
from verifier.lipschitz.block_norms import block_constant, matrix_norm
from verifier.lipschitz.blocks import blocks, straight
from verifier.lipschitz.fourier import wrapped_norm
from verifier.lipschitz.norms import operator_norm
from verifier.lipschitz.rounding import INF, above, dual, norms, plus, root, times
from verifier.lipschitz.slopes import Values, steepest
from verifier.lipschitz.wrapped import wrapped_convolution
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.network.linear_maps import Composition, Dense, LinearMap, Scaling
from verifier.tolerances import UNDERFLOW, gamma


class LipschitzConstants:
    """Upper bounds of the Lipschitz constants of a network with respect to one p-norm, rounding covered.

    Args:
        network: any; weights are taken to NumPy.
        norm: p, one of 1, 2, inf.
        values: where the constants are to hold: bounds of all nodes; everywhere if not given.
        deadline: by which to be done; may be set anew.

    Raises:
        OutOfTimeError: the time is up, on construction or later.
    """

    def __init__(self, network: Network, norm: float, values: Values | None = None, deadline: Deadline = NEVER) -> None:
        self.network, self.norm, self.deadline = network.like(np.zeros(0)), norm, deadline
        self._values = values or [(np.full(n.size, -INF), np.full(n.size, INF)) for n in network.nodes]
        self._known: dict[int, tuple[np.ndarray, float]] = {}
        used = {len(network.nodes) - 1}
        for node in network.nodes:
            if not isinstance(node, Elementwise):
                used.update(node.operands)
        for k in sorted(used - {len(network.nodes) - 1}):
            self._known[k] = self._split(k)

    def of_outputs(self) -> float:
        """At least sup ||f(x) - f(y)||_p / ||x - y||_p."""
        return float(self._weighted(len(self.network.nodes) - 1, np.ones(self.network.output_size)))

    def of_forms(self, rows: np.ndarray) -> np.ndarray:
        """At least sup |c f(x) - c f(y)| / ||x - y||_p for each row c, shape (R, output_size); shape (R,)."""
        last = len(self.network.nodes) - 1
        node = self.network.nodes[last]
        if not isinstance(node, Affine):
            weights, constant = self._split(last)
            return times(norms(times(np.abs(rows), weights), dual(self.norm)), constant)
        total = np.zeros(len(rows))
        for i, linear_map in zip(node.operands, node.maps, strict=True):
            weights, constant = self._known[i]
            folded = np.abs(linear_map.adjoint(rows))
            sizes = above(linear_map.magnitude.adjoint(np.abs(rows)), linear_map.adjoint_terms)
            underflow = np.where((rows != 0).any(axis=1, keepdims=True), UNDERFLOW, 0.0)
            folded = plus(folded, times(gamma(linear_map.adjoint_terms), sizes), underflow)
            total = plus(total, times(norms(times(folded, weights), dual(self.norm)), constant))
        return total

    def of_entries(self, k: int) -> np.ndarray:
        """At least sup |x_k[i] - y_k[i]| / ||x - y||_p for the entries of node k, shape (size,)."""
        weights, constant = self._split(k)
        return times(weights, constant)

    def _split(self, k: int) -> tuple[np.ndarray, float]:
        """Weights w and a constant c of node k: |x_k - y_k| <= w z entry by entry, with ||z||_p <= c ||x - y||_p."""
        node = self.network.nodes[k]
        if not isinstance(node, Elementwise):
            return np.ones(node.size), float(self._weighted(k, np.ones(node.size)))
        half = root(steepest(self.network, self._values, k))
        return half, float(self._weighted(node.operands[0], half))

    def _weighted(self, k: int, weights: np.ndarray) -> np.ndarray | float:
        """The constant of diag(weights) x_k; what it depends on, but for functions, is known already."""
        self.deadline.check()
        node = self.network.nodes[k]
        if isinstance(node, Elementwise):
            return self._weighted(node.operands[0], times(weights, steepest(self.network, self._values, k)))
        if isinstance(node, Affine):
            found = np.minimum(self._of_maps(node, weights), self._of_blocks(k, weights))
            found = np.minimum(found, self._of_wrapped(k, weights))
            return np.minimum(found, self._of_straight(k, weights))
        if isinstance(node, Product):
            return self._of_product(node, weights)
        return weights.max(initial=0.0)

    def _of_maps(self, node: Affine, weights: np.ndarray) -> np.ndarray | float:
        total: np.ndarray | float = 0.0
        for i, linear_map in zip(node.operands, node.maps, strict=True):
            inner, constant = self._known[i]
            scaled = _scaled(linear_map, weights, inner)
            largest = max(1.0, weights.max(initial=0.0), inner.max(initial=0.0))  # times what has underflowed
            underflow = 0.0 if scaled is linear_map else UNDERFLOW * largest
            total = plus(total, times(plus(operator_norm(scaled, self.norm, self.deadline), underflow), constant))
        return total

    def _of_blocks(self, k: int, weights: np.ndarray) -> np.ndarray | float:
        """The same by seeing operands together that depend on one node; infinite where there are none."""
        best: np.ndarray | float = INF
        for block in blocks(self.network, self._values, k):
            inner, constant = self._known.get(block.base) or self._split(block.base)
            found = block_constant(block, self.norm, weights, inner, self.deadline)
            best = np.minimum(best, times(found, constant))
        return best

    def _of_wrapped(self, k: int, weights: np.ndarray) -> np.ndarray | float:
        """The same where it is a convolution on an image that is padded around, in the 2-norm; else infinite."""
        found = wrapped_convolution(self.network, k) if self.norm == 2.0 else None
        if found is None:
            return INF
        base, convolution, sides = found
        inner, constant = self._known.get(base) or self._split(base)
        largest = times(weights.max(initial=0.0), inner.max(initial=0.0))
        return times(wrapped_norm(convolution, sides, self.deadline), largest, constant)

    def _of_straight(self, k: int, weights: np.ndarray) -> np.ndarray | float:
        """The same with affine operands taken in; infinite where nothing is to be."""
        total: np.ndarray | float = INF
        for place, (base, matrix, terms) in enumerate(straight(self.network, k)):
            inner, constant = self._known.get(base) or self._split(base)
            part = times(matrix_norm(matrix.scaled(weights, inner), self.norm, terms, self.deadline), constant)
            total = part if place == 0 else plus(total, part)
        return total

    def _of_product(self, node: Product, weights: np.ndarray) -> np.ndarray:
        """Of x y: x y - x' y' = y (x - x') + x' (y - y')."""
        first, second = node.operands
        total = np.zeros(())
        for moving, still in ((first, second), (second, first)):
            inner, constant = self._known[moving]
            total = plus(total, times(times(weights, inner, magnitude(self._values[still])).max(initial=0.0), constant))
        return total


def magnitude(value: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The largest absolute values within bounds."""
    size = np.maximum(np.abs(value[0]), np.abs(value[1]))
    return np.where(np.isnan(size), INF, size)


def _scaled(linear_map: LinearMap, outer: np.ndarray, inner: np.ndarray) -> LinearMap:
    """diag(outer) M diag(inner), for factors that are not negative; a matrix where M is one."""
    ones = (outer == 1).all() and (inner == 1).all()
    if ones:
        return linear_map
    if isinstance(linear_map, Dense) and linear_map.before == linear_map.after == 1:
        weight = to_numpy(linear_map.weight).astype(np.float64)
        with np.errstate(all="ignore"):
            return Dense(outer[:, None] * weight * inner[None, :])
    scaled = linear_map if (inner == 1).all() else Composition(linear_map, Scaling(inner))
    return scaled if (outer == 1).all() else Composition(Scaling(outer), scaled)
