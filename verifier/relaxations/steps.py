"""Lines for functions that only jump: upwards, such as sign and floor, or up and down again.

The upper line turns about the corner after the last jump (last, f(upper)), the lower line about the corner before the
first jump (first, f(lower)). The area between line and graph is linear in the slope, so the best slope is 0 or the
steepest that keeps clear of all other corners, according to the side of the corner on which the middle lies.
"""

from __future__ import annotations

from verifier.arrays import Array, namespace
from verifier.network.functions.near import Near
from verifier.network.functions.steps import Step, StepFunction
from verifier.relaxations.policy import Lines
from verifier.tolerances import LARGEST_VALUE, UNDERFLOW, UNIT_ROUNDOFF

LARGEST_STEP = 2.0**50
"""Up to here neighbouring whole numbers, and their halves, are float64 numbers; beyond, lines are constant."""


def step_lines(function: StepFunction, lower: Array, upper: Array) -> Lines:
    """The lines of least area; constants where there is no jump or an end is infinite."""
    xp = namespace(lower, upper)
    low, high = function.image(lower, upper)
    first, last = function.jumps(lower, upper)
    turning = (lower >= -LARGEST_STEP) & (lower < upper) & (upper <= LARGEST_STEP) & (first <= last)
    lower, upper = xp.where(turning, lower, 0.0), xp.where(turning, upper, 1.0)
    first, last = xp.where(turning, first, 0.5), xp.where(turning, last, 0.5)
    bottom, top = xp.where(turning, low, 0.0), xp.where(turning, high, 0.0)
    middle = 0.5 * (lower + upper)
    several = xp.where(first < last, function.steepness(lower, upper), -1.0)
    upper_slope = _slope(turning & (middle < last), several, top - bottom, last - lower)
    lower_slope = _slope(turning & (middle > first), several, top - bottom, upper - first)
    return Lines(
        lower_slope,
        xp.where(lower_slope == 0, low, _intercept(bottom, lower_slope, first, -1.0)),
        upper_slope,
        xp.where(upper_slope == 0, high, _intercept(top, upper_slope, last, 1.0)),
    )


def near_lines(function: Near, lower: Array, upper: Array) -> Lines:
    """Lines for `Near`, which is a step of the distance to an end where the interval holds one end of the 1s alone."""
    xp = namespace(lower, upper)
    low, high = function.image(lower, upper)
    result = Lines(xp.zeros_like(low), low, xp.zeros_like(high), high)
    for sign, near, far in ((-1.0, lower, upper), (1.0, -upper, -lower)):  # 1 from the near end to the radius
        one_sided = (near >= -function.radius) & (near <= function.radius) & (far > function.radius)
        ends = xp.where(one_sided, near, 0.0), xp.where(one_sided, far, 1.0)
        start, stop = function.radius - ends[1], function.radius - ends[0]
        slack = 2.0 * UNIT_ROUNDOFF * (xp.abs(start) + xp.abs(stop)) if function.radius else xp.zeros_like(start)
        found = step_lines(Step(True), start - slack, stop + slack)  # of radius - |x|, on this side radius + sign * x
        result = Lines(
            *_where(one_sided, _of_shifted(found.lower_slope, found.lower_intercept, sign, function.radius, -1.0),
                    (result.lower_slope, result.lower_intercept)),
            *_where(one_sided, _of_shifted(found.upper_slope, found.upper_intercept, sign, function.radius, 1.0),
                    (result.upper_slope, result.upper_intercept)),
        )  # fmt: skip
    return result


def _of_shifted(slope: Array, intercept: Array, sign: float, shift: float, outwards: float) -> tuple[Array, Array]:
    """A line in shift + sign * x as one in x, moved outwards by its rounding."""
    xp = namespace(slope)
    moved = slope * shift
    margin = xp.where(moved == 0, 0.0, 4.0 * UNIT_ROUNDOFF * (xp.abs(moved) + xp.abs(intercept)) + UNDERFLOW)
    return sign * slope, intercept + moved + outwards * margin


def _where(condition: Array, one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
    xp = namespace(condition)
    return xp.where(condition, one[0], other[0]), xp.where(condition, one[1], other[1])


def _slope(inclined: Array, several: Array, rise: Array, run: Array) -> Array:
    """The steepest slope allowed, rounded down; 0 where not inclined. `several` is -1 where one jump is inside."""
    xp = namespace(rise)
    run = xp.where(inclined & (run > 1.0 / LARGEST_VALUE), run, xp.inf)
    single = rise / run * (1.0 - 8.0 * UNIT_ROUNDOFF)
    return xp.where(inclined, xp.where(several >= 0, several, single), 0.0)


def _intercept(height: Array, slope: Array, corner: Array, outwards: float) -> Array:
    """The intercept of the line of the given slope through (corner, height), moved outwards by its rounding error."""
    xp = namespace(height)
    drop = slope * corner
    exact = (slope == 1.0) | (slope == 0.5) | (drop == 0)
    margin = 4.0 * UNIT_ROUNDOFF * (xp.abs(height) + xp.abs(drop)) + UNDERFLOW
    return height - drop + outwards * xp.where(exact, 0.0, margin)
