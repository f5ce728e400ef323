"""The least value of linear functions over a ball intersected with a box, and where it is taken; sound, nearly exact.

For any split a = s + t of the coefficients, s bounded over the ball by its dual norm and t over the box,

    min a.x  >=  s.c - r ||s||*  +  sum_j min(t_j l_j, t_j u_j),

and the best split makes this an equation (infimal convolution of support functions; Rockafellar, Convex Analysis,
section 16). By the optimality conditions it is s = clip(a, -m h, -m g) for norm 2, where [g, h] is the box seen from
the centre and m >= 0 the multiplier of the ball, and a clipped to [-m, m] for norm 1. So one number a row is looked
for. Whatever it is, the bound holds: the rounding of its evaluation is bounded a priori and taken off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from array_api_compat import is_numpy_array

from verifier.arrays import Array, convert_like, namespace
from verifier.property.balls import Ball
from verifier.tolerances import UNDERFLOW, gamma

STEPS = 30
"""Steps towards the multiplier at most; three or four do where the centre lies in the box."""

CLOSE = 1e-5
"""Relative change of the multiplier at which the steps end: the bound is flat there, so it loses the square of this."""

TOUCHING = 1e-12
"""Relative to the radius' square: what lies outside by less lies in the ball, for the multiplier's sake only."""

BLOCK_ENTRIES = 1 << 16
"""Coefficients that are worked on at a time on the host: what a core's cache holds a few copies of."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """The least values of R linear functions for each of N boxes.

    Attributes:
        bound: not above the least value in real arithmetic, shape (N, R); NaN or -inf where nothing is known.
        point: about where it is taken, in box and ball up to rounding, shape (N, R, input_size).
    """

    bound: Array
    point: Array


def least(rows: Array, lower: Array, upper: Array, ball: Ball) -> Minimum:
    """Bounds of the least values of `rows` over box and ball.

    Args:
        rows: of coefficients, shape (N, R, input_size), of any array library; in float64 for bounds that count.
        lower, upper: of the boxes, finite, shape (N, input_size) or (1, input_size).
        ball: the same for all. Where a box misses it, any bound is right.
    """
    count, width, size = rows.shape
    step = max(1, BLOCK_ENTRIES // max(1, count * size))
    if not is_numpy_array(rows) or width <= step:
        return _least(rows, lower, upper, ball)
    blocks = [_least_of_block(rows[:, i : i + step], lower, upper, ball) for i in range(0, width, step)]
    return Minimum(
        *(np.concatenate(parts, axis=1) for parts in zip(*((b.bound, b.point) for b in blocks), strict=True))
    )


def _least_of_block(rows: np.ndarray, lower: np.ndarray, upper: np.ndarray, ball: Ball) -> Minimum:
    """The same for few rows: of a convolution these have but few inputs. The others only make the ball smaller."""
    used = np.flatnonzero((rows != 0).any(axis=(0, 1)))
    if not 0 < 2 * len(used) < rows.shape[2]:
        return _least(rows, lower, upper, ball)
    shadow = Ball(ball.centre[used], ball.radius, ball.norm)
    found = _least(rows[:, :, used], lower[:, used], upper[:, used], shadow)
    nearest = np.clip(ball.centre, lower, upper).astype(rows.dtype)
    point = np.broadcast_to(nearest[:, None, :], rows.shape).copy()
    point[:, :, used] = found.point
    return Minimum(found.bound, point)


def _least(rows: Array, lower: Array, upper: Array, ball: Ball) -> Minimum:
    xp = namespace(rows)
    centre = convert_like(rows)(ball.centre)
    lower, upper = lower[:, None, :], upper[:, None, :]
    low, high = lower - centre, upper - centre
    share, multiplier = _split(rows, low, high, ball)
    rest = rows - share
    corner = xp.where(rest > 0, lower, upper)
    gaps = corner - centre
    if ball.radius > 0:
        gaps = xp.where(rest == 0, _free_gaps(rows, low, high, multiplier, ball), gaps)
    else:
        gaps = xp.zeros_like(gaps)
    point = xp.minimum(xp.maximum(centre + gaps, lower), upper)
    return Minimum(_bound(share, rest, corner, centre, ball), point)


def _bound(share: Array, rest: Array, corner: Array, centre: Array, ball: Ball) -> Array:
    """The bound that a split gives, rounding covered; the rounding of `rest` itself as well."""
    xp = namespace(share)
    dual = ball.length(share) if ball.norm == 2 else xp.max(xp.abs(share), axis=-1)
    of_box, of_centre, of_ball = rest * corner, share * centre, ball.radius * dual
    size = xp.sum(xp.abs(of_box), axis=-1) + xp.sum(xp.abs(of_centre), axis=-1) + of_ball
    rounding = 2 * gamma(2 * share.shape[-1] + 4)
    # No point of the box is farther than its corners: the rounding of `rest` moves the value by less than this.
    farthest = xp.maximum(xp.abs(corner), xp.abs(centre) + ball.radius)
    size = size + xp.vecdot(xp.abs(rest), xp.broadcast_to(farthest, rest.shape))
    total = xp.sum(of_box, axis=-1) + xp.sum(of_centre, axis=-1) - of_ball
    return total - rounding * size - UNDERFLOW


def _split(rows: Array, low: Array, high: Array, ball: Ball) -> tuple[Array, Array]:
    """The share of the rows that the ball takes, and its multiplier, shape (N, R, 1)."""
    xp = namespace(rows)
    if ball.radius == 0:
        return rows, xp.full_like(rows[:, :, :1], math.inf)
    if ball.norm == 2:
        multiplier = _multiplier_of_two(rows, low, high, ball.radius)
        return xp.minimum(xp.maximum(rows, -multiplier * high), -multiplier * low), multiplier
    multiplier = _multiplier_of_one(rows, low, high, ball.radius)
    floor = xp.where(high >= 0, -multiplier, multiplier)
    ceiling = xp.where(low <= 0, multiplier, -multiplier)
    return xp.minimum(xp.maximum(rows, floor), ceiling), multiplier


def _multiplier_of_two(rows: Array, low: Array, high: Array, radius: float) -> Array:
    """The m with ||clip(-a / m, low, high)||_2 = radius, or 0 where the box is within the ball; shape (N, R, 1).

    With the entries that are clipped at m held where they are, the rest gives a new m in closed form. From above this
    falls to the solution, as ever more entries are clipped; a bracket guards it where the centre is outside the box.
    There all entries may be clipped at an m that is too large, to the sides that they leave again at a smaller one.
    """
    xp = namespace(rows)
    above = xp.sqrt(xp.sum(rows * rows, axis=-1, keepdims=True)) / radius
    now, below = above, xp.zeros_like(above)
    above = xp.full_like(above, math.inf)
    for _ in range(STEPS):
        share = xp.minimum(xp.maximum(rows, -now * high), -now * low)
        clipped = share != rows
        squares = share * share
        free = xp.sum(xp.where(clipped, 0.0, squares), axis=-1, keepdims=True)
        held = xp.sum(xp.where(clipped, squares, 0.0), axis=-1, keepdims=True)
        unit = xp.where(now > 0, now, 1.0)
        held = held / unit / unit
        within = free / unit / unit + held <= radius * radius * (1 + TOUCHING)
        above, below = xp.where(within, now, above), xp.where(within, below, now)
        room = radius * radius - held
        found = xp.sqrt(free / xp.where(room > 0, room, 1.0))
        middle = xp.where(xp.isfinite(above), 0.5 * (below + above), 4.0 * now)
        fits = (room > 0) & (found >= below * (1 - CLOSE)) & (found <= above * (1 + CLOSE))
        if bool(xp.any(fits & (found == 0))):
            fits = fits & ((found > 0) | _corner_within(rows, low, high, radius))
        found = xp.where(fits, found, middle)
        settled = xp.abs(found - now) <= CLOSE * now
        now = found
        if bool(xp.all(settled)):
            break
    return xp.where(xp.isfinite(now), now, 0.0)


def _corner_within(rows: Array, low: Array, high: Array, radius: float) -> Array:
    """Whether the box's own minimiser lies in the ball, so that the multiplier is 0; shape (N, R, 1)."""
    xp = namespace(rows)
    corner = xp.where(rows > 0, low, xp.where(rows < 0, high, _nearest(low, high)))
    return xp.sum(corner * corner, axis=-1, keepdims=True) <= radius * radius * (1 + TOUCHING)


