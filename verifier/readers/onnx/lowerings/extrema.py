"""Max, Min, ReduceMax, ReduceMin as affine maps and relu, by max(a, b) = a + relu(b - a); Clip as a function."""

from __future__ import annotations

import numpy as np

from verifier.network.functions.clip import Clip
from verifier.network.linear_maps import Selection
from verifier.readers.onnx.builder import GraphBuilder, multiple
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.reductions import reduced_axes
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable

HUGE = 2.0**20
"""From here on, subtracting a constant and adding it again costs digits that matter."""


@lowers("Max", 6, 8, 12, 13)
def max_(call: Call) -> Tensor:
    return extremum(call, call.tensors(), 1.0)


@lowers("Min", 6, 8, 12, 13)
def min_(call: Call) -> Tensor:
    return extremum(call, call.tensors(), -1.0)


def extremum(call: Call, tensors: list[Tensor], sign: float) -> Tensor:
    """The entrywise maximum (sign 1) or minimum (sign -1) of tensors, with broadcasting."""
    constants = [call.weights(t) for t in tensors if isinstance(t, np.ndarray)]
    level: list[Tensor] = [t for t in tensors if isinstance(t, Variable)]
    if constants:
        best = constants[0]
        for constant in constants[1:]:
            best = np.maximum(best, constant) if sign > 0 else np.minimum(best, constant)
        level.insert(0, best)
    while len(level) > 1:
        pairs = [_pair(call.graph, a, b, sign) for a, b in zip(level[0::2], level[1::2], strict=False)]
        level = [*pairs, *level[2 * len(pairs) :]]
    return level[0]


def _pair(graph: GraphBuilder, a: Tensor, b: Tensor, sign: float) -> Variable:
    """max(a, b) = a + relu(b - a), and min(a, b) = a - relu(a - b).

    Bounds come out tighter with a constant as `a`; but a huge one swallows the digits of the other in b - a.
    """
    if isinstance(a, np.ndarray) and np.abs(a).max(initial=0.0) > HUGE:
        a, b = b, a
    gap = graph.relu(graph.combine([(sign, b), (-sign, a)]))
    return graph.combine([(1.0, a), (sign, gap)])


def extremum_of_entries(graph: GraphBuilder, x: Variable, entries: np.ndarray, sign: float) -> Variable:
    """For every row of `entries`, the maximum (sign 1) or minimum (sign -1) of those entries of x.

    `entries` has shape (*shape, K) and holds flat indices into x; -1 stands for an entry that never wins. It takes a
    tree of pairwise maxima, log2(K) levels deep. Where one of a pair is missing the other wins outright, so padding
    is minus infinity and costs no looseness.
    """
    if (entries < 0).all(axis=-1).any():
        raise ValueError("a window holds nothing but padding")
    entries = np.sort(entries, axis=-1)[..., ::-1]  # missing ones last, where they meet each other
    shape = entries.shape[:-1]
    level = entries.reshape(-1, entries.shape[-1])
    while level.shape[1] > 1:
        x, level = _tournament_round(graph, x, level, sign)
    chosen = level.reshape(shape)
    result = graph.move([x], lambda a: a.reshape(-1)[chosen])
    assert isinstance(result, Variable)
    return result


def _tournament_round(graph: GraphBuilder, x: Variable, level: np.ndarray, sign: float) -> tuple[Variable, np.ndarray]:
    """Pairs column 2k with column 2k + 1; what is left over goes through."""
    columns = level.shape[1]
    if columns % 2:
        level = np.concatenate([level, np.full((len(level), 1), -1)], axis=1)
    first, second = level[:, 0::2].reshape(-1), level[:, 1::2].reshape(-1)
    contested = np.flatnonzero((first >= 0) & (second >= 0))
    a, b = Selection(first[contested], x.size), Selection(second[contested], x.size)
    gap = graph.affine([(x, multiple(sign, b)), (x, multiple(-sign, a))], (contested.size,))
    place = np.full(first.size, -1)
    place[contested] = np.arange(contested.size)
    winners = Selection(np.where(first >= 0, first, second), x.size)
    rise = multiple(sign, Selection(place, contested.size))
    result = graph.affine([(x, winners), (graph.relu(gap), rise)], (first.size,))
    numbers = np.where((first >= 0) | (second >= 0), np.arange(first.size), -1)
    return result, numbers.reshape(len(level), -1)


@lowers("ReduceMax", 1, 11, 12, 13, 18, 20)
def reduce_max(call: Call) -> Tensor:
    return _reduce(call, 1.0)


@lowers("ReduceMin", 1, 11, 12, 13, 18, 20)
def reduce_min(call: Call) -> Tensor:
    return _reduce(call, -1.0)


def _reduce(call: Call, sign: float) -> Tensor:
    x = call.variable(0)
    axes, shape = reduced_axes(call, x, axes_input_since=18)
    if not axes:
        return x
    numbers = np.moveaxis(np.arange(x.size).reshape(x.shape), axes, range(-len(axes), 0))
    return extremum_of_entries(call.graph, x, numbers.reshape((*shape, -1)), sign)


@lowers("Clip", 6)
def clip_by_attributes(call: Call) -> Tensor:
    low, high = float(call.attribute("min")), float(call.attribute("max"))
    if low > high:
        raise call.error(f"its min {low:g} is above its max {high:g}, which ONNX Runtime refuses", "mend its bounds")
    return clip(call.graph, call.variable(0), *_bounding(low, high, np.dtype(np.float32)))


@lowers("Clip", 11, 12, 13)
def clip_by_operands(call: Call) -> Tensor:
    x, low, high = call.variable(0), call.optional(1), call.optional(2)
    if isinstance(low, Variable) or isinstance(high, Variable):
        raised = extremum(call, [x, low], 1.0) if low is not None else x
        return extremum(call, [raised, high], -1.0) if high is not None else raised
    given = [bound for bound in (low, high) if bound is not None]
    if not given:
        return x
    bounds = [
        missing if bound is None else float(call.weights(bound).reshape(()))
        for bound, missing in ((low, -np.inf), (high, np.inf))
    ]
    return clip(call.graph, x, *_bounding(bounds[0], bounds[1], given[0].dtype))


def _bounding(low: float, high: float, dtype: np.dtype) -> tuple[float, float]:
    """The bounds, infinite where they bound no finite number of the type: exporters write its ends for "none"."""
    if np.isnan(low) or np.isnan(high):
        raise ValueError("a bound is NaN")
    largest = float(np.finfo(dtype).max) if np.issubdtype(dtype, np.floating) else np.inf
    return (low if low > -largest else -np.inf), (high if high < largest else np.inf)


def clip(graph: GraphBuilder, x: Variable, low: float, high: float) -> Variable:
    """min(max(x, low), high), where infinite bounds bound nothing."""
    if low >= high or high == -np.inf:
        return graph.constant(np.full(x.shape, high))
    if low > -np.inf and high < np.inf:
        return graph.elementwise(x, Clip(low, high))
    if low > -np.inf:
        return _pair(graph, np.full((), low), x, 1.0)
    return x if high == np.inf else _pair(graph, np.full((), high), x, -1.0)
