"""Whether a number is 0, or near it (the equality of two numbers is that of their difference), or within a range."""

from __future__ import annotations

from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.enclosures import known, vacuous_unless


@dataclass(frozen=True)
class Near(ScalarFunction):
    """1 where |x| <= radius, else 0; computed without rounding.

    Attributes:
        radius: 0 for numbers of any kind. Of whole numbers those that are nearer than 1 are equal: a radius of 1/2 says
            the same of them, and leaves room for rounding.
    """

    radius: float

    name = "near"

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(xp.abs(x) <= self.radius, 1.0, xp.where(x == x, xp.zeros_like(x), x))

    def derivative(self, x: Array) -> Array:
        return namespace(x).zeros_like(x)

    def nearest_jump(self, x: Array) -> Array:
        """The end of the 1s on the side of x."""
        return namespace(x).where(x < 0, -self.radius, self.radius)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        inside = (lower >= -self.radius) & (upper <= self.radius)
        outside = (lower > self.radius) | (upper < -self.radius)
        zero, one = xp.zeros_like(lower), xp.ones_like(lower)
        return vacuous_unless(known(lower, upper), xp.where(inside, one, zero), xp.where(outside, zero, one))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        low, high = self.image(lower, upper)
        still, flat = low == high, xp.zeros_like(lower)
        return vacuous_unless(known(lower, upper), xp.where(still, flat, -xp.inf), xp.where(still, flat, xp.inf))


@dataclass(frozen=True)
class Inside(ScalarFunction):
    """0 where low <= x <= high, and not known elsewhere: added to what has a meaning there alone."""

    low: float
    high: float

    name = "inside"

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where((x >= self.low) & (x <= self.high), xp.zeros_like(x), xp.nan)

    def derivative(self, x: Array) -> Array:
        return namespace(x).zeros_like(x)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        return vacuous_unless((lower >= self.low) & (upper <= self.high), xp.zeros_like(lower), xp.zeros_like(upper))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return self.image(lower, upper)
