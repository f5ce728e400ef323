"""Which entries of which nodes the outputs depend on, given bounds: all others need not stand in a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.network.functions.relu import Relu
from verifier.network.graph import Affine, Elementwise, Network
from verifier.network.linear_maps import Dense, LinearMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Cone:
    """The entries that matter.

    Attributes:
        live: for each node, bool, shape (size,): entries that the outputs depend on and that are not constant, neither
            by coinciding bounds nor as the zero of an inactive relu.
        rows: for each affine node the rows of its maps for the live entries, one matrix an operand; empty for others.
    """

    live: list[np.ndarray]
    rows: list[list[csr_array]]


def dependency_cone(
    network: Network, bounds: Sequence[tuple[np.ndarray, np.ndarray]], kept: Mapping[int, np.ndarray] | None = None
) -> Cone:
    """Walks from the outputs back, and from the `kept` entries.

    Args:
        network: whose entries are asked about.
        bounds: one (lower, upper) of shape (size,) per node.
        kept: for some nodes entries, integers, that matter although the outputs may not depend on them: their bounds
            are constraints.
    """
    nodes = network.nodes
    live = [np.zeros(node.size, bool) for node in nodes]
    rows: list[list[csr_array]] = [[] for _ in nodes]
    live[-1][:] = True
    for k, entries in (kept or {}).items():
        live[k][entries] = True
    for k in range(len(nodes) - 1, -1, -1):
        node, (lower, upper) = nodes[k], bounds[k]
        live[k] &= lower != upper
        if isinstance(node, Affine):
            chosen = np.flatnonzero(live[k])
            for operand, linear_map in zip(node.operands, node.maps, strict=True):
                part = _rows(linear_map, chosen)
                rows[k].append(part)
                live[operand][part.indices] = True
            continue
        if isinstance(node, Elementwise):
            low, high = bounds[node.operands[0]]
            if isinstance(node.function, Relu):
                live[k] &= high > 0
                live[node.operands[0]] |= live[k]
            else:  # on an unbounded operand no line encloses the function: its own bounds have to do
                live[node.operands[0]] |= live[k] & np.isfinite(low) & np.isfinite(high)
            continue
        for operand in node.operands:
            live[operand] |= live[k]
    return Cone(live, rows)


def _rows(linear_map: LinearMap, chosen: np.ndarray) -> csr_array:
    """The chosen rows of the map's matrix, without explicit zeros."""
    from scipy.sparse import csr_array

    if not len(chosen):
        return csr_array((0, linear_map.in_size), dtype=np.float64)
    if isinstance(linear_map, Dense) and linear_map.before == linear_map.after == 1:
        return csr_array(np.asarray(linear_map.weight, np.float64)[chosen])  # most of a layer's rows may be idle
    part = linear_map.to_sparse()[chosen]
    part.eliminate_zeros()
    return part
