"""sinh and cosh."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.smooth import Smooth


@dataclass(frozen=True)
class Sinh(Smooth):
    """The hyperbolic sine."""

    name = "sinh"
    inflections = (0.0,)
    convex_first = False
    slope_range_bounds = (1.0, math.inf)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return _unless_huge(x, xp.sinh, xp.where(x > 0, xp.full_like(x, xp.inf), -xp.inf))

    def derivative(self, x: Array) -> Array:
        return Cosh().value(x)


@dataclass(frozen=True)
class Cosh(Smooth):
    """The hyperbolic cosine."""

    name = "cosh"
    stationary = (0.0,)
    value_range = (1.0, math.inf)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return _unless_huge(x, xp.cosh, xp.full_like(x, xp.inf))

    def derivative(self, x: Array) -> Array:
        return Sinh().value(x)


def _unless_huge(x: Array, function: Callable[[Array], Array], otherwise: Array) -> Array:
    """function(x) where exp(|x|) is a number, else `otherwise`."""
    xp = namespace(x)
    huge = xp.abs(x) > math.log(xp.finfo(x.dtype).max)
    return xp.where(huge, otherwise, function(xp.where(huge, 0.0, x)))
