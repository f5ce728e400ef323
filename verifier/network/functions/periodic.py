"""sin and cos: both are x -> sin(x + phase), so one class knows where they peak and where they bend; and tan.

An extremum that may lie inside an interval, up to the rounding of x / (2 pi), is taken as inside: near it the
function is flat, and the image grows by less than its own rounding. Beyond `LARGEST_ARGUMENT` the place in the
period is no longer known well enough, and the image is [-1, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import Curvature, ScalarFunction
from verifier.network.functions.enclosures import clipped, known, vacuous_unless, widened

LARGEST_ARGUMENT = 2.0**20
"""Up to here multiples of pi in float64 are off by less than 1e-9, which shifts a sine's extremum value by 1e-18."""

PLACE_ERROR = 1e-9
"""Error allowed to x / (2 pi), in periods."""


class Wave(ScalarFunction):
    """sin(x + phase); `phase` only says where extrema and inflections are, values come from the library's function."""

    phase: float

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        tame = _tame(lower, upper)
        a, b = xp.where(tame, lower, 0.0), xp.where(tame, upper, 0.0)
        low, high = widened(*_ordered(self.value(a), self.value(b)), 1.0)
        low = xp.where(_contains(a, b, -math.pi / 2 - self.phase) | ~tame, -1.0, low)
        high = xp.where(_contains(a, b, math.pi / 2 - self.phase) | ~tame, 1.0, high)
        return vacuous_unless(known(lower, upper), *clipped(low, high, -1.0, 1.0))

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        xp = namespace(lower, upper)
        tame = _tame(lower, upper)
        first = xp.floor((xp.where(tame, lower, 0.0) + self.phase) / math.pi)
        last = xp.ceil((xp.where(tame, upper, 0.0) + self.phase) / math.pi) - 1.0
        single, double = tame & (last <= first), tame & (last == first + 1.0)
        concave_first = xp.remainder(first, xp.full_like(first, 2.0)) == 0
        return Curvature(
            convex=single & ~concave_first,
            concave=single & concave_first,
            convex_then_concave=double & ~concave_first,
            concave_then_convex=double & concave_first,
            inflection=_between(lower, xp.where(double, (first + 1.0) * math.pi - self.phase, 0.0), upper, double),
        )


@dataclass(frozen=True)
class Sin(Wave):
    """The sine."""

    name = "sin"
    phase = 0.0

    def value(self, x: Array) -> Array:
        return _at_finite(x, namespace(x).sin)

    def derivative(self, x: Array) -> Array:
        return _at_finite(x, namespace(x).cos)

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return Cos().image(lower, upper)


@dataclass(frozen=True)
class Cos(Wave):
    """The cosine."""

    name = "cos"
    phase = math.pi / 2

    def value(self, x: Array) -> Array:
        return _at_finite(x, namespace(x).cos)

    def derivative(self, x: Array) -> Array:
        return -_at_finite(x, namespace(x).sin)

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        low, high = Sin().image(lower, upper)
        return -high, -low


@dataclass(frozen=True)
class Tan(ScalarFunction):
    """The tangent, for intervals between two of its poles: concave up to its root there, convex from it on."""

    name = "tan"

    def value(self, x: Array) -> Array:
        return _at_finite(x, namespace(x).tan)

    def derivative(self, x: Array) -> Array:
        t = self.value(x)
        return 1.0 + t * t

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(self._defined(lower, upper), *widened(self.value(lower), self.value(upper), 1.0))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        defined = self._defined(lower, upper)
        low, high = widened(*_ordered(self.derivative(lower), self.derivative(upper)), 1.0)
        a, b = xp.where(defined, lower, 0.0), xp.where(defined, upper, 0.0)
        low = xp.where(_contains(2.0 * a, 2.0 * b, 0.0), 1.0, low)  # the root lies inside
        return vacuous_unless(defined, *clipped(low, high, 1.0, math.inf))

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        xp = namespace(lower, upper)
        defined = self._defined(lower, upper)
        a, b = xp.where(defined, lower, 0.0), xp.where(defined, upper, 0.0)
        root = xp.round((0.5 * a + 0.5 * b) / math.pi) * math.pi
        inside = defined & (a < root) & (root < b)
        never = xp.zeros_like(defined)
        return Curvature(
            convex=defined & (root <= a),
            concave=defined & (b <= root) & (root > a),
            convex_then_concave=never,
            concave_then_convex=inside,
            inflection=xp.where(inside, root, 0.0),
        )

    def _defined(self, lower: Array, upper: Array) -> Array:
        """True where no pole lies in [lower, upper], or may by rounding."""
        xp = namespace(lower, upper)
        tame = _tame(lower, upper)
        a, b = xp.where(tame, lower, 0.0), xp.where(tame, upper, 0.0)
        return tame & ~_contains(2.0 * a, 2.0 * b, math.pi)


def _at_finite(x: Array, function) -> Array:  # type: ignore[no-untyped-def]
    """function(x) where x is finite, else NaN."""
    xp = namespace(x)
    finite = xp.isfinite(x)
    return xp.where(finite, function(xp.where(finite, x, 0.0)), xp.nan)


def _tame(lower: Array, upper: Array) -> Array:
    """True where both ends are small enough for their place in the period to be known."""
    return (lower >= -LARGEST_ARGUMENT) & (upper <= LARGEST_ARGUMENT) & known(lower, upper)


def _ordered(a: Array, b: Array) -> tuple[Array, Array]:
    xp = namespace(a, b)
    return xp.minimum(a, b), xp.maximum(a, b)


def _contains(lower: Array, upper: Array, point: float) -> Array:
    """True where [lower, upper] contains, or may by rounding contain, point + 2 pi k for a whole k."""
    xp = namespace(lower, upper)
    period = 2.0 * math.pi
    return xp.ceil((lower - point) / period - PLACE_ERROR) <= xp.floor((upper - point) / period + PLACE_ERROR)


def _between(lower: Array, point: Array, upper: Array, where: Array) -> Array:
    """`point`, moved into [lower, upper] where `where` holds: rounding may have put it just outside."""
    xp = namespace(point)
    return xp.where(where, xp.minimum(xp.maximum(point, lower), upper), 0.0)
