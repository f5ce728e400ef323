"""Operators that move entries, which make no node unless tensors are joined, and those that make constants."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import numpy_helper

from verifier.checker.linear import Array
from verifier.checker.operators.call import Call, Operator, Tensor, Value


def _moving(act: Callable[[Call, Array], Array]) -> Callable[[Call], Value]:
    """An operator that moves entries: what it does to an array, done to indices or to a constant."""

    def read(call: Call) -> Value:
        value = call[0]
        if isinstance(value, Tensor):
            return Tensor(value.node, act(call, value.index))
        return act(call, np.asarray(value))

    return read


def axes_of(call: Call, k: int) -> tuple[int, ...] | None:
    if call.has(k) or "axes" in call.attributes:
        return tuple(int(a) for a in call.constant(k, "axes"))
    return None


def _reshape(call: Call, x: Array) -> Array:
    shape = [int(n) for n in call.constant(1, "shape")]
    if not call.attributes.get("allowzero", 0):
        shape = [x.shape[k] if n == 0 else n for k, n in enumerate(shape)]
    return x.reshape(shape)


def _flatten(call: Call, x: Array) -> Array:
    axis = int(call.attributes.get("axis", 1))
    axis += x.ndim if axis < 0 else 0
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _transpose(call: Call, x: Array) -> Array:
    return x.transpose(call.attributes.get("perm"))


def _squeeze(call: Call, x: Array) -> Array:
    return np.squeeze(x, axes_of(call, 1))


def _unsqueeze(call: Call, x: Array) -> Array:
    axes = axes_of(call, 1)
    if axes is None:
        raise ValueError("without axes")
    return np.expand_dims(x, axes)


def _gather(call: Call, x: Array) -> Array:
    return np.take(x, call.constant(1).astype(np.int64), int(call.attributes.get("axis", 0)))


def _expand(call: Call, x: Array) -> Array:
    shape = np.broadcast_shapes(x.shape, tuple(int(n) for n in call.constant(1)))
    return np.broadcast_to(x, shape)


def _slice(call: Call, x: Array) -> Array:
    starts, ends = (call.constant(k, name) for k, name in ((1, "starts"), (2, "ends")))
    has_axes = call.has(3) or "axes" in call.attributes
    axes = call.constant(3, "axes") if has_axes else np.arange(len(starts))
    steps = call.constant(4) if call.has(4) else np.ones(len(starts), int)
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        if step < 1:
            raise ValueError("a step below 1")
        x = np.moveaxis(np.moveaxis(x, axis, 0)[slice(start, end, step)], 0, axis)
    return x


def _pad(call: Call) -> Value:
    x = call.tensor(0)
    if call.attributes.get("mode", b"constant") != b"constant" or call.has(3):
        raise ValueError("another mode than constant, or axes")
    if (call.has(2) and np.any(call.constant(2))) or call.attributes.get("value", 0.0):
        raise ValueError("another padding than zeros")
    pads = call.constant(1, "pads").astype(int)
    if (pads < 0).any():
        raise ValueError("negative padding")
    widths = list(zip(pads[: len(pads) // 2].tolist(), pads[len(pads) // 2 :].tolist(), strict=True))
    return Tensor(x.node, np.pad(x.index, widths, constant_values=-1))


def _concat(call: Call) -> Value:
    axis = int(call.attributes["axis"])
    if call.all_constant:
        return np.concatenate([np.asarray(v) for v in call.operands], axis)
    return call.build.joined([call.build.tensor(v) for v in call.operands], axis)


def _split(call: Call) -> list[Value]:
    x, axis = call.tensor(0), int(call.attributes.get("axis", 0))
    if call.has(1) or "split" in call.attributes:
        ends = np.cumsum(call.constant(1, "split"))[:-1]
    else:
        raise ValueError("without the sizes of its parts")
    return [Tensor(x.node, part) for part in np.split(x.index, ends, axis)]


def _constant(call: Call) -> Value:
    (name, value), *others = call.attributes.items()
    if others or name not in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        raise ValueError(f"attribute {name}")
    return np.asarray(numpy_helper.to_array(value) if name == "value" else value)


def _constant_of_shape(call: Call) -> Value:
    value = numpy_helper.to_array(call.attributes["value"]) if "value" in call.attributes else np.zeros(1, np.float32)
    return np.full(tuple(call.constant(0).tolist()), value.ravel()[0], value.dtype)


def _shape_of(call: Call) -> Value:
    value = call[0]
    return np.array(value.shape, np.int64)


def _dropout(call: Call, x: Array) -> Array:
    if call.has(2) and np.any(call.constant(2)):
        raise ValueError("in training")
    return x


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
    "Reshape": _moving(_reshape),
    "Shape": _shape_of,
    "Slice": _moving(_slice),
    "Split": _split,
    "Squeeze": _moving(_squeeze),
    "Transpose": _moving(_transpose),
    "Unsqueeze": _moving(_unsqueeze),
}
