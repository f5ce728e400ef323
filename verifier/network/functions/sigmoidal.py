"""The S-shaped functions sigmoid, tanh, erf, softsign: increasing, bounded, convex up to 0 and concave from there."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace, to_numpy
from verifier.network.functions.smooth import Smooth

FAR = 1e18
"""Arguments of softsign's value are cut here, so that infinity over infinity cannot arise; it is 1 in floats before."""


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)) from exp(-|x|), which cannot overflow and keeps the relative precision of the left tail."""
    xp = namespace(x)
    decay = xp.exp(-xp.abs(x))
    return xp.where(x < 0, decay, 1.0) / (1.0 + decay)


def sigmoid_derivative(x: Array) -> Array:
    """sigmoid(x) (1 - sigmoid(x)), without cancellation."""
    xp = namespace(x)
    decay = xp.exp(-xp.abs(x))
    return decay / (1.0 + decay) ** 2


def erf(x: Array) -> Array:
    """The error function, which the array API lacks: the array library's own where it has one, else SciPy's."""
    xp = namespace(x)
    if hasattr(xp, "erf"):
        return xp.erf(x)
    from scipy import special

    return xp.asarray(special.erf(to_numpy(x)))


def gaussian(x: Array) -> Array:
    """exp(-x**2); beyond 30 it is 0 in float64, and x is cut there so that the square cannot overflow."""
    xp = namespace(x)
    near = xp.where(xp.abs(x) > 30, 30.0, x)
    return xp.exp(-near * near)


@dataclass(frozen=True)
class Sigmoid(Smooth):
    """1 / (1 + exp(-x))."""

    name = "sigmoid"
    inflections = (0.0,)
    value_range = (0.0, 1.0)
    slope_range_bounds = (0.0, 0.25)

    def value(self, x: Array) -> Array:
        return sigmoid(x)

    def derivative(self, x: Array) -> Array:
        return sigmoid_derivative(x)


@dataclass(frozen=True)
class Tanh(Smooth):
    """The hyperbolic tangent."""

    name = "tanh"
    inflections = (0.0,)
    value_range = (-1.0, 1.0)
    slope_range_bounds = (0.0, 1.0)

    def value(self, x: Array) -> Array:
        return namespace(x).tanh(x)

    def derivative(self, x: Array) -> Array:
        return 4.0 * sigmoid_derivative(2.0 * x)


@dataclass(frozen=True)
class Erf(Smooth):
    """The error function 2 / sqrt(pi) * integral of exp(-t**2) from 0 to x."""

    name = "erf"
    inflections = (0.0,)
    value_range = (-1.0, 1.0)
    slope_range_bounds = (0.0, 1.13)  # 2 / sqrt(pi) = 1.1283...
    derivative_error = 1.0  # the rounding of x**2 in the exponent

    def value(self, x: Array) -> Array:
        return erf(x)

    def derivative(self, x: Array) -> Array:
        return 2.0 / math.sqrt(math.pi) * gaussian(x)


@dataclass(frozen=True)
class Softsign(Smooth):
    """x / (1 + |x|)."""

    name = "softsign"
    inflections = (0.0,)
    value_range = (-1.0, 1.0)
    slope_range_bounds = (0.0, 1.0)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        near = xp.where(x < -FAR, -FAR, xp.where(x > FAR, FAR, x))
        return near / (1.0 + xp.abs(near))

    def derivative(self, x: Array) -> Array:
        # Not cut off: where it is far smaller than at `FAR`, a line with the slope of there would not be above.
        share = 1.0 / (1.0 + namespace(x).abs(x))
        return share * share
