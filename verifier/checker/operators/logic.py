"""Comparisons, logic and choices, whose truth is 1 or 0, and quantised numbers.

A step s is 1 above 0, else 0: a > b is s(a - b), a >= b is 1 - s(b - a), and a = b is 1 - s(a - b) - s(b - a). Of
whole numbers the difference is first taken half a unit down: that says the same, and leaves room for rounding. Tensors
of whole numbers have entries of at most `WHOLE`, which every type that they are cast to holds.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx

from verifier.checker.linear import Array
from verifier.checker.operators import arithmetic, moving
from verifier.checker.operators.arithmetic import constants, difference, folded, plus, times
from verifier.checker.operators.call import FLOATS, HALF_UNIT, Call, Operator, Tensor, Value, alike, positions
from verifier.checker.operators.functions import clipped, larger, minus

WHOLE = 1 << 24
CLASSES = 100
"""Entries of which the largest one is sought at most."""


def numbers(value: Value) -> Value:
    """The same, of constants their numbers in double precision."""
    if isinstance(value, Tensor) or value.dtype in FLOATS:
        return value
    if value.dtype.kind not in "iub" or (value.dtype != bool and abs(value.astype(object)).max(initial=0) > WHOLE):
        raise ValueError(f"a constant of type {value.dtype}, or of large numbers")
    return value.astype(np.float64)


def above(call: Call, a: Value, b: Value, name: str = "operand") -> Tensor:
    """Whether a > b."""
    apart = difference(call, a, b)
    if call.build.is_whole(apart):
        apart = call.build.moved(apart, None, np.array(-0.5))
    return call.function("step", apart, name)


def opposite(call: Call, truth: Tensor) -> Tensor:
    """1 less it."""
    return call.build.moved(truth, -1.0, np.array(1.0))


def _comparison(swapped: bool, negated: bool) -> Operator:
    """Whether a > b, or with operands swapped b > a, or the negation of that."""

    def read(call: Call) -> Value:
        alike([call[0], call[1]])
        a, b = numbers(call[1 if swapped else 0]), numbers(call[0 if swapped else 1])
        found = above(call, a, b)
        return replace(opposite(call, found) if negated else found, kind="bool")

    return read


def _equal(call: Call) -> Value:
    alike([call[0], call[1]])
    a, b = numbers(call[0]), numbers(call[1])
    apart = call.build.sum(above(call, a, b), above(call, b, a, "opposite"))
    return replace(opposite(call, apart), kind="bool")


def _logic(both: float, either: float) -> Operator:
    """Of truth values: both * (a and b) + either * (a + b)."""

    def read(call: Call) -> Value:
        if alike([call[0], call[1]]) != "bool":
            raise ValueError("operands that are no truth values")
        total = plus(call, numbers(call[0]), numbers(call[1]))
        least = call.function("relu", call.build.moved(total, None, np.array(-1.0)))
        found = call.build.moved(least, both, None)
        return replace(call.build.sum(found, total) if either else found, kind="bool")

    return read


def _not(call: Call) -> Value:
    return replace(opposite(call, call.tensor(0)), kind="bool")


def _where(call: Call) -> Value:
    """Of a condition c that is computed: b + c (a - b)."""
    if not isinstance(call[0], Tensor):
        return moving.OPERATORS["Where"](call)
    condition, a, b = call.tensor(0), numbers(call[1]), numbers(call[2])
    if condition.kind != "bool":
        raise ValueError("a condition that is none")
    kind = alike([call[1], call[2]])
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        found = plus(call, times(call, condition, difference(call, a, b)), b)
    else:
        found = call.build.moved(condition, a.astype(float) - b, b, HALF_UNIT)
    return replace(found, kind=kind)


def _cast(call: Call) -> Value:
    """Of truth values and whole numbers, to what holds them; whether a number is 0."""
    x, kind = call[0], onnx.helper.tensor_dtype_to_np_dtype(call.attributes["to"])
    if not isinstance(x, Tensor) or (x.kind == "float" and kind != np.bool_):
        return arithmetic.OPERATORS["Cast"](call)
    call.take("to"), call.take("saturate")
    if kind == np.bool_:
        zero = np.zeros(1)
        off = x if x.kind == "bool" else call.build.sum(above(call, x, zero), above(call, zero, x, "opposite"))
        return replace(off, index=off.index.reshape(x.shape), kind="bool")
    if kind == np.float64:
        call.build.double = True
    narrow = kind == np.float16 or (kind.kind in "iu" and kind not in (np.int32, np.int64))
    if kind.kind not in "fiu" or (x.kind == "int" and narrow) or x.kind == "float":
        raise ValueError("to a type that does not hold it")
    return replace(x, kind="float" if kind.kind == "f" else "int")


def _place_of_largest(call: Call, x: Tensor) -> Tensor:
    """The sum over k of whether what comes from k on is larger than what comes before; of the last one, as large."""
    last, count = bool(call.take("select_last_index", 0)), x.shape[-1]
    if not 1 < count <= CLASSES:
        raise ValueError(f"of {count} numbers")
    columns = [Tensor(x.node, x.index[..., k]) for k in range(count)]
    before, behind = columns[:1], columns[-1:]
    for k in range(1, count - 1):
        before.append(larger(call, before[-1], columns[k], f"before{k}"))
        behind.append(larger(call, columns[-1 - k], behind[-1], f"behind{k}"))
    parts = []
    for k in range(1, count):
        a, b = behind[count - 1 - k], before[k - 1]
        parts.append(opposite(call, above(call, b, a, f"place{k}")) if last else above(call, a, b, f"place{k}"))
    return call.build.sum(*parts)


def _arg(largest: bool) -> Operator:
    def read(call: Call) -> Value:
        x, keep = call.tensor(0), call.take("keepdims", 1)
        (axis,) = positions([call.take("axis", 0)], len(x.shape))
        x = x if largest else minus(call, x)
        found = _place_of_largest(call, Tensor(x.node, np.moveaxis(x.index, axis, -1)))
        return Tensor(found.node, np.expand_dims(found.index, axis) if keep else found.index, "int")

    return read


def _levels(call: Call, x: Value) -> tuple[Array, Array]:
    """Scale and zero point, in the shape in which they meet the tensor."""
    scale, axis = call.constant(1), call.take("axis", 1)
    zero = call.constant(2) if call.has(2) else np.zeros(scale.shape, np.uint8)
    if call.take("block_size", 0) or scale.dtype != np.float32 or zero.dtype not in (np.uint8, np.int8, np.int32):
        raise ValueError("blocks, or a scale or zero point of another type")
    if scale.size > 1:
        (axis,) = positions([axis], len(x.shape))
        shape = [1] * len(x.shape)
        shape[axis] = -1
        return scale.reshape(shape), zero.reshape(shape)
    return scale.reshape(()), zero.reshape(())


def _quantize(call: Call) -> Value:
    """round(x / scale) + zero point, cut off at the ends of its type, before it is rounded as well as after."""
    x = call.tensor(0)
    scale, zero = _levels(call, x)
    if call.take("output_dtype", 0) or call.take("precision", 0) or not call.take("saturate", 1) or not scale.all():
        raise ValueError("output_dtype, precision or saturate, or a scale of 0")
    info = np.iinfo(zero.dtype)
    if (zero != zero.ravel()[0]).any() or zero.dtype == np.int32:
        raise ValueError("several zero points")
    at = int(zero.ravel()[0])
    x = call.build.moved(x, 1.0 / scale.astype(float), None, HALF_UNIT)
    rounded = call.function("round", clipped(call, x, float(info.min - at), float(info.max - at)))
    return replace(call.build.moved(rounded, None, np.array(float(at))), kind="int")


def _dequantize(call: Call) -> Value:
    x = call[0]
    scale, zero = _levels(call, x)
    if call.take("output_dtype", 0):
        raise ValueError("output_dtype")
    if isinstance(x, Tensor):
        if x.kind != "int":
            raise ValueError("of numbers that are not whole")
        return call.build.moved(call.build.moved(x, None, -zero.astype(float)), scale, None)
    if x.dtype.kind not in "iu" or x.dtype.itemsize > 4:
        raise ValueError(f"of {x.dtype}")
    return folded(np.multiply, (x.astype(np.int64) - zero).astype(np.float32), np.broadcast_to(scale, x.shape))


OPERATORS: dict[str, Operator] = {
    "And": constants(np.logical_and, _logic(1.0, 0.0)),
    "ArgMax": _arg(largest=True),
    "ArgMin": _arg(largest=False),
    "Cast": _cast,
    "DequantizeLinear": _dequantize,
    "Equal": constants(np.equal, _equal),
    "Greater": constants(np.greater, _comparison(swapped=False, negated=False)),
    "GreaterOrEqual": constants(np.greater_equal, _comparison(swapped=True, negated=True)),
    "Less": constants(np.less, _comparison(swapped=True, negated=False)),
    "LessOrEqual": constants(np.less_equal, _comparison(swapped=False, negated=True)),
    "Not": constants(np.logical_not, _not),
    "Or": constants(np.logical_or, _logic(-1.0, 1.0)),
    "QuantizeLinear": _quantize,
    "Where": _where,
    "Xor": constants(np.logical_xor, _logic(-2.0, 1.0)),
}
TYPED = {*OPERATORS, *moving.MOVING} - {"ArgMax", "ArgMin", "QuantizeLinear"}
"""Operators that take truth values and whole numbers."""
