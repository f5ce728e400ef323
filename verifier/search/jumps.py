"""Cuts at jumps: where they are made, and what is known of the values on both sides.

Both halves of a cut hold its place. A function that jumps there has one value at the place itself, as a rule that of
one side: the place is left to that half, so that the other one's values end before the jump. An end of a domain's
interval that lies on a jump comes from a cut if it is not the root's, since tightening stays clear of jumps.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, reduce

import numpy as np

from verifier.arrays import Array, namespace
from verifier.bounds.enclosure import Interval
from verifier.bounds.layout import Layout
from verifier.network.functions.near import Near
from verifier.network.functions.steps import StepFunction
from verifier.network.graph import Elementwise, Network
from verifier.relaxations.families import has_jumps

Jumping = StepFunction | Near


class Jumps:
    """The jumps of one network's functions at the operand entries of a layout."""

    def __init__(self, network: Network, shape: Layout) -> None:
        self._network, self._shape = network, shape

    @cached_property
    def functions(self) -> dict[int, list[Jumping]]:
        """The different functions with jumps that take each operand, by its node."""
        found: dict[int, list[Jumping]] = {}
        for node in self._network.nodes:
            if isinstance(node, Elementwise) and has_jumps(node.function):
                operand, function = node.operands[0], node.function
                assert isinstance(function, Jumping)
                if operand in self._shape.operands and function not in found.setdefault(operand, []):
                    found[operand].append(function)
        return found

    def values(self, intervals: Sequence[Interval], root: Sequence[Interval]) -> dict[int, Interval]:
        """By node the values of functions with jumps over domains, shape (M, size).

        Args:
            intervals: of all operands over the domains, cut where their ends are not the root's.
            root: the whole box's.
        """
        shut = {k: _shut(functions, intervals[k], root[k]) for k, functions in self.functions.items()}
        return {
            k: Interval(*node.function.image(shut[node.operands[0]].lower, shut[node.operands[0]].upper))
            for k, node in enumerate(self._network.nodes)
            if isinstance(node, Elementwise) and has_jumps(node.function) and node.operands[0] in shut
        }

    def nearest(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """The jump within each interval that is nearest to its middle, NaN without any; shape (M, open_count)."""
        result = np.full(lower.shape, np.nan)
        middle = _finite(0.5 * (lower + upper))
        for operand, functions in self.functions.items():
            part = self._shape.operands[operand].part
            low, high, around = lower[:, part], upper[:, part], middle[:, part]
            best = np.full(around.shape, np.inf)
            for function in functions:
                place = function.nearest_jump(around)
                away = np.where((low < place) & (place < high), np.abs(place - around), np.inf)
                result[:, part] = np.where(away < best, place, result[:, part])
                best = np.minimum(best, away)
        return result

    def clear_of(self, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Intervals that end on no jump, a hair wider where these do; shape (M, open_count) each."""
        lower, upper = lower.copy(), upper.copy()
        for operand, functions in self.functions.items():
            part = self._shape.operands[operand].part
            for function in functions:
                for ends, outwards in ((lower, -np.inf), (upper, np.inf)):
                    at = ends[:, part]
                    ends[:, part] = np.where(function.nearest_jump(at) == at, np.nextafter(at, outwards), at)
        return lower, upper


def _shut(functions: Sequence[Jumping], operand: Interval, root: Interval) -> Interval:
    """The operand's interval without the places that are left to the other half of a cut, as its neighbours are floats.

    A place at which every function has the value that follows is left to the upper half; else, where all have the value
    that precedes, to the lower half; else it stays in both.
    """
    xp = namespace(operand.lower)
    up, down = xp.full_like(operand.lower, xp.inf), xp.full_like(operand.lower, -xp.inf)

    def alike(x: Array, y: Array) -> Array:
        return reduce(xp.logical_and, [function.value(x) == function.value(y) for function in functions])

    lower, upper = operand.lower, operand.upper
    after_lower, before_upper = xp.nextafter(lower, up), xp.nextafter(upper, down)
    of_lower_half = alike(lower, xp.nextafter(lower, down)) & ~alike(lower, after_lower)
    of_upper_half = alike(upper, xp.nextafter(upper, up))
    wide = lower < upper
    return Interval(
        xp.where(wide & (lower > root.lower) & of_lower_half, after_lower, lower),
        xp.where(wide & (upper < root.upper) & of_upper_half, before_upper, upper),
    )


def _finite(x: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(x), x, 0.0)
