"""Whole numbers made from others: Cast, Round, Mod, and the division of integers."""

from __future__ import annotations

import numpy as np

from verifier.network.functions import Floor, Near, Round, Truncation
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.comparisons import negation
from verifier.readers.onnx.model import FLOATS
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable
from verifier.readers.onnx.types import LIMITS
from verifier.readers.onnx.whole import is_whole


@lowers("Cast", 6, 9, 13, 19, 21, 23, 24, 25)
def cast(call: Call) -> Tensor:
    return cast_to(call, call.variable(0), call.attribute("to"))


@lowers("CastLike", 15, 19, 21, 23, 24, 25)
def cast_like(call: Call) -> Tensor:
    from onnx import helper

    dtype = call.tensor(1).dtype
    return cast_to(
        call, call.variable(0), helper.np_dtype_to_tensor_dtype(np.dtype(np.float32 if dtype is None else dtype))
    )


def cast_to(call: Call, x: Variable, target: int) -> Variable:
    """A tensor cast to a type, by its number in TensorProto: integers by truncation, booleans by what is not 0."""
    from onnx import TensorProto, helper

    graph = call.graph
    if target in FLOATS:  # the same real number; rounding is the runtime's own
        return Variable(x.node, x.shape, np.dtype(helper.tensor_dtype_to_np_dtype(target)), x.masked)
    if target == TensorProto.BOOL:
        if x.dtype == bool:
            return x
        made = negation(graph, graph.elementwise(x, Near(0.5 if is_whole(graph, x) else 0.0)))
    elif target in LIMITS:
        made = _integer(graph, x, target)
    else:
        name = TensorProto.DataType.Name(target).lower()
        raise call.error(f"a cast of a computed tensor to {name} is not supported")
    return Variable(made.node, made.shape, np.dtype(helper.tensor_dtype_to_np_dtype(target)))


def _integer(graph: GraphBuilder, x: Variable, target: int) -> Variable:
    least, greatest = LIMITS[target]
    if x.integral and x.dtype is not None:
        info = (0, 1) if x.dtype == bool else (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max)
        if least <= info[0] and info[1] <= greatest:
            return x
    return graph.elementwise(x, (Round if is_whole(graph, x) else Truncation)(least, greatest))


@lowers("Round", 11, 22)
def round_(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), Round())


@lowers("Mod", 10, 13)
def mod(call: Call) -> Tensor:
    """The rest x - d floor(x / d), with the sign of the constant d; by fmod x - d trunc(x / d), with that of x."""
    x, divisor = call.variable(0), call.constant(1)
    if not divisor.all():
        raise call.error("division by zero")
    if x.integral and not call.flag("fmod"):
        quotient = floor_of_quotient(call.graph, x, call.weights(divisor))
    elif call.flag("fmod"):
        quotient = truncated_quotient(call.graph, x, call.weights(divisor))
    else:
        raise call.error("Mod of floats without fmod, which the standard does not have", "set fmod to 1")
    return call.graph.combine([(1.0, x), (-1.0, call.graph.scale(quotient, call.weights(divisor)))])


def floor_of_quotient(graph: GraphBuilder, x: Variable, divisor: np.ndarray) -> Variable:
    """floor(x / d) for whole x and d: that of (x + 1/2) / d for d > 0, of (x - 1/2) / d else, which no jump is near."""
    shifted = graph.combine([(1.0, x), (1.0, np.where(divisor > 0, 0.5, -0.5))])
    return graph.elementwise(graph.scale(shifted, 1.0 / divisor), Floor())


def truncated_quotient(graph: GraphBuilder, x: Variable, divisor: np.ndarray) -> Variable:
    """The quotient x / d towards 0; for whole numbers floor(|x| / |d|) with the sign of both."""
    if not (is_whole(graph, x) and is_whole(graph, divisor)):
        return graph.elementwise(graph.scale(x, 1.0 / divisor), Truncation())
    size = np.abs(divisor)
    positive, negative = graph.relu(x), graph.relu(graph.combine([(-1.0, x)]))
    parts = [floor_of_quotient(graph, part, size) for part in (positive, negative)]
    return graph.scale(graph.combine([(1.0, parts[0]), (-1.0, parts[1])]), np.sign(divisor))
