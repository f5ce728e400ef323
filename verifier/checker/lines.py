"""Lines below and above functions on intervals, for any slopes; their intercepts are proved here.

*Relus.* s z <= max(z, 0) for every s in [0, 1]. Above, a convex function lies below a line that is above it at both
ends.

*Smooth functions.* g(z) = f(z) - s z is at least min(g(a), g(b)) - M (b - a)^2 / 8 between two grid points a < b, if
|f''| <= M there (the error of linear interpolation); and at most max(g(a), g(b)) + the same. So f is enclosed on the
whole interval from its values on a grid, whatever it looks like.

*Steps* rise, and are between their values at the ends; of their lines see `steps`.

*Products.* x y - a x - b y is bilinear, so its extremes over a box are at the corners.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verifier.checker.elementary import VALUE, curvature
from verifier.checker.linear import Array
from verifier.checker.steps import STEPS, intercepts
from verifier.checker.steps import value as value_of_step

GRID = 32
"""Parts of an interval that a smooth function is looked at on."""
TINY = 1e-150
"""More than any underflow costs."""


@dataclass(frozen=True, eq=False)
class Lines:
    """slopes[i] . operand i + intercept, below and above; arrays of shape (N, size)."""

    below: tuple[Array, ...]
    above: tuple[Array, ...]
    low: Array
    high: Array


def relu_lines(lower: Array, upper: Array, slopes: tuple[Array, ...] | None, unit: float) -> Lines:
    """Below with the given slope, taken into [0, 1], where the sign is open; above through both ends."""
    one, zero = np.ones_like(lower), np.zeros_like(lower)
    is_open, active = (lower < 0) & (upper > 0), lower >= 0
    wanted = np.where(upper > -lower, one, zero) if slopes is None else np.minimum(np.maximum(slopes[0], zero), one)
    low_slope = np.where(is_open, wanted, np.where(active, one, zero))
    width = np.where(is_open, upper - lower, one)
    high_slope = np.where(is_open, upper / width, np.where(active, one, zero))
    # At both ends: 0 <= s lower + t and upper <= s upper + t.
    left, right = -high_slope * lower, upper - high_slope * upper
    error = 4 * unit * (abs(left) + 2 * abs(upper)) + (TINY if unit else 0)
    high = np.where(is_open, np.maximum(left, right) + error, zero)
    return Lines((low_slope,), (high_slope,), zero, high)


def step_lines(
    kind: str, x: tuple[Array, Array], values: tuple[Array, Array], slopes: tuple[Array, ...] | None, unit: float
) -> Lines:
    """Below and above with the given slope, or constant; so where one whole number alone is in the values' interval."""
    low, high = -value_of_step("floor", -values[0]), value_of_step("floor", values[1])
    zero, is_open = np.zeros_like(low), low < high
    slope = zero if slopes is None else np.where(is_open, np.maximum(slopes[0], zero), zero)
    below, above, size = intercepts(kind, x, (low, high), slope)
    error = np.where(slope > 0, 8 * unit * size + (TINY if unit else 0), zero)
    return Lines((slope,), (slope,), np.where(is_open, below - error, low), np.where(is_open, above + error, high))


def smooth_lines(kind: str, lower: Array, upper: Array, slopes: tuple[Array, ...] | None, unit: float) -> Lines:
    """Below and above with the given slope, or that of the chord.

    The ends are taken outward to doubles first, so that values are asked for at doubles only.
    """
    a, b = _outward(lower, upper)
    slope = _chord(kind, a, b) if slopes is None else slopes[0].astype(float)
    low, high = np.full_like(a, np.inf), np.full_like(a, -np.inf)
    step = (b - a) / GRID
    here, (value, error) = a, VALUE[kind](a)
    for k in range(1, GRID + 1):
        there = b if k == GRID else np.minimum(a + k * step, b)
        next_value, next_error = VALUE[kind](there)
        bend = curvature(kind, here, there) * (there - here) ** 2 / 8
        ends = [(value, error, here), (next_value, next_error, there)]
        for v, e, z in ends:
            line = slope * z
            wrong = e + bend + 8 * 2.0**-53 * (np.abs(v) + np.abs(line) + bend) + TINY
            low, high = np.minimum(low, v - line - wrong), np.maximum(high, v - line + wrong)
        here, value, error = there, next_value, next_error
    if not unit:
        slope, low, high = (exactly(x) for x in (slope, low, high))
    return Lines((slope,), (slope,), low, high)


