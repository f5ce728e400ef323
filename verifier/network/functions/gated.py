"""x times a gate between 0 and 1 that opens with x: swish and the hard swish, as one function each.

Bounded as a product of x and the gate, they lose that both are small together: the interval goes down to
lower * gate(upper). Both fall to a minimum and rise from there. The constants are roots found to 30 digits with mpmath.
Source: Ramachandran et al., *Searching for Activation Functions*, 2017; Howard et al., *Searching for MobileNetV3*,
2019; ONNX operators Swish and HardSwish.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.base import Curvature, ScalarFunction
from verifier.network.functions.enclosures import extremes, known, vacuous_unless, widened
from verifier.network.functions.sigmoidal import sigmoid, sigmoid_derivative
from verifier.network.functions.smooth import Smooth

TAIL = 800.0
"""Beyond this the sigmoid is 0 or 1 in float64, times x too; arguments are cut so that inf * 0 cannot arise."""


@dataclass(frozen=True)
class Swish(Smooth):
    """x * sigmoid(x)."""

    name = "swish"
    convex_first = False
    stationary = (-1.2784645427610738,)
    inflections = (-2.3993572805154677, 2.3993572805154677)
    value_range = (-0.27846454276107380, math.inf)
    slope_range_bounds = (-0.09984, 1.09984)
    derivative_error = 1.0  # its two terms cancel on the left

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        x = xp.where(x < -TAIL, -TAIL, x)
        return x * sigmoid(x)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        x = xp.where(x < -TAIL, -TAIL, xp.where(x > TAIL, TAIL, x))
        return sigmoid(x) + x * sigmoid_derivative(x)


@dataclass(frozen=True)
class HardSwish(ScalarFunction):
    """x * min(max(x / 6 + 1 / 2, 0), 1): 0 up to -3, x (x + 3) / 6 up to 3, then x; convex between the kinks."""

    name = "hard swish"
    inflections = (-3.0, 3.0)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        inner = _within(x)
        return xp.where(x > 3, x, inner * (inner + 3.0) / 6.0)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x <= -3, 0.0, xp.where(x >= 3, 1.0, _steepness(x)))

    def image(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        return vacuous_unless(known(lower, upper), *widened(*extremes(self.value, lower, upper, (-1.5,))))

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        bent = (lower <= 3) & (upper >= -3)
        low, high = widened(
            xp.where(bent, _steepness(lower), math.inf), xp.where(bent, _steepness(upper), -math.inf), 1.0
        )
        flat, straight = lower <= -3, upper >= 3
        low, high = xp.where(flat & (low > 0), 0.0, low), xp.where(flat & (high < 0), 0.0, high)
        low, high = xp.where(straight & (low > 1), 1.0, low), xp.where(straight & (high < 1), 1.0, high)
        return vacuous_unless(known(lower, upper), low, high)

    def curvature(self, lower: Array, upper: Array) -> Curvature:
        xp = namespace(lower, upper)
        convex = known(lower, upper) & ((upper <= -3) | (lower >= 3) | ((lower >= -3) & (upper <= 3)))
        never = xp.zeros_like(lower, dtype=xp.bool)
        return Curvature(convex, never, never, never, xp.zeros_like(lower))


def _within(x: Array) -> Array:
    """The argument cut to the part between the kinks; NaN stays NaN."""
    xp = namespace(x)
    return xp.where(x < -3, -3.0, xp.where(x > 3, 3.0, x))


def _steepness(x: Array) -> Array:
    """The slope between the kinks, at the nearest point there."""
    return (2.0 * _within(x) + 3.0) / 6.0
