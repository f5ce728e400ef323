"""Intervals for the value of a node, and how intervals are repaired and intersected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from verifier.arrays import Array, namespace
from verifier.tolerances import LARGEST_VALUE


@dataclass(frozen=True, eq=False)
class Interval:
    """Sound bounds of a node's value for N subproblems; both arrays have shape (N, size), lower <= upper."""

    lower: Array
    upper: Array

    @cached_property
    def magnitude(self) -> Array:
        """The largest absolute value inside, shape (N, size); infinite where unbounded."""
        xp = namespace(self.lower)
        return xp.maximum(xp.abs(self.lower), xp.abs(self.upper))


def repaired(lower: Array, upper: Array) -> Interval:
    """Computed ends made safe: NaN and anything beyond `LARGEST_VALUE` become infinite."""
    xp = namespace(lower)
    low = xp.where(lower > -LARGEST_VALUE, lower, xp.full_like(lower, -math.inf))
    high = xp.where(upper < LARGEST_VALUE, upper, xp.full_like(upper, math.inf))
    return Interval(low, high)


def intersected(first: Interval, second: Interval) -> Interval:
    """The intersection of two sound intervals; `first` where they miss each other, which only an empty set explains."""
    xp = namespace(first.lower)
    lower, upper = xp.maximum(first.lower, second.lower), xp.minimum(first.upper, second.upper)
    possible = lower <= upper
    return Interval(xp.where(possible, lower, first.lower), xp.where(possible, upper, first.upper))
