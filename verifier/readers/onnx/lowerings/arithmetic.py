"""Add, Sub, Neg, Sum, Mean, Mul, Div, with ONNX's (NumPy's) broadcasting."""

from __future__ import annotations

import numpy as np

from verifier.network.graph import Elementwise
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.comparisons import rectified
from verifier.readers.onnx.lowerings.integers import truncated_quotient
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable, unmasked, with_mask


@lowers("Add", 7, 13, 14)
def add(call: Call) -> Tensor:
    (a, masked_a), (b, masked_b) = unmasked(call.tensor(0)), unmasked(call.tensor(1))
    return with_mask(call.graph.combine([(1.0, a), (1.0, b)]), masked_a | masked_b)


@lowers("Sub", 7, 13, 14)
def sub(call: Call) -> Tensor:
    return call.graph.combine([(1.0, call.tensor(0)), (-1.0, call.tensor(1))])


@lowers("Neg", 6, 13)
def neg(call: Call) -> Tensor:
    return call.graph.combine([(-1.0, call.variable(0))])


@lowers("Sum", 6, 8, 13)
def sum_(call: Call) -> Tensor:
    return call.graph.combine([(1.0, t) for t in call.tensors()])


@lowers("Mean", 6, 8, 13)
def mean(call: Call) -> Tensor:
    tensors = call.tensors()
    return call.graph.combine([(1.0 / len(tensors), t) for t in tensors])


@lowers("Mul", 7, 13, 14)
def mul(call: Call) -> Tensor:
    return multiply(call, call.tensor(0), call.tensor(1))


@lowers("Div", 7, 13, 14)
def div(call: Call) -> Tensor:
    numerator, denominator = call.tensor(0), call.tensor(1)
    if _integers(numerator) and not isinstance(denominator, Variable) and denominator.all():
        return truncated_quotient(call.graph, call.variable(0), call.weights(denominator))
    if isinstance(denominator, Variable):
        if _integers(denominator):
            raise call.error("integers divided by computed integers are not supported", "divide by a constant")
        from verifier.network.functions import Reciprocal

        return multiply(call, numerator, call.graph.elementwise(denominator, Reciprocal()))
    if not denominator.all():
        raise call.error("division by zero")
    return multiply(call, numerator, 1.0 / call.weights(denominator))


def multiply(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """The product a * b; a Product node only where both depend on the input, and are not x and its own gate."""
    if isinstance(a, np.ndarray):
        a, b = b, a
    assert isinstance(a, Variable)
    if not isinstance(b, Variable):
        return call.graph.scale(a, call.weights(b))
    graph = call.graph
    known = _swish(call, a, b) or _swish(call, b, a) or rectified(graph, a, b) or rectified(graph, b, a)
    return known or graph.product(a, b)


def _integers(tensor: Tensor) -> bool:
    return tensor.dtype is not None and tensor.dtype.kind in "iu"


def _swish(call: Call, x: Variable, gate: Variable) -> Variable | None:
    """The product where the gate is sigmoid(x), as exporters write swish; else None."""
    from verifier.network.functions import Sigmoid, Swish

    node = call.graph.nodes[gate.node]
    own = isinstance(node, Elementwise) and isinstance(node.function, Sigmoid) and node.operands == (x.node,)
    return call.graph.elementwise(x, Swish()) if own and x.shape == gate.shape else None
