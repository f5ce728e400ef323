"""Arithmetic on integers, which wraps around at the ends of their type where it would leave it.

A result that may leave its type goes through `Round` with the type's ends, beyond which anything that the type holds is
taken to be possible. What cannot, by the ranges of what it is made of, stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from verifier.network.functions.steps import LONG, Round, Whole
from verifier.network.graph import Affine, Elementwise, Node, Port, Product, type_ends
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.tensors import Tensor, Variable

WRAPS = frozenset(
    {
        "Abs", "Add", "CumSum", "Div", "Einsum", "MatMul", "Mul", "Neg", "Pow", "Range", "ReduceL1", "ReduceProd",
        "ReduceSum", "ReduceSumSquare", "Sub", "Sum",
    }
)  # fmt: skip
"""Operators whose results may leave the type of their operands."""

Ends: TypeAlias = tuple[np.ndarray, np.ndarray]
"""The least and the greatest value of each entry of a node."""


def of_types(ports: Sequence[Port]) -> Ends:
    """What the inputs may be, by their types."""
    low, high = [], []
    for port in ports:
        ends = type_ends(port.dtype)
        low.append(np.full(port.size, ends[0]))
        high.append(np.full(port.size, ends[1]))
    return np.concatenate([*low, np.zeros(0)]), np.concatenate([*high, np.zeros(0)])


def within_type(graph: GraphBuilder, op: str, result: Tensor | None) -> Tensor | None:
    """An operator's result, cut to its type where it may leave it."""
    if op not in WRAPS or not isinstance(result, Variable) or result.dtype is None or result.dtype.kind not in "iu":
        return result
    ends = np.iinfo(result.dtype)
    low, high = _range(graph, result.node)
    if ends.min <= low and high <= ends.max:
        return result
    cut = graph.elementwise(result, Round(float(ends.min), float(ends.max)))
    return replace(result, node=cut.node)


def _range(graph: GraphBuilder, k: int) -> tuple[float, float]:
    """The least and the greatest entry that a node may have, from the nodes before it, without regard to rounding."""
    waiting = [k]
    while waiting:
        node = graph.nodes[waiting[-1]]
        bounded = isinstance(node, Elementwise) and np.isfinite(node.function.image(*_anything(1))).all()
        unknown = [] if bounded else [i for i in node.operands if i not in graph.ranges]
        if unknown:
            waiting += unknown
        else:
            at = waiting.pop()
            with np.errstate(all="ignore"):
                ends = _made_of(node, [graph.ranges.get(i, _anything(graph.nodes[i].size)) for i in node.operands])
            graph.ranges[at] = np.nan_to_num(ends[0], nan=-np.inf), np.nan_to_num(ends[1], nan=np.inf)
    low, high = graph.ranges[k]
    return float(low.min(initial=np.inf)), float(high.max(initial=-np.inf))


def _anything(size: int) -> Ends:
    return np.full(size, -np.inf), np.full(size, np.inf)


def _made_of(node: Node, operands: list[Ends]) -> Ends:
    if isinstance(node, Elementwise):
        return _image(node, *operands[0])
    if isinstance(node, Product):
        corners = [a * b for a in operands[0] for b in operands[1]]
        unclear = np.isnan(corners).any(axis=0)
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        return np.where(unclear, -np.inf, low), np.where(unclear, np.inf, high)
    assert isinstance(node, Affine)
    middle, radius = node.bias.copy(), np.zeros(node.size)
    for linear_map, (low, high) in zip(node.maps, operands, strict=True):
        finite = np.isfinite(low) & np.isfinite(high)
        middle = middle + linear_map.apply(np.where(finite, 0.5 * low + 0.5 * high, 0.0))
        radius = radius + linear_map.magnitude.apply(np.where(finite, 0.5 * high - 0.5 * low, 0.0))
        reached = linear_map.magnitude.apply((~finite).astype(np.float64)) > 0
        radius = np.where(reached, np.inf, radius)
    return middle - radius, middle + radius


def _image(node: Elementwise, low: np.ndarray, high: np.ndarray) -> Ends:
    with np.errstate(all="ignore"):
        low, high = node.function.image(low, high)
    if isinstance(node.function, Whole):  # nothing is known beyond: of casts by their image, of inputs by their box
        return np.maximum(low, -LONG), np.minimum(high, LONG)
    return low, high
