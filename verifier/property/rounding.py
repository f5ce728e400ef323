"""Exact numbers as floats: the nearest, or the next on one side."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from verifier.errors import PropertyError
from verifier.tolerances import SMALLEST_FORM_COEFFICIENT


def float_coefficient(factor: Fraction) -> float:
    """The nearest float64, within one relative rounding of the coefficient.

    Raises:
        PropertyError: it is too small or too large for that (and for products with it not to vanish or overflow).
    """
    if not SMALLEST_FORM_COEFFICIENT <= abs(factor) <= 1 / SMALLEST_FORM_COEFFICIENT:
        cause = f"a coefficient of about {factor.numerator / factor.denominator:g} is out of range"
        raise PropertyError(cause, fix="multiply the constraint by a constant")
    return float(factor)


def float_at_most(value: Fraction) -> float:
    """The largest float64 that is at most `value`; minus infinity below the smallest."""
    return -float_at_least(-value)


def float_at_least(value: Fraction) -> float:
    """The smallest float64 that is at least `value`; infinity beyond the largest."""
    try:
        nearest = float(value)
    except OverflowError:
        return float("inf") if value > 0 else -float(np.finfo(np.float64).max)
    return nearest if Fraction(nearest) >= value else float(np.nextafter(nearest, np.inf))


def float32_at_least(value: np.ndarray) -> np.ndarray:
    """The smallest float32 that are at least the float64 `value`."""
    with np.errstate(over="ignore"):
        nearest = value.astype(np.float32)
        return np.where(nearest.astype(np.float64) >= value, nearest, np.nextafter(nearest, np.float32(np.inf)))


def float32_at_most(value: np.ndarray) -> np.ndarray:
    """The largest float32 that are at most the float64 `value`."""
    return -float32_at_least(-np.asarray(value))
