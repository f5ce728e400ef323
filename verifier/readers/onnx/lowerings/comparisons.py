"""Comparisons, logic and choices: Greater, Equal, And, Not, Where and their kin, as steps of differences.

Truth is 1, falsehood 0. `a > b` is a step of a - b; of whole numbers it is made half a unit away, where no difference
lies, so that rounding decides nothing. Logic of zeros and ones is piecewise linear: And is relu(a + b - 1).
"""

from __future__ import annotations

import numpy as np

from verifier.network.functions import Near, Step
from verifier.network.graph import Affine, Elementwise
from verifier.network.linear_maps import Identity
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable
from verifier.readers.onnx.whole import is_whole

HALF = np.full((), 0.5)
ONE = np.full((), 1.0)


@lowers("Greater", 7, 9, 13)
def greater(call: Call) -> Tensor:
    return exceeds(call.graph, call.tensor(0), call.tensor(1), or_equals=False)


@lowers("GreaterOrEqual", 12, 16)
def greater_or_equal(call: Call) -> Tensor:
    _require_known(call)
    return exceeds(call.graph, call.tensor(0), call.tensor(1), or_equals=True)


@lowers("Less", 7, 9, 13)
def less(call: Call) -> Tensor:
    return exceeds(call.graph, call.tensor(1), call.tensor(0), or_equals=False)


@lowers("LessOrEqual", 12, 16)
def less_or_equal(call: Call) -> Tensor:
    _require_known(call)
    return exceeds(call.graph, call.tensor(1), call.tensor(0), or_equals=True)


def exceeds(graph: GraphBuilder, a: Tensor, b: Tensor, or_equals: bool) -> Variable:
    """1 where a > b (or a >= b), else 0, with broadcasting."""
    if is_whole(graph, a) and is_whole(graph, b):
        shift = 0.5 if or_equals else -0.5
        return graph.elementwise(graph.combine([(1.0, a), (-1.0, b), (shift, ONE)]), Step(at_zero=True))
    return graph.elementwise(graph.combine([(1.0, a), (-1.0, b)]), Step(at_zero=or_equals))


@lowers("Equal", 7, 11, 13, 19)
def equal(call: Call) -> Tensor:
    a, b = call.tensor(0), call.tensor(1)
    _require_known(call)
    if a.dtype == bool and b.dtype == bool:
        return negation(call.graph, _differ(call.graph, a, b))
    return equals(call.graph, a, b)


def equals(graph: GraphBuilder, a: Tensor, b: Tensor) -> Variable:
    """1 where a = b, else 0, with broadcasting."""
    radius = 0.5 if is_whole(graph, a) and is_whole(graph, b) else 0.0
    return graph.elementwise(graph.combine([(1.0, a), (-1.0, b)]), Near(radius))


@lowers("Not", 1)
def not_(call: Call) -> Tensor:
    return negation(call.graph, call.tensor(0))


def negation(graph: GraphBuilder, a: Tensor) -> Variable:
    """1 - a."""
    return graph.combine([(1.0, ONE), (-1.0, a)])


@lowers("And", 7)
def and_(call: Call) -> Tensor:
    return _both(call.graph, call.tensor(0), call.tensor(1))


def _both(graph: GraphBuilder, a: Tensor, b: Tensor) -> Variable:
    return graph.relu(graph.combine([(1.0, a), (1.0, b), (-1.0, ONE)]))


@lowers("Or", 7)
def or_(call: Call) -> Tensor:
    neither = call.graph.relu(call.graph.combine([(1.0, ONE), (-1.0, call.tensor(0)), (-1.0, call.tensor(1))]))
    return negation(call.graph, neither)


@lowers("Xor", 7)
def xor(call: Call) -> Tensor:
    return _differ(call.graph, call.tensor(0), call.tensor(1))


def _differ(graph: GraphBuilder, a: Tensor, b: Tensor) -> Variable:
    """Where two truths differ, a + b - 2 (a and b); with a constant it is a or 1 - a, entry by entry."""
    if isinstance(a, np.ndarray):
        a, b = b, a
    assert isinstance(a, Variable)
    if isinstance(b, np.ndarray):
        signs = graph.scale(a, np.where(b, -1.0, 1.0))
        return graph.combine([(1.0, signs), (1.0, b.astype(np.float64))])
    return graph.combine([(1.0, a), (1.0, b), (-2.0, _both(graph, a, b))])


