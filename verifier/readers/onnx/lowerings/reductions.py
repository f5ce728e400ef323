"""ReduceSum, ReduceMean, ReduceL1, ReduceL2, ReduceSumSquare: a row of ones along the reduced axes."""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Dense
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
