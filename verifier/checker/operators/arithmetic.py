"""Sums, products and matrices; arithmetic of constants.

Constants are computed in their own type, as the model says: elementwise + - * / and square roots of floating-point
numbers are rounded as IEEE 754 says, in NumPy as anywhere. What is added up in an order that the standard leaves open
(sums of more than two, matrix products) is a node instead, and means the sum of real numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from verifier.checker.linear import Array, Dense
from verifier.checker.operators.call import (
    FLOATS,
    HALF_UNIT,
    Call,
    Operator,
    Tensor,
    Value,
    positions,
    real,
    rearranged,
)

MOST = 1 << 24
"""Products of a matrix product of two tensors at most."""


def folded(act: Callable[..., Any], *values: Array) -> Array:
    """Arithmetic of constants of one type; whole numbers must fit."""
    if len({v.dtype for v in values}) != 1:
        raise ValueError("constants of several types")
    with np.errstate(all="ignore"):
        found = np.asarray(act(*values))
    if values[0].dtype.kind in "iu":
        exact = np.asarray(act(*(v.astype(object) for v in values)))
        if not np.array_equal(found.astype(object), exact):
            raise ValueError("whole numbers that do not fit")
    elif values[0].dtype not in FLOATS:
        raise ValueError(f"arithmetic of {values[0].dtype}")
    return found


def constants(act: Callable[..., Any], of_tensors: Operator) -> Operator:
    """Comparisons and logic, which are exact for constants."""

    def read(call: Call) -> Value:
        if call.constants is None:
            return of_tensors(call)
        if len({v.dtype for v in call.constants}) != 1:
            raise ValueError("of several types")
        return np.asarray(act(*call.constants))

    return read


def _add(call: Call) -> Value:
    if call.constants is not None:
        return folded(np.add, *call.constants)
    return plus(call, call[0], call[1])


def plus(call: Call, a: Value, b: Value) -> Tensor:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.build.sum(a, b)
    a, b = (a, b) if isinstance(a, Tensor) else (b, a)
    return call.build.moved(call.build.tensor(a), None, b)


def _sub(call: Call) -> Value:
    if call.constants is not None:
        return folded(np.subtract, *call.constants)
    return difference(call, call[0], call[1])


def difference(call: Call, a: Value, b: Value) -> Tensor:
    """A - b, not both constant."""
    if isinstance(a, Tensor):
        return call.build.sum(a, b, last=-1.0) if isinstance(b, Tensor) else call.build.moved(a, None, -b)
    return call.build.moved(call.build.tensor(b), -1.0, a)


def _sum(call: Call) -> Tensor:
    return call.build.sum(*(call.tensor(k) for k in range(len(call.operands))))


def _mean(call: Call) -> Value:
    return call.build.moved(_sum(call), 1.0 / len(call.operands), None, HALF_UNIT)


def _mul(call: Call) -> Value:
    if call.constants is not None:
        return folded(np.multiply, *call.constants)
    return times(call, call[0], call[1])


def times(call: Call, a: Value, b: Value) -> Tensor:
    """Entry by entry."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return call.build.product(a, b, call.name)
    a, b = (a, b) if isinstance(a, Tensor) else (b, a)
    return call.build.moved(call.build.tensor(a), b, None)


def _div(call: Call) -> Value:
    a, b = call[0], call[1]
    if call.constants is not None:
        return folded(_quotient, *call.constants)
    if isinstance(b, Tensor):
        return times(call, a, call.function("reciprocal", b, "divisor"))
    if b.dtype not in FLOATS or not b.all():
        raise ValueError("a divisor that is 0, or of another type")
    return call.build.moved(call.tensor(0), 1.0 / b.astype(float), None, HALF_UNIT)


def _quotient(a: Array, b: Array) -> Array:
    """Of whole numbers only such that rounding down is rounding towards 0."""
    if a.dtype.kind == "f":
        return a / b
    if (a < 0).any() or (b <= 0).any():
        raise ValueError("a quotient of negative numbers, or by 0")
    return a // b


def _mod(call: Call) -> Value:
    if call.constants is None or call.constants[0].dtype.kind not in "iu" or call.take("fmod", 0):
        raise ValueError("of what depends on the input, of numbers that are not whole, or fmod")
    return folded(np.mod, *call.constants)


def _neg(call: Call) -> Value:
    if call.constants is not None:
        return folded(np.negative, *call.constants)
    return call.build.moved(call.tensor(0), -1.0, None)


def _sqrt(call: Call) -> Value:
    if call.constants is not None:
        return folded(np.sqrt, *call.constants)
    return call.function("sqrt", call.tensor(0))


def _cast(call: Call) -> Value:
    """Of a constant to what holds it, or rounded to a floating-point type; of a tensor to what holds it."""
    value, to = call[0], call.take("to")
    call.take("saturate")
    kind = onnx.helper.tensor_dtype_to_np_dtype(to)
    if not isinstance(value, Tensor):
        cast = value.astype(kind)
        rounds = value.dtype in FLOATS and kind in FLOATS
        if not rounds and not np.array_equal(cast.astype(object), value.astype(object)):
            raise ValueError("a constant that does not fit")
        return cast
    if kind == np.float64:
        call.build.double = True
    elif kind != np.float32 or call.build.double:
        raise ValueError("rounding")
    return value


