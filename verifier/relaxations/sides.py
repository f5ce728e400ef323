"""One side of a function's graph: f itself for lines above, -f for lines below, so that only `above` has to be written.

Soundness rests on one question, how large f(x) - slope * x gets on an interval, which is answered here for *any* slope
from enclosures of f and its slopes. Where slopes come from, and that bisections stop early, only costs tightness.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import Curvature, ScalarFunction
from verifier.relaxations.policy import moderate
from verifier.tolerances import LARGEST_VALUE, UNDERFLOW, UNIT_ROUNDOFF

UP = 1.0 + 16.0 * UNIT_ROUNDOFF
"""Covers the few roundings in a sum of nonnegative products."""


@dataclass(frozen=True)
class Side:
    """f or -f.

    Attributes:
        function: f.
        mirrored: whether it is -f.
    """

    function: ScalarFunction
    mirrored: bool

    def value(self, x: Array) -> Array:
        """The value as computed, 0 where it is not moderate: good enough to choose a slope by."""
        value = self.function.value(x)
        return moderate(-value if self.mirrored else value)

    def slope(self, x: Array) -> Array:
        """The derivative as computed; may be infinite."""
        slope = self.function.derivative(x)
        return -slope if self.mirrored else slope

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """An enclosure of the difference quotients."""
        low, high = self.function.slope_range(lower, upper)
        return (-high, -low) if self.mirrored else (low, high)

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        """The bends of f or -f."""
        bends = self.function.curvature(lower, upper)
        if not self.mirrored:
            return bends
        return Curvature(
            bends.concave, bends.convex, bends.concave_then_convex, bends.convex_then_concave, bends.inflection
        )

    def height(self, x: Array, slope: Array) -> Array:
        """An upper bound of f(x) - slope * x at the points x, rounding covered."""
        xp = namespace(x, slope)
        above = self.greatest(x, x)
        drop = slope * x
        return above - drop + (4.0 * UNIT_ROUNDOFF * (xp.abs(above) + xp.abs(drop)) + UNDERFLOW)

    def greatest(self, lower: Array, upper: Array) -> Array:
        """An upper bound of f over [lower, upper]."""
        low, high = self.function.image(lower, upper)
        return -low if self.mirrored else high

    def chord(self, lower: Array, upper: Array) -> Array:
        """The slope of the chord, kept inside the slope range, for lower < upper; 0 where it is not moderate."""
        xp = namespace(lower, upper)
        width = upper - lower
        slope = (self.value(upper) - self.value(lower)) / xp.where(width > 1.0 / LARGEST_VALUE, width, LARGEST_VALUE)
        least, greatest = self.slope_range(lower, upper)
        return moderate(xp.minimum(xp.maximum(slope, least), greatest))

    def peak_of_concave(self, slope: Array, part: tuple[Array, Array], bracket: tuple[Array, Array]) -> Array:
        """An upper bound of f(x) - slope * x on [a, b] = part, where f is concave.

        The bracket [p, q] inside the part is where the maximum is thought to be. f lies below its tangents at p and
        q: left of p and right of q the bound pays for a maximum that is there after all, between them for its distance.
        """
        xp = namespace(slope)
        (a, b), (p, q) = part, bracket
        rise, fall, usable = self._excess(p, p, slope)
        rise_after, _, usable_after = self._excess(q, q, slope)
        at_p, at_q = self.height(p, slope), self.height(q, slope)
        left, between, right = at_p + fall * (p - a), at_p + rise * (q - p), at_q + rise_after * (b - q)
        return _rounded_up(xp.maximum(left, xp.maximum(between, right)), usable & usable_after)

    def peak_by_slopes(self, slope: Array, lower: Array, upper: Array) -> Array:
        """An upper bound of f(x) - slope * x on [lower, upper] from the ends and the slope range alone.

        From the left end it rises no faster than p, to the right end it falls no faster than q; the bound is where the
        two lines meet, at any t from 0 to the width.
        """
        xp = namespace(slope)
        p, q, usable = self._excess(lower, upper, slope)
        left, right, width = self.height(lower, slope), self.height(upper, slope), (upper - lower) * UP
        rate = xp.where(p + q > 1.0 / LARGEST_VALUE, p + q, 1.0)
        t = (moderate(right) - moderate(left) + q * width) / rate
        t = xp.minimum(xp.maximum(t, xp.zeros_like(t)), width)
        return _rounded_up(xp.maximum(left + p * t, right + q * (width - t)), usable)

    def _excess(self, lower: Array, upper: Array, slope: Array) -> tuple[Array, Array, Array]:
        """By how much f's slopes exceed `slope` and fall short of it, both at least 0 and rounded up; usable or not."""
        xp = namespace(slope)
        least, greatest = self.slope_range(lower, upper)
        usable = (least >= -LARGEST_VALUE) & (greatest <= LARGEST_VALUE)
        rise, fall = xp.where(usable, greatest, 0.0) - slope, slope - xp.where(usable, least, 0.0)
        zero = xp.zeros_like(slope)
        return xp.maximum(rise, zero) * UP, xp.maximum(fall, zero) * UP, usable


def _rounded_up(x: Array, usable: Array) -> Array:
    """Adds a margin for the last addition; infinite where it is not usable."""
    xp = namespace(x)
    return xp.where(usable, x + (8.0 * UNIT_ROUNDOFF * xp.abs(x) + UNDERFLOW), xp.inf)