def chosen(call: Call, condition: Variable, a: Tensor, b: Tensor) -> Variable:
    """One tensor where the condition holds, else the other: b + condition * (a - b)."""
    graph = call.graph
    for tensor in (a, b):
        constant = isinstance(tensor, np.ndarray)
        finite = np.isfinite(call.weights(tensor)).all() if isinstance(tensor, np.ndarray) else tensor.masked is None
        if not finite:
            what = "a constant" if constant else "an operand"
            raise call.error(f"{what} with infinite entries, chosen by a computed condition", "use finite numbers")
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        rise = call.weights(a) - call.weights(b)
        return graph.combine([(1.0, b), (1.0, graph.scale(condition, rise))])
    rest = graph.combine([(1.0, a), (-1.0, b)]) if _any(b) else _variable(graph, a)
    risen = gated(graph, condition, rest)
    return graph.combine([(1.0, b), (1.0, risen)]) if _any(b) else graph.combine([(1.0, risen), (1.0, _zeros(b))])


def _any(tensor: Tensor) -> bool:
    return isinstance(tensor, Variable) or bool(tensor.any())


def _zeros(tensor: Tensor) -> np.ndarray:
    return np.zeros(tensor.shape)


def _variable(graph: GraphBuilder, tensor: Tensor) -> Variable:
    return tensor if isinstance(tensor, Variable) else graph.constant(tensor.astype(np.float64))


def gated(graph: GraphBuilder, condition: Variable, x: Variable) -> Variable:
    """The product condition * x for a condition of zeros and ones; relu(x) where the condition is x > 0 itself."""
    return rectified(graph, condition, x) or graph.product(condition, x)


def rectified(graph: GraphBuilder, condition: Variable, x: Variable) -> Variable | None:
    """relu(x), if the condition is a step of x as it is; else None."""
    node = graph.nodes[condition.node]
    if not (isinstance(node, Elementwise) and isinstance(node.function, Step)) or condition.shape != x.shape:
        return None
    source = node.operands[0]
    inner = graph.nodes[source]
    if isinstance(inner, Affine) and len(inner.maps) == 1 and isinstance(inner.maps[0], Identity):
        source = source if inner.bias_magnitude.any() else inner.operands[0]
    return graph.relu(x) if source == x.node else None


@lowers("IsNaN", 9, 13, 20)
def is_nan(call: Call) -> Tensor:
    _require_total(call)
    return np.zeros(call.tensor(0).shape, bool)


@lowers("IsInf", 10, 20)
def is_inf(call: Call) -> Tensor:
    _require_total(call)
    return np.zeros(call.tensor(0).shape, bool)


def _require_known(call: Call) -> None:
    """Makes sure that a tensor that is compared with itself, as one looks for NaN, is never NaN."""
    a, b = call.tensor(0), call.tensor(1)
    if isinstance(a, Variable) and isinstance(b, Variable) and a == b:
        _require_total(call)


def _require_total(call: Call) -> None:
    """Makes sure that nothing on the way from the input can come to NaN or infinity."""
    graph, waiting, seen = call.graph, [call.variable(0).node], set()
    while waiting:
        k = waiting.pop()
        if k in seen:
            continue
        seen.add(k)
        node = graph.nodes[k]
        if isinstance(node, Elementwise) and node.function.name not in TOTAL:
            raise call.error(f"what it looks at comes from {node.function.name}, which may leave the finite numbers")
        waiting += node.operands


TOTAL = frozenset(
    {
        "asinh", "atan", "clip", "cos", "elu", "erf", "floor", "gelu", "hard swish", "near", "relu", "round", "selu",
        "sigmoid", "sign", "sin", "softplus", "softsign", "step", "swish", "tanh", "truncation",
    }
)  # fmt: skip
"""Functions that are finite everywhere, and do not overflow within usual numbers."""
