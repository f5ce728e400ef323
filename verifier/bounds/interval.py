"""Interval bound propagation (Gowal et al., arXiv 1810.12715), sound in floating point.

An affine node takes centre c and radius r to M c + b and |M| r. The rounding error of M c is at most gamma (|M| |c|),
and |M| is applied to r anyway; so the error is covered at no cost by applying |M| to r + gamma (|c| + r) instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from verifier.arrays import Array, convert_like, namespace, zeros
from verifier.bounds.enclosure import Interval, intersected, repaired
from verifier.bounds.ends import added, affine_ends, map_ends, moves_entries
from verifier.network.affine_forms import Form, Twin
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.network.linear_maps import LinearMap
from verifier.relaxations.products import product_interval
from verifier.tolerances import UNDERFLOW, gamma

FEW_ENTRIES = 8
"""Nodes of at most this many entries have each end computed by itself too: it costs little, and the outputs that a
property asks about are such nodes, where an end met exactly decides."""
NEARLY_ZERO = 1e-12
"""Ends of at most this share of the terms' size are worth a second look: they may be 0 but for rounding."""


def interval_bounds(
    network: Network, lower: Array, upper: Array, known: Sequence[Interval] | None = None
) -> list[Interval]:
    """An interval for every node.

    Args:
        network: with its weights in the array library of the bounds.
        lower, upper: input bounds of N boxes, shape (N, input_size), finite.
        known: sound intervals of all nodes, shape (N, size), to go on from.
    """
    intervals = [Interval(lower, upper)]
    for k in range(1, len(network.nodes)):
        interval = node_interval(network, k, intervals)
        intervals.append(interval if known is None else intersected(interval, known[k]))
    return intervals


def placed(intervals: Sequence[Interval], network: Network, place: Sequence[int]) -> list[Interval]:
    """Intervals of some nodes of a network, and none of its others, shape (N, size): `known` for `interval_bounds`.

    Args:
        intervals: of the nodes `place`.
        network: whose nodes they are, with its weights in the array library of the bounds.
        place: as many nodes.
    """
    xp, example = namespace(intervals[0].lower), intervals[0].lower
    found = dict(zip(place, intervals, strict=True))

    def unknown(size: int) -> Interval:
        none = zeros(example, (example.shape[0], size))
        return Interval(none - xp.inf, none + xp.inf)

    return [found[k] if k in found else unknown(node.size) for k, node in enumerate(network.nodes)]


def node_interval(network: Network, k: int, intervals: Sequence[Interval]) -> Interval:
    """The interval of node k from those of the nodes before it, shape (N, size) each."""
    node = network.nodes[k]
    operands = [intervals[i] for i in node.operands]
    if isinstance(node, Affine):
        found = _affine(node, operands, intervals[0].lower)
        form = network.ranges.get(k)
        return found if form is None else intersected(found, repaired(*form_ends(form, intervals)))
    if isinstance(node, Elementwise):
        found = repaired(*node.function.image(operands[0].lower, operands[0].upper))
        return _within(found, network.limits[k]) if k in network.limits else found
    if isinstance(node, Product):
        (x, y) = operands
        found = repaired(*product_interval(x.lower, x.upper, y.lower, y.upper))
        return _within(found, network.limits[k]) if k in network.limits else found
    raise TypeError(f"an Input has no rule of propagation: {node}")


def _within(found: Interval, limit: np.ndarray) -> Interval:
    """The interval cut to [-limit, limit], shape (size,), which is known to hold all values."""
    xp, most = namespace(found.lower), convert_like(found.lower)(limit)
    return intersected(found, Interval(xp.zeros_like(found.lower) - most, xp.zeros_like(found.upper) + most))


