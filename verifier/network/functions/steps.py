"""Functions that are constant but for jumps upwards: sign, step, floor, round, truncation.

What holds on either side of a jump is a fact of the function: `value` says what it is at the place itself, an image is
that of exactly the reals in the interval. Bounds of what a network computes come with their rounding covered, so an
operand that may be on either side of a jump has an interval that reaches across it, and both values are in the image.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.enclosures import known, vacuous_unless


class StepFunction(ScalarFunction):
    """Nondecreasing, constant between its jumps; computed without rounding."""

    @abstractmethod
    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """The first and the last place in [lower, upper] where the function jumps; first > last if there is none.

        One at `lower` that lies behind already, by the function's value there, does not count, nor does one at
        `upper` that is still to come; a function with a single jump may count them.
        """

    @abstractmethod
    def nearest_jump(self, x: Array) -> Array:
        """The place of a jump than which none is nearer to x; where the type of a result ends, that end."""

    def steepness(self, lower: Array, upper: Array) -> Array:
        """A slope for lines over several jumps in [lower, upper].

        One above through the top of the last jump keeps above the others, one below through the foot of the first
        keeps below.
        """
        return namespace(lower).zeros_like(lower)

    def derivative(self, x: Array) -> Array:
        return namespace(x).zeros_like(x)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(known(lower, upper), self.value(lower), self.value(upper))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        first, last = self.jumps(lower, upper)
        flat = xp.zeros_like(lower)
        moves = (first <= last) & (lower < upper) & (self.value(lower) < self.value(upper))
        return vacuous_unless(known(lower, upper), flat, xp.where(moves, xp.inf, flat))


class JumpAtZero(StepFunction):
    """A step function whose only jump is at 0."""

    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        zero = xp.zeros_like(lower)
        return xp.where(lower > 0, xp.inf, zero), xp.where(upper < 0, -xp.inf, zero)

    def nearest_jump(self, x: Array) -> Array:
        return namespace(x).zeros_like(x)


@dataclass(frozen=True)
class Sign(JumpAtZero):
    """-1, 0 or 1 as x is negative, zero or positive."""

    name = "sign"

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x > 0, 1.0, xp.where(x < 0, -1.0, x))  # what is left is 0 or NaN


@dataclass(frozen=True)
class Step(JumpAtZero):
    """1 where x is positive, 0 where it is negative: comparisons are steps of a difference.

    Attributes:
        at_zero: whether it is 1 at 0 (x >= 0) or 0 (x > 0).
    """

    at_zero: bool

    name = "step"

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x > 0, 1.0, xp.where(x < 0, 0.0, x + float(self.at_zero)))  # NaN stays NaN


@dataclass(frozen=True)
class Floor(StepFunction):
    """The largest whole number that is at most x."""

    name = "floor"

    def value(self, x: Array) -> Array:
        return namespace(x).floor(x)

    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        return xp.floor(lower) + 1.0, xp.floor(upper)

    def nearest_jump(self, x: Array) -> Array:
        return namespace(x).round(x)

    def steepness(self, lower: Array, upper: Array) -> Array:
        return namespace(lower).ones_like(lower)


LONG = 2.0**53
"""Whole numbers up to here are float64 numbers."""


class Whole(StepFunction):
    """A whole number near x, of a type that may have ends.

    What a cast makes of a number beyond its type is not defined, and differs from one machine to the next: anything
    that the type holds is taken to be possible. Of types of 64 bits nothing is known beyond `LONG`, so that whatever is
    computed from what is known stays far from their ends.

    Attributes:
        least, greatest: the ends of the type, infinite where it has none.
    """

    least: float
    greatest: float

    @abstractmethod
    def _nearby(self, x: Array) -> Array:
        """The whole number."""

    @abstractmethod
    def _places(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """The jumps, as if the type had no ends."""

    @abstractmethod
    def _place_near(self, x: Array) -> Array:
        """The nearest jump, as if the type had no ends."""

    def nearest_jump(self, x: Array) -> Array:
        """Beyond a type, where anything is possible, begins one unit behind its last number."""
        xp = namespace(x)
        place, first, last = self._place_near(x), self.least - 1.0, self.greatest + 1.0
        return xp.where(place < first, first, xp.where(place > last, last, place))

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        whole = self._nearby(x)
        return xp.where(whole < self.least, self.least, xp.where(whole > self.greatest, self.greatest, whole))

    def _beyond(self, lower: Array, upper: Array) -> Array:
        bounded = self.greatest < math.inf
        return ((lower <= self.least - 1.0) | (upper >= self.greatest + 1.0)) if bounded else lower > upper

    def keeps_within(self, lower: Array, upper: Array) -> Array:
        """Where everything in [lower, upper] has its own whole number in the type, which is therefore known."""
        return ~self._beyond(lower, upper) & self._held(lower, upper)

    def _held(self, lower: Array, upper: Array) -> Array:
        """Where float64 holds all whole numbers of the interval, if the type has ends that it does not hold."""
        if not LONG < self.greatest < math.inf:
            return known(lower, upper)
        return (lower >= -LONG) & (upper <= LONG)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        low, high = super().image(lower, upper)
        beyond = self._beyond(lower, upper)
        low, high = xp.where(beyond, self.least, low), xp.where(beyond, self.greatest, high)
        return vacuous_unless(known(lower, upper) & self._held(lower, upper), low, high)

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(self.keeps_within(lower, upper), *super().slope_range(lower, upper))

    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        beyond = ~self.keeps_within(lower, upper)
        first, last = self._places(lower, upper)
        return xp.where(beyond, xp.inf, first), xp.where(beyond, -xp.inf, last)


@dataclass(frozen=True)
class Round(Whole):
    """The nearest whole number, and of two the even one, as ONNX has it."""

    least: float = -math.inf
    greatest: float = math.inf

    name = "round"

    def _nearby(self, x: Array) -> Array:
        return namespace(x).round(x)

    def _places(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        first, last = xp.floor(lower) + 0.5, xp.floor(upper) + 0.5
        behind = (first < lower) | ((first == lower) & (self._nearby(lower) > lower))
        ahead = (last > upper) | ((last == upper) & (self._nearby(upper) < upper))
        return xp.where(behind, first + 1.0, first), xp.where(ahead, last - 1.0, last)

    def _place_near(self, x: Array) -> Array:
        return namespace(x).floor(x) + 0.5

    def steepness(self, lower: Array, upper: Array) -> Array:
        return namespace(lower).ones_like(lower)


@dataclass(frozen=True)
class Truncation(Whole):
    """x without its fraction, towards 0, as a cast to an integer type does it."""

    least: float = -math.inf
    greatest: float = math.inf

    name = "truncation"

    def _nearby(self, x: Array) -> Array:
        return namespace(x).trunc(x)

    def _places(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        first = xp.where(lower >= 0, xp.floor(lower) + 1.0, xp.where(lower > -1, 1.0, xp.ceil(lower)))
        last = xp.where(upper >= 1, xp.floor(upper), xp.where(upper >= 0, -1.0, xp.ceil(upper) - 1.0))
        return first, last

    def _place_near(self, x: Array) -> Array:
        xp = namespace(x)
        whole = xp.round(x)
        return xp.where(whole == 0, xp.where(x < 0, -1.0, 1.0), whole)

    def steepness(self, lower: Array, upper: Array) -> Array:
        """Around 0 the steps are two wide."""
        xp = namespace(lower)
        return xp.where((lower >= 0) | (upper <= 0), xp.ones_like(lower), 0.5)
