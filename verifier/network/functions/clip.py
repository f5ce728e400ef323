"""clip(x) = min(max(x, low), high): relu6, hard tanh, and the core of the hard sigmoid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import Curvature, Piece, ScalarFunction
from verifier.network.functions.enclosures import known, vacuous_unless


@dataclass(frozen=True)
class Clip(ScalarFunction):
    """min(max(x, low), high), computed without rounding.

    As one function it keeps its range, which two relus that are bounded apart lose.

    Raises:
        ValueError: unless low < high, both finite.
    """

    low: float
    high: float

    name = "clip"

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"low = {self.low}, high = {self.high}: need finite numbers, low < high")
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return (
            Piece(-math.inf, self.low, 0.0, self.low),
            Piece(self.low, self.high, 1.0, 0.0),
            Piece(self.high, math.inf, 0.0, self.high),
        )

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x < self.low, self.low, xp.where(x > self.high, self.high, x))  # NaN stays NaN

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.astype((x > self.low) & (x < self.high), x.dtype)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(known(lower, upper), self.value(lower), self.value(upper))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        moves = ~((upper <= self.low) | (lower >= self.high))
        always = moves & (lower >= self.low) & (upper <= self.high)
        return xp.astype(always, lower.dtype), xp.astype(moves, upper.dtype)

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        xp = namespace(lower, upper)
        defined, never = known(lower, upper), xp.zeros_like(lower, dtype=xp.bool)
        convex = defined & (upper <= self.high)
        concave = defined & ~convex & (lower >= self.low)
        middle = xp.full_like(lower, 0.5 * self.low + 0.5 * self.high)
        return Curvature(convex, concave, defined & ~convex & ~concave, never, middle)
