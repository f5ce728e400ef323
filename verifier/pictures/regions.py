"""The decision regions around a sample, and in them the certified and the attacked radius.

What is drawn is the plane of two inputs, else the plane through the sample, the nearest witness and one more point: the
witness of another attack, or a random one where there is none. A ball of a p-norm cuts the plane in all a u + b v with
||a u + b v||_p <= r: in the direction t it reaches r / ||cos(t) u + sin(t) v||_p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.pictures.style import ATTACKED, BLACK, file_of, norm_name
from verifier.radii.bracket import Bracket, End, Side
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
NAMED = 400
"""Pixels from which on a region carries the number of its class."""
SEEN = 0.01
"""A plane of which a smaller share lies in the data's range leaves it at the sample; then nothing is greyed."""
CLASSES = ("#bfe0f5", "#fbdfa3", "#a6dccb", "#ecc9db", "#f7f3b5", "#d9d9d9", "#9fc5e0", "#f0bfa0", "#c5c5e8", "#cfe3a8")
"""Of the classes in the picture, in their order: paler than what is drawn over them."""
PROVED = "#00634a"
"""The green of proofs, darker: it lies on coloured ground."""
APART = 1e-3
"""A third point counts as off the line through sample and witness from this share of its own distance on."""


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


def plane_through(sample: np.ndarray, seed: int, ends: Sequence[End] = ()) -> Plane:
    """The plane of the two inputs, or the one through the sample and two more points.

    Args:
        sample: shape (n,), at least two inputs.
        seed: of random directions, which stand in for points that are missing.
        ends: with witnesses, the nearest first.

    Raises:
        ValueError: there is a single input.
    """
    if len(sample) < 2:
        raise ValueError("a single input spans no plane")
    if len(sample) == 2:
        return Plane(sample, np.array([1.0, 0.0]), np.array([0.0, 1.0]), ("first input", "second input"))
    drawn = np.random.default_rng(seed).standard_normal((2, len(sample)))
    candidates = [(f"to the witness of {end.method}", point - sample) for end, point in _witnesses(ends)]
    candidates += [(f"in {place} random direction", v) for place, v in zip(("a", "another"), drawn, strict=True)]
    chosen: list[tuple[str, np.ndarray]] = []
    for name, direction in candidates:
        rest = direction - sum((u * (u @ direction) for _, u in chosen), np.zeros_like(direction))
        if len(chosen) < 2 and np.linalg.norm(rest) > APART * np.linalg.norm(direction) > 0:
            chosen.append((name, rest / np.linalg.norm(rest)))
    (first, u), (second, v) = chosen
    across = second if second.startswith("in ") else f"across it, {second}"
    return Plane(sample, u, v, (f"2-norm {first}", f"2-norm {across}"))


def _witnesses(ends: Sequence[End]) -> list[tuple[End, np.ndarray]]:
    """The ends from above that have a witness, the nearest first, and the witnesses, shape (n,) each."""
    uppers = [end for end in ends if end.side is Side.UPPER and math.isfinite(end.value)]
    ordered = sorted(uppers, key=lambda end: end.value)
    return [(end, end.point.astype(np.float64)) for end in ordered if end.point is not None]


def regions_picture(question: RadiusQuestion, bracket: Bracket, title: str, seed: int, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        question: about the sample.
        bracket: its answer.
        title: of the picture.
        seed: of the directions, where there are more than two inputs.
        ending: one of `verifier.pictures.style.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plane = plane_through(question.x, seed, bracket.ends)
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
            axes.plot(
                *_shifted(plane, a, b),
                style,
                color=color,
                linewidth=1.6,
                label=f"{label} {radius:.4g}, {norm_name(question.norm)}",
            )
    axes.plot(*_shifted(plane, 0.0, 0.0), "o", color=BLACK, markersize=6, markeredgecolor="white", label="the sample")
    for (end, point), marker in zip(_witnesses(bracket.ends), "XD", strict=False):
        a, b = (point - plane.centre) @ plane.u, (point - plane.centre) @ plane.v
        seen = max(abs(a), abs(b)) <= extent
        if seen and np.allclose(
            plane.points(np.array([a]), np.array([b]))[0], point, atol=1e-6 * (1 + np.abs(point).max())
        ):
            told = f"witness of {end.method}"
            axes.plot(*_shifted(plane, a, b), marker, color=ATTACKED, ms=8, markeredgecolor="white", label=told)
    axes.set_aspect("equal")
    axes.set_xlabel(plane.names[0])
    axes.set_ylabel(plane.names[1])
    axes.set_title(title, loc="left", fontsize=10)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return file_of(figure, ending, 110, tight=True)


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
    colors = [CLASSES[place % len(CLASSES)] for place in range(len(kinds))]
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
    for kind in kinds:  # in words too: no ten colours are told apart by everybody
        at = np.argwhere(classes == kind)
        if len(at) > NAMED:
            row, column = at[np.abs(at - np.median(at, axis=0)).sum(axis=1).argmin()]
            a, b = (float(value) for value in _shifted(plane, side[column], side[row]))
            axes.text(a, b, str(kind), color="0.25", fontsize=9, ha="center", va="center")
    if partly:
        patches.append(Patch(color="black", alpha=0.35, label="outside the data's range"))
    elif not inside.all():
        patches.append(Patch(alpha=0.0, label="nearly all of it outside the data's range"))
    axes.legend(handles=patches, fontsize=7, loc="lower right", framealpha=0.85)
