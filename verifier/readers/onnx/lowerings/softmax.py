"""Softmax and LogSoftmax from differences: softmax_i = 1 / sum_j exp(x_j - x_i).

No product is needed, a shared shift of x cancels before any relaxation, and no exponential that matters overflows.
An entry that a mask has made minus infinity adds nothing, and its own result is 0.
"""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Dense, Selection
from verifier.readers.onnx.builder import multiple
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("Softmax", 1, 11, 13)
def softmax(call: Call) -> Tensor:
    x = call.variable(0)
    axis, end = _axes(call, x)
    result = softmax_along(call, x, axis, end)
    return result if x.masked is None else call.graph.scale(result, np.where(x.masked, 0.0, 1.0))


def softmax_along(call: Call, x: Variable, axis: int, end: int) -> Variable:
    """The softmax of x over the axes from `axis` up to, but without, `end`."""
    from verifier.network.functions import Reciprocal

    return call.graph.elementwise(_sum_of_exponentials(call, x, axis, end), Reciprocal())


@lowers("LogSoftmax", 1, 11, 13)
def log_softmax(call: Call) -> Tensor:
    from verifier.network.functions import Log

    x = call.variable(0)
    return call.graph.combine([(-1.0, call.graph.elementwise(_sum_of_exponentials(call, x, *_axes(call, x)), Log()))])


def _axes(call: Call, x: Variable) -> tuple[int, int]:
    """The axes over which the operator sums: from the first up to, but without, the second."""
    axis = call.axis(call.attribute("axis", 1 if call.since < 13 else -1), x.ndim)
    return axis, axis + 1 if call.since >= 13 else x.ndim  # before 13, all axes from `axis` on are one


def _sum_of_exponentials(call: Call, x: Variable, axis: int, end: int) -> Variable:
    """For every entry i, the sum over the entries j of its group of exp(x_j - x_i)."""
    from verifier.network.functions import Exp

    groups = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:end]), math.prod(x.shape[end:]))
    before, count, following = groups
    numbers = np.arange(x.size).reshape(groups)
    pairs = (before, count, count, following)  # (group, i, j, group)
    same = np.eye(count, dtype=bool)[:, :, None]
    of_i = np.where(same, -1, np.broadcast_to(numbers[:, :, None, :], pairs)).reshape(-1)
    of_j = np.where(same, -1, np.broadcast_to(numbers[:, None, :, :], pairs)).reshape(-1)
    minus_i = multiple(-1.0, Selection(of_i, x.size))
    gaps = call.graph.affine([(x, Selection(of_j, x.size)), (x, minus_i)], pairs)
    powers = call.graph.elementwise(gaps, Exp())
    if x.masked is not None:
        kept = ~x.masked.reshape(groups)
        if not kept.any(axis=1).all():
            raise call.error("every entry of a row is minus infinity, so that its result is not a number")
        powers = call.graph.scale(powers, np.broadcast_to(kept[:, None, :, :], pairs).astype(np.float64))
    sums = Dense(np.ones((1, count)), before * count, following)
    return call.graph.affine([(powers, sums)], x.shape)
