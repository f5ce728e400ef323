"""Sums, products and matrices."""

from __future__ import annotations

import numpy as np
import onnx

from verifier.checker.linear import Array, Dense
from verifier.checker.operators.call import HALF_UNIT, Call, Operator, Tensor, Value, shaped
from verifier.checker.operators.moving import axes_of


def _add(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.build.sum(a, b)
    if isinstance(a, Tensor):
        return call.build.moved(_spread(a, np.asarray(b)), None, np.asarray(b))
    if isinstance(b, Tensor):
        return call.build.moved(_spread(b, np.asarray(a)), None, np.asarray(a))
    return _whole_numbers(a + b)


def _sub(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.build.sum(a, b, -1.0)
    if isinstance(a, Tensor):
        return call.build.moved(_spread(a, np.asarray(b)), None, -shaped(np.asarray(b)))
    if isinstance(b, Tensor):
        return call.build.moved(_spread(b, np.asarray(a)), np.array(-1.0), np.asarray(a))
    return _whole_numbers(a - b)


def _mul(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.build.product(a, b, call.name)
    if isinstance(a, Tensor):
        return call.build.moved(_spread(a, np.asarray(b)), np.asarray(b), None)
    if isinstance(b, Tensor):
        return call.build.moved(_spread(b, np.asarray(a)), np.asarray(a), None)
    return _whole_numbers(a * b)


def _div(call: Call) -> Value:
    a, b = call[0], call[1]
    if not isinstance(b, Tensor):
        if not isinstance(a, Tensor) or np.asarray(b).dtype.kind != "f":
            raise ValueError("a division of constants")
        return call.build.moved(_spread(a, np.asarray(b)), 1.0 / shaped(np.asarray(b)), None, HALF_UNIT)
    inverse = call.build.function("reciprocal", b, f"{call.name}.divisor")
    if isinstance(a, Tensor):
        return call.build.product(a, inverse, call.name)
    return call.build.moved(_spread(inverse, np.asarray(a)), np.asarray(a), None)


def _spread(tensor: Tensor, constant: Array) -> Tensor:
    """A tensor in the shape that it has beside a constant."""
    shape = np.broadcast_shapes(tensor.shape, np.shape(constant))
    return Tensor(tensor.node, np.broadcast_to(tensor.index, shape))


def _whole_numbers(value: Array) -> Array:
    if np.asarray(value).dtype.kind not in "iu":
        raise ValueError("arithmetic of constants that are no whole numbers")
    return np.asarray(value)


def _mod(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) or isinstance(b, Tensor) or call.attributes.get("fmod", 0):
        raise ValueError("of what depends on the input, or fmod")
    return _whole_numbers(np.mod(a, b))


def _cast(call: Call) -> Value:
    """Of a constant whole number to another such type, of a tensor to a type that holds all of its numbers."""
    value, to = call[0], int(call.attributes["to"])
    if isinstance(value, Tensor):
        if to != onnx.TensorProto.DOUBLE:
            raise ValueError("rounding")
        return value
    cast = np.asarray(value).astype(onnx.helper.tensor_dtype_to_np_dtype(to))
    if not np.array_equal(cast.astype(object), np.asarray(value).astype(object)):
        raise ValueError("a constant that does not fit")
    return cast


def _neg(call: Call) -> Value:
    return call.build.moved(call.tensor(0), np.array(-1.0), None)


def _pow(call: Call) -> Value:
    if not np.all(call.constant(1) == 2):
        raise ValueError("another exponent than 2")
    return call.build.function("square", call.tensor(0), f"{call.name}.square")


def _matmul(call: Call) -> Value:
    a, b = call[0], call[1]
    if isinstance(a, Tensor) and not isinstance(b, Tensor) and np.ndim(b) == 2:
        return _times(call, a, shaped(np.asarray(b)))
    if isinstance(b, Tensor) and not isinstance(a, Tensor) and np.ndim(a) == 2 and len(b.shape) in (1, 2):
        after = b.shape[1] if len(b.shape) == 2 else 1
        dense = Dense(shaped(np.asarray(a)), 1, after)
        shape = (len(dense.weight), *b.shape[1:])
        return call.build.linear([(call.build.whole(b), dense)], np.zeros(int(np.prod(shape))), shape)
    raise ValueError("a product that is no matrix times a tensor")


def _times(call: Call, x: Tensor, weight: Array, bias: Array | None = None) -> Tensor:
    """X of shape (..., k) times a matrix (k, n)."""
    if x.shape[-1] != weight.shape[0]:
        raise ValueError(f"{x.shape} times {weight.shape}")
    shape = (*x.shape[:-1], weight.shape[1])
    dense = Dense(np.ascontiguousarray(weight.T), int(np.prod(x.shape[:-1])))
    add = np.zeros(shape) if bias is None else np.broadcast_to(bias, shape)
    return call.build.linear([(call.build.whole(x), dense)], add, shape)


def _gemm(call: Call) -> Value:
    alpha, beta = (float(call.attributes.get(name, 1.0)) for name in ("alpha", "beta"))
    if alpha != 1.0 or beta not in (0.0, 1.0) or call.attributes.get("transA", 0):
        raise ValueError("alpha, beta or transA")
    weight = shaped(call.constant(1))
    bias = shaped(call.constant(2)) if call.has(2) and beta else None
    return _times(call, call.tensor(0), weight.T if call.attributes.get("transB", 0) else weight, bias)


def _reduced(mean: bool) -> Operator:
    def read(call: Call) -> Value:
        x = call.tensor(0)
        axes = axes_of(call, 1)
        if axes == () and call.attributes.get("noop_with_empty_axes", 0):
            raise ValueError("without axes, and with noop_with_empty_axes")
        along = tuple(range(len(x.shape))) if not axes else tuple(a % len(x.shape) for a in axes)
        kept = [k for k in range(len(x.shape)) if k not in along]
        index = x.index.transpose(*kept, *along).reshape(int(np.prod([x.shape[k] for k in kept])), -1)
        count = index.shape[1]
        weight = np.full((1, count), 1.0 / count if mean else 1.0)
        keep = call.attributes.get("keepdims", 1)
        shape = tuple(1 if k in along else n for k, n in enumerate(x.shape) if keep or k not in along)
        dense = Dense(weight, len(index), 1, HALF_UNIT if mean else 0.0)
        return call.build.linear([(call.build.whole(Tensor(x.node, index)), dense)], np.zeros(len(index)), shape)

    return read


OPERATORS: dict[str, Operator] = {
    "Add": _add,
    "Cast": _cast,
    "Div": _div,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mod": _mod,
    "Mul": _mul,
    "Neg": _neg,
    "Pow": _pow,
    "ReduceMean": _reduced(mean=True),
    "ReduceSum": _reduced(mean=False),
    "Sub": _sub,
}
