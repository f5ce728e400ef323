"""Lines for intervals on which a function bends more than once, such as gelu across 0 or a period of the sine.

The slope is chosen first; then the interval is cut, at the inflections where the function lists them, else into equal
parts, and each part says how far the graph rises above a line of that slope. Any slope is sound.
"""

from __future__ import annotations

import math

from verifier.arrays import Array, namespace
from verifier.relaxations.policy import moderate
from verifier.relaxations.sides import Side

PARTS = 32
"""Equal parts an interval is cut into where the inflections are not listed; the looseness falls with its square."""

BISECTIONS = 16
"""Halvings in the search for a concave part's peak; the looseness falls with their square."""


ENTRIES = 1 << 20
"""Parts times intervals that are worked on at once, which bounds the memory."""


def line_above(side: Side, lower: Array, upper: Array, slope: Array) -> tuple[Array, Array]:
    """The slope and the intercept of a line above the graph; the intercept is infinite where no finite one is known.

    Args:
        side: f or -f.
        lower: lower ends; moderate numbers.
        upper: upper ends, above the lower ones; moderate numbers.
        slope: any slopes.
    """
    xp = namespace(lower, upper)
    slope = moderate(slope)
    cuts = side.function.inflections
    if cuts:
        inner = [xp.minimum(xp.maximum(xp.full_like(lower, c), lower), upper) for c in cuts]
    else:
        inner = [_share(lower, upper, k / PARTS) for k in range(1, PARTS)]
    points = [lower, *inner, upper]
    together = max(1, ENTRIES // max(1, math.prod(lower.shape)))
    peak = side.height(lower, slope)
    for k in range(0, len(points) - 1, together):
        ends = xp.stack(points[k : k + together + 1])
        slopes = xp.broadcast_to(slope, (ends.shape[0] - 1, *lower.shape))
        rule = _peak_between_inflections if cuts else Side.peak_by_slopes
        peak = xp.maximum(peak, xp.max(rule(side, slopes, ends[:-1, ...], ends[1:, ...]), axis=0))
    return slope, peak


def _share(lower: Array, upper: Array, share: float) -> Array:
    """The point at the given share of the way from lower to upper."""
    xp = namespace(lower, upper)
    return xp.minimum(lower + share * (upper - lower), upper)


def _peak_between_inflections(side: Side, slope: Array, lower: Array, upper: Array) -> Array:
    """An upper bound of f(x) - slope * x on [lower, upper], where f bends one way."""
    xp = namespace(slope)
    bends = side.curvature(lower, upper)
    p, q = lower, upper
    for _ in range(BISECTIONS):
        middle = 0.5 * (p + q)
        rising = side.slope(middle) > slope
        p, q = xp.where(rising, middle, p), xp.where(rising, q, middle)
    concave = side.peak_of_concave(slope, (lower, upper), (p, q))
    convex = xp.maximum(side.height(lower, slope), side.height(upper, slope))
    known = xp.where(bends.convex, convex, concave)
    return xp.where(bends.convex | bends.concave, known, side.peak_by_slopes(slope, lower, upper))
