"""All lines that may stand for each function and product over N subproblems; made when they are asked for.

Most entries are *closed*: on their interval in the root box the function is linear, whatever part of the box is looked
at. So there is one line for each of them, for all subproblems, and families of lines only for those that are open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from verifier.arrays import Array, convert_like, namespace
from verifier.bounds.enclosure import Interval
from verifier.bounds.layout import Layout
from verifier.network.graph import Elementwise, Network
from verifier.relaxations.families import (
    Family,
    at_known_values,
    function_families,
    has_jumps,
    product_families,
)


class Relaxation:
    """The lines of one network over N parts of a root box.

    Args:
        network: in float64.
        intervals: sound intervals of the nodes, shape (N, size) or (1, size) each, up to the highest asked about.
        shape: the layout of the root box.
    """

    def __init__(self, network: Network, intervals: Sequence[Interval], shape: Layout) -> None:
        self.network, self.intervals, self.shape = network, intervals, shape
        self._open: dict[int, tuple[Family, Family]] = {}

    def columns(self, k: int) -> np.ndarray:
        """The open entries of node k, integers on the host, shape (P,)."""
        slot = self.shape.lower_places.get(k)
        return np.zeros(0, np.int64) if slot is None else slot.columns

    def families(self, k: int) -> tuple[Family, Family]:
        """The lines below and above the open entries of node k, shape (N, P) or (1, P)."""
        if k not in self._open:
            columns = self.columns(k)

            def part(interval: Interval) -> tuple[Array, Array]:
                xp, where = namespace(interval.lower), convert_like(interval.lower)(columns)
                return xp.take(interval.lower, where, axis=1), xp.take(interval.upper, where, axis=1)

            self._open[k] = self._families(k, part)
        return self._open[k]

    def closed(self, k: int) -> tuple[Family, Family]:
        """The lines below and above all entries of node k over all parts at once, shape (1, size).

        They are sound for every part; where an entry is closed both are the function itself, but for rounding.
        """
        return self._families(k, _hull)

    def _families(self, k: int, ends: Callable[[Interval], tuple[Array, Array]]) -> tuple[Family, Family]:
        node = self.network.nodes[k]
        operands = [end for i in node.operands for end in ends(self.intervals[i])]
        if not isinstance(node, Elementwise):
            return product_families(*operands)
        families = function_families(node.function, *operands)
        if k < len(self.intervals) and has_jumps(node.function):
            return at_known_values(families, *ends(self.intervals[k]))
        return families


def _hull(interval: Interval) -> tuple[Array, Array]:
    """The ends of what holds all N intervals, shape (1, size) each."""
    if interval.lower.shape[0] == 1:
        return interval.lower, interval.upper
    xp = namespace(interval.lower)
    return xp.min(interval.lower, axis=0, keepdims=True), xp.max(interval.upper, axis=0, keepdims=True)
