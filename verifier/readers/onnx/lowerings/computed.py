"""Gather, Scatter, OneHot, Range and Slice at computed places: sums over the places, each with a zero or a one.

A computed index is written as zeros and a one (`Near` of its distance to every place, half a unit wide, so that rounding
does not move it). What is picked is the sum of the entries times these, what is written replaces by them. Indices beyond
the tensor are an error at run time and mean nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from verifier.network.functions import Near, Step
from verifier.network.linear_maps import Dense
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable
from verifier.readers.onnx.tracing import constant_value, traced
from verifier.readers.onnx.whole import is_whole

MOST_TERMS = 1 << 24
"""Entries times places of one operator, beyond which it would not fit in memory."""

MOST_IN_TURN = 64
"""Places that are written one after the other, where two of them may be the same."""


def from_front(graph: GraphBuilder, indices: Variable, sizes: int | np.ndarray) -> Variable:
    """Indices counted from the front: negative ones have the size of their axis added."""
    if is_never_negative(graph, indices):
        return indices
    negative = graph.elementwise(graph.combine([(-1.0, indices), (-0.5, np.ones(()))]), Step(at_zero=True))
    return graph.combine([(1.0, indices), (1.0, graph.scale(negative, np.asarray(sizes, np.float64)))])


def is_never_negative(graph: GraphBuilder, x: Variable) -> bool:
    """Whether the tensor is a sum of nonnegative multiples of what is nonnegative by its nature."""
    from verifier.network.functions import Relu

    found = traced(graph, x)
    if x.dtype is not None and x.dtype.kind == "u":
        return True
    if found is None or (found.bias < 0).any() or (found.matrix.data < 0).any():
        return False
    from verifier.network.graph import Affine, Elementwise

    waiting, seen = [x.node], set()
    while waiting:
        k = waiting.pop()
        node = graph.nodes[k]
        if isinstance(node, Affine):
            waiting += [i for i in node.operands if i not in seen]
        elif not (isinstance(node, Elementwise) and isinstance(node.function, Near | Relu | Step)):
            return False
        seen.add(k)
    return True


def one_hot(graph: GraphBuilder, indices: Variable, size: int) -> Variable:
    """For indices from the front, of any shape, zeros and a one along a new last axis of `size` places."""
    spread = graph.move([indices], lambda a: a[..., None])
    return graph.elementwise(graph.combine([(1.0, spread), (-1.0, np.arange(float(size)))]), Near(0.5))


def gathered(call: Call, x: Tensor, indices: Variable, axis: int, counted: bool = False) -> Tensor:
    """The slices of x along an axis that the indices name; their shape stands in the place of the axis.

    Args:
        counted: whether the indices count from the front already.
    """
    graph, size = call.graph, x.shape[axis]
    before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    _fits(call, indices.size * size * before * after)
    flat = _flat(graph, indices)
    chosen = one_hot(graph, flat if counted else from_front(graph, flat, size), size)  # (I, size)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    if isinstance(x, np.ndarray):
        table = np.moveaxis(call.weights(x), axis, 0).reshape(size, before * after).T
        picked = graph.affine([(chosen, Dense(table, before=indices.size))], (indices.size, before, after))
    else:
        table_variable = graph.move([x], lambda a: np.moveaxis(a, axis, 0).reshape(1, size, before * after))
        picked = _summed(graph, chosen, table_variable, (indices.size, before, after))
    return graph.move([picked], lambda a: np.moveaxis(a, 0, 1).reshape(shape))


def _summed(graph: GraphBuilder, chosen: Variable, table: Tensor, shape: tuple[int, ...]) -> Variable:
    """sum_s chosen[i, s] table[i, s, :], for a table of shape (I or 1, size, rest), as a tensor of `shape`."""
    weights = graph.move([chosen], lambda a: a[..., None])
    assert isinstance(weights, Variable)
    if isinstance(table, np.ndarray):
        terms = graph.scale(weights, table.astype(np.float64))
    else:
        terms = graph.product(weights, table)
    rows, size, rest = terms.shape
    return graph.affine([(terms, Dense(np.ones((1, size)), before=rows, after=rest))], shape)


def gathered_elements(call: Call, x: Tensor, indices: Variable, axis: int) -> Tensor:
    """For each index the entry of x that it names along the axis, at its own place in all others."""
    graph, size = call.graph, x.shape[axis]
    _fits(call, indices.size * size)
    chosen = one_hot(graph, from_front(graph, _flat(graph, indices), size), size)
    grid = list(np.ogrid[tuple(slice(n) for n in (*indices.shape, size))])
    grid[axis] = np.arange(size)
    places = tuple(grid[:-1])
    table = graph.move([x], lambda a: np.broadcast_to(a[places], (*indices.shape, size)).reshape(-1, size, 1))
    return _summed(graph, chosen, table, indices.shape)


def gathered_nd(call: Call, x: Tensor, indices: Variable) -> Tensor:
    """The slices of x that the rows of the indices (along their last axis) name."""
    graph, depth = call.graph, indices.shape[-1]
    extent, rest = x.shape[:depth], x.shape[depth:]
    places = _places(graph, indices, extent)
    _fits(call, places.size * math.prod(x.shape))
    chosen = one_hot(graph, places, math.prod(extent))
    table = graph.move([x], lambda a: a.reshape(1, math.prod(extent), -1))
    return _summed(graph, chosen, table, (*indices.shape[:-1], *rest))


def _places(graph: GraphBuilder, indices: Variable, extent: Sequence[int]) -> Variable:
    """The numbers, row-major, of the places that rows of indices name, shape (rows,)."""
    depth = len(extent)
    rows = graph.move([indices], lambda a: a.reshape(-1, depth))
    assert isinstance(rows, Variable)
    strides = np.array([math.prod(extent[k + 1 :]) for k in range(depth)], np.float64)
    front = from_front(graph, rows, np.array(extent))
    return graph.affine([(front, Dense(strides[None, :], before=rows.shape[0], exact=True))], (rows.shape[0],))


def scattered_nd(call: Call, x: Tensor, indices: Variable, updates: Tensor, adds: bool) -> Tensor:
    """x with the slices that rows of indices name replaced by the updates, or with these added."""
    depth = indices.shape[-1]
    extent, size = x.shape[:depth], math.prod(x.shape[:depth])
    places = _places(call.graph, indices, extent)
    table = call.graph.move([updates], lambda a: a.reshape(places.size, 1, -1))
    base = call.graph.move([x], lambda a: a.reshape(size, -1))
    _fits(call, places.size * math.prod(x.shape))
    written = one_hot(call.graph, places, size)
    distinct = adds or _distinct(call, places)
    result = _written(call.graph, base, written, table, adds) if distinct else _in_turn(call, base, written, table)
    return call.graph.move([result], lambda a: a.reshape(x.shape))


def scattered_elements(
    call: Call, x: Tensor, indices: Variable, updates: Tensor, axis: int, adds: bool
) -> Tensor:
    """x with the entries that indices name along an axis replaced by the updates, or with these added.

    Each line along the axis is by itself: of the updates, shape (lines, count), and of x, shape (lines, size).
    """
    graph, size, count = call.graph, x.shape[axis], indices.shape[axis]
    inner = tuple(slice(n) for k, n in enumerate(indices.shape) if k != axis)
    lines = math.prod(s.stop for s in inner)
    _fits(call, lines * count * size)
    places = graph.move([from_front(graph, indices, size)], lambda a: np.moveaxis(a, axis, -1).reshape(lines, count))
    assert isinstance(places, Variable)
    result: Tensor = x
    for line in range(lines):
        cell = list(np.unravel_index(line, [s.stop for s in inner]))
        at = tuple([*cell[:axis], slice(None), *cell[axis:]])
        of_line = graph.move([places], lambda a, n=line: a[n])
        assert isinstance(of_line, Variable)
        table = graph.move([updates], lambda a, at=at: a[at].reshape(count, 1, 1))
        base = graph.move([x], lambda a, at=at: a[at].reshape(size, 1))
        hot = one_hot(graph, of_line, size)
        single = _written(graph, base, hot, table, adds) if adds or _distinct(call, of_line) else _in_turn(call, base, hot, table)

        def put(a: np.ndarray, b: np.ndarray, at: tuple[object, ...] = at) -> np.ndarray:
            a = a.copy()
            a[at] = b.reshape(-1)
            return a

        result = graph.move([result, single], put)
    return result


def _written(graph: GraphBuilder, base: Tensor, written: Variable, table: Tensor, adds: bool) -> Variable:
    """base (places, rest) with the rows of the table (rows, 1, rest) at the ones of `written` (rows, places)."""
    rows, places = written.shape
    weights = graph.move([written], lambda a: a[..., None])
    assert isinstance(weights, Variable)
    if isinstance(table, np.ndarray):
        terms = graph.scale(weights, table.astype(np.float64))
    else:
        terms = graph.product(weights, table)
    rest = terms.shape[-1]
    new = graph.affine([(terms, Dense(np.ones((1, rows)), after=places * rest))], (places, rest))
    if adds:
        return graph.combine([(1.0, base), (1.0, new)])
    kept = graph.affine([(written, Dense(-np.ones((1, rows)), after=places))], (places, 1), np.ones(()))
    if isinstance(base, np.ndarray):
        old = graph.scale(kept, base.astype(np.float64))
    else:
        old = graph.product(kept, base)
    return graph.combine([(1.0, old), (1.0, new)])


def _in_turn(call: Call, base: Tensor, written: Variable, table: Tensor) -> Tensor:
    """The same where rows may name one place twice: the last one stays, as they are written one after the other."""
    rows = written.shape[0]
    if rows > MOST_IN_TURN:
        raise call.error(f"{rows} computed indices, of which two may be the same, are too many")
    for k in range(rows):
        one = call.graph.move([written], lambda a, k=k: a[k : k + 1])
        assert isinstance(one, Variable)
        base = _written(call.graph, base, one, call.graph.move([table], lambda a, k=k: a[k : k + 1]), adds=False)
    return base


def _distinct(call: Call, places: Variable) -> bool:
    found = traced(call.graph, places)
    return found is not None and found.always_differ()


def _flat(graph: GraphBuilder, indices: Variable) -> Variable:
    flat = graph.move([indices], lambda a: a.reshape(-1))
    assert isinstance(flat, Variable)
    return flat


def _fits(call: Call, terms: int) -> None:
    if terms > MOST_TERMS:
        raise call.error(f"computed indices would take {terms} terms", "make the indexed tensor smaller")


@lowers("OneHot", 9, 11)
def one_hot_(call: Call) -> Tensor:
    graph, indices, depth = call.graph, call.variable(0), call.constant(1)
    size = int(depth.reshape(-1)[0])
    axis = call.axis(call.attribute("axis", -1), indices.ndim + 1)
    if not is_whole(graph, indices):
        raise call.error("indices that may be fractions", "cast them to integers first")
    hot = one_hot(graph, from_front(graph, indices, size), size)
    values = call.tensor(2)
    off, on = (graph.move([values], lambda a, k=k: a[k : k + 1].reshape(())) for k in range(2))
    if isinstance(off, np.ndarray) and isinstance(on, np.ndarray):
        rise = call.weights(on) - call.weights(off)
        chosen = graph.combine([(1.0, graph.scale(hot, rise)), (1.0, off)])
    else:
        gap = graph.combine([(1.0, on), (-1.0, off)])
        chosen = graph.combine([(1.0, graph.product(hot, gap)), (1.0, off)])
    return graph.move([chosen], lambda a: np.moveaxis(a, -1, axis))


@lowers("Range", 11, 27)
def range_(call: Call) -> Tensor:
    """start, start + delta, ..., where the input decides the start but not how many there are."""
    start, limit, delta = call.tensor(0), call.tensor(1), call.constant(2)
    step = float(call.weights(delta).reshape(-1)[0])
    span = constant_span(call.graph, start, limit)
    if span is None or step == 0:
        raise call.error("the input decides how long its result is", "export the model with fixed shapes")
    count = max(0, math.ceil(span / step))
    return call.graph.combine([(1.0, call.graph.move([start], lambda a: a.reshape(()))), (step, np.arange(float(count)))])


def constant_span(graph: GraphBuilder, start: Tensor, end: Tensor) -> float | None:
    """end - start, of tensors of one entry, where the input has no say in it."""
    gap = graph.combine([(1.0, end), (-1.0, start)])
    value = constant_value(graph, gap)
    return None if value is None else float(value.reshape(-1)[0])
