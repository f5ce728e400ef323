"""Gather, Scatter, OneHot, Range and Slice at computed places: sums over the places, each with a zero or a one.

What a computed index may name is a flag for each place (`placement`). What is picked is the sum of the entries times
these flags; what is written replaces, by the same flags, what was there. Indices beyond the tensor are an error at run
time and mean nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verifier.network.functions import Near
from verifier.network.linear_maps import LinearMap, Scaling, Selection, Sparse
from verifier.readers.onnx.builder import GraphBuilder, after
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.placement import Placement, is_never_negative, placed
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable
from verifier.readers.onnx.tracing import constant_value
from verifier.readers.onnx.whole import is_whole

MOST_TERMS = 1 << 23
"""Entries times places of one operator, beyond which it would not fit in memory."""

MOST_IN_TURN = 64
"""Places that are written one after the other, where two of them may be the same."""


def _placed(call: Call, indices: Tensor, extent: Sequence[int]) -> Placement:
    """Where the rows of indices point, shape (rows, components)."""
    assert isinstance(indices, Variable)
    found = placed(call.graph, indices, extent)
    if found is None:
        raise call.error("too many computed indices")
    return found


def _picked(call: Call, at: Placement, x: Tensor, entries: np.ndarray, rows: int) -> Variable:
    """For each row the entries of x that it names, (rows, rest), where case t names the flat entries[t], (T, rest)."""
    graph, rest = call.graph, entries.shape[1]
    _fits(call, entries.size)
    into = (at.row[:, None] * rest + np.arange(rest)).reshape(-1)
    if isinstance(x, np.ndarray):
        weights = call.weights(x).reshape(-1)[entries].reshape(-1)
        chosen = _matrix(weights, into, np.repeat(at.flag, rest), (rows * rest, at.flags.size))
        return graph.affine([(at.flags, chosen)], (rows, rest))
    terms = _products(graph, at, x, entries)
    total = _matrix(np.ones(into.size), into, np.arange(into.size), (rows * rest, into.size))
    return graph.affine([(terms, total)], (rows, rest))


def _products(graph: GraphBuilder, at: Placement, x: Variable, entries: np.ndarray) -> Variable:
    """The flag of each case times the entries of x that belong to it, flat."""
    flags = Selection(np.repeat(at.flag, entries.shape[1]), at.flags.size)
    shape = (entries.size,)
    return graph.product(
        graph.affine([(at.flags, flags)], shape), graph.affine([(x, Selection(entries.reshape(-1), x.size))], shape)
    )


def _matrix(weights: np.ndarray, into: np.ndarray, of: np.ndarray, shape: tuple[int, int]) -> LinearMap:
    from scipy.sparse import csr_array

    return Sparse(csr_array((weights, (into, of)), shape=shape))


def _put(call: Call, at: Placement, x: Tensor, entries: np.ndarray, updates: Tensor, adds: bool) -> Tensor:
    """x, flat, with entries[t] (T, rest) replaced by, or increased by, the updates of case t's row, (rows, rest)."""
    graph, rest = call.graph, entries.shape[1]
    _fits(call, entries.size)
    if not (adds or at.distinct):
        rows = np.unique(at.row)
        if len(rows) > MOST_IN_TURN:
            raise call.error(f"{len(rows)} computed indices, of which two may be the same, are too many")
        for row in rows:  # the last one stays
            x = _put(call, at.of_row(row), x, entries[at.row == row], updates, adds)
        return x
    size = math.prod(x.shape)
    of_updates = at.row[:, None] * rest + np.arange(rest)
    into, flags = entries.reshape(-1), np.repeat(at.flag, rest)
    parts: list[tuple[float, Tensor]] = []
    if isinstance(updates, np.ndarray):
        weights = call.weights(updates).reshape(-1)[of_updates].reshape(-1)
        parts.append((1.0, graph.affine([(at.flags, _matrix(weights, into, flags, (size, at.flags.size)))], (size,))))
    else:
        terms = _products(graph, at, updates, of_updates)
        total = _matrix(np.ones(into.size), into, np.arange(into.size), (size, into.size))
        parts.append((1.0, graph.affine([(terms, total)], (size,))))
    covers = _matrix(np.ones(into.size), into, flags, (size, at.flags.size))
    parts.append((1.0, _flat(graph, x) if adds else _uncovered(graph, at, x, covers)))
    return graph.combine(parts)


def _uncovered(graph: GraphBuilder, at: Placement, x: Tensor, covers: LinearMap) -> Tensor:
    """x, flat, with zeros where it is written over."""
    kept = graph.affine([(at.flags, after(Scaling(np.full(covers.out_size, -1.0), exact=True), covers))],
                        (covers.out_size,), np.ones(()))  # fmt: skip
    flat = _flat(graph, x)
    return graph.product(kept, flat) if isinstance(flat, Variable) else graph.scale(kept, flat.astype(np.float64))


def _flat(graph: GraphBuilder, x: Tensor) -> Tensor:
    return graph.move([x], lambda a: a.reshape(-1))


