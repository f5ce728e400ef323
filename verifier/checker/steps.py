"""Functions that are whole numbers and rise by jumps: what is known of them, and lines below and above.

The value v goes over to v + 1 at the place p(v): v + 1 of floor, v + 1/2 of round, 0 of the others. What the function
is at the place itself plays no part here: where it is v, x <= p(v); where it is more than v, x >= p(v).

*Cuts.* Values at most c are at most floor(c), for they are whole, and x is at most p(floor(c)); so from below.

*Lines.* With values from m to n, whole numbers, and a slope s >= 0, f(x) - s x is, where f is v < n, at least
v - s p(v), which is linear in v, so least at v = m or n - 1, and where f is n at least n - s upper. So from above.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.checker.linear import Array

STEPS: dict[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "round": np.rint,
    "sign": np.sign,
    "step": lambda x: np.heaviside(x, 0.0),
}
"""By kind; a step is 1 above 0, else 0; what is halfway is rounded to the even one."""
EXACTLY: dict[str, Callable[[Any], Any]] = {
    "floor": lambda v: math.floor(v) if isinstance(v, Fraction) else v,
    "round": lambda v: round(v) if isinstance(v, Fraction) else v,
    "sign": lambda v: (v > 0) - (v < 0),
    "step": lambda v: int(v > 0),
}
"""The same of a rational number, or of an infinite one."""
FAR = 1 << 50
"""Cuts at larger values say nothing of the operand."""
LEAST, GREATEST = {"sign": -1, "step": 0}, {"sign": 1, "step": 1}


def value(kind: str, x: Array) -> Array:
    """A step's value, of doubles or of rational numbers."""
    if x.dtype != object:
        return STEPS[kind](x)
    found = [EXACTLY[kind](v) for v in x.ravel()]
    return np.array([v if isinstance(v, float) else Fraction(v) for v in found], object).reshape(x.shape)


def place(kind: str, value: Any, half: Any) -> Any:
    """Where a value goes over to the next one."""
    return {"floor": value + 2 * half, "round": value + half}.get(kind, value * 0)


def ends(kind: str, cut: float, above: bool) -> tuple[Fraction, Fraction | None]:
    """What it means that the value is at least (above) or at most a number: an end of it, and one of the operand."""
    whole = Fraction(math.ceil(cut) if above else math.floor(cut))
    before = whole - 1 if above else whole  # the jump from here on is below all, or above all, that is left
    there = LEAST.get(kind, -FAR) <= before < GREATEST.get(kind, FAR)
    return whole, place(kind, before, Fraction(1, 2)) if there else None


def intercepts(
    kind: str, x: tuple[Array, Array], values: tuple[Array, Array], slope: Array
) -> tuple[Array, Array, Array]:
    """Of the lines below and above with a slope that is not negative, and the size of what they are made of."""
    (lower, upper), (low, high) = x, values
    half = Fraction(1, 2) if low.dtype == object else 0.5
    first, last = place(kind, low, half), place(kind, high - 1, half)
    below = np.minimum(np.minimum(low - slope * first, high - 1 - slope * last), high - slope * upper)
    above = np.maximum(np.maximum(low - slope * lower, low + 1 - slope * first), high - slope * last)
    size = abs(low) + abs(high) + 2 + slope * (abs(lower) + abs(upper) + abs(first) + abs(last))
    return below, above, size
