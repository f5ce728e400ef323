"""The exponential linear units: the identity on the right, a decaying exponential on the left."""

from __future__ import annotations

import math
from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.network.functions.smooth import Smooth


@dataclass(frozen=True)
class ScaledElu(Smooth):
    """gamma * x for x >= 0, gamma * alpha * (exp(x) - 1) for x < 0; ONNX's Selu with its default parameters.

    At 0 the slope changes from gamma * alpha to gamma. Up to alpha = 1 the function is convex; beyond, the kink bends
    the other way and 0 counts as an inflection, the straight right part as concave.

    Raises:
        ValueError: unless alpha >= 0 and gamma > 0 are finite, where the above holds.
    """

    alpha: float = 1.67326319217681884765625
    gamma: float = 1.05070102214813232421875

    name = "selu"

    def __post_init__(self) -> None:
        if not (0 <= self.alpha < math.inf and 0 < self.gamma < math.inf):
            raise ValueError(f"alpha = {self.alpha} and gamma = {self.gamma}: need alpha >= 0 and gamma > 0")

    @property
    def inflections(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) if self.alpha > 1 else ()

    def value(self, x: Array) -> Array:
        xp = namespace(x)
        return self.gamma * xp.where(x < 0, self.alpha * xp.expm1(xp.where(x < 0, x, 0.0)), x)

    def derivative(self, x: Array) -> Array:
        xp = namespace(x)
        return self.gamma * xp.where(x < 0, self.alpha * xp.exp(xp.where(x < 0, x, 0.0)), 1.0)

    def slope_range(self, lower: Array, upper: Array) -> tuple[Array, Array]:
        xp = namespace(lower, upper)
        low, high = super().slope_range(lower, upper)
        steepest = self.gamma * self.alpha * (1.0 + 1e-12)  # on the left of 0, where `derivative` gives the right slope
        meets_left = ((lower < 0) & (upper >= 0)) | ((lower == 0) & (upper == 0))
        return low, xp.where(meets_left & (high < steepest), steepest, high)


@dataclass(frozen=True)
class Elu(ScaledElu):
    """x for x >= 0, alpha * (exp(x) - 1) for x < 0."""

    alpha: float = 1.0
    gamma: float = 1.0

    name = "elu"
