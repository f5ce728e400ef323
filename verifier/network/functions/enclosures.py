"""Enclosures of a function's range: rounding, limited domains and interior extrema, written once for all functions.

The elementary functions of array libraries are not correctly rounded. Their error is taken as relative
(`tolerances.ELEMENTARY_ULPS`) plus, where a formula cancels, an absolute part that each function states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from array_api_compat import device

from verifier.arrays import Array, namespace
from verifier.tolerances import ELEMENTARY_ULPS, UNDERFLOW, UNIT_ROUNDOFF

OVERFLOW = 1e300
"""A value that overflowed to infinity is some real number beyond this."""


def constant(example: Array, value: float) -> Array:
    """`value` as an array without dimensions, in the library, device and dtype of `example`."""
    return namespace(example).asarray(value, dtype=example.dtype, device=device(example))


def known(lower: Array, upper: Array) -> Array:
    """True where neither end is NaN."""
    return (lower == lower) & (upper == upper)


def widened(low: Array, high: Array, absolute_error: float = 0.0) -> tuple[Array, Array]:
    """[low, high] moved outwards by the rounding error of two computed values.

    Args:
        low: the lower value as computed; infinite where it overflowed.
        high: the upper value, likewise.
        absolute_error: the part of the error that is not relative, in multiples of ELEMENTARY_ULPS unit roundoffs.
    """
    xp = namespace(low, high)
    relative = ELEMENTARY_ULPS * UNIT_ROUNDOFF
    absolute = relative * absolute_error + UNDERFLOW
    low = xp.where(low > OVERFLOW, OVERFLOW, low)
    high = xp.where(high < -OVERFLOW, -OVERFLOW, high)
    return low - (relative * xp.abs(low) + absolute), high + (relative * xp.abs(high) + absolute)


def clipped(low: Array, high: Array, least: float, greatest: float) -> tuple[Array, Array]:
    """[low, high] cut to a range [least, greatest] in which the values are known to lie; NaN stays NaN."""
    xp = namespace(low, high)
    if least > -float("inf"):
        low, high = xp.where(low < least, least, low), xp.where(high < least, least, high)
    if greatest < float("inf"):
        low, high = xp.where(low > greatest, greatest, low), xp.where(high > greatest, greatest, high)
    return low, high


def vacuous_unless(defined: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """[low, high] where `defined` holds and neither is NaN, else (-inf, inf)."""
    xp = namespace(low, high)
    usable = defined & known(low, high)
    return xp.where(usable, low, -xp.inf), xp.where(usable, high, xp.inf)


def extremes(
    function: Callable[[Array], Array], lower: Array, upper: Array, points: Iterable[float]
) -> tuple[Array, Array]:
    """The least and greatest of `function` over [lower, upper] as computed, rounding not covered.

    Args:
        function: monotone on every interval that has none of the points inside.
        lower: lower ends of the intervals.
        upper: upper ends.
        points: where it may turn.
    """
    xp = namespace(lower, upper)
    at_lower, at_upper = function(lower), function(upper)
    low, high = xp.minimum(at_lower, at_upper), xp.maximum(at_lower, at_upper)
    for point in points:
        inside = (lower <= point) & (point <= upper)
        value = function(constant(lower, point))
        low = xp.where(inside & (value < low), value, low)
        high = xp.where(inside & (value > high), value, high)
    return low, high
