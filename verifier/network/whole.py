"""Which nodes take whole numbers only, whatever the input.

Comparisons of whole numbers may be made half a unit away from them, where no value ever is: rounding then decides
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verifier.network.functions.clip import Clip
from verifier.network.functions.near import Near
from verifier.network.functions.relu import Relu
from verifier.network.functions.steps import LONG, Floor, Round, Step, StepFunction, Whole
from verifier.network.graph import Affine, Elementwise, Network, Node, Product
from verifier.network.linear_maps import Composition, Dense, Identity, LinearMap, Scaling, Selection, Sparse
from verifier.network.simplify import renamed

LARGEST = 2.0**50
"""Whole numbers up to here are float64 numbers, as are their halves."""


def node_is_whole(nodes: Sequence[Node], known: dict[int, bool], k: int) -> bool:
    """Whether a node's value is a vector of whole numbers.

    Args:
        nodes: of the network.
        known: what has been found out about them; it grows. That of the input, node 0, must be in it.
        k: the node.
    """
    waiting = [k]
    while waiting:
        node = nodes[waiting[-1]]
        always = isinstance(node, Elementwise) and isinstance(node.function, StepFunction | Near)
        unknown = [] if always else [i for i in node.operands if i not in known]
        if unknown:
            waiting += unknown
        else:
            at = waiting.pop()
            known[at] = known[at] if at in known else always or _keeps_whole(node, known)
    return known[k]


def _keeps_whole(node: Node, known: dict[int, bool]) -> bool:
    """Whether a node's value is whole, from what is known of its operands."""
    if not all(known[i] for i in node.operands):
        return False
    if isinstance(node, Affine):
        return are_whole(node.bias) and are_whole(node.bias_magnitude) and all(_whole_map(m) for m in node.maps)
    if isinstance(node, Elementwise):
        function = node.function
        ends = isinstance(function, Clip) and are_whole(np.array([function.low, function.high]))
        return ends or isinstance(function, Relu)
    return isinstance(node, Product)


def are_whole(values: np.ndarray) -> bool:
    """Whether all numbers are whole, and not too large for their halves."""
    return bool(((np.abs(values) <= LARGEST) & (np.floor(values) == values)).all())


def _whole_map(m: LinearMap) -> bool:
    if isinstance(m, Composition):
        return _whole_map(m.outer) and _whole_map(m.inner)
    if isinstance(m, Scaling):
        return are_whole(m.factors)
    if isinstance(m, Sparse):
        return are_whole(m.matrix.data)
    return isinstance(m, Identity | Selection) or (isinstance(m, Dense) and are_whole(m.weight))


def with_room_for_rounding(network: Network) -> Network:
    """The network whose jumps on whole numbers are moved half a unit away from them, the same function.

    Args:
        network: its weights NumPy arrays.
    """
    known = {0: False}
    nodes: list[Node] = list(network.nodes)
    names: list[int] = []  # of the nodes in the new network
    made: list[Node] = []
    for k, node in enumerate(nodes):
        moved = _moved(node, k, nodes, known)
        for part in moved:
            takes = node.operands if part is moved[0] else (len(made) - 1,)
            new = dict(zip(node.operands, (names[i] for i in node.operands), strict=True)) if part is moved[0] else {}
            made.append(renamed(_taking(part, takes), new))
        names.append(len(made) - 1)
    return network if all(a is b for a, b in zip(made, nodes, strict=False)) else replace(network, nodes=tuple(made))


def _taking(node: Node, operands: tuple[int, ...]) -> Node:
    """The node with other operands, one where it is a function."""
    if isinstance(node, Elementwise):
        return replace(node, operands=(operands[0],))
    return replace(node, operands=operands) if isinstance(node, Affine) else node


def _moved(node: Node, k: int, nodes: Sequence[Node], known: dict[int, bool]) -> list[Node]:
    """The node, or what takes its place: one after the other, the first taking its operands."""
    if not isinstance(node, Elementwise) or not node_is_whole(nodes, known, node.operands[0]):
        return [node]
    function, size = node.function, node.size
    if function == Near(0.0):
        return [replace(node, function=Near(0.5))]
    if isinstance(function, Step):
        shift = np.full(size, 0.5 if function.at_zero else -0.5)
        return [Affine(node.operands, (Identity(size),), shift), replace(node, function=Step(at_zero=True))]
    if isinstance(function, Floor) or (isinstance(function, Whole) and np.isinf(function.greatest)):
        return [Affine(node.operands, (Identity(size),), np.zeros(size))]
    return [node]


def with_types_kept(network: Network, bounds: Sequence[tuple[np.ndarray, np.ndarray]]) -> Network:
    """The network without the ends of integer types that whole numbers cannot leave, the same function.

    Args:
        network: its weights NumPy arrays.
        bounds: sound, of each node, shape (size,).
    """
    known = {0: False}
    nodes: list[Node] = list(network.nodes)
    for k, node in enumerate(nodes):
        if isinstance(node, Elementwise) and _stays(node, network.nodes, bounds, known):
            nodes[k] = replace(node, function=Round())
    return replace(network, nodes=tuple(nodes))


def has_types(network: Network) -> bool:
    """Whether some node's value has the ends of an integer type."""
    return any(
        isinstance(n, Elementwise) and isinstance(n.function, Whole) and n.function.greatest < np.inf
        for n in network.nodes
    )


def _stays(
    node: Elementwise, nodes: Sequence[Node], bounds: Sequence[tuple[np.ndarray, np.ndarray]], known: dict[int, bool]
) -> bool:
    """Whether a node rounds whole numbers that are within its type already."""
    function = node.function
    if not isinstance(function, Round) or np.isinf(function.greatest):
        return False
    low, high = bounds[node.operands[0]]
    within = (low > max(function.least - 1.0, -LONG)).all() and (high < min(function.greatest + 1.0, LONG)).all()
    return bool(within) and node_is_whole(nodes, known, node.operands[0])
