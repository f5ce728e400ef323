"""x**p for a constant p, with the square root and reciprocals as special cases."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from verifier.arrays import Array, namespace
from verifier.network.functions.enclosures import known
from verifier.network.functions.smooth import Smooth

HEADROOM = 1e4
"""A power within this factor of the largest float counts as infinite, so that exponent * power cannot overflow."""


@dataclass(frozen=True)
class Power(Smooth):
    """x**exponent.

    Defined for all x where the exponent is a whole number, but for x = 0 where it is negative; for other exponents
    where x >= 0, and x > 0 where they are negative.

    Raises:
        ValueError: where |exponent| is above 1e4 or not a number.
    """

    exponent: float

    name = "power"

    def __post_init__(self) -> None:
        if not abs(self.exponent) <= HEADROOM:
            raise ValueError(f"exponent = {self.exponent}: need a number of at most {HEADROOM:g} in size")
        object.__setattr__(self, "exponent", float(self.exponent))

    @property
    def _whole(self) -> bool:
        return self.exponent == round(self.exponent)

    @property
    def _odd(self) -> bool:
        return self._whole and self.exponent % 2 == 1

    @property
    def stationary(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if self._whole and not self._odd and self.exponent > 0 else ()

    @property
    def inflections(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if self._odd and self.exponent != 1 else ()

    @property
    def convex_first(self) -> bool:  # type: ignore[override]
        return not (self._odd and self.exponent != 1) and not 0 < self.exponent < 1

    @property
    def value_range(self) -> tuple[float, float]:  # type: ignore[override]
        return (-math.inf if self._odd else 0.0, math.inf)

    def defined(self, lower: Array, upper: Array) -> Array:
        if self._whole:
            return (
                known(lower, upper) if self.exponent >= 0 else ((lower > 0) & (upper > 0)) | ((lower < 0) & (upper < 0))
            )
        return (lower >= 0) & (upper >= 0) if self.exponent > 0 else (lower > 0) & (upper > 0)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        low, high = super().image(lower, upper)
        if not self._odd:
            return low, high
        xp = namespace(lower, upper)  # an odd power keeps the sign, which the margin must not lose
        low = xp.where((lower >= 0) & (low < 0) & (low > -xp.inf), 0.0, low)
        return low, xp.where((upper <= 0) & (high > 0) & (high < xp.inf), 0.0, high)

    def value(self, x: Array) -> Array:
        return power(x, self.exponent)

    def derivative(self, x: Array) -> Array:
        if self.exponent == 0:
            return namespace(x).zeros_like(x)
        return self.exponent * power(x, self.exponent - 1.0)


@dataclass(frozen=True)
class Sqrt(Power):
    """The square root, for x >= 0."""

    exponent: float = field(default=0.5, init=False)

    name = "sqrt"


@dataclass(frozen=True)
class Reciprocal(Power):
    """1 / x, for intervals on one side of 0."""

    exponent: float = field(default=-1.0, init=False)

    name = "reciprocal"


@dataclass(frozen=True)
class ReciprocalOrOne(Power):
    """1 / x, and 1 at x = 0; for intervals on one side of 0."""

    exponent: float = field(default=-1.0, init=False)

    name = "reciprocal or one"

    def value(self, x: Array) -> Array:
        return namespace(x).where(x == 0, 1.0, power(x, self.exponent))


def power(x: Array, exponent: float) -> Array:
    """x**exponent without warnings: infinite where it overflows, NaN where it is not defined on the reals."""
    xp = namespace(x)
    if exponent == 0:
        return xp.ones_like(x)
    size = xp.abs(x)
    limit = math.inf if 0 < exponent <= 1 else float(xp.finfo(x.dtype).max / HEADROOM) ** (1.0 / exponent)
    overflows = size > limit if exponent > 0 else size <= limit
    undefined = (x < 0) & (exponent != round(exponent))
    result = xp.where(overflows, xp.inf, xp.where(overflows | undefined, 1.0, x) ** exponent)
    if exponent % 2 == 1:
        result = xp.where(overflows & (x < 0), -xp.inf, result)
    return xp.where(undefined, xp.nan, result)
