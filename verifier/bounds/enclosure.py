"""Intervals for the value of a node, and how intervals are repaired and intersected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from verifier.arrays import Array, namespace
from verifier.property.balls import Ball
from verifier.property.support import Minimum, least
from verifier.tolerances import LARGEST_VALUE


@dataclass(frozen=True, eq=False)
class Interval:
    """Sound bounds of a node's value for N subproblems; both arrays have shape (N, size), lower <= upper.

    ball: of the input node alone: where the input lies as well, the same for all subproblems. Whatever drops it is
    looser, and still sound.
    """

    lower: Array
    upper: Array
    ball: Ball | None = None

    @cached_property
    def magnitude(self) -> Array:
        """The largest absolute value inside, shape (N, size); infinite where unbounded."""
        xp = namespace(self.lower)
        return xp.maximum(xp.abs(self.lower), xp.abs(self.upper))


def minimum(inputs: Interval, rows: Array) -> Minimum:
    """The least values of `rows`, shape (N, R, input_size), over box and ball.

    Without a ball that of the corner, as computed: its rounding is at most gamma(input_size) times |rows| times the
    magnitudes. With one, rounding is covered.
    """
    if inputs.ball is not None:
        return least(rows, inputs.lower, inputs.upper, inputs.ball)
    xp = namespace(rows)
    point = xp.where(rows > 0, inputs.lower[:, None, :], inputs.upper[:, None, :])
    return Minimum(xp.sum(rows * point, axis=-1), point)


def minimiser(inputs: Interval, rows: Array) -> Array:
    """Where one row for each subproblem, shape (N, input_size), is least over box and ball; the same shape."""
    if inputs.ball is not None:
        return least(rows[:, None, :], inputs.lower, inputs.upper, inputs.ball).point[:, 0, :]
    return namespace(rows).where(rows > 0, inputs.lower, inputs.upper)


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
