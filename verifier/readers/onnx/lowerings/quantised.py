"""Quantisation to integers and back, and arithmetic on them, in the real numbers that the integers stand for.

A quantised tensor is q with a scale and a zero point, and stands for scale (q - zero point). To quantise x is
round(x / scale) + zero point, cut to the ends of the integer type; as those are whole, x / scale may be cut first, so
that it is a clip and a staircase. Sums of products of integers are exact in int32, and as real numbers the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.network.functions import Reciprocal, Round
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.convolution import convolve
from verifier.readers.onnx.lowerings.extrema import clip, extremum_of_entries
from verifier.readers.onnx.lowerings.matrices import product_of_matrices
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable, is_float

NARROW = {"int2": (-2, 1), "uint2": (0, 3), "int4": (-8, 7), "uint4": (0, 15)}
"""The ends of integer types that NumPy lacks, by name."""

LARGEST_SUM = 2.0**31
"""Sums of products of integers that may reach this would wrap around in int32."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Evenly spaced numbers that a tensor is rounded to.

    Attributes:
        scale: between neighbours, float64, broadcasting to the tensor.
        zero: the integer that stands for 0, likewise.
        least, greatest: the ends of the integer type.
        dtype: the integer type.
    """

    scale: np.ndarray
    zero: np.ndarray
    least: int
    greatest: int
    dtype: np.dtype


@lowers("QuantizeLinear", 10, 13, 19, 21, 23, 24, 25)
def quantize_linear(call: Call) -> Tensor:
    x = call.variable(0)
    return quantised(call, x, _grid(call, x, call.constant(1), call.optional_constant(2)))


@lowers("DequantizeLinear", 10, 13, 19, 21, 23, 24, 25)
def dequantize_linear(call: Call) -> Tensor:
    x = call.variable(0)
    scale, zero = call.constant(1), call.optional_constant(2)
    kind = np.dtype(scale.dtype if is_float(scale.dtype) else np.float32)
    made = dequantised(call, x, _along(call, x, call.weights(scale)), _along(call, x, _zero(call, zero)))
    return replace(made, dtype=kind)


@lowers("DynamicQuantizeLinear", 11)
def dynamic_quantize_linear(call: Call) -> tuple[Tensor, ...]:
    """To uint8, on the grid that holds all entries and 0."""
    graph, x = call.graph, call.variable(0)
    every = np.arange(x.size)[None, :]
    most, least = (graph.relu(extremum_of_entries(graph, _signed(call, x, s), every, 1.0)) for s in (1.0, -1.0))
    extent = graph.combine([(1.0, most), (1.0, least)])
    scale = graph.combine([(1.0 / 255.0, extent)])
    over = graph.combine([(255.0, graph.elementwise(extent, Reciprocal()))])
    zero = _rounded(call, clip(graph, graph.product(least, over), 0.0, 255.0))
    steps = _rounded(call, graph.product(x, graph.broadcast(over, x.shape)))
    y = clip(graph, graph.combine([(1.0, steps), (1.0, zero)]), 0.0, 255.0)
    byte = np.dtype(np.uint8)
    scalars = Variable(scale.node, (), np.dtype(np.float32)), Variable(zero.node, (), byte)
    return (replace(y, dtype=byte), *scalars)


@lowers("QLinearMatMul", 10, 21)
def qlinear_matmul(call: Call) -> Tensor:
    """Scales and zero points of the left operand go by its rows, those of the right one by its columns."""
    a = real_operand(call, 0, rows=True)
    b = real_operand(call, 3, rows=False)
    require_int32(call, a.shape[-1], (call.tensor(0), call.tensor(3)))
    y = product_of_matrices(call, a, b)
    return quantised(call, y, grid_of(call, y, call.constant(6), call.constant(7)))


@lowers("MatMulInteger", 10)
def matmul_integer(call: Call) -> Tensor:
    a = shifted(call, call.tensor(0), call.optional(2), rows=True)
    b = shifted(call, call.tensor(1), call.optional(3), rows=False)
    require_int32(call, a.shape[-1], (call.tensor(0), call.tensor(1)))
    return replace(product_of_matrices(call, a, b), dtype=np.dtype(np.int32))


@lowers("QLinearConv", 10)
def qlinear_conv(call: Call) -> Tensor:
    x, w_scale, w_zero = call.variable(0), call.weights(call.constant(4)), _zero(call, call.constant(5))
    scale = call.weights(call.constant(1)).reshape(())
    kernel = _by_channel(call, call.weights(call.constant(3)), w_zero)
    bias = call.optional_constant(8)
    require_int32(call, kernel[0].size, (x, call.constant(3)), bias)
    moved = dequantised(call, x, np.ones(()), _zero(call, call.constant(2)).reshape(()))
    sums = convolve(call, moved, kernel, bias)
    factor = (scale * w_scale).reshape((-1,) + (1,) * (x.ndim - 2) if w_scale.size > 1 else ())
    y = call.graph.scale(sums, factor)
    return quantised(call, y, grid_of(call, y, call.constant(6), call.constant(7)))


@lowers("ConvInteger", 10)
def conv_integer(call: Call) -> Tensor:
    x, w_zero = call.variable(0), _zero(call, call.optional_constant(3))
    kernel = _by_channel(call, call.weights(call.constant(1)), w_zero)
    require_int32(call, kernel[0].size, (x, call.constant(1)))
    moved = _less(call, x, call.optional(2))
    assert isinstance(moved, Variable)
    return replace(convolve(call, moved, kernel, None), dtype=np.dtype(np.int32))


def quantised(call: Call, x: Variable, grid: Grid) -> Variable:
    """The integers that x becomes on a grid."""
    graph = call.graph
    if not (np.isfinite(grid.scale) & (grid.scale > 0)).all():
        raise call.error("a scale is not above 0")
    low, high = grid.least - grid.zero, grid.greatest - grid.zero
    inside = _clipped(call, graph.scale(x, 1.0 / grid.scale), low, high)
    return replace(graph.combine([(1.0, _rounded(call, inside)), (1.0, grid.zero)]), dtype=grid.dtype)


def dequantised(call: Call, q: Tensor, scale: np.ndarray, zero: np.ndarray) -> Variable:
    """The numbers scale (q - zero) that integers stand for."""
    steps = call.graph.combine([(1.0, q), (-1.0, zero)]) if zero.any() else q
    if isinstance(steps, np.ndarray):
        return call.graph.constant((call.weights(steps) - zero) * scale)
    return call.graph.scale(steps, scale) if (scale != 1.0).any() else steps


def _rounded(call: Call, x: Variable) -> Variable:
    return call.graph.elementwise(x, Round())


def _signed(call: Call, x: Variable, sign: float) -> Variable:
    return x if sign > 0 else call.graph.combine([(-1.0, x)])


def _clipped(call: Call, x: Variable, low: np.ndarray, high: np.ndarray) -> Variable:
    """The tensor x cut to [low, high], which broadcast to it; entries with the same ends share a function."""
    ends = np.unique(np.stack([low.reshape(-1), high.reshape(-1)]), axis=1)
    if ends.shape[1] == 1:
        return clip(call.graph, x, float(ends[0, 0]), float(ends[1, 0]))
    lows = np.broadcast_to(low, x.shape).reshape(-1)
    groups = [np.flatnonzero(lows == end) for end in ends[0]]
    order = np.argsort(np.concatenate(groups))
    parts: list[Tensor] = []
    for entries, (least, greatest) in zip(groups, ends.T, strict=True):
        chosen = call.graph.move([x], lambda a, e=entries: a.reshape(-1)[e])
        assert isinstance(chosen, Variable)
        parts.append(clip(call.graph, chosen, float(least), float(greatest)))
    joined = call.graph.move(parts, lambda *a: np.concatenate(a)[order].reshape(x.shape))
    assert isinstance(joined, Variable)
    return joined


def _grid(call: Call, x: Variable, scale: np.ndarray, zero: np.ndarray | None) -> Grid:
    """The grid of QuantizeLinear, whose scale may go by entries along an axis, or by blocks of them."""
    dtype = zero.dtype if zero is not None else _output_type(call)
    least, greatest = _ends(call, dtype)
    zeros = _along(call, x, _zero(call, zero))
    return Grid(_along(call, x, call.weights(scale)), zeros, least, greatest, dtype)


def grid_of(call: Call, y: Variable, scale: np.ndarray, zero: np.ndarray) -> Grid:
    """The grid of a result: one scale, or one for each row of a matrix."""
    least, greatest = _ends(call, zero.dtype)
    scales, zeros = (by_row(call, a, rows=True) for a in (call.weights(scale), _zero(call, zero)))
    return Grid(scales, zeros, least, greatest, zero.dtype)


def _output_type(call: Call) -> np.dtype:
    number = call.attribute("output_dtype", 0)
    return call.dtype(number) if number else np.dtype(np.uint8)


def _ends(call: Call, dtype: np.dtype) -> tuple[int, int]:
    if dtype.name in NARROW:
        return NARROW[dtype.name]
    if dtype.kind not in "iu":
        raise call.error(f"quantisation of a computed tensor to {dtype.name} is not supported", "use an integer type")
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _zero(call: Call, zero: np.ndarray | None) -> np.ndarray:
    return np.zeros(()) if zero is None else call.weights(zero)


def _along(call: Call, x: Variable, values: np.ndarray) -> np.ndarray:
    """A scale or a zero point of QuantizeLinear as it broadcasts to x: one, one an entry of the axis, or by blocks."""
    if values.size == 1:
        return values.reshape(())
    axis, block = call.axis(call.attribute("axis", 1), x.ndim), call.attribute("block_size", 0)
    if block:
        wide = np.repeat(values, block, axis)
        return wide[tuple(slice(n) for n in x.shape)]
    if values.shape != (x.shape[axis],):
        raise call.error(f"a scale or zero point of shape {values.shape} for axis {axis} of shape {x.shape}")
    return values.reshape((-1,) + (1,) * (x.ndim - 1 - axis))


def real_operand(call: Call, index: int, rows: bool) -> Tensor:
    """The numbers that operand `index` of a QLinear operator stands for; its scale and zero point follow it."""
    scale = by_row(call, call.weights(call.constant(index + 1)), rows)
    zero = by_row(call, _zero(call, call.optional_constant(index + 2)), rows)
    value = call.tensor(index)
    if isinstance(value, np.ndarray):
        return (call.weights(value) - zero) * scale
    return dequantised(call, value, scale, zero)


def by_row(call: Call, values: np.ndarray, rows: bool) -> np.ndarray:
    """One number, or one a row or a column of a matrix, as it broadcasts; more dimensions are the matrix's own."""
    if values.size == 1:
        return values.reshape(())
    return values[:, None] if values.ndim == 1 and rows else values