def form_ends(form: Form, intervals: Sequence[Interval]) -> tuple[Array, Array]:
    """Sound ends of a form's value, those of the maxima and minima that it is included, shape (N, size) each."""
    count, operands = intervals[0].lower.shape[0], [intervals[i] for i in form.node.operands]
    low, high = affine_ends(form.node, [(operand.lower, operand.upper) for operand in operands], count)
    xp = namespace(low)
    for operand, error in form.errors:
        slack = _magnitude(error, intervals[operand].magnitude) * (1 + gamma(error.terms))
        low, high = added(low, high, -slack, slack)
    for twin in form.twins:
        low, high = added(low, high, *map_ends(twin.weights, *_difference_ends(twin, intervals)))
    for choice in form.choices:
        (first_low, first_high), (second_low, second_high) = (
            form_ends(part, intervals) for part in (choice.first, choice.second)
        )
        larger = xp.maximum(first_low, second_low), xp.maximum(first_high, second_high)
        smaller = xp.minimum(first_low, second_low), xp.minimum(first_high, second_high)
        low = xp.maximum(low, xp.where(choice.rising, larger[0], smaller[0]))
        high = xp.minimum(high, xp.where(choice.rising, larger[1], smaller[1]))
    return low, high


def _difference_ends(twin: Twin, intervals: Sequence[Interval]) -> tuple[Array, Array]:
    """Sound ends of the difference of two nodes: that of their operands times a slope, and that of their intervals."""
    low, high = form_ends(twin.gap, intervals)
    xp = namespace(low)
    if twin.function is not None:
        u, v = (intervals[i] for i in twin.sources)
        slopes = twin.function.slope_range(xp.minimum(u.lower, v.lower), xp.maximum(u.upper, v.upper))
        low, high = product_interval(*slopes, low, high)
    first, second = intervals[twin.first], intervals[twin.second]
    apart = added(first.lower, first.upper, -second.upper, -second.lower)
    return xp.maximum(low, apart[0]), xp.minimum(high, apart[1])


def affine_magnitude(node: Affine, operands: Sequence[Interval]) -> Array:
    """sum_i |M_i| |x_i| + |b|: what the terms of the node's value add up to in absolute value, shape (N, size).

    Infinite where an operand that is unbounded has a weight other than 0.
    """
    total = node.bias_magnitude[None, :]
    for linear_map, operand in zip(node.maps, operands, strict=True):
        total = total + _magnitude(linear_map, operand.magnitude)
    return total


def _magnitude(linear_map: LinearMap, sizes: Array) -> Array:
    """|M| applied to sizes that may be infinite; 0 times infinity is 0."""
    xp = namespace(sizes)
    known = xp.isfinite(sizes)
    if xp.all(known):
        return linear_map.magnitude.apply(sizes)
    reached = linear_map.magnitude.apply(xp.astype(~known, sizes.dtype)) > 0
    return xp.where(reached, math.inf, linear_map.magnitude.apply(xp.where(known, sizes, 0.0)))


def _affine(node: Affine, operands: Sequence[Interval], example: Array) -> Interval:
    xp, count = namespace(example), example.shape[0]
    ends = [(operand.lower, operand.upper) for operand in operands]
    if node.maps and all(moves_entries(m) for m in node.maps):
        return repaired(*affine_ends(node, ends, count))
    rounding = gamma(sum(m.terms for m in node.maps) + len(node.maps))
    centre = xp.broadcast_to(node.bias, (count, node.size))
    radius = xp.broadcast_to(rounding * node.bias_magnitude + UNDERFLOW, centre.shape)
    for linear_map, operand in zip(node.maps, operands, strict=True):
        middle = 0.5 * (operand.lower + operand.upper)
        reach = xp.maximum(operand.upper - middle, middle - operand.lower)
        centre = centre + linear_map.apply(middle)
        radius = radius + linear_map.magnitude.apply(reach + rounding * (xp.abs(middle) + reach))
    radius = radius * (1 + rounding)
    found = repaired(centre - radius, centre + radius)
    if node.size <= FEW_ENTRIES or _loses(found, centre, radius):
        return intersected(found, repaired(*affine_ends(node, ends, count)))
    return found


def _loses(found: Interval, centre: Array, radius: Array) -> bool:
    """Whether an end may be 0 but for rounding, or is unknown where only an entry of another row may be."""
    xp = namespace(centre)
    if not xp.all(xp.isfinite(radius)):
        return True
    near = NEARLY_ZERO * (xp.abs(centre) + radius)
    return bool(xp.any((xp.abs(found.lower) <= near) | (xp.abs(found.upper) <= near)))
