"""Operators that read an image at places between its pixels, known while the model is read: GridSample, RoiAlign.

Each entry of the result is a sum of a few pixels with fixed weights, so the whole is a sparse matrix.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from verifier.network.linear_maps import Sparse
from verifier.readers.onnx.call import Call
from verifier.readers.onnx.registry import lowers
from verifier.readers.onnx.tensors import Tensor, Variable

CUBIC = -0.75
"""The parameter of the cubic kernel that GridSample has."""


@dataclass(eq=False)
class Weighted:
    """Entries of a sparse matrix: rows, columns and values, collected part by part."""

    rows: list[np.ndarray] = field(default_factory=list)
    columns: list[np.ndarray] = field(default_factory=list)
    values: list[np.ndarray] = field(default_factory=list)

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Broadcasts the three to each other; values of 0 are left out."""
        parts = [a.reshape(-1) for a in np.broadcast_arrays(rows, columns, values)]
        kept = parts[2] != 0
        for collected, part in zip((self.rows, self.columns, self.values), parts, strict=True):
            collected.append(part[kept])

    def applied(self, call: Call, x: Variable, shape: tuple[int, ...]) -> Variable:
        """The matrix times x, as a tensor of `shape`."""
        from scipy.sparse import coo_array

        where = np.concatenate(self.rows), np.concatenate(self.columns)
        matrix = coo_array((np.concatenate(self.values), where), shape=(math.prod(shape), x.size)).tocsr()
        return call.graph.affine([(x, Sparse(matrix))], shape)


@lowers("GridSample", 16, 20, 22)
def grid_sample(call: Call) -> Tensor:
    x, grid = call.variable(0), call.weights(call.constant(1))
    spatial = x.shape[2:]
    if not spatial or grid.ndim != x.ndim or grid.shape[-1] != len(spatial) or grid.shape[0] != x.shape[0]:
        raise call.error(f"a grid of shape {grid.shape} for a tensor of shape {x.shape}")
    mode = call.attribute("mode", "linear")
    taps = {"nearest": _nearest, "linear": _linear, "bilinear": _linear, "cubic": _cubic, "bicubic": _cubic}.get(mode)
    if taps is None:
        raise call.error(f"mode '{mode}' is unknown")
    padding, corners = call.attribute("padding_mode", "zeros"), call.flag("align_corners")
    if padding not in ("zeros", "border", "reflection"):
        raise call.error(f"padding_mode '{padding}' is unknown")
    found = []
    for axis, size in enumerate(spatial):
        place = grid[..., len(spatial) - 1 - axis]
        place = (place + 1) / 2 * (size - 1) if corners else ((place + 1) * size - 1) / 2
        if taps is not _cubic:
            place = _folded(place, size, padding, corners)
        found.append([(_folded(at, size, padding, corners), weight) for at, weight in taps(place)])
    out = (*x.shape[:2], *grid.shape[1:-1])
    return _sampled(found, x.shape, out).applied(call, x, out)


Taps = list[tuple[np.ndarray, np.ndarray]]
"""Pixels along an axis, whole numbers in float64, and their weights."""


def _sampled(found: list[Taps], shape: tuple[int, ...], out: tuple[int, ...]) -> Weighted:
    """The weights for taps along each axis, of shape (batch, *out spatial); pixels outside count nothing."""
    numbers = np.arange(math.prod(shape)).reshape(shape)
    targets = np.arange(math.prod(out)).reshape(out)
    batch = np.arange(shape[0]).reshape(-1, *(1,) * (len(out) - 2))
    weighted = Weighted()
    for combination in itertools.product(*found):
        inside = np.ones(combination[0][0].shape, bool)
        weight = np.ones(combination[0][0].shape)
        at = []
        for (pixels, part), size in zip(combination, shape[2:], strict=True):
            here = (pixels >= 0) & (pixels <= size - 1)
            inside, weight = inside & here, weight * part
            at.append(np.where(here, pixels, 0).astype(np.int64))
        weight = np.where(inside, weight, 0.0)
        for channel in range(shape[1]):
            weighted.add(targets[:, channel], numbers[(batch, channel, *at)], weight)
    return weighted


