"""relu(x) = max(x, 0): what all piecewise linear functions (max, abs, clip, leaky relu) are lowered to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import Curvature, Piece, ScalarFunction
from verifier.network.functions.enclosures import known, vacuous_unless


@dataclass(frozen=True)
class Relu(ScalarFunction):
    """max(x, 0)."""

    name = "relu"
    pieces = (Piece(-math.inf, 0.0, 0.0, 0.0), Piece(0.0, math.inf, 1.0, 0.0))

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x <= 0, 0.0, x)  # in this order NaN stays NaN

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.astype(x > 0, x.dtype)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(known(lower, upper), self.value(lower), self.value(upper))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        return xp.astype((lower >= 0) & (upper > 0), lower.dtype), xp.astype(~(upper <= 0), upper.dtype)

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        xp = namespace(lower, upper)
        never = xp.zeros_like(lower, dtype=xp.bool)
        return Curvature(known(lower, upper), never, never, never, xp.zeros_like(lower))
