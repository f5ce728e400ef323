"""Operators that give a tensor another shape or layout: Reshape, Transpose, Expand, Pad and their kin.

Each is the NumPy function of the same meaning, handed to `GraphBuilder.move`; where it leaves the row-major order of
entries as it was (Reshape always), no node is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor


def _move(call: Call, rearrange: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    return call.graph.move([call.tensor(0)], rearrange)


@lowers("Identity", 1, 13, 14, 16, 19, 21, 23, 24, 25, takes_constants=True)
def identity(call: Call) -> Tensor:
    return call.tensor(0)


@lowers("Dropout", 7, 10, 12, 13, 22, takes_constants=True)
def dropout(call: Call) -> Tensor:
    training = call.optional_constant(2)
    if training is not None and training.any():
        raise call.error("Dropout in training mode is random", "export the model in evaluation mode")
    return call.tensor(0)


@lowers("Reshape", 5, 13, 14, 19, 21, 23, 24, 25, takes_constants=True)
def reshape(call: Call) -> Tensor:
    wanted, old = call.required_integers(1), call.tensor(0).shape
    if not call.flag("allowzero"):
        wanted = [old[axis] if n == 0 else n for axis, n in enumerate(wanted)]
    return _move(call, lambda a: a.reshape(wanted))


@lowers("Flatten", 1, 9, 11, 13, 21, 23, 24, 25, takes_constants=True)
def flatten(call: Call) -> Tensor:
    shape, axis = call.tensor(0).shape, call.attribute("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise call.error(f"axis {axis} is outside a tensor of {len(shape)} dimensions")
    rows = math.prod(shape[:axis])
    return _move(call, lambda a: a.reshape(rows, math.prod(shape[axis:])))


@lowers("Squeeze", 1, 11, 13, 21, 23, 24, 25, takes_constants=True)
def squeeze(call: Call) -> Tensor:
    axes = call.attribute("axes") if call.since < 13 else call.integers(1)
    if axes is not None and not axes:
        raise call.error("an empty list of axes, which some take for none and some for all")
    return _move(call, lambda a: a.squeeze(None if axes is None else tuple(axes)))


@lowers("Unsqueeze", 1, 11, 13, 21, 23, 24, 25, takes_constants=True)
def unsqueeze(call: Call) -> Tensor:
    axes = call.attribute("axes") if call.since < 13 else call.required_integers(1)
    return _move(call, lambda a: np.expand_dims(a, tuple(axes)))


@lowers("Transpose", 1, 13, 21, 23, 24, 25, takes_constants=True)
def transpose(call: Call) -> Tensor:
    return _move(call, lambda a: a.transpose(call.attribute("perm")))


@lowers("Expand", 8, 13, takes_constants=True)
def expand(call: Call) -> Tensor:
    shape = np.broadcast_shapes(call.tensor(0).shape, tuple(call.required_integers(1)))
    return _move(call, lambda a: np.broadcast_to(a, shape))


@lowers("Tile", 6, 13, takes_constants=True)
def tile(call: Call) -> Tensor:
    repeats = call.required_integers(1)
    if len(repeats) != len(call.tensor(0).shape):
        raise call.error(f"{len(repeats)} repeats for a tensor of {len(call.tensor(0).shape)} dimensions")
    return _move(call, lambda a: np.tile(a, repeats))


@lowers("Concat", 4, 11, 13, takes_constants=True)
def concat(call: Call) -> Tensor:
    axis = call.attribute("axis")
    return call.graph.move(call.tensors(), lambda *parts: np.concatenate(parts, axis))


@lowers("Pad", 2, 11, 13, 18, 19, 21, 23, 24, 25, takes_constants=True)
def pad(call: Call) -> Tensor:
    rank = len(call.tensor(0).shape)
    amounts = call.attribute("pads") if call.since < 11 else call.required_integers(1)
    chosen = call.integers(3)
    axes = list(range(rank)) if chosen is None else [call.axis(a, rank) for a in chosen]
    if len(amounts) != 2 * len(axes):
        raise call.error(f"{len(amounts)} pads for {len(axes)} axes")
    widths = np.zeros((rank, 2), np.int64)
    widths[axes] = np.reshape(amounts, (2, -1)).T
    if any(max(-a, 0) + max(-b, 0) > n for (a, b), n in zip(widths, call.tensor(0).shape, strict=True)):
        raise call.error(f"pads {list(amounts)} cut more than there is")
    cropped = tuple(slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(widths, call.tensor(0).shape, strict=True))
    added = np.maximum(widths, 0)
    mode = call.attribute("mode", "constant")
    if mode in ("reflect", "edge", "wrap"):
        return _move(call, lambda a: np.pad(a[cropped], added, mode=mode))
    if mode != "constant":
        raise call.error(f"Pad mode '{mode}' is unknown")
    value = _pad_value(call)

    def padded(a: np.ndarray, fill: np.ndarray) -> np.ndarray:
        return np.pad(a[cropped], added, constant_values=fill.reshape(()))

    return call.graph.move([call.tensor(0), value], padded)


def _pad_value(call: Call) -> np.ndarray:
    if call.since < 11:
        return np.asarray(call.attribute("value", 0.0), np.float32)
    value = call.optional_constant(2)
    return np.zeros((), np.float32) if value is None or value.size == 0 else value.reshape(-1)[:1]


@lowers("DepthToSpace", 1, 11, 13, takes_constants=True)
def depth_to_space(call: Call) -> Tensor:
    n, c, h, w = call.tensor(0).shape
    b = call.attribute("blocksize")
    k = c // b**2
    if call.attribute("mode", "DCR") == "CRD":
        blocks, order = (n, k, b, b, h, w), (0, 1, 4, 2, 5, 3)
    else:
        blocks, order = (n, b, b, k, h, w), (0, 3, 4, 1, 5, 2)
    return _move(call, lambda a: a.reshape(blocks).transpose(order).reshape(n, k, h * b, w * b))


@lowers("SpaceToDepth", 1, 13, takes_constants=True)
def space_to_depth(call: Call) -> Tensor:
    n, c, h, w = call.tensor(0).shape
    b = call.attribute("blocksize")
    blocks, shape = (n, c, h // b, b, w // b, b), (n, c * b**2, h // b, w // b)
    return _move(call, lambda a: a.reshape(blocks).transpose(0, 3, 5, 1, 2, 4).reshape(shape))


@lowers("ReverseSequence", 10, takes_constants=True)
def reverse_sequence(call: Call) -> Tensor:
    """Each sequence's first entries in time, as many as its length says, in the opposite order."""
    x, lengths = call.tensor(0), np.asarray(call.required_integers(1))
    time, batch = call.attribute("time_axis"), call.attribute("batch_axis")
    if {time, batch} != {0, 1} or len(x.shape) < 2:
        raise call.error(f"time axis {time} and batch axis {batch}, not 0 and 1")
    steps = x.shape[time]
    if lengths.shape != (x.shape[batch],) or lengths.min() < 0 or lengths.max() > steps:
        raise call.error(f"lengths {lengths.tolist()} along axes {time} and {batch} of shape {tuple(x.shape)}")
    count = np.arange(steps)[:, None]
    order = np.where(count < lengths, lengths - 1 - count, count)

    def reversed_(a: np.ndarray) -> np.ndarray:
        first = np.moveaxis(a, (time, batch), (0, 1))
        return np.moveaxis(first[order, np.arange(len(lengths))], (0, 1), (time, batch))

    return _move(call, reversed_)


