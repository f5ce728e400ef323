"""Inputs, perturbations and adversarial inputs side by side, for networks that see images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import UsageError
from verifier.network.graph import Network
from verifier.pictures.style import file_of, norm_name
from verifier.radii.bracket import Bracket
from verifier.radii.question import RadiusQuestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ImageShape = tuple[int, int, int]
"""Channels (1 or 3), rows, columns."""


@dataclass(frozen=True, eq=False)
class ImageRow:
    """One sample: its number, the question, the answer."""

    number: int
    question: RadiusQuestion
    bracket: Bracket


def image_shape(network: Network, given: str = "") -> ImageShape:
    """How the network's inputs are an image.

    Args:
        network: whose input port may tell; a square number of inputs is a grey square.
        given: such as ``8x8``, ``1x28x28`` or ``3x32x32``, if the user says so.

    Raises:
        UsageError: the inputs are no image, or not the one given.
    """
    if given:
        try:
            sizes = tuple(int(word) for word in given.lower().split("x"))
        except ValueError:
            sizes = ()
        found = _as_image(sizes)
        if found is None or math.prod(found) != network.input_size:
            cause = f"{given!r} is no image of {network.input_size} numbers"
            raise UsageError(cause, "--shape", "give rows and columns, or channels too: --shape 1x28x28")
        return found
    port = tuple(size for size in network.inputs[0].shape[1:])
    found = _as_image(port) if len(network.inputs) == 1 else None
    if found is None:
        side = math.isqrt(network.input_size)
        found = (1, side, side) if side * side == network.input_size and side > 1 else None
    if found is None:
        cause = f"{network.input_size} inputs are no image"
        raise UsageError(cause, "--images", "say how they are one: --shape 3x32x32")
    return found


def _as_image(sizes: tuple[int, ...]) -> ImageShape | None:
    if len(sizes) == 2 and min(sizes) > 0:
        return 1, sizes[0], sizes[1]
    return (sizes[0], sizes[1], sizes[2]) if len(sizes) == 3 and sizes[0] in (1, 3) and min(sizes) > 0 else None


def images_picture(rows: Sequence[ImageRow], shape: ImageShape, title: str, ending: str) -> bytes:
    """The picture as the bytes of a file: a row a sample.

    Args:
        rows: one at least.
        shape: of the images.
        title: of the picture.
        ending: one of `verifier.pictures.style.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 0.4 + 2.6 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    for cells, row in zip(figure.subplots(len(rows), 3, squeeze=False), rows, strict=True):
        _draw(cells, row, shape)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return file_of(figure, ending, 110)


def _draw(cells: Sequence[Axes], row: ImageRow, shape: ImageShape) -> None:
    for axes in cells:
        axes.set_xticks([])
        axes.set_yticks([])
    x, end = row.question.x, row.bracket.upper
    point = x if end is None or end.point is None else end.point.astype(np.float64)
    low, high = row.question.clip or (min(x.min(), point.min()), max(x.max(), point.max()))
    _show(cells[0], x, shape, (low, high))
    cells[0].set_title(f"sample {row.number}: class {row.bracket.predicted}", fontsize=9)
    if end is None or end.point is None:
        for axes in cells[1:]:
            axes.set_axis_off()
        cells[1].text(0.5, 0.5, "no witness was found", ha="center", va="center", fontsize=9)
        return
    change = point - x
    largest = float(np.abs(change).max()) or 1.0
    shown = cells[1].imshow(change.reshape(shape).mean(axis=0), cmap="RdBu_r", vmin=-largest, vmax=largest)
    cells[1].figure.colorbar(shown, ax=cells[1], shrink=0.8)
    cells[1].set_title(f"perturbation, {norm_name(row.bracket.norm)} {end.value:.4g}", fontsize=9)
    _show(cells[2], point, shape, (low, high))
    with np.errstate(all="ignore"):
        other = int(row.question.network.forward(point[None])[0].argmax())
    cells[2].set_title(f"class {other}, by {end.method}", fontsize=9)


def _show(axes: Axes, x: np.ndarray, shape: ImageShape, span: tuple[float, float]) -> None:
    width = (span[1] - span[0]) or 1.0
    image = np.clip((x.reshape(shape) - span[0]) / width, 0.0, 1.0)
    axes.imshow(image[0] if shape[0] == 1 else np.moveaxis(image, 0, -1), cmap="gray", vmin=0.0, vmax=1.0)
