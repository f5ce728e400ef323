"""Convolutions and pooling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.checker.linear import Adjoint, Array, Convolution
from verifier.checker.operators.call import HALF_UNIT, Call, Operator, Tensor, Value, real
from verifier.checker.operators.functions import maximum


def _window(call: Call, x: Tensor, kernel: Array, groups: int = 1) -> Convolution:
    """How a kernel slides over images: from strides, dilations and padding, given, chosen or rounded up."""
    (batch, *image), size = x.shape, kernel.shape[2:]
    axes, given = len(size), call.take("auto_pad", b"NOTSET")
    if given != b"NOTSET" and "pads" in call.attributes:
        raise ValueError("auto_pad and pads")
    strides, dilations = (tuple(call.take(name, (1,) * axes)) for name in ("strides", "dilations"))
    pads, up = call.take("pads", (0,) * 2 * axes), call.take("ceil_mode", 0)
    if not len(image) - 1 == len(strides) == len(dilations) == len(pads) / 2 == axes > 0:
        raise ValueError(f"images of shape {image}, a kernel of shape {size}, strides, dilations or padding")
    if kernel.shape[1] * groups != image[0] or kernel.shape[0] % groups:
        raise ValueError(f"a kernel of shape {kernel.shape} in {groups} groups for {image[0]} channels")
    begin, end = list(pads[:axes]), list(pads[axes:])
    for k, (n, stride) in enumerate(zip(image[1:], strides, strict=True)):
        reach = (size[k] - 1) * dilations[k] + 1
        if given in (b"SAME_UPPER", b"SAME_LOWER"):
            if dilations[k] > 1:  # runtimes differ
                raise ValueError("auto_pad with dilations")
            total = max((-(-n // stride) - 1) * stride + reach - n, 0)
            begin[k] = total // 2 if given == b"SAME_UPPER" else total - total // 2
            end[k] = total - begin[k]
        elif given not in (b"NOTSET", b"VALID"):
            raise ValueError(f"auto_pad {given}")
        if n + begin[k] + end[k] < reach or min(begin[k], end[k]) < 0 or min(stride, dilations[k]) < 1:
            raise ValueError("no window, negative padding, or a step below 1")
        rest = (n + begin[k] + end[k] - reach) % stride
        if up and rest:
            end[k] += stride - rest
            if n + begin[k] + end[k] - reach >= n + begin[k]:
                raise ValueError("ceil_mode with a window that starts in the padding")
    return Convolution(kernel, tuple(image), strides, dilations, tuple(begin), tuple(end), groups, batch=batch)


def _kernel(call: Call) -> Array:
    kernel = real(call.constant(1))
    if tuple(call.take("kernel_shape", kernel.shape[2:])) != kernel.shape[2:]:
        raise ValueError("kernel_shape")
    return kernel


def _convolved(call: Call, x: Tensor, by: Convolution | Adjoint, out: tuple[int, ...]) -> Tensor:
    """With a bias, if there is one: a number for each channel."""
    bias = real(call.constant(2)).reshape(-1, *(1,) * (len(out) - 1)) if call.has(2) else None
    return call.build.linear([(call.build.whole(x), by)], bias, (x.shape[0], *out))


def _conv(call: Call) -> Value:
    x, kernel = call.tensor(0), _kernel(call)
    by = _window(call, x, kernel, int(call.take("group", 1)))
    return _convolved(call, x, by, by.out)


def _conv_transpose(call: Call) -> Value:
    """The adjoint of a convolution of what it gives."""
    x, kernel, groups = call.tensor(0), _kernel(call), int(call.take("group", 1))
    (batch, *image), axes = x.shape, len(kernel.shape) - 2
    if call.take("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ValueError("auto_pad")
    strides, dilations, extra = (
        tuple(call.take(name, (n,) * axes)) for name, n in (("strides", 1), ("dilations", 1), ("output_padding", 0))
    )
    pads = tuple(call.take("pads", (0,) * 2 * axes))
    begin, end = pads[:axes], pads[axes:]
    parts = zip(image[1:], strides, kernel.shape[2:], dilations, begin, end, extra, strict=True)
    sizes = [(n - 1) * s + (k - 1) * d + 1 - a - b + e for n, s, k, d, a, b, e in parts]
    whole = kernel.shape[1] * groups, *sizes
    if min(*pads, *extra, *sizes) < 0 or min(*strides, *dilations) < 1 or kernel.shape[0] % groups:
        raise ValueError("negative padding or sizes, steps below 1, or channels in no groups")
    of = Convolution(kernel, whole, strides, dilations, begin, end, groups, batch=batch)
    if of.out != tuple(image):
        raise ValueError(f"images of shape {image} where {of.out} is taken")
    return _convolved(call, x, Adjoint(of), of.image)


def _average_pool(call: Call) -> Value:
    x, size = call.tensor(0), tuple(call.take("kernel_shape"))
    up, counts = call.attributes.get("ceil_mode", 0), call.take("count_include_pad", 0)
    pool = _window(call, x, np.ones((x.shape[1], 1, *size)), x.shape[1])
    if not any(pool.begin + pool.end) or (counts and not up):
        return _mean_pool(call, x, pool)
    if counts:
        raise ValueError("padding that counts, with ceil_mode")
    count = pool.apply(np.ones(x.index.size))
    if not count.all():
        raise ValueError("a window of padding alone")
    total = _convolved(call, x, pool, pool.out)
    return call.build.moved(total, 1.0 / count.reshape(total.shape), None, HALF_UNIT)


def _mean_pool(call: Call, x: Tensor, pool: Convolution) -> Tensor:
    by = replace(pool, kernel=pool.kernel / np.prod(pool.kernel.shape[2:]), slack=HALF_UNIT)
    return _convolved(call, x, by, pool.out)


def _global_average_pool(call: Call) -> Value:
    x = call.tensor(0)
    return _mean_pool(call, x, _window(call, x, np.ones((x.shape[1], 1, *x.shape[2:])), x.shape[1]))


def _max_pool(call: Call) -> Value:
    """Padding is smaller than anything: there is nothing to take in its place."""
    x, size = call.tensor(0), tuple(call.take("kernel_shape"))
    call.take("storage_order")
    pool = _window(call, x, np.ones((x.shape[1], 1, *size)), x.shape[1])
    widths = [(0, 0), (0, 0), *zip(pool.begin, pool.end, strict=True)]
    index, inside = np.pad(x.index, widths), np.pad(np.ones(x.shape, bool), widths)
    places = [(slice(None), slice(None), *at) for at in pool.places()]
    return maximum(call, [Tensor(x.node, index[at]) for at in places], [inside[at] for at in places])


OPERATORS: dict[str, Operator] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_average_pool,
    "MaxPool": _max_pool,
}
