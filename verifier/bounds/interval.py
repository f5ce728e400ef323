"""Interval bound propagation (Gowal et al., arXiv 1810.12715), sound in floating point.

An affine node takes centre c and radius r to M c + b and |M| r. The rounding error of M c is at most gamma (|M| |c|),
and |M| is applied to r anyway; so the error is covered at no cost by applying |M| to r + gamma (|c| + r) instead.
"""

from __future__ import annotations

from collections.abc import Sequence

from verifier.arrays import Array, namespace, zeros
from verifier.bounds.enclosure import Interval, intersected, repaired
from verifier.network.graph import Affine, Elementwise, Network, Node, Product
from verifier.relaxations.products import product_interval
from verifier.tolerances import UNDERFLOW, gamma


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
    for k, node in enumerate(network.nodes[1:], start=1):
        interval = node_interval(node, [intervals[i] for i in node.operands], lower)
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


def node_interval(node: Node, operands: Sequence[Interval], example: Array) -> Interval:
    """The interval of one node from those of its operands; `example`, of shape (N, ...), gives N."""
    if isinstance(node, Affine):
        return _affine(node, operands, example)
    if isinstance(node, Elementwise):
        return repaired(*node.function.image(operands[0].lower, operands[0].upper))
    if isinstance(node, Product):
        (x, y) = operands
        return repaired(*product_interval(x.lower, x.upper, y.lower, y.upper))
    raise TypeError(f"an Input has no rule of propagation: {node}")


def affine_magnitude(node: Affine, operands: Sequence[Interval]) -> Array:
    """sum_i |M_i| |x_i| + |b|: what the terms of the node's value add up to in absolute value, shape (N, size)."""
    total = node.bias_magnitude[None, :]
    for linear_map, operand in zip(node.maps, operands, strict=True):
        total = total + linear_map.magnitude.apply(operand.magnitude)
    return total


def _affine(node: Affine, operands: Sequence[Interval], example: Array) -> Interval:
    xp = namespace(example)
    rounding = gamma(sum(m.terms for m in node.maps) + len(node.maps))
    centre = xp.broadcast_to(node.bias, (example.shape[0], node.size))
    radius = xp.broadcast_to(rounding * node.bias_magnitude + UNDERFLOW, centre.shape)
    for linear_map, operand in zip(node.maps, operands, strict=True):
        middle = 0.5 * (operand.lower + operand.upper)
        reach = xp.maximum(operand.upper - middle, middle - operand.lower)
        centre = centre + linear_map.apply(middle)
        radius = radius + linear_map.magnitude.apply(reach + rounding * (xp.abs(middle) + reach))
    radius = radius * (1 + rounding)
    return repaired(centre - radius, centre + radius)
