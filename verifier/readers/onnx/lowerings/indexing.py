"""Operators that pick entries at positions known while the model is read: Slice, Split, Gather, Where, Scatter."""

from __future__ import annotations

import numpy as np

from verifier.network.functions import Inside
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.comparisons import chosen
from verifier.readers.onnx.lowerings.computed import (
    constant_span,
    gathered,
    gathered_elements,
    gathered_nd,
    scattered_elements,
    scattered_nd,
)
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable, unmasked, with_mask

LARGEST_INTEGERS = (2**31 - 1, 2**63 - 1)


@lowers("Slice", 1, 10, 11, 13, takes_constants=True)
def slice_(call: Call) -> Tensor:
    x = call.tensor(0)
    if call.since >= 10 and any(isinstance(call.optional(k), Variable) for k in (1, 2)):
        return _computed_slice(call, x)
    if call.since < 10:
        starts, ends = call.attribute("starts"), call.attribute("ends")
        axes, steps = call.attribute("axes"), None
    else:
        starts, ends = call.required_integers(1), call.required_integers(2)
        axes, steps = call.integers(3), call.integers(4)
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise call.error("starts, ends, axes and steps have different lengths")
    if len({call.axis(axis, len(x.shape)) for axis in axes}) < len(axes):
        raise call.error("an axis is given twice")
    if any(step < 0 and end in LARGEST_INTEGERS for end, step in zip(ends, steps, strict=True)):
        # Runtimes take them for "to the front" here, the standard for "from the last entry on", which is nothing.
        raise call.error("a backward slice that ends at INT_MAX", "write -INT_MAX where it goes on to the front")
    picked = [slice(None)] * len(x.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise call.error("a step of 0")
        axis = call.axis(axis, len(x.shape))
        picked[axis] = _span(start, end, step, x.shape[axis])
    return call.graph.move([x], lambda a: a[tuple(picked)])


def _computed_slice(call: Call, x: Tensor) -> Tensor:
    """A slice that starts at a computed place and has a known length.

    Where it would leave the tensor, it is cut short, so that the result has another shape: nothing is known then.
    """
    starts, ends, axes, steps = call.tensor(1), call.tensor(2), call.integers(3), call.integers(4)
    count = starts.shape[0]
    axes = list(range(count)) if axes is None else [call.axis(axis, len(x.shape)) for axis in axes]
    for k, axis in enumerate(axes):
        start, end = (call.graph.move([t], lambda a, k=k: a[k : k + 1]) for t in (starts, ends))
        step = 1 if steps is None else steps[k]
        span = constant_span(call.graph, start, end)
        if step != 1 or span is None or span < 0:
            raise call.error("the input decides how long the slice is", "export the model with fixed shapes")
        indices = call.graph.combine([(1.0, start), (1.0, np.arange(span))])  # within, none is negative
        within = call.graph.elementwise(_single(call, start), Inside(0.0, x.shape[axis] - span))
        x = call.graph.combine([(1.0, gathered(call, x, indices, axis)), (1.0, within)])
    return x


def _single(call: Call, start: Tensor) -> Variable:
    """The one entry of a tensor, as a tensor without axes."""
    entry = call.graph.move([start], lambda a: a.reshape(()))
    return entry if isinstance(entry, Variable) else call.graph.constant(entry.astype(np.float64))


def _span(start: int, end: int, step: int, size: int) -> slice:
    """The slice after ONNX's clamping: unlike Python's, a backward one that starts before entry 0 starts at entry 0."""
    start, end = (start + size if start < 0 else start), (end + size if end < 0 else end)
    if step > 0:
        return slice(min(max(start, 0), size), min(max(end, 0), size), step)
    stop = min(max(end, -1), size - 1)
    return slice(min(max(start, 0), size - 1), None if stop < 0 else stop, step)


@lowers("Split", 2, 11, 13, 18, takes_constants=True)
def split(call: Call) -> tuple[Tensor, ...]:
    x = call.tensor(0)
    axis = call.axis(call.attribute("axis", 0), len(x.shape))
    sizes = call.attribute("split") if call.since < 13 else call.integers(1)
    if sizes is None:
        count = call.attribute("num_outputs", call.outputs)
        if count != call.outputs:
            raise call.error(f"num_outputs is {count} for {call.outputs} outputs")
        chunk = -(-x.shape[axis] // count)
        if call.since < 18 and x.shape[axis] % count:
            raise call.error(f"{x.shape[axis]} entries do not split into {count} equal parts")
        sizes = [max(0, min(chunk, x.shape[axis] - k * chunk)) for k in range(count)]
    if sum(sizes) != x.shape[axis] or min(sizes, default=0) < 0:
        raise call.error(f"parts of {sizes} entries do not add up to {x.shape[axis]}")
    ends = np.cumsum(sizes)
    return tuple(
        call.graph.move([x], lambda a, i=int(end - size), j=int(end): np.take(a, range(i, j), axis))
        for size, end in zip(sizes, ends, strict=True)
    )


@lowers("Gather", 1, 11, 13, takes_constants=True)
def gather(call: Call) -> Tensor:
    x = call.tensor(0)
    axis = call.axis(call.attribute("axis", 0), len(x.shape))
    if isinstance(places := call.tensor(1), Variable):
        return gathered(call, x, places, axis)
    indices = _indices(call, 1)
    return call.graph.move([x], lambda a: np.take(a, indices, axis))


@lowers("GatherElements", 11, 13, takes_constants=True)
def gather_elements(call: Call) -> Tensor:
    x = call.tensor(0)
    axis = call.axis(call.attribute("axis", 0), len(x.shape))
    if isinstance(places := call.tensor(1), Variable):
        return gathered_elements(call, x, places, axis)
    where = _along(_within(call, _indices(call, 1), x.shape[axis]), axis)
    return call.graph.move([x], lambda a: a[where])


@lowers("GatherND", 11, 12, 13, takes_constants=True)
def gather_nd(call: Call) -> Tensor:
    if call.attribute("batch_dims", 0) != 0:
        raise call.error("GatherND with batch_dims is not supported")
    if isinstance(places := call.tensor(1), Variable):
        return gathered_nd(call, call.tensor(0), places)
    indices = _indices(call, 1)
    return call.graph.move([call.tensor(0)], lambda a: a[tuple(np.moveaxis(indices, -1, 0))])


@lowers("ScatterND", 11, 13, 16, 18, takes_constants=True)
def scatter_nd(call: Call) -> Tensor:
    if isinstance(places := call.tensor(1), Variable):
        return scattered_nd(call, call.tensor(0), places, call.tensor(2), _adds(call))
    _require_plain(call)
    indices = _indices(call, 1)
    depth = indices.shape[-1]
    extent = call.tensor(0).shape[:depth]
    where = tuple(_within(call, i, n) for i, n in zip(np.moveaxis(indices, -1, 0), extent, strict=True))
    _require_distinct(call, np.ravel_multi_index(where, extent))

    def scattered(a: np.ndarray, updates: np.ndarray) -> np.ndarray:
        result = a.copy()
        result[where] = updates
        return result

    return call.graph.move([call.tensor(0), call.tensor(2)], scattered)


@lowers("Scatter", 9, 11, takes_constants=True)
@lowers("ScatterElements", 11, 13, 16, 18, takes_constants=True)
def scatter_elements(call: Call) -> Tensor:
    x = call.tensor(0)
    axis = call.axis(call.attribute("axis", 0), len(x.shape))
    if isinstance(places := call.tensor(1), Variable):
        return scattered_elements(call, x, places, call.tensor(2), axis, _adds(call))
    _require_plain(call)
    where = _along(_within(call, _indices(call, 1), x.shape[axis]), axis)
    _require_distinct(call, np.ravel_multi_index(tuple(np.broadcast_arrays(*where)), x.shape))

    def scattered(a: np.ndarray, updates: np.ndarray) -> np.ndarray:
        result = a.copy()
        result[where] = updates
        return result

    return call.graph.move([x, call.tensor(2)], scattered)


@lowers("Where", 9, 16, takes_constants=True)
def where_(call: Call) -> Tensor:
    condition = call.tensor(0)
    if isinstance(condition, Variable):
        return chosen(call, condition, call.tensor(1), call.tensor(2))
    condition = condition.astype(bool)
    (a, masked_a), (b, masked_b) = unmasked(call.tensor(1)), unmasked(call.tensor(2))
    result = call.graph.move([a, b], lambda a, b: np.asarray(np.where(condition, a, b)))
    return with_mask(result, np.where(condition, masked_a, masked_b))


@lowers("Trilu", 14)
def trilu(call: Call) -> Tensor:
    offset = (call.integers(1) or [0])[0]
    keep = np.triu if call.flag("upper") else np.tril
    mask = keep(np.ones(call.tensor(0).shape, bool), offset)
    return call.graph.move(
        [call.tensor(0), np.zeros((), np.float32)], lambda a, zero: np.asarray(np.where(mask, a, zero))
    )


def _indices(call: Call, index: int) -> np.ndarray:
    value = call.constant(index)
    if not np.issubdtype(value.dtype, np.integer):
        raise call.error(f"operand {index} has type {value.dtype}, not an integer type")
    return value.astype(np.int64)


def _within(call: Call, indices: np.ndarray, size: int) -> np.ndarray:
    """The indices counted from the front; negative ones count from the back."""
    outside = indices[(indices < -size) | (indices >= size)]
    if outside.size:
        raise call.error(f"index {outside.flat[0]} is outside an axis of {size} entries")
    return np.where(indices < 0, indices + size, indices)


def _along(indices: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    """An index for every axis: its own position, but `indices` along `axis`."""
    where = list(np.ogrid[tuple(slice(n) for n in indices.shape)])
    where[axis] = indices
    return tuple(where)


def _adds(call: Call) -> bool:
    """Whether a scatter at computed places adds; otherwise it writes."""
    reduction = call.attribute("reduction", "none")
    if reduction not in ("none", "add"):
        raise call.error(f"{call.op} at computed places with reduction {reduction} is not supported")
    return bool(reduction == "add")


def _require_plain(call: Call) -> None:
    if call.attribute("reduction", "none") != "none":
        raise call.error(f"{call.op} with a reduction is not supported")


def _require_distinct(call: Call, positions: np.ndarray) -> None:
    if np.unique(positions).size < positions.size:
        raise call.error(f"{call.op} writes an entry twice")
