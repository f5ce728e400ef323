"""Convolutions and pooling."""

from __future__ import annotations

import numpy as np

from verifier.checker.linear import Adjoint, Array, Convolution
from verifier.checker.operators.call import HALF_UNIT, Call, Operator, Tensor, Value, shaped
from verifier.checker.operators.functions import maximum


def _window(call: Call, size: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Strides, dilations, and padding before and behind."""
    axes = len(size)
    given = call.attributes.get("auto_pad", b"NOTSET")
    if given not in (b"NOTSET", b"VALID") or call.attributes.get("ceil_mode", 0):
        raise ValueError("auto_pad or ceil_mode")
    strides = tuple(call.attributes.get("strides", (1,) * axes))
    dilations = tuple(call.attributes.get("dilations", (1,) * axes))
    pads = tuple(call.attributes.get("pads", (0,) * 2 * axes)) if given == b"NOTSET" else (0,) * 2 * axes
    if min(pads) < 0:
        raise ValueError("negative padding")
    return strides, dilations, pads[:axes], pads[axes:]


def _conv(call: Call) -> Value:
    x, kernel = call.tensor(0), shaped(call.constant(1))
    image = _image(x)
    groups = int(call.attributes.get("group", 1))
    strides, dilations, begin, end = _window(call, kernel.shape[2:])
    convolution = Convolution(kernel, image, strides, dilations, begin, end, groups)
    return _convolved(call, x, convolution, convolution.out, shaped(call.constant(2)) if call.has(2) else None)


def _conv_transpose(call: Call) -> Value:
    x, kernel = call.tensor(0), shaped(call.constant(1))
    image = _image(x)
    groups = int(call.attributes.get("group", 1))
    if "output_shape" in call.attributes:
        raise ValueError("output_shape")
    strides, dilations, begin, end = _window(call, kernel.shape[2:])
    extra = tuple(call.attributes.get("output_padding", (0,) * len(strides)))
    parts = zip(image[1:], strides, kernel.shape[2:], dilations, begin, end, extra, strict=True)
    sizes = [(n - 1) * s + (k - 1) * d + 1 - a - b + e for n, s, k, d, a, b, e in parts]
    of = Convolution(kernel, (kernel.shape[1] * groups, *sizes), strides, dilations, begin, end, groups)
    if of.out != image:
        raise ValueError(f"an image of {image} where {of.out} is taken")
    return _convolved(call, x, Adjoint(of), of.image, shaped(call.constant(2)) if call.has(2) else None)


def _image(x: Tensor) -> tuple[int, ...]:
    if x.shape[0] != 1:
        raise ValueError("a batch of more than one image")
    return x.shape[1:]


def _convolved(call: Call, x: Tensor, by: Convolution | Adjoint, out: tuple[int, ...], bias: Array | None) -> Tensor:
    add = np.zeros(out) if bias is None else np.broadcast_to(bias.reshape(-1, *(1,) * (len(out) - 1)), out)
    return call.build.linear([(call.build.whole(x), by)], add, (1, *out))


def _average_pool(call: Call) -> Value:
    x = call.tensor(0)
    image, size = _image(x), tuple(call.attributes["kernel_shape"])
    strides, dilations, begin, end = _window(call, size)
    if any(begin + end) and not call.attributes.get("count_include_pad", 0):
        raise ValueError("padding that does not count")
    kernel = np.full((image[0], 1, *size), 1.0 / np.prod(size))
    pool = Convolution(kernel, image, strides, dilations, begin, end, image[0], HALF_UNIT)
    return _convolved(call, x, pool, pool.out, None)


def _global_average_pool(call: Call) -> Value:
    x = call.tensor(0)
    image = _image(x)
    ones = (1,) * (len(image) - 1)
    zeros = (0,) * (len(image) - 1)
    kernel = np.full((image[0], 1, *image[1:]), 1.0 / np.prod(image[1:]))
    pool = Convolution(kernel, image, ones, ones, zeros, zeros, image[0], HALF_UNIT)
    return _convolved(call, x, pool, pool.out, None)


def _max_pool(call: Call) -> Value:
    x = call.tensor(0)
    image, size = _image(x), tuple(call.attributes["kernel_shape"])
    strides, dilations, begin, end = _window(call, size)
    if any(begin + end):
        raise ValueError("padding of a maximum")
    one = Convolution(np.zeros((1, 1, *size)), (1, *image[1:]), strides, dilations, begin, end)
    parts = []
    for place in np.ndindex(*size):
        steps = zip(place, dilations, one.out[1:], strides, strict=True)
        at = tuple(slice(p * d, p * d + (n - 1) * s + 1, s) for p, d, n, s in steps)
        parts.append(Tensor(x.node, x.index[(slice(None), slice(None), *at)]))
    return maximum(call, parts)


OPERATORS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_average_pool,
    "MaxPool": _max_pool,
}
