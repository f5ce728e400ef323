"""Upsample and Resize: nearest moves entries, linear is one small matrix along each axis.

Coordinates are computed in float32, as ONNX Runtime does, so that "nearest" rounds the same way at ties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.network.linear_maps import Dense, Identity, LinearMap
from verifier.readers.onnx.builder import after
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor


@dataclass(frozen=True)
class Axis:
    """How one axis is resized: from `size` to `out` entries, with `scale` between their coordinates."""

    size: int
    out: int
    scale: float

    @property
    def unchanged(self) -> bool:
        return self.size == self.out and self.scale == 1.0


@lowers("Upsample", 7, 9)
def upsample(call: Call) -> Tensor:
    scales = call.attribute("scales") if call.since < 9 else call.weights(call.constant(1)).reshape(-1).tolist()
    axes = _by_scales(call, call.variable(0).shape, scales)
    return _resize(call, axes, "asymmetric", "simple")


@lowers("Resize", 10)
def resize_10(call: Call) -> Tensor:
    axes = _by_scales(call, call.variable(0).shape, call.weights(call.constant(1)).reshape(-1).tolist())
    return _resize(call, axes, "asymmetric", "simple")


@lowers("Resize", 11, 13, 18, 19)
def resize(call: Call) -> Tensor:
    if call.flag("antialias"):
        raise call.error("Resize with antialias is not supported")
    x = call.variable(0)
    chosen = call.attribute("axes")
    places = list(range(x.ndim)) if chosen is None else [call.axis(a, x.ndim) for a in chosen]
    scales, sizes = call.optional_constant(2), call.integers(3)
    if sizes:
        if len(sizes) != len(places):
            raise call.error(f"{len(sizes)} sizes for {len(places)} axes")
        axes = [Axis(n, n, 1.0) for n in x.shape]
        for place, out in zip(places, _kept_aspect(call, [x.shape[p] for p in places], sizes), strict=True):
            axes[place] = out
    elif scales is not None and scales.size:
        factors = np.ones(x.ndim)
        factors[places] = call.weights(scales).reshape(-1)
        axes = _by_scales(call, x.shape, factors.tolist())
    else:
        raise call.error("Resize needs scales or sizes")
    mode = call.attribute("coordinate_transformation_mode")
    return _resize(call, axes, mode, call.attribute("nearest_mode"))


def _by_scales(call: Call, shape: tuple[int, ...], scales: list[float]) -> list[Axis]:
    if len(scales) != len(shape) or not all(0 < s < math.inf for s in scales):
        raise call.error(f"scales {scales} for an operand of shape {shape}")
    return [Axis(n, int(np.floor(np.float32(n) * np.float32(s))), float(s)) for n, s in zip(shape, scales, strict=True)]


def _kept_aspect(call: Call, sizes: list[int], wanted: list[int]) -> list[Axis]:
    policy = call.attribute("keep_aspect_ratio_policy", "stretch")
    ratios = [np.float32(w) / np.float32(n) for n, w in zip(sizes, wanted, strict=True)]
    if policy == "stretch":
        return [Axis(n, w, float(r)) for n, w, r in zip(sizes, wanted, ratios, strict=True)]
    if policy not in ("not_larger", "not_smaller"):
        raise call.error(f"keep_aspect_ratio_policy '{policy}' is unknown")
    ratio = min(ratios) if policy == "not_larger" else max(ratios)
    return [Axis(n, int(np.floor(ratio * n + np.float32(0.5))), float(ratio)) for n in sizes]


def _resize(call: Call, axes: list[Axis], transformation: str, rounding: str) -> Tensor:
    x, mode = call.variable(0), call.attribute("mode", "nearest")
    if min((a.out for a in axes), default=1) < 1:
        raise call.error("the result is empty")
    if mode == "nearest" and transformation == "half_pixel_symmetric":
        raise call.error("Resize nearest with half_pixel_symmetric, whose ties runtimes round apart", "use half_pixel")
    coordinates = [_coordinates(call, a, transformation) for a in axes]
    if mode == "nearest":
        picks = [
            np.clip(_nearest(call, c, rounding, a.scale), 0, a.size - 1) for c, a in zip(coordinates, axes, strict=True)
        ]
        return call.graph.move([x], lambda t: t[np.ix_(*picks)])
    if mode != "linear":
        raise call.error(f"Resize mode '{mode}' is not supported", "only nearest and linear are")
    shape, along = list(x.shape), Identity(x.size)
    total: LinearMap = along
    for place, (axis, coordinate) in enumerate(zip(axes, coordinates, strict=True)):
        if not axis.unchanged:
            weights = _interpolation(coordinate, axis.size)
            total = after(Dense(weights, math.prod(shape[:place]), math.prod(shape[place + 1 :])), total)
            shape[place] = axis.out
    return x if total is along else call.graph.affine([(x, total)], tuple(shape))


def _coordinates(call: Call, axis: Axis, transformation: str) -> np.ndarray:
    """Where in the operand each entry of the result lies, float32."""
    f = np.float32
    at, scale, size, out = np.arange(axis.out, dtype=f), f(axis.scale), f(axis.size), f(axis.out)
    if axis.unchanged:
        return at
    if transformation == "asymmetric":
        return at / scale
    if transformation == "half_pixel":
        return (at + f(0.5)) / scale - f(0.5)
    if transformation == "pytorch_half_pixel":
        return (at + f(0.5)) / scale - f(0.5) if axis.out > 1 else np.zeros(1, f)
    if transformation == "align_corners":
        return at * (size - f(1)) / (out - f(1)) if axis.out > 1 else np.zeros(1, f)
    if transformation == "half_pixel_symmetric":
        adjustment = out / (scale * size)
        return size / f(2) * (f(1) - adjustment) + (at + f(0.5)) / scale - f(0.5)
    raise call.error(f"coordinate_transformation_mode '{transformation}' is not supported")


def _nearest(call: Call, at: np.ndarray, rounding: str, scale: float) -> np.ndarray:
    half = np.float32(0.5)
    if rounding == "simple":  # before operator set 11
        rounded = np.ceil(at) if scale < 1 else np.floor(at)
    elif rounding == "round_prefer_floor":
        rounded = np.where(at == np.floor(at) + half, np.floor(at), np.round(at))
    elif rounding == "round_prefer_ceil":
        rounded = np.floor(at + half)
    elif rounding in ("floor", "ceil"):
        rounded = np.floor(at) if rounding == "floor" else np.ceil(at)
    else:
        raise call.error(f"nearest_mode '{rounding}' is unknown")
    return rounded.astype(np.int64)


def _interpolation(at: np.ndarray, size: int) -> np.ndarray:
    """The matrix, shape (out, size), of linear interpolation at the coordinates `at`, clamped to the operand."""
    clamped = np.clip(at, 0, size - 1)
    low = np.minimum(np.floor(clamped).astype(np.int64), size - 1)
    high = np.minimum(low + 1, size - 1)
    share = (clamped - low.astype(np.float32)).astype(np.float64)
    weights = np.zeros((len(at), size))
    rows = np.arange(len(at))
    np.add.at(weights, (rows, low), 1.0 - share)
    np.add.at(weights, (rows, high), share)
    return weights
