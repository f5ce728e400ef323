"""The ends of an affine node's interval one by one, for where centre and radius lose what is known.

The lower end is the sum of the least values of the terms. Computed as such, its rounding is relative to *its own*
terms: where all of them are 0 nothing is lost, and "a sum of relus is never negative" is exact. Steps without any
rounding (moved entries, changed signs, single terms of exact weights) keep both ends to the bit. An end that is
infinite concerns only the entries that it reaches, on the side that it bounds: half-lines are intervals like any other.

It takes up to eight products where centre and radius take two, so `bounds.interval` asks for it only where it matters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from verifier.arrays import Array, namespace
from verifier.network.graph import Affine
from verifier.network.linear_maps import Adjoint, Composition, Identity, LinearMap, Scaling, Selection
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma


def affine_ends(node: Affine, operands: Sequence[tuple[Array, Array]], count: int) -> tuple[Array, Array]:
    """Sound ends of a node's value, shape (N, size) each, infinite where they are not known; never NaN.

    Args:
        node: what is bounded.
        operands: for each operand its ends, shape (N, size) each, possibly infinite.
        count: N.
    """
    xp = namespace(node.bias)
    shape = (count, node.size)
    slack = xp.where(node.bias_magnitude > 0, gamma(0) * node.bias_magnitude + UNDERFLOW, 0.0)
    low, high = xp.broadcast_to(node.bias - slack, shape), xp.broadcast_to(node.bias + slack, shape)
    for linear_map, (lower, upper) in zip(node.maps, operands, strict=True):
        least, greatest = map_ends(linear_map, lower, upper)
        low, high = added(low, high, least, greatest)
    return low, high


def added(low: Array, high: Array, least: Array, greatest: Array) -> tuple[Array, Array]:
    """Sound ends of a sum, from those of its two terms."""
    return _sum_below(low, least), -_sum_below(-high, -greatest)


def map_ends(linear_map: LinearMap, lower: Array, upper: Array) -> tuple[Array, Array]:
    """Sound ends of a linear map's value, from those of its operand."""
    if isinstance(linear_map, Composition):
        return map_ends(linear_map.outer, *map_ends(linear_map.inner, lower, upper))
    if isinstance(linear_map, Adjoint) and isinstance(linear_map.of, Composition):
        return map_ends(Adjoint(linear_map.of.inner), *map_ends(Adjoint(linear_map.of.outer), lower, upper))
    if isinstance(linear_map, (Identity, Selection)):
        return linear_map.apply(lower), linear_map.apply(upper)
    if isinstance(linear_map, Scaling):
        return _scaled(linear_map, lower, upper)
    return _least(linear_map, lower, upper, 1), -_least(linear_map, lower, upper, -1)


def moves_entries(linear_map: LinearMap) -> bool:
    """Whether each entry of the map's value is a multiple of one entry, so that its ends cost no more than others."""
    if isinstance(linear_map, Composition):
        return moves_entries(linear_map.outer) and moves_entries(linear_map.inner)
    return isinstance(linear_map, (Identity, Selection, Scaling))


def _sum_below(a: Array, b: Array) -> Array:
    """A lower bound of a + b, neither +infinity; the sum itself where it is exact (TwoSum: Knuth, TAOCP 2, 4.2.2)."""
    xp = namespace(a, b)
    total = a + b
    of_b = total - a
    exact = (a - (total - of_b)) + (b - of_b) == 0
    below = total - xp.where(exact, 0.0, 2 * UNIT_ROUNDOFF * xp.abs(total) + UNDERFLOW)
    return xp.where(below == below, below, -math.inf)


def _scaled(linear_map: Scaling, lower: Array, upper: Array) -> tuple[Array, Array]:
    xp = namespace(lower, upper)
    factors = linear_map.factors
    ends = [xp.where(factors == 0, 0.0, xp.where(end == 0, 0.0, factors * end)) for end in (lower, upper)]
    low, high = xp.where(factors < 0, ends[1], ends[0]), xp.where(factors < 0, ends[0], ends[1])
    if linear_map.exact:
        return low, high
    slack = [xp.where(xp.isfinite(e) & (e != 0), gamma(1) * xp.abs(e) + UNDERFLOW, 0.0) for e in (low, high)]
    return low - slack[0], high + slack[1]


def _least(linear_map: LinearMap, lower: Array, upper: Array, sign: int) -> Array:
    """A lower bound of sign * (the map's value): its positive weights meet one end, its negative ones the other."""
    plus, minus = linear_map.positive, linear_map.negative
    xp = namespace(lower, upper)
    if sign < 0:
        plus, minus = minus, plus
    known = xp.isfinite(lower), xp.isfinite(upper)
    low, high = xp.where(known[0], lower, 0.0), xp.where(known[1], upper, 0.0)
    value = plus.apply(low) - minus.apply(high)
    size = plus.apply(xp.abs(low)) + minus.apply(xp.abs(high))

    def reached(of_lower: Array, of_upper: Array) -> Array:
        return plus.apply(xp.astype(of_lower, low.dtype)) + minus.apply(xp.astype(of_upper, low.dtype)) > 0

    slack = xp.where(reached(low != 0, high != 0), gamma(linear_map.terms + 4) * size + UNDERFLOW, 0.0)
    if linear_map.exact_rows is not None:
        slack = xp.where(linear_map.exact_rows, 0.0, slack)
    below = value - slack
    if not (xp.all(known[0]) and xp.all(known[1])):
        below = xp.where(reached(~known[0], ~known[1]), -math.inf, below)
    return xp.where(below == below, below, -math.inf)
