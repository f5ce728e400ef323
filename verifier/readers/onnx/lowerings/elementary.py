"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from verifier.network import functions
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import Lower, lowers
from verifier.readers.onnx.tensors import Tensor

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
