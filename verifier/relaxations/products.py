"""The product x * y on a box: its range, and the planes of McCormick.

From (x - a)(y - c) >= 0 and its three siblings on [a, b] x [c, d]: two planes below and two above, which together are
the convex hull of the graph. Source: McCormick, *Computability of Global Solutions to Factorable Nonconvex Programs*,
Mathematical Programming 10, 1976.
"""

from __future__ import annotations

from dataclasses import dataclass

from verifier.arrays import Array, namespace
from verifier.relaxations.policy import Policy
from verifier.tolerances import LARGEST_VALUE, SMALLEST, UNDERFLOW, UNIT_ROUNDOFF


@dataclass(frozen=True, eq=False)
class Plane:
    """x_slope * x + y_slope * y + intercept; arrays of the shape of the box's ends."""

    x_slope: Array
    y_slope: Array
    intercept: Array


@dataclass(frozen=True, eq=False)
class Planes:
    """Two planes below the product and two above it, in real arithmetic; intercepts may be infinite, slopes not."""

    lower: tuple[Plane, Plane]
    upper: tuple[Plane, Plane]


def product_interval(x_lower: Array, x_upper: Array, y_lower: Array, y_upper: Array) -> tuple[Array, Array]:
    """An enclosure of x * y over the box, rounding covered; 0 times an infinite end is 0, NaN ends are vacuous."""
    xp = namespace(x_lower, x_upper, y_lower, y_upper)
    (a, b), (c, d) = _tamed(x_lower, x_upper), _tamed(y_lower, y_upper)
    products = [_product(p, q) for p in (a, b) for q in (c, d)]
    low, high = products[0]
    for smaller, larger in products[1:]:
        low, high = xp.minimum(low, smaller), xp.maximum(high, larger)
    return xp.where(low == low, low, -xp.inf), xp.where(high == high, high, xp.inf)


def product_planes(x_lower: Array, x_upper: Array, y_lower: Array, y_upper: Array) -> Planes:
    """The four planes of McCormick; constants from `product_interval` where an end is infinite, huge or NaN.

    Args:
        x_lower: lower ends of x, float64, any shape.
        x_upper: upper ends of x, the same shape.
        y_lower: lower ends of y, the same shape.
        y_upper: upper ends of y, the same shape.
    """
    xp = namespace(x_lower, x_upper, y_lower, y_upper)
    low, high = product_interval(x_lower, x_upper, y_lower, y_upper)
    tame = (xp.abs(x_lower) <= LARGEST_VALUE) & (xp.abs(x_upper) <= LARGEST_VALUE)
    tame = tame & (xp.abs(y_lower) <= LARGEST_VALUE) & (xp.abs(y_upper) <= LARGEST_VALUE)
    a, b, c, d = (xp.where(tame, end, 0.0) for end in (x_lower, x_upper, y_lower, y_upper))

    def plane(x_corner: Array, y_corner: Array, constant: Array, outwards: float) -> Plane:
        product = x_corner * y_corner
        rounding = xp.where(product == 0, UNDERFLOW, 2.0 * UNIT_ROUNDOFF * xp.abs(product) + UNDERFLOW)
        rounding = xp.where((x_corner == 0) | (y_corner == 0), 0.0, rounding)
        return Plane(y_corner, x_corner, xp.where(tame, outwards * rounding - product, constant))

    return Planes(
        lower=(plane(a, c, low, -1.0), plane(b, d, low, -1.0)), upper=(plane(a, d, high, 1.0), plane(b, c, high, 1.0))
    )


def chosen_planes(
    x_lower: Array, x_upper: Array, y_lower: Array, y_upper: Array, policy: Policy = Policy.ADAPTIVE
) -> tuple[Plane, Plane]:
    """One plane below and one above: the first of each two, the second, or (ADAPTIVE, PARALLEL) their average.

    All convex combinations of the two have the same value in the middle of the box, so none has less volume.
    """
    planes = product_planes(x_lower, x_upper, y_lower, y_upper)
    if policy is Policy.LOWER_END:
        return planes.lower[0], planes.upper[0]
    if policy is Policy.UPPER_END:
        return planes.lower[1], planes.upper[1]
    xp = namespace(x_lower, x_upper, y_lower, y_upper)
    x_size, y_size = xp.maximum(xp.abs(x_lower), xp.abs(x_upper)), xp.maximum(xp.abs(y_lower), xp.abs(y_upper))
    return _average(*planes.lower, x_size, y_size, -1.0), _average(*planes.upper, x_size, y_size, 1.0)


def _average(one: Plane, other: Plane, x_size: Array, y_size: Array, outwards: float) -> Plane:
    """The plane halfway, moved outwards by what rounding its slopes can change within |x| <= x_size, |y| <= y_size."""
    xp = namespace(one.intercept)
    x_slope, y_slope = 0.5 * (one.x_slope + other.x_slope), 0.5 * (one.y_slope + other.y_slope)
    sloped = (one.x_slope != 0) | (other.x_slope != 0) | (one.y_slope != 0) | (other.y_slope != 0)
    sizes = [xp.where(sloped & (size <= LARGEST_VALUE), size, 0.0) for size in (x_size, y_size)]
    intercept = 0.5 * one.intercept + 0.5 * other.intercept
    rounding = xp.abs(x_slope) * sizes[0] + xp.abs(y_slope) * sizes[1] + xp.abs(intercept)
    underflow = UNDERFLOW + SMALLEST * (sizes[0] + sizes[1])  # half of the smallest slope there is may be rounded to 0
    margin = xp.where(xp.isfinite(intercept), 4.0 * UNIT_ROUNDOFF * rounding + underflow, 0.0)
    return Plane(x_slope, y_slope, intercept + outwards * margin)


def _tamed(lower: Array, upper: Array) -> tuple[Array, Array]:
    """The interval with ends beyond `LARGEST_VALUE` moved outwards: to infinity, or to that value."""
    xp = namespace(lower, upper)
    most = LARGEST_VALUE
    lower = xp.where(lower > most, most, xp.where(lower < -most, -xp.inf, lower))
    return lower, xp.where(upper < -most, -most, xp.where(upper > most, xp.inf, upper))


def _product(p: Array, q: Array) -> tuple[Array, Array]:
    """The product rounded down and up; exactly 0 where a factor is 0."""
    xp = namespace(p, q)
    zero = (p == 0) | (q == 0)
    product = xp.where(zero, 0.0, p) * xp.where(zero, 0.0, q)
    rounding = xp.where(zero | ~xp.isfinite(product), 0.0, UNDERFLOW + 2.0 * UNIT_ROUNDOFF * xp.abs(product))
    return product - rounding, product + rounding
