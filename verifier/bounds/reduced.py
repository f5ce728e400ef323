"""A network on a box, without the entries that are proven to be zero there.

Of the relus of a dense layer half or more are inactive all over a typical box. Whatever is computed for them is
multiplied by zero: on mnist_fc 256x4 at eps 0.03 a sixth of the products is left. As a function on the box the smaller
network is the same in exact arithmetic, so that its bounds are bounds of the larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.enclosure import Interval
from verifier.network.graph import Affine, Elementwise, Network, Node
from verifier.network.linear_maps import Dense


@dataclass(frozen=True, eq=False)
class Reduced:
    """A smaller network on a box.

    Attributes:
        network: with as many nodes as the larger one.
        kept: for each node that is smaller, the entries that it still has, increasing.
    """

    network: Network
    kept: dict[int, np.ndarray]

    def taken(self, intervals: Sequence[Interval]) -> list[Interval]:
        """Intervals of the larger network's nodes, shape (N, size), as those of this one."""
        taken = list(intervals)
        for k, entries in self.kept.items():
            taken[k] = Interval(_columns(intervals[k].lower, entries), _columns(intervals[k].upper, entries))
        return taken

    def restored(self, found: Sequence[Interval], intervals: Sequence[Interval]) -> list[Interval]:
        """Intervals of this network's nodes as those of the larger one, with `intervals` for what is missing."""
        restored = list(found)
        for k, entries in self.kept.items():
            xp = namespace(found[k].lower)
            columns = convert_like(found[k].lower)(entries)
            lower, upper = (xp.asarray(a, copy=True) for a in (intervals[k].lower, intervals[k].upper))
            lower[:, columns], upper[:, columns] = found[k].lower, found[k].upper
            restored[k] = Interval(lower, upper)
        return restored


def reduced(network: Network, intervals: Sequence[Interval]) -> Reduced:
    """The network without entries of functions whose interval is [0, 0], where all maps around them are matrices.

    Args:
        network: any.
        intervals: sound, of all nodes, over N boxes, shape (N, size); what is zero is so in all of them.
    """
    consumers: dict[int, list[Node]] = {}
    for node in network.nodes:
        for operand in node.operands:
            consumers.setdefault(operand, []).append(node)
    kept: dict[int, np.ndarray] = {}
    for k, node in enumerate(network.nodes[:-1]):
        if isinstance(node, Elementwise) and _between_matrices(network, consumers, k):
            zero = np.all((to_numpy(intervals[k].lower) == 0) & (to_numpy(intervals[k].upper) == 0), axis=0)
            zero[0] &= not zero.all()  # no node is empty
            if zero.any():
                kept[k] = kept[node.operands[0]] = np.flatnonzero(~zero)
    nodes = tuple(_without(node, kept.get(k), kept) for k, node in enumerate(network.nodes))
    return Reduced(replace(network, nodes=nodes), kept)


def _between_matrices(network: Network, consumers: dict[int, list[Node]], k: int) -> bool:
    """Whether node k is fed by an affine node of matrices, which feeds nothing else, and feeds only such nodes."""
    (operand,) = network.nodes[k].operands
    before, after = network.nodes[operand], consumers.get(k, [])
    if len(consumers[operand]) > 1 or not all(isinstance(node, Affine) for node in (before, *after)):
        return False
    return all(
        isinstance(m, Dense) and m.before == m.after == 1
        for node in (before, *after)
        if isinstance(node, Affine)
        for i, m in zip(node.operands, node.maps, strict=True)
        if node is before or i == k
    )


def _without(node: Node, entries: np.ndarray | None, kept: dict[int, np.ndarray]) -> Node:
    """The node with these of its entries (None: all), and with what its operands still have."""
    if isinstance(node, Elementwise):
        return node if entries is None else replace(node, size=len(entries))
    if not isinstance(node, Affine):
        return node
    maps = []
    for operand, linear_map in zip(node.operands, node.maps, strict=True):
        if entries is None and operand not in kept:
            maps.append(linear_map)
            continue
        assert isinstance(linear_map, Dense)
        weight = linear_map.weight
        if entries is not None:
            weight = namespace(weight).take(weight, convert_like(weight)(entries), axis=0)
        if operand in kept:
            weight = _columns(weight, kept[operand])
        maps.append(Dense(weight))
    if entries is None:
        return replace(node, maps=tuple(maps))
    bias, magnitude = (_columns(a[None], entries)[0] for a in (node.bias, node.bias_magnitude))
    return replace(node, maps=tuple(maps), bias=bias, bias_magnitude=magnitude)


def _columns(a: Array, entries: np.ndarray) -> Array:
    return namespace(a).take(a, convert_like(a)(entries), axis=1)