def gathered(call: Call, x: Tensor, indices: Variable, axis: int) -> Tensor:
    """The slices of x along an axis that the indices name; their shape stands in the place of the axis."""
    at = _placed(call, call.graph.move([indices], lambda a: a.reshape(-1, 1)), (x.shape[axis],))
    numbers = np.moveaxis(_numbers(x), axis, 0).reshape(x.shape[axis], -1)
    picked = _picked(call, at, x, numbers[at.place], indices.size)
    before, behind = x.shape[:axis], x.shape[axis + 1 :]
    return call.graph.move(
        [picked],
        lambda a: np.moveaxis(a.reshape(indices.size, *before, *behind), 0, len(before)).reshape(
            *before, *indices.shape, *behind
        ),
    )


def _numbers(x: Tensor) -> np.ndarray:
    """The numbers of a tensor's entries, in its shape."""
    return np.arange(math.prod(x.shape)).reshape(x.shape)


def gathered_elements(call: Call, x: Tensor, indices: Variable, axis: int) -> Tensor:
    """For each index the entry of x that it names along the axis, at its own place in all others."""
    at = _placed(call, call.graph.move([indices], lambda a: a.reshape(-1, 1)), (x.shape[axis],))
    entries = _along(x, indices, axis, at)
    return call.graph.move([_picked(call, at, x, entries, indices.size)], lambda a: a.reshape(indices.shape))


def _along(x: Tensor, indices: Variable, axis: int, at: Placement) -> np.ndarray:
    """The flat entry of x that each case names: its own place in all axes but one; shape (T, 1)."""
    cells = list(np.unravel_index(at.row, indices.shape))
    cells[axis] = at.place
    return np.ravel_multi_index(tuple(cells), x.shape)[:, None]


def gathered_nd(call: Call, x: Tensor, indices: Variable) -> Tensor:
    """The slices of x that the rows of the indices (along their last axis) name."""
    depth = indices.shape[-1]
    at = _placed(call, call.graph.move([indices], lambda a: a.reshape(-1, depth)), x.shape[:depth])
    entries = _numbers(x).reshape(math.prod(x.shape[:depth]), -1)[at.place]
    picked = _picked(call, at, x, entries, math.prod(indices.shape[:-1]))
    return call.graph.move([picked], lambda a: a.reshape(*indices.shape[:-1], *x.shape[depth:]))


def scattered_nd(call: Call, x: Tensor, indices: Variable, updates: Tensor, adds: bool) -> Tensor:
    """The tensor x with the slices that rows of indices name replaced by the updates, or with these added."""
    depth = indices.shape[-1]
    at = _placed(call, call.graph.move([indices], lambda a: a.reshape(-1, depth)), x.shape[:depth])
    entries = _numbers(x).reshape(math.prod(x.shape[:depth]), -1)[at.place]
    return call.graph.move([_put(call, at, x, entries, updates, adds)], lambda a: a.reshape(x.shape))


def scattered_elements(call: Call, x: Tensor, indices: Variable, updates: Tensor, axis: int, adds: bool) -> Tensor:
    """The tensor x with the entries that indices name along an axis replaced by the updates, or with these added."""
    at = _placed(call, call.graph.move([indices], lambda a: a.reshape(-1, 1)), (x.shape[axis],))
    lines = math.prod(n for k, n in enumerate(indices.shape) if k != axis)
    if indices.shape[axis] == 1 or lines == 1:  # one in each line, or all in one
        at = replace(at, distinct=at.distinct or indices.shape[axis] == 1)
    else:
        at = replace(at, distinct=False)
    entries = _along(x, indices, axis, at)
    return call.graph.move([_put(call, at, x, entries, updates, adds)], lambda a: a.reshape(x.shape))


def _fits(call: Call, terms: int) -> None:
    if terms > MOST_TERMS:
        raise call.error(f"computed indices would take {terms} terms", "make the indexed tensor smaller")


def _one_hot(graph: GraphBuilder, indices: Variable, size: int) -> Variable:
    """Zeros and a one along a new last axis; negative indices count from the end."""
    spread = graph.move([indices], lambda a: a[..., None])
    places = np.arange(float(size))
    hot = graph.elementwise(graph.combine([(1.0, spread), (-1.0, places)]), Near(0.5))
    if is_never_negative(graph, indices):
        return hot
    behind = graph.elementwise(graph.combine([(1.0, spread), (-1.0, places - size)]), Near(0.5))
    return graph.combine([(1.0, hot), (1.0, behind)])


@lowers("OneHot", 9, 11)
def one_hot_(call: Call) -> Tensor:
    graph, indices, depth = call.graph, call.variable(0), call.constant(1)
    size = int(depth.reshape(-1)[0])
    axis = call.axis(call.attribute("axis", -1), indices.ndim + 1)
    if not is_whole(graph, indices):
        raise call.error("indices that may be fractions", "cast them to integers first")
    hot = _one_hot(graph, indices, size)
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
    return call.graph.combine(
        [(1.0, call.graph.move([start], lambda a: a.reshape(()))), (step, np.arange(float(count)))]
    )


def constant_span(graph: GraphBuilder, start: Tensor, end: Tensor) -> float | None:
    """The length end - start, of tensors of one entry, where the input has no say in it."""
    gap = graph.combine([(1.0, end), (-1.0, start)])
    value = constant_value(graph, gap)
    return None if value is None else float(value.reshape(-1)[0])
