"""What a linear relaxation of a scalar function is, and the usual choices among the sound ones."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from verifier.arrays import Array, namespace
from verifier.tolerances import LARGEST_VALUE


class Policy(Enum):
    """Where a free line touches the graph; every choice is sound.

    For relu the lower slope, for a bent function the point of tangency:

    - ADAPTIVE: relu 1 where upper > -lower, else 0; the middle of the interval. The least area over a single entry.
    - LOWER_END: relu 0; the lower end.
    - UPPER_END: relu 1; the upper end.
    - PARALLEL: relu upper / (upper - lower); the tangent parallel to the chord.

    An S-shaped function has the point moved to the nearest one whose tangent does not cut the graph.
    """

    ADAPTIVE = "adaptive"
    LOWER_END = "lower end"
    UPPER_END = "upper end"
    PARALLEL = "parallel"


@dataclass(frozen=True, eq=False)
class Lines:
    """lower_slope * x + lower_intercept <= f(x) <= upper_slope * x + upper_intercept on an interval.

    All four arrays have the shape of the interval's ends. The inequalities hold in real arithmetic for the float64
    numbers stored. Slopes are finite, intercepts may be infinite, nothing is NaN.
    """

    lower_slope: Array
    lower_intercept: Array
    upper_slope: Array
    upper_intercept: Array


def ordinary(lower: Array, upper: Array) -> Array:
    """True where [lower, upper] is a proper interval of moderate numbers; elsewhere lines are constant."""
    return (lower < upper) & (lower >= -LARGEST_VALUE) & (upper <= LARGEST_VALUE)


def moderate(x: Array) -> Array:
    """Replaces NaN, infinite and huge entries by 0: for choices that soundness does not rest on."""
    xp = namespace(x)
    return xp.where(xp.abs(x) <= LARGEST_VALUE, x, 0.0)
