"""BatchNormalization (for inference, a scaling), LayerNormalization, InstanceNormalization."""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Dense, Scaling
from verifier.readers.onnx.call import Call
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

    graph = call.graph
    groups, entries = math.prod(x.shape[:axis]), math.prod(x.shape[axis:])
    shape = (*x.shape[:axis], *(1 for _ in x.shape[axis:]))
    mean = Dense(np.full((1, entries), 1.0 / entries), groups)
    centred = graph.combine([(1.0, x), (-1.0, graph.affine([(x, mean)], shape))])
    epsilon = np.full((), float(call.attribute("epsilon")))
    variance = graph.affine([(graph.product(centred, centred), mean)], shape, epsilon)
    deviation = graph.elementwise(variance, Sqrt())
    return graph.product(centred, graph.elementwise(deviation, Reciprocal()))
