"""Lines for functions that only jump upwards, such as sign and floor.

The upper line turns about the corner after the last jump (last, f(upper)), the lower line about the corner before the
first jump (first, f(lower)). The area between line and graph is linear in the slope, so the best slope is 0 or the
steepest that keeps clear of all other corners, according to the side of the corner on which the middle lies.
"""

from __future__ import annotations

from verifier.arrays import Array, namespace
from verifier.network.functions.steps import StepFunction
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
    several = xp.where(first < last, xp.full_like(first, function.steepness), -1.0)
    upper_slope = _slope(turning & (middle < last), several, top - bottom, last - lower)
    lower_slope = _slope(turning & (middle > first), several, top - bottom, upper - first)
    return Lines(
        lower_slope,
        xp.where(lower_slope == 0, low, _intercept(bottom, lower_slope, first, -1.0)),
        upper_slope,
        xp.where(upper_slope == 0, high, _intercept(top, upper_slope, last, 1.0)),
    )


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
    exact = (slope == 1.0) | (drop == 0)
    margin = 4.0 * UNIT_ROUNDOFF * (xp.abs(height) + xp.abs(drop)) + UNDERFLOW
    return height - drop + outwards * xp.where(exact, 0.0, margin)
