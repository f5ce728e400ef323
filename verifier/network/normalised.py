"""Entries of a normalised vector, c_i / sqrt(sum_j a_j c_j^2 + b), which no c takes beyond 1 / sqrt(a_i).

LayerNormalization, InstanceNormalization and what models write by hand for them (and for GroupNorm) are a product of c
and a reciprocal once they are read, and bounded as such its range is that of the largest c over the smallest root. But
the root is at least sqrt(a_i) |c_i|, as no other term is negative; with b > 0 it is never 0 either, and where 1 / 0 is
taken for 1, as by LpNormalization, b = 0 will do.
"""

from __future__ import annotations

import numpy as np

from verifier.network.functions.powers import Power, Reciprocal, ReciprocalOrOne, Sqrt
from verifier.network.fusion import Monomial
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.tolerances import gamma


def limits_of(network: Network) -> dict[int, np.ndarray]:
    """For product nodes, by index, what no entry exceeds in absolute value, shape (size,), infinite where unknown.

    Arrays are on the host.
    """
    found: dict[int, np.ndarray] = {}
    for k, node in enumerate(network.nodes):
        if not isinstance(node, Product):
            continue
        for centred, factor in (node.operands, node.operands[::-1]):
            limit = _limit(network, centred, factor)
            if limit is not None:
                found[k] = limit
    return found


def _limit(network: Network, centred: int, factor: int) -> np.ndarray | None:
    """The limit of the product of two nodes, if the second is one over the root of squares of the first."""
    group = np.arange(network.nodes[factor].size)
    node = network.nodes[factor]
    if isinstance(node, Affine):
        moved = Monomial.of(node.maps[0]) if len(node.maps) == 1 and not node.bias_magnitude.any() else None
        if moved is None or moved.factors is not None or (moved.places < 0).any():
            return None
        group, factor = moved.places, node.operands[0]
    squares = _under_root(network, factor)
    sums = None if squares is None else network.nodes[squares]
    if not isinstance(sums, Affine) or len(sums.operands) != 1 or (sums.bias < 0).any():
        return None
    if not (sums.bias > 0).all() and not _takes_zero(network, factor):
        return None
    square = network.nodes[sums.operands[0]]
    if not isinstance(square, Elementwise) or square.function != Power(2.0) or square.operands != (centred,):
        return None
    weights = sums.maps[0].to_sparse()
    if (weights.data < 0).any():
        return None
    own = np.asarray(weights[group, np.arange(len(group))]).reshape(-1)
    with np.errstate(divide="ignore"):
        return (1 + gamma(4)) / np.sqrt(own)


def _under_root(network: Network, k: int) -> int | None:
    """The node s, if node k is 1 / sqrt(s)."""
    node = network.nodes[k]
    if not isinstance(node, Elementwise):
        return None
    if node.function == Power(-0.5):
        return node.operands[0]
    root = network.nodes[node.operands[0]]
    rooted = (
        isinstance(root, Elementwise)
        and isinstance(root.function, Sqrt)
        and isinstance(node.function, Reciprocal | ReciprocalOrOne)
    )
    return root.operands[0] if rooted else None


def _takes_zero(network: Network, k: int) -> bool:
    node = network.nodes[k]
    return isinstance(node, Elementwise) and isinstance(node.function, ReciprocalOrOne)
