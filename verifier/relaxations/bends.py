"""Lines above a curve that bends at most once on each interval: chords over convex parts, tangents to concave ones.

Every case is one: a far end e, an inflection c and an outer end o, the graph convex between e and c and concave between
c and o. Wholly convex is c = o, wholly concave is c = e. A tangent to the concave part at t lies above the whole graph
as soon as it lies above it at e; such t form a range [nearest, o], found by bisection. If there is none, the chord lies
above. This is the construction of Zhang et al. 2018 (CROWN, table 2), for any function that states its bends.
"""

from __future__ import annotations

from collections.abc import Callable

from verifier.arrays import Array, namespace
from verifier.relaxations.policy import Policy, moderate
from verifier.relaxations.sides import Side
from verifier.tolerances import LARGEST_VALUE

BISECTIONS = 14
"""Halvings in the search for a point of tangency: any point is sound, and 1e-4 of the interval is close enough."""


class Tangents:
    """The family of lines above one side of a graph, for intervals lower < upper whose bend is known.

    Args:
        side: f or -f.
        lower: lower ends, shape (n,); moderate numbers.
        upper: upper ends, likewise.
    """

    def __init__(self, side: Side, lower: Array, upper: Array) -> None:
        xp = namespace(lower, upper)
        bends = side.curvature(lower, upper)
        self.side, self.lower, self.upper = side, lower, upper
        rightwards = ~bends.concave_then_convex  # from the far end over the inflection to the outer end
        self.far, self.outer = xp.where(rightwards, lower, upper), xp.where(rightwards, upper, lower)
        inflection = xp.where(bends.convex, self.outer, xp.where(bends.concave, self.far, bends.inflection))
        self.concave_part = (xp.where(rightwards, inflection, lower), xp.where(rightwards, upper, inflection))
        self.chord = side.chord(lower, upper)
        self.chord_only = bends.convex | (~bends.concave & ~_clears(side, self.outer, self.far))
        self.nearest = xp.asarray(inflection, copy=True)
        sought = ~bends.concave & ~self.chord_only
        if bool(xp.any(sought)):
            far = self.far[sought]
            self.nearest[sought] = _first(lambda t: _clears(side, t, far), inflection[sought], self.outer[sought])

    def at(self, point: Array) -> tuple[Array, Array]:
        """Slope and intercept of the line that touches the graph at `point`, or at the nearest point that will do.

        Where tangents cut the graph, the chord. The intercept is infinite where no finite one is known.
        """
        xp = namespace(point)
        least, greatest = xp.minimum(self.nearest, self.outer), xp.maximum(self.nearest, self.outer)
        point = xp.minimum(xp.maximum(point, least), greatest)
        unfit = self._steep_or_kinked(point)
        point = xp.where(unfit, 0.5 * (self.nearest + self.outer), point)
        point = xp.where(self.chord_only, self.outer, point)
        slope = xp.where(self.chord_only, self.chord, moderate(self.side.slope(point)))
        peak = self.side.peak_of_concave(slope, self.concave_part, (point, point))
        return slope, xp.maximum(peak, self.side.height(self.far, slope))

    def chosen(self, policy: Policy) -> tuple[Array, Array]:
        """The line of a policy."""
        if policy is Policy.LOWER_END:
            return self.at(self.lower)
        if policy is Policy.UPPER_END:
            return self.at(self.upper)
        if policy is Policy.PARALLEL:
            return self.at(_first(self._flatter_than_chord, self.nearest, self.outer))
        return self.at(0.5 * (self.lower + self.upper))

    def spread(self, count: int) -> list[tuple[Array, Array]]:
        """Lines that touch at `count` points spread evenly over the range of points of tangency."""
        shares = [k / (count - 1) for k in range(count)] if count > 1 else [0.5]
        return [self.at(self.nearest + share * (self.outer - self.nearest)) for share in shares]

    def _steep_or_kinked(self, point: Array) -> Array:
        """Whether no slope is known well at `point`: the square root's is infinite at 0, selu has two there."""
        xp = namespace(point)
        least, greatest = (moderate(end) for end in self.side.slope_range(point, point))
        slope = self.side.slope(point)
        return ~(xp.abs(slope) <= LARGEST_VALUE) | (greatest - least > 1e-9 * (1.0 + xp.abs(moderate(slope))))

    def _flatter_than_chord(self, point: Array) -> Array:
        """Whether the tangent at `point` has turned, seen from the far end, to where the chord points."""
        xp = namespace(point)
        slope = self.side.slope(point)
        return xp.where(self.outer > self.far, slope <= self.chord, slope >= self.chord)


def _clears(side: Side, point: Array, far: Array) -> Array:
    """Whether the tangent at `point` is above the graph at `far`."""
    return side.value(point) + moderate(side.slope(point)) * (far - point) >= side.value(far)


def _first(holds: Callable[[Array], Array], start: Array, end: Array) -> Array:
    """A point near the first, on the way from start to end, where `holds` is true from there on."""
    xp = namespace(start)
    for _ in range(BISECTIONS):
        middle = 0.5 * (start + end)
        fine = holds(middle)
        start, end = xp.where(fine, start, middle), xp.where(fine, middle, end)
    return end