def shifted(call: Call, x: Tensor, zero: Tensor | None, rows: bool) -> Tensor:
    """The integers less their zero point, which may be computed."""
    if isinstance(zero, np.ndarray):
        zero = by_row(call, call.weights(zero), rows)
    return _less(call, x, zero)


def _less(call: Call, x: Tensor, zero: Tensor | None) -> Tensor:
    if zero is None:
        return x
    if isinstance(zero, Variable):
        if zero.size != 1:
            raise call.error("computed zero points are supported only where there is one")
        single = call.graph.move([zero], lambda a: a.reshape(()))
        return call.graph.combine([(1.0, x), (-1.0, single)])
    wide = zero.astype(np.float64).reshape(zero.shape if zero.size > 1 else ())
    if isinstance(x, np.ndarray):
        return call.weights(x) - wide
    return call.graph.combine([(1.0, x), (-1.0, wide)]) if wide.any() else x


def _by_channel(call: Call, kernel: np.ndarray, zero: np.ndarray) -> np.ndarray:
    if zero.size > 1 and zero.shape != kernel.shape[:1]:
        raise call.error(f"zero points of shape {zero.shape} for a kernel of shape {kernel.shape}")
    return kernel - zero.reshape((-1,) + (1,) * (kernel.ndim - 1) if zero.size > 1 else ())


def require_int32(call: Call, terms: int, operands: tuple[Tensor, ...], bias: np.ndarray | None = None) -> None:
    """Makes sure that no sum, with the bias it begins with, wraps around."""
    size = float(terms)
    for operand in operands:
        size *= 2.0 ** (8 * operand.dtype.itemsize) if operand.dtype is not None else 2.0**8
    if bias is not None:
        size += float(np.abs(call.weights(bias)).max(initial=0.0))
    if size > LARGEST_SUM:
        raise call.error(f"sums of {terms} products of integers may wrap around in int32")