@lowers("CenterCropPad", 18, takes_constants=True)
def center_crop_pad(call: Call) -> Tensor:
    x, wanted = call.tensor(0), call.required_integers(1)
    axes = [call.axis(a, len(x.shape)) for a in call.attribute("axes", list(range(len(x.shape))))]
    if len(axes) != len(wanted):
        raise call.error(f"a size of {len(wanted)} entries for {len(axes)} axes")
    picked, widths = [slice(None)] * len(x.shape), [(0, 0)] * len(x.shape)
    for axis, size in zip(axes, wanted, strict=True):
        more = size - x.shape[axis]
        start = max(-more, 0) // 2
        picked[axis] = slice(start, start + min(size, x.shape[axis]))
        widths[axis] = (max(more, 0) // 2, max(more, 0) - max(more, 0) // 2)

    def fitted(a: np.ndarray, fill: np.ndarray) -> np.ndarray:
        return np.pad(a[tuple(picked)], widths, constant_values=fill)

    return call.graph.move([x, np.zeros((), np.float32)], fitted)


@lowers("Compress", 9, 11, takes_constants=True)
def compress(call: Call) -> Tensor:
    condition, axis = call.constant(1).astype(bool), call.attribute("axis")
    along = None if axis is None else call.axis(axis, len(call.tensor(0).shape))
    return _move(call, lambda a: np.compress(condition, a, along))
