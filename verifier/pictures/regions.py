"""The decision regions around a sample, and in them the certified and the attacked radius.

What is drawn is the plane of two inputs, else a plane through the sample along two random orthogonal directions. A ball
of a p-norm cuts it in all a u + b v with ||a u + b v||_p <= r: in the direction t it reaches
r / ||cos(t) u + sin(t) v||_p.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.pictures.bounds import undated
from verifier.radii.bracket import Bracket
from verifier.radii.question import RadiusQuestion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PIXELS = 300
"""Along each side."""
ANGLES = 721
REACH = 1.7
"""How far the picture goes, in largest extents of the ball that is drawn; farther where there is one class only."""
WIDENINGS = 6
COARSE = 40
"""Pixels along a side, to look for another class."""
SEEN = 0.01
"""A plane of which a smaller share lies in the data's range leaves it at the sample; then nothing is greyed."""
CLASSES = ("#a6cee3", "#fdd0a2", "#c7e9c0", "#dadaeb", "#fccde5", "#d9d9d9", "#ffffb3", "#b3e2cd", "#f1b6a5", "#cbd5e8")
PROVED, ATTACKED = "#0b5d3b", "#b3261e"


@dataclass(frozen=True, eq=False)
class Plane:
    """All centre + a u + b v.

    Attributes:
        centre: the sample, shape (n,).
        u, v: of length 1 in the 2-norm and orthogonal, shape (n,).
        names: of a and b.
    """

    centre: np.ndarray
    u: np.ndarray
    v: np.ndarray
    names: tuple[str, str]

    def points(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """For coordinates of shape (N,) each, shape (N, n)."""
        return self.centre + a[:, None] * self.u + b[:, None] * self.v

    def section(self, radius: float, norm: float) -> tuple[np.ndarray, np.ndarray]:
        """The boundary of the norm's ball around the centre, coordinates of shape (ANGLES,) each."""
        angles = np.linspace(0.0, 2 * np.pi, ANGLES)
        directions = np.cos(angles)[:, None] * self.u + np.sin(angles)[:, None] * self.v
        reach = radius / np.linalg.norm(directions, ord=norm, axis=1)
        return reach * np.cos(angles), reach * np.sin(angles)


def plane_through(sample: np.ndarray, seed: int) -> Plane:
    """The plane of the two inputs, or one along two random orthogonal directions.

    Args:
        sample: shape (n,), at least two inputs.
        seed: of the directions.

    Raises:
        ValueError: there is a single input.
    """
    if len(sample) < 2:
        raise ValueError("a single input spans no plane")
    if len(sample) == 2:
        return Plane(sample, np.array([1.0, 0.0]), np.array([0.0, 1.0]), ("first input", "second input"))
    drawn = np.random.default_rng(seed).standard_normal((len(sample), 2))
    basis, _ = np.linalg.qr(drawn)
    return Plane(sample, basis[:, 0], basis[:, 1], ("first random direction", "second random direction"))


def regions_picture(question: RadiusQuestion, bracket: Bracket, title: str, seed: int, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        question: about the sample.
        bracket: its answer.
        title: of the picture.
        seed: of the directions, where there are more than two inputs.
        ending: one of `verifier.pictures.bounds.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plane = plane_through(question.x, seed)
    low, high = bracket.interval
    drawn = next((r for r in (high, low) if 0 < r < math.inf), 1.0)
    extent = _wide_enough(question, plane, REACH * max(np.abs(s).max() for s in plane.section(drawn, question.norm)))
    figure = Figure(figsize=(7.4, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _draw_classes(axes, question, plane, extent)
    within = "" if question.clip is None else ", in the data's range"
    for radius, color, label in ((low, PROVED, f"certified{within}"), (high, ATTACKED, "nearest witness's distance")):
        if 0 < radius < math.inf:
            a, b = plane.section(radius, question.norm)
            style = "-" if color == PROVED else "--"
            axes.plot(*_shifted(plane, a, b), style, color=color, linewidth=1.6, label=f"{label} {radius:.4g}")
    axes.plot(*_shifted(plane, 0.0, 0.0), "o", color="black", markersize=5, label="the sample")
    end = bracket.upper
    if len(question.x) == 2 and end is not None and end.point is not None:
        axes.plot(*end.point.astype(float), "X", color=ATTACKED, markersize=8, label=f"witness of {end.method}")
    axes.set_aspect("equal")
    axes.set_xlabel(plane.names[0])
    axes.set_ylabel(plane.names[1])
    axes.set_title(title, loc="left", fontsize=10)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format=ending.lower().lstrip("."), dpi=110, bbox_inches="tight", metadata=undated(ending))
    return file.getvalue()


def classes_in(
    question: RadiusQuestion, plane: Plane, extent: float, pixels: int = PIXELS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The coordinates along a side, shape (pixels,), and at each pixel (row b, column a) class and being in the range.

    Returns:
        Coordinates; classes, integers, shape (pixels, pixels); whether the data's range holds the point.
    """
    side = np.linspace(-extent, extent, pixels)
    classes, inside = np.zeros((pixels, pixels), np.int64), np.zeros((pixels, pixels), bool)
    for row, b in enumerate(side):
        points = plane.points(side, np.full(pixels, b))
        with np.errstate(all="ignore"):
            classes[row] = question.network.forward(points).argmax(axis=1)
        inside[row] = ((points >= question.box.lower) & (points <= question.box.upper)).all(axis=1)
    return side, classes, inside


def _wide_enough(question: RadiusQuestion, plane: Plane, extent: float) -> float:
    """The extent widened until another class is seen, if one is."""
    for _ in range(WIDENINGS):
        if len(np.unique(classes_in(question, plane, extent, COARSE)[1])) > 1:
            break
        extent *= 1.5
    return extent


def _shifted(plane: Plane, a: np.ndarray | float, b: np.ndarray | float) -> tuple[np.ndarray | float, ...]:
    """Coordinates as the axes have them: the inputs themselves where there are two."""
    return (a + plane.centre[0], b + plane.centre[1]) if len(plane.centre) == 2 else (a, b)


def _draw_classes(axes: Axes, question: RadiusQuestion, plane: Plane, extent: float) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    side, classes, inside = classes_in(question, plane, extent)
    columns, rows = _shifted(plane, side, side)
    kinds = np.unique(classes)
    colors = [CLASSES[int(kind) % len(CLASSES)] for kind in kinds]
    numbers = np.searchsorted(kinds, classes)
    colormap = ListedColormap(colors)
    axes.pcolormesh(columns, rows, numbers, cmap=colormap, vmin=-0.5, vmax=len(kinds) - 0.5, rasterized=True)
    if len(kinds) > 1:
        for kind in range(len(kinds)):
            axes.contour(columns, rows, (numbers == kind).astype(float), levels=[0.5], colors="0.35", linewidths=0.7)
    partly = SEEN < inside.mean() < 1.0
    if partly:
        shade = np.ma.masked_where(inside, np.ones_like(classes, float))
        axes.pcolormesh(columns, rows, shade, cmap=ListedColormap(["black"]), alpha=0.25, rasterized=True)
    patches = [Patch(color=color, label=f"class {kind}") for kind, color in zip(kinds, colors, strict=True)]
    if partly:
        patches.append(Patch(color="black", alpha=0.35, label="outside the data's range"))
    elif not inside.all():
        patches.append(Patch(alpha=0.0, label="nearly all of it outside the data's range"))
    axes.legend(handles=patches, fontsize=7, loc="lower right", framealpha=0.85)
