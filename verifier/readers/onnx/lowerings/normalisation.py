"""Normalisations: BatchNormalization (for inference, a scaling), those over parts of a tensor, and by norms."""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Dense, Scaling
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.activations import magnitude
from verifier.readers.onnx.lowerings.arithmetic import multiply
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("BatchNormalization", 7, 9, 14, 15)
def batch_normalization(call: Call) -> Tensor:
    x = call.variable(0)
    if call.flag("training_mode"):
        raise call.error("BatchNormalization in training mode", "export the model in evaluation mode")
    scale, bias, mean, variance = (call.weights(call.constant(i)) for i in range(1, 5))
    each_channel = call.since > 7 or call.flag("spatial")
    own = x.shape[1:2] if each_channel else x.shape[1:]
    if any(p.shape != own for p in (scale, bias, mean, variance)):
        raise call.error(f"parameters of shape {scale.shape} for an operand of shape {x.shape}")
    factor = scale / np.sqrt(variance + float(call.attribute("epsilon")))
    spatial = (1,) * (x.ndim - 2) if each_channel else ()
    factors = np.broadcast_to(factor.reshape(own + spatial), x.shape).reshape(-1)
    shift = (bias - mean * factor).reshape(own + spatial)
    magnitude = (np.abs(bias) + np.abs(mean * factor)).reshape(own + spatial)
    return call.graph.affine([(x, Scaling(factors))], x.shape, shift, magnitude)


@lowers("LayerNormalization", 17)
def layer_normalization(call: Call) -> Tensor:
    x = call.variable(0)
    axis = call.axis(call.attribute("axis", -1), x.ndim)
    normal = _standardised(call, x, axis)
    scaled = multiply(call, normal, call.tensor(1))
    bias = call.optional(2)
    return scaled if bias is None else call.graph.combine([(1.0, scaled), (1.0, bias)])


@lowers("InstanceNormalization", 6, 22)
def instance_normalization(call: Call) -> Tensor:
    x = call.variable(0)
    if x.ndim < 3:
        raise call.error(f"InstanceNormalization of a tensor of shape {x.shape}, which has no spatial dimension")
    spatial = (-1,) + (1,) * (x.ndim - 2)
    scale, bias = (call.weights(call.constant(i)).reshape(spatial) for i in (1, 2))
    return call.graph.combine([(1.0, call.graph.scale(_standardised(call, x, 2), scale)), (1.0, bias)])


def _standardised(call: Call, x: Variable, axis: int) -> Variable:
    """(x - mean) / sqrt(variance + epsilon), over the axes from `axis` on."""
    from verifier.network.functions import Reciprocal, Sqrt

    centred, variance = _moments(call, x, axis, float(call.attribute("epsilon")))
    deviation = call.graph.elementwise(variance, Sqrt())
    return call.graph.product(centred, call.graph.elementwise(deviation, Reciprocal()))


def _moments(call: Call, x: Variable, axis: int, epsilon: float) -> tuple[Variable, Variable]:
    """The tensors x - mean, and variance + epsilon, over the axes from `axis` on."""
    graph = call.graph
    groups, entries = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    shape = (*x.shape[:axis], *(1 for _ in x.shape[axis:]))
    mean = Dense(np.full((1, entries), 1.0 / entries), groups)
    centred = graph.combine([(1.0, x), (-1.0, graph.affine([(x, mean)], shape))])
    return centred, graph.affine([(graph.product(centred, centred), mean)], shape, np.full((), epsilon))


