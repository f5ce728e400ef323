"""Pow with a constant on one side."""

from __future__ import annotations

import numpy as np

from verifier.network.functions.base import ScalarFunction
from verifier.network.linear_maps import LinearMap, Selection
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("Pow", 7, 12, 13, 15)
def pow_(call: Call) -> Tensor:
    base, exponent = call.tensor(0), call.tensor(1)
    if isinstance(exponent, np.ndarray):
        return _constant_exponent(call, call.variable(0), call.weights(exponent))
    if isinstance(base, Variable):
        raise call.error("Pow with a computed base and a computed exponent is not supported")
    from verifier.network.functions import Exp

    if not (call.weights(base) > 0).all():
        raise call.error("Pow of a constant base is supported only for positive bases")
    return call.graph.elementwise(call.graph.scale(exponent, np.log(call.weights(base))), Exp())


def _constant_exponent(call: Call, x: Variable, exponents: np.ndarray) -> Tensor:
    """Entries with the same exponent go through one function together."""
    graph = call.graph
    shape = np.broadcast_shapes(x.shape, exponents.shape)
    x = graph.broadcast(x, shape)
    flat = np.broadcast_to(exponents, shape).reshape(-1)
    distinct = np.unique(flat)
    if len(distinct) == 1:
        return _power(call, x, float(distinct[0]))
    parts: list[tuple[Variable, LinearMap]] = []
    for exponent in distinct:
        entries = np.flatnonzero(flat == exponent)
        place = np.full(flat.size, -1)
        place[entries] = np.arange(entries.size)
        chosen = graph.affine([(x, Selection(entries, x.size))], (entries.size,))
        parts.append((_power(call, chosen, float(exponent)), Selection(place, entries.size)))
    return graph.affine(parts, shape)


def _power(call: Call, x: Variable, exponent: float) -> Variable:
    if not np.isfinite(exponent):
        raise call.error(f"exponent {exponent}")
    if exponent == 0.0:
        return call.graph.constant(np.ones(x.shape))
    return x if exponent == 1.0 else call.graph.elementwise(x, _power_function(exponent))


def _power_function(exponent: float) -> ScalarFunction:
    from verifier.network.functions import Power, Reciprocal, Sqrt

    if exponent == 0.5:
        return Sqrt()
    return Reciprocal() if exponent == -1.0 else Power(exponent)
