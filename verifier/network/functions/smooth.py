"""Functions with a derivative and finitely many turning points and inflections: all rules from a few stated facts.

By the mean value theorem the difference quotients over an interval lie between the extremes of the derivative, which
are found at the ends and at the inflections, just as the extremes of the function are found at the ends and at its
stationary points.
"""

from __future__ import annotations

import math

from verifier.arrays import Array, namespace
from verifier.network.functions.base import Curvature, ScalarFunction
from verifier.network.functions.enclosures import clipped, extremes, known, vacuous_unless, widened


class Smooth(ScalarFunction):
    """A function given by facts; `value` and `derivative` have to be right at infinite arguments too (their limits).

    Stationary points and inflections are float64 roundings of the true ones: off by a unit roundoff e, they change a
    value by a multiple of e**2, far inside the margin for the rounding of the value itself.

    Attributes:
        stationary: where the derivative changes sign, ascending.
        inflections: where the function changes between convex and concave, ascending.
        convex_first: whether it is convex to the left of the first inflection (anywhere, if there is none).
        value_range, slope_range_bounds: what no value and no difference quotient ever leaves.
        value_error, derivative_error: the absolute part of the rounding error, see `enclosures.widened`.
    """

    stationary: tuple[float, ...] = ()
    inflections: tuple[float, ...] = ()
    convex_first: bool = True
    value_range: tuple[float, float] = (-math.inf, math.inf)
    slope_range_bounds: tuple[float, float] = (-math.inf, math.inf)
    value_error: float = 0.0
    derivative_error: float = 0.0

    def defined(self, lower: Array, upper: Array) -> Array:
        """True where the function is defined on the whole of [lower, upper] and the ends are numbers."""
        return known(lower, upper)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        low, high = widened(*extremes(self.value, lower, upper, self.stationary), self.value_error)
        return vacuous_unless(self.defined(lower, upper), *clipped(low, high, *self.value_range))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        low, high = widened(*extremes(self.derivative, lower, upper, self.inflections), self.derivative_error)
        return vacuous_unless(self.defined(lower, upper), *clipped(low, high, *self.slope_range_bounds))

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        xp = namespace(lower, upper)
        convex_at_lower = xp.full_like(lower, self.convex_first, dtype=xp.bool)
        inside = xp.zeros_like(lower, dtype=xp.int64)
        inflection = xp.zeros_like(lower)
        for point in self.inflections:
            convex_at_lower = convex_at_lower ^ (lower >= point)
            between = (lower < point) & (point < upper)
            inside = inside + xp.astype(between, xp.int64)
            inflection = xp.where(between, point, inflection)
        defined = self.defined(lower, upper)
        straight, turning = defined & (inside == 0), defined & (inside == 1)
        return Curvature(
            convex=straight & convex_at_lower,
            concave=straight & ~convex_at_lower,
            convex_then_concave=turning & convex_at_lower,
            concave_then_convex=turning & ~convex_at_lower,
            inflection=inflection,
        )