def _pow(call: Call) -> Value:
    exponent = call.constant(1)
    one = float(exponent.ravel()[0])
    if (exponent != one).any():
        raise ValueError("several exponents")
    base = call.tensor(0)
    x = Tensor(base.node, np.broadcast_to(base.index, np.broadcast_shapes(base.shape, exponent.shape)))
    if one == 0.5:
        return call.function("sqrt", x)
    if one != int(one) or not 1 <= abs(one) <= 64:
        raise ValueError(f"an exponent of {one}")
    whole = _power(call, x, abs(int(one)))
    return whole if one > 0 else call.function("reciprocal", whole, "divisor")


def _power(call: Call, x: Tensor, n: int) -> Tensor:
    """An even power is a square, an odd one x times the one before."""
    if n == 1:
        return x
    if n % 2 == 0:
        return call.function("square", _power(call, x, n // 2), "square" if n == 2 else f"square{n}")
    return call.build.product(_power(call, x, n - 1), x, f"{call.name}.power{n}")


def _matmul(call: Call) -> Value:
    return matmul(call, call[0], call[1])


def matmul(call: Call, a: Value, b: Value, bias: Array | None = None) -> Tensor:
    """As NumPy's; of a constant matrix and a tensor one map, else products that are added up."""
    left, right = len(a.shape) == 1, len(b.shape) == 1
    a = rearranged(a, lambda x: x[None]) if left else a
    b = rearranged(b, lambda x: x[:, None]) if right else b
    (n, k), (others, m) = a.shape[-2:], b.shape[-2:]
    if k != others:
        raise ValueError(f"{a.shape} times {b.shape}")
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), n, m)
    if not isinstance(b, Tensor) and b.ndim == 2:
        a = call.build.tensor(a)
        dense = Dense(np.ascontiguousarray(real(b).T), int(np.prod(a.shape[:-1])))
        found = call.build.linear([(call.build.whole(a), dense)], bias, shape)
    elif isinstance(b, Tensor) and not isinstance(a, Tensor) and a.ndim == 2:
        dense = Dense(real(a), int(np.prod(b.shape[:-2])), m)
        found = call.build.linear([(call.build.whole(b), dense)], bias, shape)
    elif int(np.prod(shape)) * k > MOST:
        raise ValueError(f"{int(np.prod(shape)) * k} products")
    else:
        rows = rearranged(a, lambda x: x[..., :, None, :])
        columns = rearranged(b, lambda x: x.swapaxes(-1, -2)[..., None, :, :])
        found = call.build.total(times(call, rows, columns), bias=bias)
    dropped = tuple(axis for axis, gone in ((-2, left), (-1, right)) if gone)
    return Tensor(found.node, np.squeeze(found.index, dropped))


def _gemm(call: Call) -> Value:
    """Alpha A B + beta C, A and B transposed or not."""
    alpha, beta = (float(call.take(name, 1.0)) for name in ("alpha", "beta"))
    a, b = call[0], call[1]
    if len(a.shape) != 2 or len(b.shape) != 2:
        raise ValueError("operands that are no matrices")
    a = rearranged(a, np.transpose) if call.take("transA", 0) else a
    b = rearranged(b, np.transpose) if call.take("transB", 0) else b
    c = call[2] if call.has(2) and beta else None
    if alpha == 1.0 and beta in (0.0, 1.0) and not isinstance(c, Tensor):
        return matmul(call, a, b, None if c is None else real(c))
    found = call.build.moved(matmul(call, a, b), alpha, None)
    if c is None:
        return found
    added = plus(call, found, call.build.moved(call.build.tensor(c), beta, None))
    if added.shape != found.shape:
        raise ValueError(f"{c.shape} added to {found.shape}")
    return added


def reduced(act: Callable[[Call, Tensor], Tensor]) -> Operator:
    """What becomes of several axes: `act` takes a matrix, for each entry of the result a row."""

    def read(call: Call) -> Value:
        x, given, keep = call.tensor(0), call.optional(1, "axes"), call.take("keepdims", 1)
        rank = len(x.shape)
        if call.take("noop_with_empty_axes", 0) and (given is None or not given.size):
            raise ValueError("without axes, and with noop_with_empty_axes")
        along = tuple(range(rank)) if given is None or not given.size else positions(given, rank)
        found = act(call, rows(x, along))
        shape = tuple(1 if k in along else n for k, n in enumerate(x.shape) if keep or k not in along)
        return Tensor(found.node, found.index.reshape(shape))

    return read


def rows(x: Tensor, along: tuple[int, ...]) -> Tensor:
    """A matrix whose rows hold what is along some axes."""
    kept = [k for k in range(len(x.shape)) if k not in along]
    count = int(np.prod([x.shape[k] for k in along]))
    return Tensor(x.node, x.index.transpose(*kept, *along).reshape(-1, count))


def average(call: Call, x: Tensor) -> Tensor:
    """Of each row."""
    return call.build.total(x, 1.0 / x.shape[-1], HALF_UNIT)


def _squares(call: Call, x: Tensor) -> Tensor:
    return call.build.total(call.function("square", x, "square"))


OPERATORS: dict[str, Operator] = {
    "Add": _add,
    "Cast": _cast,
    "Div": _div,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Mean": _mean,
    "Mod": _mod,
    "Mul": _mul,
    "Neg": _neg,
    "Pow": _pow,
    "ReduceL2": reduced(lambda call, x: call.function("sqrt", _squares(call, x))),
    "ReduceMean": reduced(average),
    "ReduceSum": reduced(lambda call, x: call.build.total(x)),
    "ReduceSumSquare": reduced(_squares),
    "Sqrt": _sqrt,
    "Sub": _sub,
    "Sum": _sum,
}
