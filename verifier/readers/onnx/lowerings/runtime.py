"""ONNX Runtime's own operators on quantised tensors, as its quantiser writes them.

Each computes what the operator of floats does, of the numbers that the integers stand for, and quantises the result.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from verifier.network import functions
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.activations import leaky
from verifier.readers.onnx.lowerings.arithmetic import multiply
from verifier.readers.onnx.lowerings.matrices import product_of_matrices
from verifier.readers.onnx.lowerings.pooling import global_mean, windowed_mean
from verifier.readers.onnx.lowerings.quantised import (
    by_row,
    dequantize_linear,
    grid_of,
    quantised,
    quantize_linear,
    real_operand,
    require_int32,
    shifted,
)
from verifier.readers.onnx.registry import lowers as lowers_standard
from verifier.readers.onnx.standard import RUNTIME
from verifier.readers.onnx.tensors import Tensor, Variable

lowers = partial(lowers_standard, domain=RUNTIME)

lowers("QuantizeLinear", 1)(quantize_linear)
lowers("DequantizeLinear", 1)(dequantize_linear)


@lowers("QGemm", 1)
def qgemm(call: Call) -> Tensor:
    """A bias, in integers, has the scale of the products; without a scale of its own the result is in floats."""
    # Scales of several columns belong to the columns of what is multiplied, so to the rows of what is transposed yet.
    a, b = real_operand(call, 0, rows=True), real_operand(call, 3, rows=call.flag("transB"))
    if call.flag("transA"):
        a = call.graph.move([a], np.transpose)
    if call.flag("transB"):
        b = call.graph.move([b], np.transpose)
    require_int32(call, a.shape[-1], (call.tensor(0), call.tensor(3)))
    alpha = float(call.attribute("alpha"))
    y = call.graph.combine([(alpha, product_of_matrices(call, a, b))])
    bias = call.optional_constant(6)
    if bias is not None:
        unit = alpha * call.weights(call.constant(1)) * call.weights(call.constant(4))
        y = call.graph.combine([(1.0, y), (1.0, call.weights(bias) * unit)])
    return _result(call, y, 7)


@lowers("MatMulIntegerToFloat", 1)
def matmul_integer_to_float(call: Call) -> Tensor:
    a = shifted(call, call.tensor(0), call.optional(4), rows=True)
    b = shifted(call, call.tensor(1), call.optional(5), rows=False)
    require_int32(call, a.shape[-1], (call.tensor(0), call.tensor(1)))
    y: Tensor = product_of_matrices(call, a, b)
    for index in (2, 3):
        y = multiply(call, y, _scale(call, call.tensor(index)))
    bias = call.optional(6)
    made = y if bias is None else call.graph.combine([(1.0, y), (1.0, bias)])
    assert isinstance(made, Variable)
    return replace(made, dtype=np.dtype(np.float32))


def _scale(call: Call, scale: Tensor) -> Tensor:
    if isinstance(scale, Variable):
        return call.graph.move([scale], lambda a: a.reshape(() if scale.size == 1 else a.shape))
    return by_row(call, call.weights(scale), rows=False)


@lowers("QLinearAdd", 1)
def qlinear_add(call: Call) -> Tensor:
    return _result(call, call.graph.combine([(1.0, real_operand(call, k, rows=False)) for k in (0, 3)]), 6)


@lowers("QLinearMul", 1)
def qlinear_mul(call: Call) -> Tensor:
    y = multiply(call, real_operand(call, 0, rows=False), real_operand(call, 3, rows=False))
    assert isinstance(y, Variable)
    return _result(call, y, 6)


@lowers("QLinearConcat", 1)
def qlinear_concat(call: Call) -> Tensor:
    if len(call.inputs) % 3 != 2:
        raise call.error(f"{len(call.inputs)} operands, not triples after the first two")
    parts = [real_operand(call, k, rows=False) for k in range(2, len(call.inputs), 3)]
    axis = call.axis(call.attribute("axis"), len(parts[0].shape))
    joined = call.graph.move(parts, lambda *a: np.concatenate(a, axis))
    assert isinstance(joined, Variable)
    return _result(call, joined, 0)


@lowers("QLinearSigmoid", 1)
def qlinear_sigmoid(call: Call) -> Tensor:
    return _result(call, call.graph.elementwise(_image(call), functions.Sigmoid()), 3)


@lowers("QLinearLeakyRelu", 1)
def qlinear_leaky_relu(call: Call) -> Tensor:
    return _result(call, leaky(call, _image(call), np.full((), float(call.attribute("alpha")))), 3)


@lowers("QLinearGlobalAveragePool", 1)
def qlinear_global_average_pool(call: Call) -> Tensor:
    return _result(call, global_mean(call, _channels_first(call)), 3)


@lowers("QLinearAveragePool", 1)
def qlinear_average_pool(call: Call) -> Tensor:
    return _result(call, windowed_mean(call, _channels_first(call)), 3)


def _image(call: Call) -> Variable:
    value = real_operand(call, 0, rows=False)
    return value if isinstance(value, Variable) else call.graph.constant(value)


def _channels_first(call: Call) -> Variable:
    if call.flag("channels_last"):
        raise call.error("channels_last is not supported", "export the model with channels first")
    return _image(call)


def _result(call: Call, y: Variable, scale: int) -> Variable:
    """The numbers y on the grid of operand `scale` and of the zero point that follows it; y itself without one."""
    if call.optional(scale) is None:
        return replace(y, dtype=np.dtype(np.float32))
    zero = call.optional_constant(scale + 1)
    if zero is None:
        first = call.tensor(0).dtype
        zero = np.zeros((), np.uint8 if first is None else first)
    return quantised(call, y, grid_of(call, y, call.constant(scale), zero))