def _chord(kind: str, a: Array, b: Array) -> Array:
    """A slope to try; nothing rests on it."""
    with np.errstate(all="ignore"):
        slope = (VALUE[kind](b)[0] - VALUE[kind](a)[0]) / (b - a)
    return np.where(np.isfinite(slope), slope, 0.0)


def product_lines(
    x: tuple[Array, Array], y: tuple[Array, Array], slopes: tuple[Array, ...] | None, unit: float
) -> Lines:
    """Planes below and above with the given slopes, or those in the middle between McCormick's two."""
    (xl, xu), (yl, yu) = x, y
    half = Fraction(1, 2) if not unit else 0.5
    a, b = (yl * half + yu * half, xl * half + xu * half) if slopes is None else slopes
    corners, size = [], 0
    for p in (xl, xu):
        for q in (yl, yu):
            corners.append(p * q - a * p - b * q)
            size = np.maximum(size, abs(p * q) + abs(a * p) + abs(b * q))
    error = 6 * unit * size + (TINY if unit else 0)
    low = np.minimum(np.minimum(*corners[:2]), np.minimum(*corners[2:])) - error
    high = np.maximum(np.maximum(*corners[:2]), np.maximum(*corners[2:])) + error
    return Lines((a, b), (a, b), low, high)


def interval(kind: str, lower: Array, upper: Array, unit: float) -> tuple[Array, Array]:
    """The range of a function on an interval, from outside."""
    if kind == "relu":
        zero = np.zeros_like(lower)
        return np.maximum(lower, zero), np.maximum(upper, zero)
    if kind in STEPS:
        return value_of_step(kind, lower), value_of_step(kind, upper)
    a, b = _outward(lower, upper)
    (fa, ea), (fb, eb) = VALUE[kind](a), VALUE[kind](b)
    low, high = np.minimum(fa - ea, fb - eb), np.maximum(fa + ea, fb + eb)
    low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    if kind == "square":
        low = np.where((a <= 0) & (b >= 0), 0.0, np.maximum(low, 0.0))
    elif kind in ("sin", "cos"):  # no further from the middle than half the width
        middle = a / 2 + b / 2
        value, error = VALUE[kind](middle)
        reach = (b - a) / 2 * (1 + 1e-15) + np.abs(middle) * 4e-16 + error + 1e-15
        low, high = np.maximum(value - reach, -1.0), np.minimum(value + reach, 1.0)
    elif kind == "reciprocal":
        through = (a <= 0) & (b >= 0)
        low, high = np.where(through, -np.inf, low), np.where(through, np.inf, high)
    elif kind == "sqrt":
        low, high = np.where(a < 0, -np.inf, low), np.where(a < 0, np.inf, high)
    elif kind == "log":
        low, high = np.where(a <= 0, -np.inf, low), np.where(a <= 0, np.inf, high)
    elif kind in ("sigmoid", "exp", "softplus"):
        low = np.maximum(low, 0.0)
    return (low, high) if unit else (exactly(low), exactly(high))


def _outward(lower: Array, upper: Array) -> tuple[Array, Array]:
    """The ends as doubles that hold the interval."""
    if lower.dtype != object:
        return lower, upper
    a, b = lower.astype(float), upper.astype(float)
    return np.nextafter(a, -np.inf), np.nextafter(b, np.inf)


def exactly(x: Array) -> Array:
    """Doubles as rational numbers; infinite ones stay."""
    if x.dtype == object:
        return x
    return np.array([Fraction(float(v)) if np.isfinite(v) else float(v) for v in x.ravel()], object).reshape(x.shape)