def _multiplier_of_one(rows: Array, low: Array, high: Array, radius: float) -> Array:
    """The size of the coefficient at which the radius is used up, steepest first, or 0; shape (N, R, 1).

    A fractional knapsack: from the box's point nearest to the centre each entry can move by its room.
    """
    xp = namespace(rows)
    size, (room, budget) = xp.abs(rows), _rooms(rows, low, high, radius)
    order = xp.argsort(-size, axis=-1)
    used = xp.cumulative_sum(xp.take_along_axis(room, order, axis=-1), axis=-1)
    last = xp.sum(xp.astype(used < budget, order.dtype), axis=-1, keepdims=True)
    inside = last < rows.shape[-1]
    last = xp.where(inside, last, xp.zeros_like(last))
    at = xp.take_along_axis(xp.take_along_axis(size, order, axis=-1), last, axis=-1)
    return xp.where(inside, at, 0.0)


def _rooms(rows: Array, low: Array, high: Array, radius: float) -> tuple[Array, Array]:
    """How far each entry can go down its slope from the nearest point, and the radius that is left there."""
    xp = namespace(rows)
    nearest = _nearest(low, high)
    room = xp.where(rows > 0, nearest - low, high - nearest)
    return room, radius - xp.sum(xp.abs(nearest), axis=-1, keepdims=True)


def _nearest(low: Array, high: Array) -> Array:
    xp = namespace(low)
    zero = xp.zeros_like(low)
    return xp.minimum(xp.maximum(zero, low), high)


def _free_gaps(rows: Array, low: Array, high: Array, multiplier: Array, ball: Ball) -> Array:
    """The minimiser's distance from the centre in the entries that the box does not hold.

    For norm 1 those that are as steep as the multiplier share what steeper ones leave of the radius.
    """
    xp = namespace(rows)
    if ball.norm == 2:
        return -rows / xp.where(multiplier > 0, multiplier, 1.0)
    size, (room, budget) = xp.abs(rows), _rooms(rows, low, high, ball.radius)
    steeper, as_steep = size > multiplier, (size == multiplier) & (multiplier > 0)
    left = budget - xp.sum(xp.where(steeper, room, 0.0), axis=-1, keepdims=True)
    wanted = xp.sum(xp.where(as_steep, room, 0.0), axis=-1, keepdims=True)
    share = xp.clip(left / xp.where(wanted > 0, wanted, 1.0), 0.0, 1.0)
    return _nearest(low, high) - xp.sign(rows) * xp.where(as_steep, room * share, 0.0)
