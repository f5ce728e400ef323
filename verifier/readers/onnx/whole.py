"""Which nodes of a graph under construction take whole numbers only, whatever the input.

Comparisons of whole numbers may be made half a unit away from them, where no value ever is: rounding then decides nothing.
"""

from __future__ import annotations

import numpy as np

from verifier.network.functions import Clip, Near, Relu, StepFunction
from verifier.network.graph import Affine, Elementwise, Product
from verifier.network.linear_maps import Composition, Dense, Identity, LinearMap, Scaling, Selection
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.tensors import Tensor, Variable

LARGEST = 2.0**50
"""Whole numbers up to here are float64 numbers, as are their halves."""


def is_whole(graph: GraphBuilder, tensor: Tensor) -> bool:
    """Whether all entries are whole numbers: integers, booleans, and floats that are made from such."""
    if isinstance(tensor, np.ndarray):
        return tensor.dtype.kind in "iub" or _whole(tensor.astype(np.float64))
    return tensor.integral or node_is_whole(graph, tensor.node)


def node_is_whole(graph: GraphBuilder, k: int) -> bool:
    """Whether a node's value is a vector of whole numbers."""
    known = graph.whole
    waiting = [k]
    while waiting:
        node = graph.nodes[waiting[-1]]
        unknown = [i for i in node.operands if i not in known]
        if _needs_operands(graph, waiting[-1]) and unknown:
            waiting += unknown
            continue
        at = waiting.pop()
        known[at] = _decided(graph, at)
    return known[k]


def _needs_operands(graph: GraphBuilder, k: int) -> bool:
    node = graph.nodes[k]
    return not (isinstance(node, Elementwise) and isinstance(node.function, StepFunction | Near))


def _decided(graph: GraphBuilder, k: int) -> bool:
    node = graph.nodes[k]
    if isinstance(node, Elementwise):
        function = node.function
        if isinstance(function, StepFunction | Near):
            return True
        kept = isinstance(function, Relu) or (
            isinstance(function, Clip) and _whole(np.array([function.low, function.high]))
        )
        return kept and graph.whole[node.operands[0]]
    if isinstance(node, Affine):
        return _whole(node.bias) and all(
            graph.whole[i] and _whole_map(m) for i, m in zip(node.operands, node.maps, strict=True)
        )
    return isinstance(node, Product) and all(graph.whole[i] for i in node.operands)


def _whole(values: np.ndarray) -> bool:
    return bool(((np.abs(values) <= LARGEST) & (np.floor(values) == values)).all())


def _whole_map(m: LinearMap) -> bool:
    if isinstance(m, Composition):
        return _whole_map(m.outer) and _whole_map(m.inner)
    if isinstance(m, Scaling):
        return _whole(m.factors)
    return isinstance(m, Identity | Selection) or (isinstance(m, Dense) and _whole(m.weight))
