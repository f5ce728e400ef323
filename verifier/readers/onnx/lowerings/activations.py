"""Activation functions and other functions of one variable."""

from __future__ import annotations

import numpy as np

from verifier.network import functions
from verifier.network.linear_maps import Identity, Scaling, Selection
from verifier.readers.onnx.builder import after, multiple
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.extrema import HUGE, clip
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("Relu", 6, 13, 14)
def relu(call: Call) -> Tensor:
    return call.graph.relu(call.variable(0))


@lowers("Sigmoid", 6, 13)
def sigmoid(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Sigmoid())


@lowers("Tanh", 6, 13)
def tanh(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Tanh())


@lowers("Erf", 9, 13)
def erf(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Erf())


@lowers("Exp", 6, 13)
def exp(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Exp())


@lowers("Log", 6, 13)
def log(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Log())


@lowers("Sqrt", 6, 13)
def sqrt(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Sqrt())


@lowers("Reciprocal", 6, 13)
def reciprocal(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Reciprocal())


@lowers("Softplus", 1, 22)
def softplus(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Softplus())


@lowers("Sin", 7, 22)
def sin(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Sin())


@lowers("Cos", 7, 22)
def cos(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Cos())


@lowers("Sign", 9, 13)
def sign(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Sign())


@lowers("Floor", 6, 13)
def floor(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Floor())


@lowers("Ceil", 6, 13)
def ceil(call: Call) -> Tensor:
    negative = call.graph.combine([(-1.0, call.variable(0))])
    return call.graph.combine([(-1.0, call.graph.elementwise(negative, functions.Floor()))])


@lowers("Elu", 6, 22)
def elu(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Elu(float(call.attribute("alpha"))))


@lowers("Selu", 6, 22)
def selu(call: Call) -> Tensor:
    alpha, gamma = float(call.attribute("alpha")), float(call.attribute("gamma"))
    return call.graph.elementwise(call.variable(0), functions.ScaledElu(alpha, gamma))


@lowers("Celu", 12)
def celu(call: Call) -> Tensor:
    """The function alpha * elu(x / alpha), with elu's own alpha 1."""
    alpha = float(call.attribute("alpha"))
    if alpha <= 0:
        raise call.error(f"Celu with alpha {alpha}")
    scaled = call.graph.combine([(1.0 / alpha, call.variable(0))])
    return call.graph.combine([(alpha, call.graph.elementwise(scaled, functions.Elu(1.0)))])


@lowers("Gelu", 20)
def gelu(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Gelu(call.attribute("approximate")))


@lowers("Abs", 6, 13)
def abs_(call: Call) -> Tensor:
    return magnitude(call, call.variable(0))


@lowers("LeakyRelu", 6, 16)
def leaky_relu(call: Call) -> Tensor:
    return leaky(call, call.variable(0), np.full((), float(call.attribute("alpha"))))


@lowers("PRelu", 7, 9, 16)
def prelu(call: Call) -> Tensor:
    x, slope = call.variable(0), call.weights(call.constant(1))
    if np.broadcast_shapes(x.shape, slope.shape) != x.shape:
        raise call.error(f"a slope of shape {slope.shape} for an operand of shape {x.shape}")
    return leaky(call, x, slope)


def leaky(call: Call, x: Variable, slope: np.ndarray) -> Variable:
    """The function slope * x + (1 - slope) * relu(x); relu(x) - slope * relu(-x) where slopes are negative or huge.

    A negative slope turns at 0, and only the second form is a sum of terms that all rise from there.
    """
    graph = call.graph
    slope = np.broadcast_to(slope, np.broadcast_shapes(x.shape, slope.shape))
    apart = (slope < 0) | (slope > HUGE)
    beside = np.where(apart, 0.0, slope)
    terms: list[tuple[float, Tensor]] = [(1.0, graph.scale(graph.relu(x), 1.0 - beside))]
    if not apart.all():
        terms.append((1.0, graph.scale(x, beside)))
    result = graph.combine(terms)
    if not apart.any():
        return result
    entries = np.flatnonzero(apart)
    place = np.full(x.size, -1)
    place[entries] = np.arange(entries.size)
    opposite = graph.affine([(x, multiple(-1.0, Selection(entries, x.size)))], (entries.size,))
    fall = after(Scaling(-np.where(apart, slope, 0.0).reshape(-1)), Selection(place, entries.size))
    return graph.affine([(result, Identity(x.size)), (graph.relu(opposite), fall)], x.shape)


@lowers("HardSigmoid", 6, 22)
def hard_sigmoid(call: Call) -> Tensor:
    return _hard_sigmoid(call, call.variable(0), float(call.attribute("alpha")), float(call.attribute("beta")))


@lowers("HardSwish", 14, 22)
def hard_swish(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.HardSwish())


@lowers("Swish", 24)
def swish(call: Call) -> Tensor:
    """With the factor alpha inside it is the plain one of alpha * x, over alpha; with 0, half of x."""
    graph, x, alpha = call.graph, call.variable(0), float(call.attribute("alpha"))
    if alpha == 0:
        return graph.combine([(0.5, x)])
    return graph.combine([(1.0 / alpha, graph.elementwise(graph.combine([(alpha, x)]), functions.Swish()))])


@lowers("Mish", 18, 22)
def mish(call: Call) -> Tensor:
    x = call.variable(0)
    inner = call.graph.elementwise(x, functions.Softplus())
    return call.graph.product(x, call.graph.elementwise(inner, functions.Tanh()))


@lowers("Softsign", 1, 22)
def softsign(call: Call) -> Tensor:
    return call.graph.elementwise(call.variable(0), functions.Softsign())


def magnitude(call: Call, x: Variable) -> Variable:
    """|x| = relu(x) + relu(-x)."""
    negative = call.graph.combine([(-1.0, x)])
    return call.graph.combine([(1.0, call.graph.relu(x)), (1.0, call.graph.relu(negative))])


def _hard_sigmoid(call: Call, x: Variable, alpha: float, beta: float) -> Variable:
    return clip(call.graph, call.graph.combine([(alpha, x), (1.0, np.full((), beta))]), 0.0, 1.0)
