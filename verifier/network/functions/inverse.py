"""The inverses of the trigonometric and the hyperbolic functions: each bends at 0 alone, or nowhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.enclosures import known
from verifier.network.functions.smooth import Smooth

HALF_PI = math.nextafter(math.pi / 2, 2.0)
PI = math.nextafter(math.pi, 4.0)


@dataclass(frozen=True)
class Atan(Smooth):
    """The arc tangent."""

    name = "atan"
    inflections = (0.0,)
    value_range = (-HALF_PI, HALF_PI)
    slope_range_bounds = (0.0, 1.0)

    def value(self, x: Array) -> Array:
        return namespace(x).atan(x)

    def derivative(self, x: Array) -> Array:
        share = _over_hypotenuse(x)
        return share * share


@dataclass(frozen=True)
class Asinh(Smooth):
    """The inverse of the hyperbolic sine."""

    name = "asinh"
    inflections = (0.0,)
    slope_range_bounds = (0.0, 1.0)

    def value(self, x: Array) -> Array:
        return namespace(x).asinh(x)

    def derivative(self, x: Array) -> Array:
        return _over_hypotenuse(x)


class _BetweenOnes(Smooth):
    """A function for -1 <= x <= 1."""

    inflections = (0.0,)

    def defined(self, lower: Array, upper: Array) -> Array:
        return known(lower, upper) & (lower >= -1) & (upper <= 1)


@dataclass(frozen=True)
class Asin(_BetweenOnes):
    """The arc sine, for -1 <= x <= 1."""

    name = "asin"
    convex_first = False
    value_range = (-HALF_PI, HALF_PI)
    slope_range_bounds = (1.0, math.inf)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(xp.abs(x) <= 1, xp.asin(_within_ones(x)), xp.nan)

    def derivative(self, x: Array) -> Array:
        return _over(_within_ones(x), 0.5)


@dataclass(frozen=True)
class Acos(_BetweenOnes):
    """The arc cosine, for -1 <= x <= 1."""

    name = "acos"
    value_range = (0.0, PI)
    slope_range_bounds = (-math.inf, -1.0)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(xp.abs(x) <= 1, xp.acos(_within_ones(x)), xp.nan)

    def derivative(self, x: Array) -> Array:
        return -_over(_within_ones(x), 0.5)


@dataclass(frozen=True)
class Atanh(_BetweenOnes):
    """The inverse of the hyperbolic tangent, for -1 < x < 1."""

    name = "atanh"
    convex_first = False
    slope_range_bounds = (1.0, math.inf)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        open_ = xp.abs(x) < 1
        inside = xp.atanh(xp.where(open_, x, 0.0))
        edge = xp.where(x > 0, xp.full_like(x, xp.inf), -xp.inf)
        return xp.where(open_, inside, xp.where(xp.abs(x) == 1, edge, xp.nan))

    def derivative(self, x: Array) -> Array:
        return _over(_within_ones(x), 1.0)


@dataclass(frozen=True)
class Acosh(Smooth):
    """The inverse of the hyperbolic cosine, for x >= 1."""

    name = "acosh"
    convex_first = False
    value_range = slope_range_bounds = (0.0, math.inf)

    def defined(self, lower: Array, upper: Array) -> Array:
        return known(lower, upper) & (lower >= 1)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x >= 1, xp.acosh(xp.where(x >= 1, x, 1.0)), xp.nan)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        beyond = x > 1
        safe = xp.where(beyond, x, 2.0)
        return xp.where(beyond, 1.0 / (xp.sqrt(safe - 1.0) * xp.sqrt(safe + 1.0)), xp.inf)


def _over_hypotenuse(x: Array) -> Array:
    """1 / sqrt(1 + x**2)."""
    xp = namespace(x)
    return 1.0 / xp.hypot(x, xp.ones_like(x))


def _within_ones(x: Array) -> Array:
    xp = namespace(x)
    return xp.where(x > 1, 1.0, xp.where(x < -1, -1.0, x))


def _over(x: Array, power: float) -> Array:
    """(1 - x**2)**-power without cancellation; infinite at -1 and 1."""
    xp = namespace(x)
    rest = (1.0 - x) * (1.0 + x)
    inside = rest > 0
    return xp.where(inside, xp.where(inside, rest, 1.0) ** -power, xp.inf)
