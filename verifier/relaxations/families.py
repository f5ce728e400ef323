"""Families of sound lines: what an optimised bound chooses from.

Any convex combination of lines below a graph lies below it. A family is therefore a path through a few sound lines
(for a product: planes), and one number in [0, 1] for each entry, its *place*, picks a point of that path. For a relu
the path leads from the slope 0 to the slope 1 (Xu et al., arXiv 2011.13824, section 3.2: alpha-CROWN); for a bent
function through tangents (Shi et al., arXiv 2405.21063: GenBaB); for a product between the planes of McCormick.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from verifier.arrays import Array, namespace
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.clip import Clip
from verifier.network.functions.near import Near
from verifier.network.functions.relu import Relu
from verifier.network.functions.steps import StepFunction
from verifier.relaxations.clipping import clip_hull, inclined_is_better
from verifier.relaxations.lines import Policy, lines, supporting_lines
from verifier.relaxations.policy import ordinary
from verifier.relaxations.products import product_planes
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF

TANGENTS = 5
"""Tangents on the path of a bent function."""


@dataclass(frozen=True, eq=False)
class Mix:
    """One line an entry, and how it changes with its place.

    Attributes:
        slopes: for each operand, shape (N, size).
        intercept: shape (N, size).
        slope_rates, intercept_rate: derivatives by the place, the same shapes; None where the family is one line.
    """

    slopes: tuple[Array, ...]
    intercept: Array
    slope_rates: tuple[Array, ...] | None = None
    intercept_rate: Array | None = None


@dataclass(frozen=True, eq=False)
class Family:
    """Lines on one side of a node's graph, in the order of the path.

    Attributes:
        slopes: for each line, for each operand, shape (N, size).
        intercepts: for each line, shape (N, size).
        start: the place of the line that is best by itself, shape (N, size).
        exact: whether a mix of float64 lines is exactly the mix of the real lines (relu: place 0 and 1, no intercept).
    """

    slopes: tuple[tuple[Array, ...], ...]
    intercepts: tuple[Array, ...]
    start: Array
    exact: bool = False

    @property
    def count(self) -> int:
        return len(self.intercepts)

    def mixed(self, place: Array) -> Mix:
        """The lines at `place`, shape (N, size) or broadcastable, entries in [0, 1]; rounding is not covered."""
        if self.count == 1:
            return Mix(self.slopes[0], self.intercepts[0])
        if self.count == 2:
            return self._segment(0, place)
        xp = namespace(place)
        at = place * (self.count - 1)
        segment = xp.clip(xp.floor(at), 0, self.count - 2)
        share = at - segment
        parts = [self._segment(k, share) for k in range(self.count - 1)]
        mix = parts[0]
        for k, part in enumerate(parts[1:], start=1):
            mix = _where(segment >= k, part, mix)
        return mix

    def _segment(self, k: int, share: Array) -> Mix:
        steps, rise = self._steps[k]
        scale = self.count - 1
        slopes = tuple(a + share * step for a, step in zip(self.slopes[k], steps, strict=True))
        rates = steps if scale == 1 else tuple(scale * step for step in steps)
        return Mix(slopes, self.intercepts[k] + share * rise, rates, rise if scale == 1 else scale * rise)

    @cached_property
    def _steps(self) -> list[tuple[tuple[Array, ...], Array]]:
        """From each line to the next: by how much the slopes grow, and the intercept."""
        slopes = [tuple(b - a for a, b in zip(*pair, strict=True)) for pair in pairwise(self.slopes)]
        return list(zip(slopes, (b - a for a, b in pairwise(self.intercepts)), strict=True))

    def margin(self, magnitudes: tuple[Array, ...]) -> Array:
        """What rounding can move a mixed line by, within operands of these magnitudes, shape (N, size).

        Nothing where all lines of an entry are the same, since the mix then is that line.
        """
        xp = namespace(self.start)
        if self.count == 1 or self.exact:
            return xp.zeros_like(self.intercepts[0])
        size, mixed = xp.zeros_like(self.intercepts[0]), xp.zeros_like(self.intercepts[0], dtype=xp.bool)
        for slopes, intercept in zip(self.slopes, self.intercepts, strict=True):
            size, mixed = size + xp.abs(intercept), mixed | (intercept != self.intercepts[0])
            for slope, first, magnitude in zip(slopes, self.slopes[0], magnitudes, strict=True):
                mixed = mixed | (slope != first)
                size = size + xp.where(slope == 0, xp.zeros_like(size), xp.abs(slope) * magnitude)
        return xp.where(mixed, 8.0 * UNIT_ROUNDOFF * size + UNDERFLOW, 0.0)


def _where(condition: Array, one: Mix, other: Mix) -> Mix:
    xp = namespace(condition)
    assert one.slope_rates is not None
    assert other.slope_rates is not None

    def chosen(first: tuple[Array, ...], second: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(xp.where(condition, a, b) for a, b in zip(first, second, strict=True))

    return Mix(
        chosen(one.slopes, other.slopes),
        xp.where(condition, one.intercept, other.intercept),
        chosen(one.slope_rates, other.slope_rates),
        xp.where(condition, one.intercept_rate, other.intercept_rate),
    )


def function_families(function: ScalarFunction, lower: Array, upper: Array) -> tuple[Family, Family]:
    """The lines below and above a scalar function on intervals, shape (N, size) each."""
    xp = namespace(lower, upper)
    if isinstance(function, Relu):
        flat = lines(function, lower, upper, Policy.LOWER_END)
        crossing = (lower < 0) & (upper > 0) & ordinary(lower, upper)
        steep = xp.where(crossing, 1.0, flat.lower_slope)
        start = xp.astype(upper > -lower, lower.dtype)
        intercepts = flat.lower_intercept, flat.lower_intercept
        below = Family(((flat.lower_slope,), (steep,)), intercepts, start, exact=True)
        return below, Family(((flat.upper_slope,),), (flat.upper_intercept,), start)
    if isinstance(function, Clip):
        return _clip_families(function, lower, upper)
    below_lines, above_lines = supporting_lines(function, lower, upper, TANGENTS)
    middle = xp.full_like(lower, 0.5)
    sides = [
        Family(tuple((slope,) for slope, _ in side), tuple(intercept for _, intercept in side), middle)
        for side in (below_lines, above_lines)
    ]
    return sides[0], sides[1]


def has_jumps(function: ScalarFunction) -> bool:
    """Whether a function is constant but for jumps, so that its value may be known where its operand is at one."""
    return isinstance(function, StepFunction | Near)


def at_known_values(families: tuple[Family, Family], lower: Array, upper: Array) -> tuple[Family, Family]:
    """The lines below and above a function whose value is known to lie from `lower` to `upper`.

    What is flat goes no further than these, and where they are one number all lines are constant.
    """
    xp = namespace(lower)
    known = lower == upper

    def settled(family: Family, within: Array, nearer: Callable[[Array, Array], Array]) -> Family:
        slopes = tuple(tuple(xp.where(known, 0.0, slope) for slope in line) for line in family.slopes)
        lines = zip(slopes, family.intercepts, strict=True)
        closer = tuple(xp.where(line[0] == 0, nearer(within, intercept), intercept) for line, intercept in lines)
        return replace(family, slopes=slopes, intercepts=tuple(xp.where(known, lower, i) for i in closer))

    return settled(families[0], lower, xp.maximum), settled(families[1], upper, xp.minimum)


def _clip_families(function: Clip, lower: Array, upper: Array) -> tuple[Family, Family]:
    """Both lines of the hull on each side, in the order from the flat one below, and to the flat one above."""
    xp = namespace(lower, upper)
    hull = clip_hull(function, lower, upper)
    inclined_below, inclined_above = inclined_is_better(hull, lower, upper)
    sides = [
        Family(tuple((slope,) for slope, _ in path), tuple(intercept for _, intercept in path), start)
        for path, start in (
            ((hull.flat_below, hull.inclined_below), xp.astype(inclined_below, lower.dtype)),
            ((hull.inclined_above, hull.flat_above), xp.astype(~inclined_above, lower.dtype)),
        )
    ]
    return sides[0], sides[1]


def product_families(x_lower: Array, x_upper: Array, y_lower: Array, y_upper: Array) -> tuple[Family, Family]:
    """The planes below and above a product on boxes, shape (N, size) each."""
    planes = product_planes(x_lower, x_upper, y_lower, y_upper)
    middle = namespace(x_lower).full_like(planes.lower[0].intercept, 0.5)
    sides = [
        Family(tuple((p.x_slope, p.y_slope) for p in side), tuple(p.intercept for p in side), middle)
        for side in (planes.lower, planes.upper)
    ]
    return sides[0], sides[1]
