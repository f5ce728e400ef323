"""Trigonometric and hyperbolic functions and their inverses, and activations that jump."""

from __future__ import annotations

import numpy as np

from verifier.network import functions
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import Lower, lowers
from verifier.readers.onnx.tensors import Tensor, Variable

VERSIONS = {
    "Tan": (7, 22),
    "Asin": (7, 22),
    "Acos": (7, 22),
    "Atan": (7, 22),
    "Sinh": (9, 22),
    "Cosh": (9, 22),
    "Asinh": (9, 22),
    "Acosh": (9, 22),
    "Atanh": (9, 22),
}
"""Operators that are a function of the same name, and their versions."""


def _applies(name: str) -> Lower:
    def apply(call: Call) -> Tensor:
        return call.graph.elementwise(call.variable(0), getattr(functions, name)())

    return apply


for _name, _versions in VERSIONS.items():
    lowers(_name, *_versions)(_applies(_name))


@lowers("ThresholdedRelu", 10, 22)
def thresholded_relu(call: Call) -> Tensor:
    return above_threshold(call.graph, call.variable(0), float(call.attribute("alpha")), float(call.attribute("alpha")))


@lowers("Shrink", 9)
def shrink(call: Call) -> Tensor:
    """The operand x moved towards 0 by the bias where |x| exceeds lambd, else 0."""
    graph, x = call.graph, call.variable(0)
    limit, bias = float(call.attribute("lambd")), float(call.attribute("bias"))
    if limit < 0:
        raise call.error(f"Shrink with lambd {limit}")
    right = above_threshold(graph, x, limit, limit - bias)
    left = above_threshold(graph, graph.combine([(-1.0, x)]), limit, limit - bias)
    return graph.combine([(1.0, right), (-1.0, left)])


def above_threshold(graph: GraphBuilder, x: Variable, threshold: float, height: float) -> Variable:
    """The value x - threshold + height where x is above the threshold, else 0."""
    beyond = graph.combine([(1.0, x), (-1.0, np.full((), threshold))])
    parts: list[tuple[float, Tensor]] = [(1.0, graph.relu(beyond))]
    if height:
        parts.append((height, graph.elementwise(beyond, functions.Step(at_zero=False))))
    return graph.combine(parts)
