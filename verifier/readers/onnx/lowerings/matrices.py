"""Gemm and MatMul. A constant operand gives a linear map; two variables give gather, product and sum."""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Dense, LinearMap, Sparse
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("Gemm", 7, 9, 11, 13)
def gemm(call: Call) -> Tensor:
    a, b, c = call.tensor(0), call.tensor(1), call.optional(2)
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise call.error(f"Gemm of tensors of shapes {tuple(a.shape)} and {tuple(b.shape)}, not of two matrices")
    if call.flag("transA"):
        a = call.graph.move([a], np.transpose)
    if call.flag("transB"):
        b = call.graph.move([b], np.transpose)
    _check_inner(call, a.shape, b.shape)
    alpha, beta = float(call.attribute("alpha")), float(call.attribute("beta"))
    shape = (a.shape[0], b.shape[1])
    if c is not None and np.broadcast_shapes(c.shape, shape) != shape:
        raise call.error(f"a bias of shape {tuple(c.shape)} for a result of shape {shape}")
    if isinstance(a, Variable) and isinstance(b, np.ndarray) and not isinstance(c, Variable):
        bias = None if c is None else beta * call.weights(c)
        return call.graph.affine([(a, Dense(_times(alpha, call.weights(b).T), a.shape[0]))], shape, bias)
    product: Tensor
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        product = call.weights(a) @ call.weights(b)
    else:
        product = multiply_matrices(call, a, b)
    return call.graph.combine([(alpha, product)] if c is None else [(alpha, product), (beta, c)])


def _times(alpha: float, weight: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weight if alpha == 1.0 else alpha * weight)


@lowers("MatMul", 1, 9, 13)
def matmul(call: Call) -> Tensor:
    return product_of_matrices(call, call.tensor(0), call.tensor(1))


def product_of_matrices(call: Call, a: Tensor, b: Tensor) -> Variable:
    """The product a @ b as NumPy has it, vectors included, where one operand at least is a variable."""
    if not a.shape or not b.shape:
        raise call.error(f"{call.op} of a scalar")
    shape_a = (1, *a.shape) if len(a.shape) == 1 else tuple(a.shape)
    shape_b = (*b.shape, 1) if len(b.shape) == 1 else tuple(b.shape)
    wide_a = call.graph.move([a], lambda t: t.reshape(shape_a))
    wide_b = call.graph.move([b], lambda t: t.reshape(shape_b))
    if isinstance(wide_a, np.ndarray) and isinstance(wide_b, np.ndarray):
        wide_a = call.graph.constant(call.weights(wide_a))
    result = multiply_matrices(call, wide_a, wide_b)
    shape = list(result.shape)
    if len(b.shape) == 1:
        shape.pop()
    if len(a.shape) == 1:
        shape.pop(-1 if len(b.shape) == 1 else -2)
    moved = call.graph.move([result], lambda t: t.reshape(shape))
    assert isinstance(moved, Variable)
    return moved


def multiply_matrices(call: Call, a: Tensor, b: Tensor) -> Variable:
    """The product a @ b for tensors of at least two dimensions, of which one at least is a variable."""
    _check_inner(call, a.shape, b.shape)
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    shape = (*batch, a.shape[-2], b.shape[-1])
    if isinstance(a, Variable) and isinstance(b, Variable):
        return _product_of_variables(call, a, b, batch)
    if isinstance(a, Variable) and isinstance(b, np.ndarray):
        return call.graph.affine([(a, _times_constant(a.shape, call.weights(b), batch))], shape)
    assert isinstance(a, np.ndarray)
    assert isinstance(b, Variable)
    return call.graph.affine([(b, _constant_times(call.weights(a), b.shape, batch))], shape)


def _check_inner(call: Call, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if a[-1] != b[-2]:
        raise call.error(f"matrices of shapes {tuple(a)} and {tuple(b)} cannot be multiplied: {a[-1]} is not {b[-2]}")


def _times_constant(shape: tuple[int, ...], weight: np.ndarray, batch: tuple[int, ...]) -> LinearMap:
    """The map x @ weight for x of `shape`: one matrix along the last axis, or a matrix for every batch entry."""
    if math.prod(weight.shape[:-2]) == 1 and math.prod(shape[:-2]) == math.prod(batch):
        return Dense(np.ascontiguousarray(weight.reshape(weight.shape[-2:]).T), math.prod(shape[:-1]))
    rows, inner, columns = shape[-2], shape[-1], weight.shape[-1]
    x = np.arange(math.prod(shape)).reshape(shape)
    target = (*batch, rows, columns, inner)
    taken = np.broadcast_to(x[..., :, None, :], target)
    values = np.broadcast_to(np.swapaxes(weight, -1, -2)[..., None, :, :], target)
    return _sparse(taken, values, x.size)


def _constant_times(weight: np.ndarray, shape: tuple[int, ...], batch: tuple[int, ...]) -> LinearMap:
    """The map weight @ x for x of `shape`."""
    if math.prod(weight.shape[:-2]) == 1 and math.prod(shape[:-2]) == math.prod(batch):
        return Dense(weight.reshape(weight.shape[-2:]), math.prod(shape[:-2]), shape[-1])
    rows, inner, columns = weight.shape[-2], shape[-2], shape[-1]
    x = np.arange(math.prod(shape)).reshape(shape)
    target = (*batch, rows, columns, inner)
    taken = np.broadcast_to(np.swapaxes(x, -1, -2)[..., None, :, :], target)
    values = np.broadcast_to(weight[..., :, None, :], target)
    return _sparse(taken, values, x.size)


def _sparse(taken: np.ndarray, values: np.ndarray, in_size: int) -> Sparse:
    from scipy.sparse import csr_array

    inner = taken.shape[-1]
    rows = taken.size // inner
    starts = np.arange(rows + 1) * inner
    return Sparse(csr_array((values.reshape(-1), taken.reshape(-1), starts), shape=(rows, in_size)))


def _product_of_variables(call: Call, a: Variable, b: Variable, batch: tuple[int, ...]) -> Variable:
    """Every product a[i, k] * b[k, j] laid out as (batch, i, j, k), then summed over k."""
    rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    target = (*batch, rows, columns, inner)
    left = call.graph.move([a], lambda t: np.broadcast_to(t[..., :, None, :], target))
    right = call.graph.move([b], lambda t: np.broadcast_to(np.swapaxes(t, -1, -2)[..., None, :, :], target))
    assert isinstance(left, Variable)
    assert isinstance(right, Variable)
    products = call.graph.product(left, right)
    return call.graph.affine([(products, Dense(np.ones((1, inner)), math.prod(target[:-1])))], target[:-1])
