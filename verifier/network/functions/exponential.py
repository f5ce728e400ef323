"""exp, log and softplus(x) = log(1 + exp(x)): increasing, and convex or concave throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.sigmoidal import sigmoid
from verifier.network.functions.smooth import Smooth


@dataclass(frozen=True)
class Exp(Smooth):
    """exp(x)."""

    name = "exp"
    value_range = slope_range_bounds = (0.0, math.inf)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        overflows = x > math.log(xp.finfo(x.dtype).max)
        return xp.where(overflows, xp.inf, xp.exp(xp.where(overflows, 0.0, x)))

    def derivative(self, x: Array) -> Array:
        return self.value(x)


@dataclass(frozen=True)
class Log(Smooth):
    """The natural logarithm, for x >= 0, with log(0) = -inf."""

    name = "log"
    convex_first = False
    slope_range_bounds = (0.0, math.inf)

    def defined(self, lower: Array, upper: Array) -> Array:
        return (lower >= 0) & (upper >= 0)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        inside = xp.where(x > 0, xp.log(xp.where(x > 0, x, 1.0)), -xp.inf)
        return xp.where(x >= 0, inside, xp.nan)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        safe = x > 1.0 / xp.finfo(x.dtype).max
        inside = xp.where(safe, 1.0 / xp.where(safe, x, 1.0), xp.inf)
        return xp.where(x >= 0, inside, xp.nan)


@dataclass(frozen=True)
class Softplus(Smooth):
    """log(1 + exp(x))."""

    name = "softplus"
    value_range = (0.0, math.inf)
    slope_range_bounds = (0.0, 1.0)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x > 0, x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))

    def derivative(self, x: Array) -> Array:
        return sigmoid(x)