@lowers("GroupNormalization", 18, 21)
def group_normalization(call: Call) -> Tensor:
    """Scale and bias have an entry for each group at first, since version 21 for each channel."""
    graph, x = call.graph, call.variable(0)
    groups = call.attribute("num_groups")
    if x.ndim < 3 or groups < 1 or x.shape[1] % groups:
        raise call.error(f"{groups} groups of a tensor of shape {x.shape}")
    apart = (x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    grouped = graph.move([x], lambda a: a.reshape(apart))
    assert isinstance(grouped, Variable)
    normal = _standardised(call, grouped, 2)
    count = groups if call.since < 21 else x.shape[1]
    parameters = []
    for k in (1, 2):
        given = call.tensor(k)
        if given.shape != (count,):
            raise call.error(f"a scale or bias of shape {tuple(given.shape)} for {count} of them")
        each = (groups, count // groups) + (1,) * (x.ndim - 2)
        parameters.append(graph.move([given], lambda a, shape=each: a.reshape(shape)))
    scaled = multiply(call, normal, parameters[0])
    shifted = graph.combine([(1.0, scaled), (1.0, parameters[1])])
    return graph.move([shifted], lambda a: a.reshape(x.shape))


@lowers("MeanVarianceNormalization", 9, 13)
def mean_variance_normalization(call: Call) -> Tensor:
    """(x - mean) / (deviation + 1e-9) over the named axes, which are brought to the end and back."""
    from verifier.network.functions import Reciprocal, Sqrt

    graph, x = call.graph, call.variable(0)
    axes = sorted({call.axis(a, x.ndim) for a in call.attribute("axes", [0, 2, 3])})
    moved = graph.move([x], lambda a: np.moveaxis(a, axes, range(-len(axes), 0)))
    assert isinstance(moved, Variable)
    centred, variance = _moments(call, moved, x.ndim - len(axes), 0.0)
    deviation = graph.combine([(1.0, graph.elementwise(variance, Sqrt())), (1.0, np.full((), 1e-9))])
    normal = graph.product(centred, graph.elementwise(deviation, Reciprocal()))
    return graph.move([normal], lambda a: np.moveaxis(a, range(-len(axes), 0), axes))


@lowers("RMSNormalization", 23)
def rms_normalization(call: Call) -> Tensor:
    from verifier.network.functions import Power

    graph, x = call.graph, call.variable(0)
    axis = call.axis(call.attribute("axis", -1), x.ndim)
    groups, entries = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    mean = Dense(np.full((1, entries), 1.0 / entries), groups)
    shape = (*x.shape[:axis], *(1 for _ in x.shape[axis:]))
    square = graph.affine([(graph.product(x, x), mean)], shape, np.full((), float(call.attribute("epsilon"))))
    return multiply(call, graph.product(x, graph.elementwise(square, Power(-0.5))), call.tensor(1))


@lowers("LpNormalization", 1, 22)
def lp_normalization(call: Call) -> Tensor:
    """The quotient x / norm along the axis; 0 stays 0."""
    from verifier.network.functions import ReciprocalOrOne, Sqrt

    graph, x = call.graph, call.variable(0)
    axis, p = call.axis(call.attribute("axis", -1), x.ndim), call.attribute("p", 2)
    if p not in (1, 2):
        raise call.error(f"a norm of order {p}, not 1 or 2")
    terms = magnitude(call, x) if p == 1 else graph.product(x, x)
    count = x.shape[axis]
    along = Dense(np.ones((1, count)), math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :]))
    norm = graph.affine([(terms, along)], (*x.shape[:axis], 1, *x.shape[axis + 1 :]))
    if p == 2:
        norm = graph.elementwise(norm, Sqrt())
    return graph.product(x, graph.elementwise(norm, ReciprocalOrOne()))


@lowers("LRN", 1, 13)
def local_response_normalization(call: Call) -> Tensor:
    """The quotient x / (bias + alpha / size * sum of squares of the channels around)**beta."""
    from verifier.network.functions import Power

    graph, x = call.graph, call.variable(0)
    size = call.attribute("size")
    if x.ndim < 3 or size < 1:
        raise call.error(f"a window of {size} channels for a tensor of shape {x.shape}")
    alpha, beta, bias = (float(call.attribute(name)) for name in ("alpha", "beta", "bias"))
    if bias <= 0:
        raise call.error(f"a bias of {bias:g}, with which it may divide by 0")
    channel = np.arange(x.shape[1])
    reach = channel[None, :] - channel[:, None]
    near = (reach >= -((size - 1) // 2)) & (reach <= size // 2)
    window = Dense(np.where(near, alpha / size, 0.0), x.shape[0], math.prod(x.shape[2:]))
    energy = graph.affine([(graph.product(x, x), window)], x.shape, np.full((), bias))
    return graph.product(x, graph.elementwise(energy, Power(-beta))) if beta else x
