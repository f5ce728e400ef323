"""Operators that move entries, which make no node unless tensors are joined, and those that make constants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
from onnx import numpy_helper

from verifier.checker.linear import Array
from verifier.checker.operators.call import Call, Operator, Tensor, Value, alike, positions, rearranged


def _moving(act: Callable[[Call, Array], Array]) -> Operator:
    """An operator that is what it does to an array."""
    return lambda call: rearranged(call[0], partial(act, call))


def _reshape(call: Call, x: Array) -> Array:
    shape = [int(n) for n in call.constant(1, "shape")]
    if not call.take("allowzero", 0):
        shape = [x.shape[k] if n == 0 else n for k, n in enumerate(shape)]
    return x.reshape(shape)


def _flatten(call: Call, x: Array) -> Array:
    axis = int(call.take("axis", 1))
    axis += x.ndim if axis < 0 else 0
    if not 0 <= axis <= x.ndim:
        raise ValueError(f"axis {axis} of {x.ndim}")
    return x.reshape(int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:])))


def _transpose(call: Call, x: Array) -> Array:
    return x.transpose(call.take("perm"))


def _squeeze(call: Call, x: Array) -> Array:
    axes = call.optional(1, "axes")
    if axes is not None and not axes.size:
        raise ValueError("axes that are none")
    return np.squeeze(x, None if axes is None else positions(axes, x.ndim))


def _unsqueeze(call: Call, x: Array) -> Array:
    axes = call.constant(1, "axes")
    return np.expand_dims(x, positions(axes, x.ndim + len(axes)))


def _gather(call: Call, x: Array) -> Array:
    return np.take(x, call.constant(1), int(call.take("axis", 0)))


def _expand(call: Call, x: Array) -> Array:
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(int(n) for n in call.constant(1))))


def _tile(call: Call, x: Array) -> Array:
    repeats = call.constant(1)
    if len(repeats) != x.ndim:
        raise ValueError("repeats for other axes")
    return np.tile(x, repeats)


def _slice(call: Call, x: Array) -> Array:
    starts, ends = call.constant(1, "starts"), call.constant(2, "ends")
    given, steps = call.optional(3, "axes"), call.optional(4)
    axes = positions(np.arange(len(starts)) if given is None else given, x.ndim)
    by = [1] * len(starts) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes, by, strict=True):
        n = x.shape[axis]
        least, most = (0, n) if step > 0 else (-1, n - 1)
        first = min(max(start + n if start < 0 else start, 0), most)
        last = min(max(end + n if end < 0 else end, least), most)
        x = np.take(x, range(first, last, step), axis)
    return x


def _pad(call: Call) -> Value:
    x, mode = call.tensor(0), call.take("mode", b"constant").decode()
    pads, value, axes = call.constant(1, "pads"), call.optional(2, "value"), call.optional(3)
    along = positions(np.arange(len(x.shape)) if axes is None else axes, len(x.shape))
    widths = [(0, 0)] * len(x.shape)
    for axis, before, behind in zip(along, pads[: len(along)].tolist(), pads[len(along) :].tolist(), strict=True):
        widths[axis] = int(before), int(behind)
    if min(map(min, widths), default=0) < 0:
        raise ValueError("negative padding")
    if mode in ("reflect", "edge", "wrap"):
        if mode != "edge" and any(max(w) >= n for w, n in zip(widths, x.shape, strict=True)):
            raise ValueError("padding of a whole axis")
        return Tensor(x.node, np.pad(x.index, widths, mode=mode))
    if mode != "constant":
        raise ValueError(f"mode {mode}")
    padded = Tensor(x.node, np.pad(x.index, widths, constant_values=-1))
    if value is None or not value.any():
        return padded
    return call.build.moved(padded, None, np.pad(np.zeros(x.shape), widths, constant_values=float(value.item())))


def _concat(call: Call) -> Value:
    axis, constants = int(call.take("axis")), call.constants
    if constants is not None:
        return np.concatenate(constants, axis)
    parts = [call.tensor(k) for k in range(len(call.operands))]
    return replace(call.build.joined(parts, axis), kind=alike(parts))


def _split(call: Call) -> list[Value]:
    x, axis = call[0], int(call.take("axis", 0))
    n, given = x.shape[axis], call.optional(1, "split")
    count = int(call.take("num_outputs", 0 if call.version >= 18 else call.outputs))
    if given is not None:
        sizes = given.tolist()
    elif count == call.outputs and (n % count == 0 or call.version >= 18):
        size = -(-n // count)
        sizes = [size] * (count - 1) + [n - size * (count - 1)]
    else:
        raise ValueError(f"{n} entries in {count} parts")
    if sum(sizes) != n or min(sizes) < 0 or len(sizes) != call.outputs:
        raise ValueError(f"{n} entries in parts of {sizes}")
    ends = np.cumsum([0, *sizes]).tolist()
    return [
        rearranged(x, lambda v, a=a, b=b: np.take(v, range(a, b), axis))  # type: ignore[misc]
        for a, b in pairwise(ends)
    ]


def _where(call: Call) -> Value:
    """Of a condition that is constant."""
    condition = call.constant(0)
    if condition.dtype != bool:
        raise ValueError("a condition that is none")
    if call.constants is not None:
        return np.where(*call.constants)
    a, b = call.tensor(1), call.tensor(2)
    shape = np.broadcast_shapes(condition.shape, a.shape, b.shape)
    mine, others = (Tensor(x.node, np.broadcast_to(x.index, shape)) for x in (a, b))
    chosen = call.build.sum(
        Tensor(a.node, np.where(condition, mine.index, -1)), Tensor(b.node, np.where(condition, -1, others.index))
    )
    return replace(chosen, kind=alike([a, b]))


def _dropout(call: Call, x: Array) -> Array:
    call.take("ratio"), call.take("seed")
    if call.has(2) and np.any(call.constant(2)):
        raise ValueError("in training")
    return x


def _constant(call: Call) -> Value:
    (name,) = call.attributes
    value = call.take(name)
    if name == "value":
        return numpy_helper.to_array(value)
    types = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    return np.asarray(value, types[name])


def _constant_of_shape(call: Call) -> Value:
    value = call.take("value")
    one = np.zeros(1, np.float32) if value is None else numpy_helper.to_array(value)
    return np.full(tuple(call.constant(0).tolist()), one.item(), one.dtype)


def _range(call: Call) -> Value:
    start, end, step = (call.constant(k) for k in range(3))
    if start.dtype.kind not in "iu":
        raise ValueError("of numbers that are not whole")
    return np.array(range(start.item(), end.item(), step.item()), start.dtype)


def _shape_of(call: Call) -> Value:
    return np.array(call[0].shape[call.take("start", 0) : call.take("end")], np.int64)


MOVING = {
    "Concat", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Size", "Slice", "Split",
    "Squeeze", "Tile", "Transpose", "Unsqueeze", "Where",
}  # fmt: skip
"""Those that keep what kind of tensor it is."""
OPERATORS: dict[str, Operator] = {
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _moving(_dropout),
    "Expand": _moving(_expand),
    "Flatten": _moving(_flatten),
    "Gather": _moving(_gather),
    "Identity": _moving(lambda call, x: x),
    "Pad": _pad,
    "Range": _range,
    "Reshape": _moving(_reshape),
    "Shape": _shape_of,
    "Size": lambda call: np.array(int(np.prod(call[0].shape)), np.int64),
    "Slice": _moving(_slice),
    "Split": _split,
    "Squeeze": _moving(_squeeze),
    "Tile": _moving(_tile),
    "Transpose": _moving(_transpose),
    "Unsqueeze": _moving(_unsqueeze),
    "Where": _where,
}
