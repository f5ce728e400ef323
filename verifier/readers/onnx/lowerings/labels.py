"""ArgMax, ArgMin and Hardmax: the place of an extremum, as a sum of steps of differences of maxima.

The first maximum stands at k or later where what is there exceeds all that is before: so the place is the number of k
from 1 on with max(x_k, x_k+1, ...) > max(x_0, ..., x_k-1), for the last of equal maxima with >=. Each such step is 0 or
1 by itself, so that no bound of theirs leaves the range of places, and of two channels it is a step of a difference.
"""

from __future__ import annotations

import numpy as np

from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.comparisons import exceeds
from verifier.readers.onnx.lowerings.extrema import extremum
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("ArgMax", 1, 11, 12, 13)
def arg_max(call: Call) -> Tensor:
    return _place(call, call.variable(0))


@lowers("ArgMin", 1, 11, 12, 13)
def arg_min(call: Call) -> Tensor:
    return _place(call, call.graph.combine([(-1.0, call.variable(0))]))


def _place(call: Call, x: Variable) -> Tensor:
    graph, axis = call.graph, call.axis(call.attribute("axis", 0), x.ndim)
    shape = [1 if k == axis else n for k, n in enumerate(x.shape)]
    if not call.flag("keepdims"):
        del shape[axis]
    if x.shape[axis] == 1:
        return np.zeros(shape, np.int64)
    later = places(call, moved(graph, x, lambda a: np.moveaxis(a, axis, -1)), call.flag("select_last_index"))
    total = graph.combine([(1.0, moved(graph, later, lambda a, k=k: a[..., k])) for k in range(later.shape[-1])])
    return moved(graph, total, lambda a: a.reshape(shape))


def places(call: Call, x: Variable, last: bool) -> Variable:
    """For each k from 1 on whether the maximum along the last axis stands at k or later, shape (..., size - 1).

    Args:
        last: whether the last of equal maxima counts, or the first.
    """
    graph = call.graph
    before = running_maxima(call, moved(graph, x, lambda a: a[..., :-1]))
    backward = running_maxima(call, moved(graph, x, lambda a: a[..., :0:-1]))
    return exceeds(graph, moved(graph, backward, lambda a: a[..., ::-1]), before, or_equals=last)


def running_maxima(call: Call, x: Variable) -> Variable:
    """The maxima of all that comes up to each place along the last axis, in as many levels as their logarithm."""
    graph, reach = call.graph, 1
    while reach < x.shape[-1]:
        kept = moved(graph, x, lambda a, n=reach: a[..., :n])
        pair = [moved(graph, x, lambda a, n=reach: a[..., n:]), moved(graph, x, lambda a, n=reach: a[..., :-n])]
        x = moved(graph, [kept, extremum(call, list(pair), 1.0)], lambda a, b: np.concatenate([a, b], axis=-1))
        reach *= 2
    return x


def moved(graph: GraphBuilder, tensors: Tensor | list[Tensor], rearrange: object) -> Variable:
    """`GraphBuilder.move` of tensors of which one at least is a variable."""
    result = graph.move(tensors if isinstance(tensors, list) else [tensors], rearrange)  # type: ignore[arg-type]
    assert isinstance(result, Variable)
    return result


@lowers("Hardmax", 1, 11, 13)
def hardmax(call: Call) -> Tensor:
    """1 at the first maximum, 0 elsewhere: differences of neighbouring steps."""
    graph, x, shape = call.graph, call.variable(0), call.tensor(0).shape
    axis = call.axis(call.attribute("axis", 1 if call.since < 13 else -1), x.ndim)
    if call.since < 13:
        x = moved(graph, x, lambda a: a.reshape(int(np.prod(shape[:axis], dtype=np.int64)), -1))
    else:
        x = moved(graph, x, lambda a: np.moveaxis(a, axis, -1))
    if x.shape[-1] == 1:
        return np.ones(shape, np.float32)
    later = places(call, x, last=False)
    edge = (*x.shape[:-1], 1)
    upper = moved(graph, [np.ones(edge), later], lambda a, b: np.concatenate([a, b], axis=-1))
    lower = moved(graph, [later, np.zeros(edge)], lambda a, b: np.concatenate([a, b], axis=-1))
    result = graph.combine([(1.0, upper), (-1.0, lower)])
    if call.since < 13:
        return moved(graph, result, lambda a: a.reshape(shape))
    return moved(graph, result, lambda a: np.moveaxis(a, -1, axis))
