"""Lines for clip: the convex hull of its graph on an interval, two lines on each side.

Below, a flat line at the lower clip and an inclined one from where the graph rises, to its right end; above, an
inclined line from the left end to where the graph stops rising, and a flat one from there. Where the interval leaves
one of the two nothing to do, both are the same line.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.clip import Clip
from verifier.relaxations.policy import Lines, Policy, ordinary
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF

Line = tuple[Array, Array]
"""Slope and intercept."""

DOWN = 1.0 - 8.0 * UNIT_ROUNDOFF
"""Rounds a quotient of differences down."""


@dataclass(frozen=True, eq=False)
class ClipHull:
    """The lines of the hull, each a slope and an intercept in the shape of the ends.

    Attributes:
        flat_below, inclined_below: lines below; the flat one touches at the lower end.
        inclined_above, flat_above: lines above; the inclined one touches at the lower end.
    """

    flat_below: Line
    inclined_below: Line
    inclined_above: Line
    flat_above: Line


def clip_hull(function: Clip, lower: Array, upper: Array) -> ClipHull:
    """The hull on each interval; exact where the function is linear there, constants where an end is infinite."""
    xp = namespace(lower, upper)
    low, high = function.image(lower, upper)
    zero, one = xp.zeros_like(lower), xp.ones_like(lower)
    straight, bent = _cases(function, lower, upper)
    starts_flat, ends_flat = bent & (lower < function.low), bent & (upper > function.high)
    rise, stop = _corners(function, lower, upper, bent)
    start, end = xp.where(bent, lower, 0.0), xp.where(bent, upper, 1.0)
    to_end = _quotient(function.high - rise, end - rise, ends_flat)
    from_start = _quotient(stop - function.low, stop - start, starts_flat)
    plain_below, plain_above = (_chosen(straight, (one, zero), (zero, end)) for end in (low, high))
    inclined_below = _chosen(bent, _through(rise, to_end, -1.0), plain_below)
    inclined_above = _chosen(bent, _through(stop, from_start, 1.0), plain_above)
    return ClipHull(
        flat_below=_chosen(starts_flat, (zero, low), inclined_below),
        inclined_below=inclined_below,
        inclined_above=inclined_above,
        flat_above=_chosen(ends_flat, (zero, high), inclined_above),
    )


def clip_lines(function: Clip, lower: Array, upper: Array, policy: Policy) -> Lines:
    """One line of the hull on each side, or for `Policy.PARALLEL` two with the slope of the chord."""
    xp = namespace(lower, upper)
    hull = clip_hull(function, lower, upper)
    if policy is Policy.PARALLEL:
        return _parallel(function, lower, upper, hull)
    if policy is Policy.ADAPTIVE:
        inclined = inclined_is_better(hull, lower, upper)
    else:
        at_upper = policy is Policy.UPPER_END
        inclined = tuple(xp.full_like(lower, end, dtype=xp.bool) for end in (at_upper, not at_upper))
    below = _chosen(inclined[0], hull.inclined_below, hull.flat_below)
    above = _chosen(inclined[1], hull.inclined_above, hull.flat_above)
    return Lines(*below, *above)


def inclined_is_better(hull: ClipHull, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Where the inclined line below, and the one above, is nearer the graph in the middle, so of less area."""
    xp = namespace(lower, upper)
    proper = ordinary(lower, upper)
    middle = 0.5 * (xp.where(proper, lower, 0.0) + xp.where(proper, upper, 0.0))

    def at(line: Line) -> Array:
        return line[0] * middle + line[1]

    return at(hull.inclined_below) > at(hull.flat_below), at(hull.inclined_above) < at(hull.flat_above)


def _parallel(function: Clip, lower: Array, upper: Array, hull: ClipHull) -> Lines:
    """Lines with the slope of the chord, rounded down, through the corners; elsewhere those of the hull."""
    xp = namespace(lower, upper)
    _, bent = _cases(function, lower, upper)
    rise, stop = _corners(function, lower, upper, bent)
    chord = _quotient(stop - rise, xp.where(bent, upper, 1.0) - xp.where(bent, lower, 0.0), bent)
    below = _chosen(bent, _through(rise, chord, -1.0), hull.flat_below)
    return Lines(*below, *_chosen(bent, _through(stop, chord, 1.0), hull.flat_above))


def _cases(function: Clip, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Where the function is x on the interval, and where it bends on it.

    Elsewhere it is constant, or an end of the interval is infinite or NaN.
    """
    straight = (lower >= function.low) & (upper <= function.high)
    return straight, ordinary(lower, upper) & ~straight & (upper > function.low) & (lower < function.high)


def _corners(function: Clip, lower: Array, upper: Array, bent: Array) -> tuple[Array, Array]:
    """Where the graph rises from, and up to, in each interval; 0 and 1 where that is not asked."""
    xp = namespace(lower, upper)
    rise = xp.where(lower < function.low, function.low, lower)
    stop = xp.where(upper > function.high, function.high, upper)
    return xp.where(bent, rise, 0.0), xp.where(bent, stop, 1.0)


def _quotient(rise: Array, run: Array, where: Array) -> Array:
    """The slope rise / run, in [0, 1], rounded down; 1 elsewhere."""
    xp = namespace(rise)
    return xp.where(where, xp.where(where, rise, 1.0) / xp.where(where, run, 1.0) * DOWN, 1.0)


def _through(corner: Array, slope: Array, outwards: float) -> Line:
    """The line of this slope through (corner, corner), moved outwards by the rounding of its intercept."""
    xp = namespace(corner)
    drop = slope * corner
    exact = (slope == 0) | (slope == 1) | (corner == 0)
    margin = xp.where(exact, 0.0, 4.0 * UNIT_ROUNDOFF * (xp.abs(corner) + xp.abs(drop)) + UNDERFLOW)
    return slope, corner - drop + outwards * margin


def _chosen(where: Array, one: Line, other: Line) -> Line:
    xp = namespace(where)
    return xp.where(where, one[0], other[0]), xp.where(where, one[1], other[1])
