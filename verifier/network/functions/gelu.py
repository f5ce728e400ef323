"""The Gaussian error linear unit x * Phi(x), Phi the normal distribution function, and its approximation by tanh.

Both fall to a minimum near -0.75 and rise from there; both are convex between two inflections that lie symmetric
about 0, since gelu(x) - x / 2 is even. The constants are roots found to 30 digits with mpmath.
Source: Hendrycks & Gimpel, *Gaussian Error Linear Units*, 2016; ONNX operator Gelu.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.sigmoidal import erf, gaussian, sigmoid, sigmoid_derivative
from verifier.network.functions.smooth import Smooth

TAIL = 40.0
"""Beyond this both forms equal max(x, 0) in float64; arguments are cut here so that inf * 0 cannot arise."""

EXACT_MINIMUM, EXACT_INFLECTION = -0.75179152469356446, math.sqrt(2.0)
TANH_MINIMUM, TANH_INFLECTION = -0.75246142207101626, 1.4185040087908284
CUBIC = 0.044715


@dataclass(frozen=True)
class Gelu(Smooth):
    """x * Phi(x), or with `approximate="tanh"` x / 2 * (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3)))."""

    approximate: str = "none"

    name = "gelu"
    convex_first = False
    value_range = (-0.1701, math.inf)  # minima -0.169971... and -0.170040...
    slope_range_bounds = (-0.13, 1.13)  # extremes -0.128993... and 1.128993... or a little less
    value_error = 4.0  # 1 + erf cancels on the left, times |x| up to 9
    derivative_error = 4.0

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise ValueError(f"approximate = {self.approximate!r}: need 'none' or 'tanh'")

    @property
    def stationary(self) -> tuple[float, ...]:  # type: ignore[override]
        return (EXACT_MINIMUM if self.approximate == "none" else TANH_MINIMUM,)

    @property
    def inflections(self) -> tuple[float, ...]:  # type: ignore[override]
        point = EXACT_INFLECTION if self.approximate == "none" else TANH_INFLECTION
        return (-point, point)

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        x = xp.where(x < -TAIL, -TAIL, x)
        return x * self._weight(xp.where(x > TAIL, TAIL, x))

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        x = xp.where(x < -TAIL, -TAIL, xp.where(x > TAIL, TAIL, x))
        if self.approximate == "none":
            return self._weight(x) + x * gaussian(x / math.sqrt(2.0)) / math.sqrt(2.0 * math.pi)
        inner, slope = _tanh_argument(x)
        return sigmoid(inner) + x * sigmoid_derivative(inner) * slope

    def _weight(self, x: Array) -> Array:
        """What x is multiplied by, for |x| <= TAIL."""
        if self.approximate == "none":
            return 0.5 * (1.0 + erf(x / math.sqrt(2.0)))
        return sigmoid(_tanh_argument(x)[0])


def _tanh_argument(x: Array) -> tuple[Array, Array]:
    """2 sqrt(2 / pi) (x + 0.044715 x**3) and its derivative; (1 + tanh(z)) / 2 = sigmoid(2 z) does not cancel."""
    scale = 2.0 * math.sqrt(2.0 / math.pi)
    return scale * x * (1.0 + CUBIC * x * x), scale * (1.0 + 3.0 * CUBIC * x * x)
