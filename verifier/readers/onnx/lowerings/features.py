"""Scaler, Normalizer, ArrayFeatureExtractor and ZipMap of the domain ai.onnx.ml: what is done to rows of features."""

from __future__ import annotations

import numpy as np

from verifier.network.linear_maps import Dense, Scaling
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.activations import magnitude
from verifier.readers.onnx.lowerings.extrema import extremum_of_entries
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.standard import CLASSICAL
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("Scaler", 1, domain=CLASSICAL)
def scaler(call: Call) -> Tensor:
    """The function (x - offset) * scale."""
    x = _rows(call)
    offset, scale = (np.asarray(call.attribute(name, []), np.float64) for name in ("offset", "scale"))
    if len(offset) != len(scale) or len(scale) not in (1, x.shape[-1]):
        raise call.error(f"{len(offset)} offsets and {len(scale)} factors for {x.shape[-1]} features")
    factors = np.broadcast_to(scale, x.shape).reshape(-1)
    shift = -offset * scale
    return call.graph.affine([(x, Scaling(factors))], x.shape, shift, np.abs(shift))


@lowers("Normalizer", 1, domain=CLASSICAL)
def normalizer(call: Call) -> Tensor:
    """Each row divided by its norm (with MAX its largest entry, whatever the sizes are), or by 1 where that is 0."""
    from verifier.network.functions import Reciprocal, ReciprocalOrOne

    x, norm = _rows(call), call.attribute("norm")
    if norm == "L1" and x.shares:
        return x
    graph = call.graph
    rows, features = (1, x.shape[0]) if x.ndim == 1 else x.shape
    each_row = Dense(np.ones((1, features)), rows, exact=True)
    if norm == "L1":
        size = graph.affine([(x if x.positive else magnitude(call, x), each_row)], (rows, 1))
    elif norm == "L2":
        size = _root(call, graph.affine([(graph.product(x, x), each_row)], (rows, 1)))
    elif norm == "MAX":
        size = extremum_of_entries(graph, x, np.arange(x.size).reshape(rows, 1, features), 1.0)
    else:
        raise call.error(f"norm '{norm}' is unknown", "give MAX, L1 or L2")
    inverse = graph.elementwise(size, Reciprocal() if x.positive else ReciprocalOrOne())
    spread = graph.move([inverse], lambda a: np.broadcast_to(a, (rows, features)).reshape(x.shape))
    assert isinstance(spread, Variable)
    return graph.product(x, spread)


def _root(call: Call, x: Variable) -> Variable:
    from verifier.network.functions import Sqrt

    return call.graph.elementwise(x, Sqrt())


@lowers("ArrayFeatureExtractor", 1, domain=CLASSICAL, takes_constants=True)
def array_feature_extractor(call: Call) -> Tensor:
    """Entries of the last axis; one axis becomes two."""
    x, picked = call.tensor(0), call.required_integers(1)
    if not x.shape or not picked or not 0 <= min(picked) <= max(picked) < x.shape[-1]:
        raise call.error(f"indices {picked} into an operand of shape {tuple(x.shape)}")
    return call.graph.move([x], lambda a: np.take(a.reshape(1, -1) if a.ndim == 1 else a, picked, -1))


@lowers("ZipMap", 1, domain=CLASSICAL)
def zip_map(call: Call) -> Tensor:
    """The tensor whose rows the maps hold."""
    x = _rows(call)
    labels = [call.attribute(name) or [] for name in ("classlabels_int64s", "classlabels_strings")]
    if sorted(map(len, labels)) != [0, x.shape[-1]]:
        raise call.error(f"{len(labels[0])} numbers and {len(labels[1])} names for {x.shape[-1]} classes")
    return x


def _rows(call: Call) -> Variable:
    x = call.variable(0)
    if x.ndim not in (1, 2):
        raise call.error(f"an operand of shape {x.shape}, which is no row of features nor rows of them")
    return x