def _nearest(place: np.ndarray) -> Taps:
    return [(np.round(place), np.ones(place.shape))]


def _linear(place: np.ndarray) -> Taps:
    low = np.floor(place)
    return [(low, low + 1 - place), (low + 1, place - low)]


def _cubic(place: np.ndarray) -> Taps:
    low = np.floor(place)
    taps = []
    for k in (-1, 0, 1, 2):
        d, a = np.abs(place - low - k), CUBIC
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((d - 5) * d + 8) * d * a - 4 * a
        taps.append((low + k, np.where(d <= 1, near, np.where(d < 2, far, 0.0))))
    return taps


def _folded(place: np.ndarray, size: int, padding: str, corners: bool) -> np.ndarray:
    """Places moved into the image, as the padding says; without any they stay."""
    if padding == "zeros":
        return place
    if padding == "border":
        return np.clip(place, 0, size - 1)
    low, high = (0.0, size - 1.0) if corners else (-0.5, size - 0.5)
    span = high - low
    if span == 0:
        return np.zeros(place.shape)
    rest = np.mod(place - low, 2 * span)
    inside = low + np.where(rest > span, 2 * span - rest, rest)
    return inside if corners else np.clip(inside, 0, size - 1)


@lowers("RoiAlign", 10, 16, 22)
def roi_align(call: Call) -> Tensor:
    """Means over a grid of samples in each cell of each region, read between the pixels."""
    x, rois = call.variable(0), call.weights(call.constant(1))
    batches = np.asarray(call.required_integers(2))
    if x.ndim != 4 or rois.ndim != 2 or rois.shape[1] != 4 or batches.shape != (len(rois),):
        raise call.error(f"regions of shape {rois.shape} in a tensor of shape {x.shape}")
    if batches.size and (batches.min() < 0 or batches.max() >= x.shape[0]):
        raise call.error(f"batch indices outside 0 to {x.shape[0] - 1}")
    if call.attribute("mode", "avg") != "avg":
        raise call.error("RoiAlign with mode 'max', which runtimes and standard read differently, is not supported")
    height, width = call.attribute("output_height", 1), call.attribute("output_width", 1)
    half = 0.5 if call.since >= 16 and call.attribute("coordinate_transformation_mode") == "half_pixel" else 0.0
    weighted, channels = Weighted(), x.shape[1]
    numbers = np.arange(x.size).reshape(x.shape)
    targets = np.arange(len(rois) * channels * height * width).reshape(len(rois), channels, height, width)
    for number, (roi, batch) in enumerate(zip(rois, batches, strict=True)):
        edges = roi * float(call.attribute("spatial_scale", 1.0)) - half
        rows = _cell_samples(call, edges[1], edges[3], height, x.shape[2], half > 0)
        columns = _cell_samples(call, edges[0], edges[2], width, x.shape[3], half > 0)
        for (i, at_row, row_weight), (j, at_column, column_weight) in itertools.product(rows, columns):
            weights = row_weight[:, None] * column_weight[None, :]
            for channel in range(channels):
                pixels = numbers[batch, channel][at_row[:, None], at_column[None, :]]
                weighted.add(targets[number, channel, i, j], pixels, weights)
    return weighted.applied(call, x, targets.shape)


def _cell_samples(
    call: Call, start: float, end: float, cells: int, size: int, half: bool
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """For each cell of a region along an axis the pixels that its samples read, and their weights in the mean."""
    extent = end - start if half else max(end - start, 1.0)
    step = extent / cells
    count = call.attribute("sampling_ratio", 0) or math.ceil(step)
    found = []
    for cell in range(cells):
        place = start + step * (cell + (np.arange(count) + 0.5) / max(count, 1))
        outside = (place < -1.0) | (place > size)
        place = np.clip(place, 0.0, size - 1.0)
        low = np.minimum(np.floor(place), size - 1).astype(np.int64)
        high = np.minimum(low + 1, size - 1)
        share = place - low
        weight = np.where(outside, 0.0, 1.0 / max(count, 1))
        found.append((cell, np.concatenate([low, high]), np.concatenate([weight * (1 - share), weight * share])))
    return found
