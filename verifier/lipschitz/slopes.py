"""The difference quotients of a network's functions, enclosed where bounds on the nodes' values hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from verifier.lipschitz.rounding import INF
from verifier.network.graph import Elementwise, Network

Values: TypeAlias = Sequence[tuple[np.ndarray, np.ndarray]]
"""Sound bounds (lower, upper) of every node's value, float64, shape (size,) each; possibly infinite."""


def slopes(network: Network, values: Values, k: int) -> tuple[np.ndarray, np.ndarray]:
    """An enclosure of all difference quotients of the function of node k, shape (size,) each."""
    node = network.nodes[k]
    assert isinstance(node, Elementwise)
    with np.errstate(all="ignore"):
        low, high = node.function.slope_range(*values[node.operands[0]])
    return np.where(np.isnan(low), -INF, low), np.where(np.isnan(high), INF, high)


def steepest(network: Network, values: Values, k: int) -> np.ndarray:
    """The largest absolute difference quotients of the function of node k, shape (size,)."""
    low, high = slopes(network, values, k)
    return np.maximum(np.abs(low), np.abs(high))
