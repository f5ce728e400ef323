"""AveragePool, MaxPool, LpPool and their global forms."""

from __future__ import annotations

import math

import numpy as np

from verifier.network.linear_maps import Convolution, Dense, Scaling
from verifier.readers.onnx.builder import after
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.activations import magnitude
from verifier.readers.onnx.lowerings.extrema import extremum_of_entries
from verifier.readers.onnx.lowerings.geometry import Geometry, geometry
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


def _image(call: Call) -> Variable:
    x = call.variable(0)
    if x.ndim < 3:
        raise call.error(f"{call.op} of a tensor of shape {x.shape}, which has no spatial dimension")
    return x


@lowers("MaxPool", 1, 8, 10, 11, 12, 22)
def max_pool(call: Call) -> Tensor:
    x = _image(call)
    windows = geometry(call, x.shape[2:], tuple(call.attribute("kernel_shape")))
    numbers = np.arange(x.size).reshape(x.shape)
    return extremum_of_entries(call.graph, x, windows.patches(numbers, padding=-1), 1.0)


@lowers("GlobalMaxPool", 1, 22)
def global_max_pool(call: Call) -> Tensor:
    x = _image(call)
    shape = (*x.shape[:2], *(1 for _ in x.shape[2:]))
    return extremum_of_entries(call.graph, x, np.arange(x.size).reshape((*shape, -1)), 1.0)


@lowers("GlobalAveragePool", 1, 22)
def global_average_pool(call: Call) -> Tensor:
    return global_mean(call, _image(call))


def global_mean(call: Call, x: Variable) -> Variable:
    """The mean of each channel."""
    entries = math.prod(x.shape[2:])
    mean = Dense(np.full((1, entries), 1.0 / entries), x.shape[0] * x.shape[1])
    return call.graph.affine([(x, mean)], (*x.shape[:2], *(1 for _ in x.shape[2:])))


@lowers("AveragePool", 7, 10, 11, 19, 22)
def average_pool(call: Call) -> Tensor:
    return windowed_mean(call, _image(call))


def windowed_mean(call: Call, x: Variable) -> Variable:
    """A depthwise convolution with ones, scaled by one over the count, which may differ from window to window."""
    windows = geometry(call, x.shape[2:], tuple(call.attribute("kernel_shape")))
    counts = _counts(windows, call.flag("count_include_pad"))
    channels = x.shape[1]
    even = bool((counts == counts.flat[0]).all())
    weight = 1.0 / counts.flat[0] if even else 1.0
    kernel = np.full((channels, 1, *windows.kernel), weight)
    sums = Convolution(kernel, x.shape, windows.window(groups=channels))
    if even:
        return call.graph.affine([(x, sums)], sums.out_shape)
    factors = np.broadcast_to(1.0 / counts, sums.out_shape).reshape(-1)
    return call.graph.affine([(x, after(Scaling(factors), sums))], sums.out_shape)


def _counts(windows: Geometry, include_padding: bool) -> np.ndarray:
    """How many entries of each window count: those of the image, or those of the padding that the model states too."""
    if not include_padding:
        return windows.patches(np.ones(windows.spatial), padding=0).sum(axis=-1)
    stated = np.ones([n + p + q for n, p, q in zip(windows.spatial, windows.begin, windows.end, strict=True)])
    beyond = [(0, r - q) for r, q in zip(windows.reach, windows.end, strict=True)]
    none = (0,) * len(windows.kernel)
    padded = np.pad(stated, beyond)
    whole = Geometry(padded.shape, windows.kernel, windows.strides, windows.dilations, none, none, windows.out)
    return whole.patches(padded, padding=0).sum(axis=-1)


@lowers("LpPool", 2, 11, 18, 22)
def lp_pool(call: Call) -> Tensor:
    x = _image(call)
    windows = geometry(call, x.shape[2:], tuple(call.attribute("kernel_shape")))
    channels = x.shape[1]
    sums = Convolution(np.ones((channels, 1, *windows.kernel)), x.shape, windows.window(groups=channels))
    return _root(call, call.graph.affine([(_powers(call, x), sums)], sums.out_shape))


@lowers("GlobalLpPool", 2, 22)
def global_lp_pool(call: Call) -> Tensor:
    x = _image(call)
    sums = Dense(np.ones((1, math.prod(x.shape[2:]))), x.shape[0] * x.shape[1])
    return _root(call, call.graph.affine([(_powers(call, x), sums)], (*x.shape[:2], *(1 for _ in x.shape[2:]))))


def _powers(call: Call, x: Variable) -> Variable:
    """|x|**p."""
    from verifier.network.functions import Power

    p = call.attribute("p", 2)
    if p < 1:
        raise call.error(f"a norm of order {p}")
    if p == 2:
        return call.graph.product(x, x)
    size = magnitude(call, x)
    return size if p == 1 else call.graph.elementwise(size, Power(float(p)))


def _root(call: Call, sums: Variable) -> Variable:
    from verifier.network.functions import Power, Sqrt

    p = call.attribute("p", 2)
    return sums if p == 1 else call.graph.elementwise(sums, Sqrt() if p == 2 else Power(1.0 / p))
