"""Conv, and ConvTranspose as its adjoint, in any number of spatial dimensions."""

from __future__ import annotations

import numpy as np

from verifier.network.linear_maps import Adjoint, Convolution
from verifier.network.linear_maps.convolution import Window
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.lowerings.geometry import explicit_pads, geometry, ones_or
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable


@lowers("Conv", 1, 11, 22)
def conv(call: Call) -> Tensor:
    return convolve(call, call.variable(0), call.weights(call.constant(1)), call.optional_constant(2))


def convolve(call: Call, x: Variable, kernel: np.ndarray, bias: np.ndarray | None) -> Variable:
    """The convolution by the call's attributes; `bias` has one entry a channel."""
    groups = call.attribute("group", 1)
    _check(call, x, kernel)
    if groups < 1 or x.shape[1] != kernel.shape[1] * groups or kernel.shape[0] % groups:
        raise call.error(f"a kernel of shape {kernel.shape} in {groups} groups for an operand of shape {x.shape}")
    window = geometry(call, x.shape[2:], kernel.shape[2:]).window(groups)
    convolution = Convolution(kernel, x.shape, window)
    return call.graph.affine([(x, convolution)], convolution.out_shape, _bias(call, bias, convolution.out_shape))


@lowers("ConvTranspose", 1, 11, 22)
def conv_transpose(call: Call) -> Tensor:
    """The adjoint of the convolution that takes the result to the operand."""
    x, kernel = call.variable(0), call.weights(call.constant(1))
    groups = call.attribute("group", 1)
    _check(call, x, kernel)
    if groups < 1 or x.shape[1] != kernel.shape[0] or kernel.shape[0] % groups:
        raise call.error(f"a kernel of shape {kernel.shape} in {groups} groups for an operand of shape {x.shape}")
    spatial, rank = x.shape[2:], len(x.shape) - 2
    strides, dilations = ones_or(call, "strides", rank), ones_or(call, "dilations", rank)
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, kernel.shape[2:], strict=True)]
    full = tuple((n - 1) * s + span for n, s, span in zip(spatial, strides, spans, strict=True))
    begin, out = _cropping(call, full)
    end = tuple(f - p - o for f, p, o in zip(full, begin, out, strict=True))
    shape = (x.shape[0], kernel.shape[1] * groups, *out)
    window = Window(strides, begin, tuple(max(q, 0) for q in end), dilations, groups)
    if min(out) < 1 or window.out_spatial(out, kernel.shape[2:]) != spatial:
        raise call.error(f"no convolution takes an image of size {out} to one of size {spatial}")
    adjoint = Adjoint(Convolution(kernel, shape, window))
    return call.graph.affine([(x, adjoint)], shape, _bias(call, call.optional_constant(2), shape))


def _cropping(call: Call, full: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How much of the full result is cut at the beginning, and the size that is left."""
    rank = len(full)
    extra = tuple(call.attribute("output_padding", [0] * rank))
    if len(extra) != rank or min(extra) < 0:
        raise call.error(f"output_padding {extra} for {rank} spatial dimensions")
    wanted = call.attribute("output_shape")
    mode = call.attribute("auto_pad", "NOTSET")
    if wanted is not None:
        if len(wanted) != rank:
            raise call.error(f"output_shape {wanted} for {rank} spatial dimensions")
        return _centred(call, full, extra, tuple(wanted))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        strides = ones_or(call, "strides", rank)
        sizes = tuple(n * s for n, s in zip(call.tensor(0).shape[2:], strides, strict=True))
        return _centred(call, full, extra, sizes)
    begin, end = explicit_pads(call, rank) if mode == "NOTSET" else ((0,) * rank, (0,) * rank)
    return begin, tuple(f + e - p - q for f, e, p, q in zip(full, extra, begin, end, strict=True))


def _centred(
    call: Call, full: tuple[int, ...], extra: tuple[int, ...], out: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    totals = [f + e - o for f, e, o in zip(full, extra, out, strict=True)]
    if min(totals) < 0:  # the standard would add zeros, ONNX Runtime keeps the smaller size
        raise call.error(f"an output of size {out} is larger than what the kernel reaches, {full}")
    if call.attribute("auto_pad", "NOTSET") == "SAME_UPPER":
        return tuple(t // 2 for t in totals), out
    return tuple(t - t // 2 for t in totals), out


def _check(call: Call, x: Variable, kernel: np.ndarray) -> None:
    if x.ndim < 3 or kernel.ndim != x.ndim:
        raise call.error(f"a kernel of shape {kernel.shape} does not fit an operand of shape {x.shape}")
    declared = call.attribute("kernel_shape")
    if declared is not None and tuple(declared) != kernel.shape[2:]:
        raise call.error(f"kernel_shape {tuple(declared)} for a kernel of shape {kernel.shape}")


def _bias(call: Call, bias: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray | None:
    if bias is None:
        return None
    if bias.shape != (shape[1],):
        raise call.error(f"a bias of shape {bias.shape} for {shape[1]} channels")
    return call.weights(bias).reshape((-1,) + (1,) * (len(shape) - 2))
