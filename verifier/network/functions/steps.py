"""Functions that are constant but for jumps upwards: sign and floor."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.enclosures import known, vacuous_unless


class StepFunction(ScalarFunction):
    """Nondecreasing, constant between its jumps; computed without rounding.

    Attributes:
        steepness: no line through two corners of the graph, at different jumps, is steeper.
    """

    steepness: float

    @abstractmethod
    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        """The first and the last place in [lower, upper] where the function jumps; first > last if there is none.

        A function continuous from the right at its jumps need not count one at `lower`.
        """

    def derivative(self, x: Array) -> Array:
        return namespace(x).zeros_like(x)

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(known(lower, upper), self.value(lower), self.value(upper))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        first, last = self.jumps(lower, upper)
        flat = xp.zeros_like(lower)
        return vacuous_unless(known(lower, upper), flat, xp.where((first <= last) & (lower < upper), xp.inf, flat))


@dataclass(frozen=True)
class Sign(StepFunction):
    """-1, 0 or 1 as x is negative, zero or positive."""

    name = "sign"
    steepness = 0.0  # a single jump

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x > 0, 1.0, xp.where(x < 0, -1.0, x))  # what is left is 0 or NaN

    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        zero = xp.zeros_like(lower)
        return xp.where(lower > 0, xp.inf, zero), xp.where(upper < 0, -xp.inf, zero)


@dataclass(frozen=True)
class Floor(StepFunction):
    """The largest whole number that is at most x."""

    name = "floor"
    steepness = 1.0

    def value(self, x: Array) -> Array:
        return namespace(x).floor(x)

    def jumps(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        return xp.floor(lower) + 1.0, xp.floor(upper)
