"""Reductions by a row of ones along the reduced axes, ReduceProd by a tree of products, and CumSum."""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Dense, Selection
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


def reduced_axes(call: Call, x: Variable, axes_input_since: int) -> tuple[list[int], tuple[int, ...]]:
    """The axes to reduce, ascending, and the shape of the result."""
    given = call.attribute("axes") if call.since < axes_input_since else call.integers(1)
    if not given:
        keep_all = given is not None or call.optional(1) is None
        given = [] if call.flag("noop_with_empty_axes") and keep_all else range(x.ndim)
    axes = sorted({call.axis(a, x.ndim) for a in given})
    if call.flag("keepdims"):
        return axes, tuple(1 if k in axes else n for k, n in enumerate(x.shape))
    return axes, tuple(n for k, n in enumerate(x.shape) if k not in axes)


def add_up(call: Call, x: Variable, mean: bool, axes_input_since: int) -> Variable:
    """The sum (or mean) of x over the axes that the call names."""
    axes, shape = reduced_axes(call, x, axes_input_since)
    if not axes:
        return x
    if axes != list(range(axes[0], axes[-1] + 1)):
        moved = call.graph.move([x], lambda a: np.moveaxis(a, axes, range(axes[0], axes[0] + len(axes))))
        assert isinstance(moved, Variable)
        x, axes = moved, list(range(axes[0], axes[0] + len(axes)))
    entries = math.prod(x.shape[axes[0] : axes[-1] + 1])
    weight = np.full((1, entries), 1.0 / entries if mean else 1.0)
    along = Dense(weight, math.prod(x.shape[: axes[0]]), math.prod(x.shape[axes[-1] + 1 :]))
    return call.graph.affine([(x, along)], shape)


@lowers("ReduceSum", 1, 11, 13)
def reduce_sum(call: Call) -> Tensor:
    return add_up(call, call.variable(0), mean=False, axes_input_since=13)


@lowers("ReduceMean", 1, 11, 13, 18)
def reduce_mean(call: Call) -> Tensor:
    x = call.variable(0)
    if x.integral:
        raise call.error("a mean of integers, which is rounded, is not supported", "cast them to floats first")
    return add_up(call, x, mean=True, axes_input_since=18)


@lowers("ReduceSumSquare", 1, 11, 13, 18)
def reduce_sum_square(call: Call) -> Tensor:
    x = call.variable(0)
    return add_up(call, call.graph.product(x, x), mean=False, axes_input_since=18)


@lowers("ReduceL2", 1, 11, 13, 18)
def reduce_l2(call: Call) -> Tensor:
    from verifier.network.functions import Sqrt

    x = call.variable(0)
    squares = add_up(call, call.graph.product(x, x), mean=False, axes_input_since=18)
    return call.graph.elementwise(squares, Sqrt())


@lowers("ReduceL1", 1, 11, 13, 18)
def reduce_l1(call: Call) -> Tensor:
    x = call.variable(0)
    negative = call.graph.combine([(-1.0, x)])
    magnitude = call.graph.combine([(1.0, call.graph.relu(x)), (1.0, call.graph.relu(negative))])
    return add_up(call, magnitude, mean=False, axes_input_since=18)


@lowers("ReduceLogSum", 1, 11, 13, 18)
def reduce_log_sum(call: Call) -> Tensor:
    from verifier.network.functions import Log

    return call.graph.elementwise(add_up(call, call.variable(0), mean=False, axes_input_since=18), Log())


@lowers("ReduceLogSumExp", 1, 11, 13, 18)
def reduce_log_sum_exp(call: Call) -> Tensor:
    from verifier.network.functions import Exp, Log

    powers = call.graph.elementwise(call.variable(0), Exp())
    return call.graph.elementwise(add_up(call, powers, mean=False, axes_input_since=18), Log())


@lowers("ReduceProd", 1, 11, 13, 18)
def reduce_prod(call: Call) -> Tensor:
    graph, x = call.graph, call.variable(0)
    axes, shape = reduced_axes(call, x, axes_input_since=18)
    if not axes:
        return x
    entries = np.moveaxis(np.arange(x.size).reshape(x.shape), axes, range(-len(axes), 0)).reshape(math.prod(shape), -1)
    level = [
        graph.affine([(x, Selection(column, x.size))], shape) for column in np.ascontiguousarray(entries.T)
    ]  # one tensor for each factor
    while len(level) > 1:
        pairs = [graph.product(a, b) for a, b in zip(level[0::2], level[1::2], strict=False)]
        level = [*pairs, *level[2 * len(pairs) :]]
    return level[0]


@lowers("CumSum", 11, 14)
def cum_sum(call: Call) -> Tensor:
    x, axis = call.variable(0), call.required_integers(1)
    if len(axis) != 1:
        raise call.error(f"{len(axis)} axes, not one")
    at = call.axis(axis[0], x.ndim)
    count = x.shape[at]
    taken = np.tri(count, k=-1 if call.flag("exclusive") else 0)
    weight = np.ascontiguousarray(taken[::-1, ::-1] if call.flag("reverse") else taken)
    return call.graph.affine([(x, Dense(weight, math.prod(x.shape[:at]), math.prod(x.shape[at + 1 :])))], x.shape)
