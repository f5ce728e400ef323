"""The activation functions that RNN, GRU and LSTM name in their attributes (ONNX, "LSTM")."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np

from verifier.network import functions
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.elementary import above_threshold
from verifier.readers.onnx.lowerings.extrema import clip
from verifier.readers.onnx.tensors import Variable

Gate: TypeAlias = Callable[[Variable], Variable]

PLAIN = {
    "relu": "Relu",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softsign": "Softsign",
    "softplus": "Softplus",
}
"""Those without parameters, by the name of their function."""

DEFAULTS: dict[str, tuple[float | None, ...]] = {
    "affine": (None, None),
    "leakyrelu": (0.01,),
    "thresholdedrelu": (None,),
    "scaledtanh": (None, None),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0,),
}
"""Those with an alpha, and maybe a beta, and their defaults; None has to be given."""


def gates(call: Call, names: list[str], limits: list[float | None]) -> list[Gate]:
    """The functions of these names in order, each of which clips its argument to [-limit, limit] first.

    Parameters are taken from the attributes in turn, by those functions alone that have one.
    """
    alphas, betas = (iter(call.attribute(f"activation_{which}", [])) for which in ("alpha", "beta"))
    found: list[Gate] = []
    for name, limit in zip(names, limits, strict=True):
        lowered = name.lower()
        defaults = DEFAULTS.get(lowered, ())
        if lowered not in PLAIN and lowered not in DEFAULTS:
            raise call.error(f"activation '{name}' is not supported")
        parameters = [next(values, default) for values, default in zip((alphas, betas), defaults, strict=False)]
        if None in parameters:
            raise call.error(f"activation '{name}' needs a value in activation_alpha and activation_beta")
        numbers = [float(p) for p in parameters if p is not None]
        found.append(partial(_applied, call.graph, lowered, numbers, limit))
    return found


def _applied(graph: GraphBuilder, name: str, parameters: list[float], limit: float | None, x: Variable) -> Variable:
    if limit is not None:
        x = clip(graph, x, -limit, limit)
    if name in PLAIN:
        return graph.elementwise(x, getattr(functions, PLAIN[name])())
    if name == "elu":
        return graph.elementwise(x, functions.Elu(parameters[0]))
    if name == "thresholdedrelu":
        return above_threshold(graph, x, parameters[0], parameters[0])
    if name == "leakyrelu":
        slope = parameters[0]
        return graph.combine([(slope, x), (1.0 - slope, graph.relu(x))])
    alpha, beta = parameters
    if name == "scaledtanh":
        return graph.combine([(alpha, graph.elementwise(graph.combine([(beta, x)]), functions.Tanh()))])
    line = graph.combine([(alpha, x), (1.0, np.full((), beta))])
    return line if name == "affine" else clip(graph, line, 0.0, 1.0)
