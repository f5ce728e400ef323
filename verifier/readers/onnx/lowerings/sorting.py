"""TopK: values by a network of comparators, places by how many entries come before each.

A comparator puts the larger of two entries first; sorting by neighbours, odd and even in turn, takes as many rounds as
there are entries. Of equal entries the one of the lower place comes first, as the standard says.
"""

from __future__ import annotations

import numpy as np

from verifier.network.functions import Near
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.comparisons import exceeds
from verifier.readers.onnx.lowerings.extrema import extremum
from verifier.readers.onnx.lowerings.labels import moved
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable

MOST_SORTED = 64
"""Entries along an axis beyond which all pairs of them would be too many."""


@lowers("TopK", 10, 11, 24)
def top_k(call: Call) -> tuple[Tensor, ...]:
    graph, x = call.graph, call.variable(0)
    axis, count = call.axis(call.attribute("axis", -1), x.ndim), call.required_integers(1)[0]
    size = x.shape[axis]
    if not call.attribute("sorted", 1):
        raise call.error("an order that is not said", "set sorted to 1")
    if size > MOST_SORTED or not 0 < count <= size:
        raise call.error(f"the first {count} of {size} entries; at most {MOST_SORTED} are sorted")
    if (largest := call.attribute("largest", 1)) not in (0, 1):  # the runtime does not read all else as true
        raise call.error(f"largest is {largest}", "set it to 0 or 1")
    sign = 1.0 if largest else -1.0
    line = moved(graph, x, lambda a: np.moveaxis(a, axis, -1))
    line = line if sign > 0 else graph.combine([(-1.0, line)])
    values = graph.combine([(sign, moved(graph, _sorted(call, line), lambda a: a[..., :count]))])
    places = _places(graph, line, count)
    return tuple(moved(graph, part, lambda a: np.moveaxis(a, -1, axis)) for part in (values, places))


def _sorted(call: Call, x: Variable) -> Variable:
    """The entries along the last axis, the largest first."""
    graph, size = call.graph, x.shape[-1]
    for turn in range(size if size > 1 else 0):
        first = np.arange(turn % 2, size - 1, 2)
        if not len(first):
            continue
        pair = [moved(graph, x, lambda a, at=at: a[..., at]) for at in (first, first + 1)]
        ends = [extremum(call, list(pair), side) for side in (1.0, -1.0)]

        def put(a: np.ndarray, high: np.ndarray, low: np.ndarray, first: np.ndarray = first) -> np.ndarray:
            a = a.copy()
            a[..., first], a[..., first + 1] = high, low
            return a

        x = moved(graph, [x, *ends], put)
    return x


def _places(graph: GraphBuilder, x: Variable, count: int) -> Variable:
    """Where the first `count` entries of that order stand: entry i is the r-th if r others come before it."""
    size = x.shape[-1]
    one, other = (moved(graph, x, lambda a, axis=axis: np.expand_dims(a, axis)) for axis in (-2, -1))
    earlier = np.tril(np.ones((size, size)), -1)  # entry i (row) comes after those before it (column) if they are equal
    strict = graph.scale(exceeds(graph, one, other, or_equals=False), np.triu(np.ones((size, size)), 1))
    equal = graph.scale(exceeds(graph, one, other, or_equals=True), earlier)
    before = graph.combine([(1.0, strict), (1.0, equal)])
    rank = _summed(graph, before, np.ones(size))
    ranks = moved(graph, rank, lambda a: a[..., None, :])
    hit = graph.elementwise(graph.combine([(1.0, ranks), (-1.0, np.arange(float(count))[:, None])]), Near(0.5))
    return _summed(graph, hit, np.arange(float(size)))


def _summed(graph: GraphBuilder, x: Variable, weights: np.ndarray) -> Variable:
    """The weighted sum along the last axis."""
    from verifier.network.linear_maps import Dense

    rows = x.size // x.shape[-1]
    return graph.affine([(x, Dense(weights[None, :], before=rows, exact=True))], x.shape[:-1])
