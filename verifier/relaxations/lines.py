"""Two lines that enclose a scalar function on an interval, for every entry: derived once from the function's facts.

Relu, clip and the step functions have rules of their own, which are exact. Everything else is bent: where it bends at
most once, chords and tangents (`bends`); where more often, the slope of a chord with an intercept found region by
region (`regions`). Constants from the image stand in where an end is infinite, the interval is a point, or a line came
out infinite.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from verifier.arrays import Array, namespace
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.clip import Clip
from verifier.network.functions.near import Near
from verifier.network.functions.relu import Relu
from verifier.network.functions.steps import StepFunction
from verifier.relaxations.bends import Tangents
from verifier.relaxations.clipping import clip_hull, clip_lines
from verifier.relaxations.policy import Lines, Policy, ordinary
from verifier.relaxations.rectifier import relu_lines
from verifier.relaxations.regions import line_above
from verifier.relaxations.sides import Side
from verifier.relaxations.steps import near_lines, step_lines

__all__ = ["Line", "Lines", "Policy", "lines", "supporting_lines"]

Line: TypeAlias = tuple[Array, Array]
"""Slope and intercept."""

Touching: TypeAlias = Callable[[Tangents], list[Line]]
Crossing: TypeAlias = Callable[[Side, Array, Array], list[Line]]


def lines(function: ScalarFunction, lower: Array, upper: Array, policy: Policy = Policy.ADAPTIVE) -> Lines:
    """A line below and a line above `function` on each interval, in real arithmetic.

    Args:
        function: what to enclose.
        lower: lower ends, float64, any shape; infinite and NaN ends give constant, possibly infinite, lines.
        upper: upper ends, the same shape.
        policy: which of the sound lines.
    """
    if isinstance(function, Relu):
        return relu_lines(lower, upper, policy)
    if isinstance(function, Clip):
        return clip_lines(function, lower, upper, policy)
    if isinstance(function, StepFunction):
        return step_lines(function, lower, upper)
    if isinstance(function, Near):
        return near_lines(function, lower, upper)

    def one(side: Side) -> Line:
        return _lines_above(side, lower, upper, lambda t: [t.chosen(policy)], _best_of_slopes)[0]

    slope, intercept = one(Side(function, mirrored=True))
    return Lines(-slope, -intercept, *one(Side(function, mirrored=False)))


def supporting_lines(function: ScalarFunction, lower: Array, upper: Array, count: int) -> tuple[list[Line], list[Line]]:
    """Several lines below and several lines above `function` on each interval, in real arithmetic.

    Args:
        function: what to enclose.
        lower: lower ends, float64, any shape; infinite and NaN ends give constant, possibly infinite, lines.
        upper: upper ends, the same shape.
        count: points of tangency on each side, at least 1.

    Returns:
        The lines below and the lines above, each (slope, intercept) in the shape of the ends. An entry that needs
        fewer lines than another has some of them twice. Slopes are finite, intercepts may be infinite.
    """
    if isinstance(function, Relu):
        zero, one = (relu_lines(lower, upper, policy) for policy in (Policy.LOWER_END, Policy.UPPER_END))
        below = [(zero.lower_slope, zero.lower_intercept), (one.lower_slope, one.lower_intercept)]
        return below, [(one.upper_slope, one.upper_intercept)]
    if isinstance(function, Clip):
        hull = clip_hull(function, lower, upper)
        return [hull.flat_below, hull.inclined_below], [hull.inclined_above, hull.flat_above]
    if isinstance(function, StepFunction | Near):
        inclined, flat = lines(function, lower, upper), namespace(lower, upper).zeros_like(lower)
        least, greatest = function.image(lower, upper)
        return (
            [(inclined.lower_slope, inclined.lower_intercept), (flat, least)],
            [(inclined.upper_slope, inclined.upper_intercept), (flat, greatest)],
        )

    def several(side: Side) -> list[Line]:
        return _lines_above(side, lower, upper, lambda t: t.spread(count), lambda *a: _all_of_slopes(*a)[:count])

    mirrored = several(Side(function, mirrored=True))
    return [(-slope, -intercept) for slope, intercept in mirrored], several(Side(function, mirrored=False))


def _lines_above(side: Side, lower: Array, upper: Array, touching: Touching, crossing: Crossing) -> list[Line]:
    """Lines above one side of the graph, as many as the longer of the two rules gives.

    Args:
        side: f or -f.
        lower: lower ends.
        upper: upper ends.
        touching: draws lines where the bend is known.
        crossing: draws lines where it is not.
    """
    xp = namespace(lower, upper)
    constant = side.greatest(lower, upper)
    bends = side.curvature(lower, upper)
    proper, known = ordinary(lower, upper), bends.known
    drawn: list[tuple[Array, list[Line]]] = []
    if bool(xp.any(proper & known)):
        where = proper & known
        drawn.append((where, touching(Tangents(side, lower[where], upper[where]))))
    if bool(xp.any(proper & ~known & xp.isfinite(constant))):
        where = proper & ~known & xp.isfinite(constant)
        drawn.append((where, crossing(side, lower[where], upper[where])))
    result: list[Line] = []
    for k in range(max((len(some) for _, some in drawn), default=1)):
        slope, intercept = xp.zeros_like(lower), xp.asarray(constant, copy=True)
        for where, some in drawn:
            if k < len(some):
                fine = xp.isfinite(some[k][1])
                slope[where] = xp.where(fine, some[k][0], 0.0)
                intercept[where] = xp.where(fine, some[k][1], constant[where])
        if not result or not _same((slope, intercept), result[-1]):
            result.append((slope, intercept))
    return result


def _all_of_slopes(side: Side, lower: Array, upper: Array) -> list[Line]:
    """Lines with the slopes of the chord and of the tangents in the middle and at the ends."""
    middle = 0.5 * (lower + upper)
    slopes = [side.chord(lower, upper), side.slope(middle), side.slope(lower), side.slope(upper)]
    return [line_above(side, lower, upper, slope) for slope in slopes]


def _best_of_slopes(side: Side, lower: Array, upper: Array) -> list[Line]:
    """Of those lines and the constant, for each entry the one that is lowest in the middle, so of least area."""
    xp = namespace(lower, upper)
    middle = 0.5 * (lower + upper)
    slope, intercept = xp.zeros_like(lower), side.greatest(lower, upper)
    for other_slope, other_intercept in _all_of_slopes(side, lower, upper)[:2]:
        better = other_slope * middle + other_intercept < slope * middle + intercept
        slope, intercept = xp.where(better, other_slope, slope), xp.where(better, other_intercept, intercept)
    return [(slope, intercept)]


def _same(one: Line, other: Line) -> bool:
    xp = namespace(*one)
    return bool(xp.all(one[0] == other[0])) and bool(xp.all(one[1] == other[1]))
