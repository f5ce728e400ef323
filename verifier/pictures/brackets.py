"""The bracket of a sample's minimal perturbation on a line, one row a method's end."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from verifier.errors import UsageError
from verifier.pictures.style import (
    ATTACKED,
    ESTIMATED,
    POINTS_LEFT,
    POINTS_RIGHT,
    PROVED,
    file_of,
    norm_name,
    row_texts,
)
from verifier.radii.bracket import PROOFS, Bracket, End, Side

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_one(samples: int, option: str) -> None:
    """Finds out before the work whether a picture can be drawn.

    Raises:
        UsageError: there are several samples.
    """
    if samples != 1:
        raise UsageError(f"a picture of {samples} samples", option, "ask about one sample")


def bracket_picture(bracket: Bracket, title: str, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        bracket: what is drawn.
        title: of the picture.
        ending: one of `verifier.pictures.style.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    low, high = bracket.interval
    figure = Figure(figsize=(9.0, 1.6 + 0.3 * len(bracket.ends)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if math.isfinite(high):
        axes.axvspan(low, high, color="0.1", alpha=0.25, label=f"bracket [{low:.4g}, {high:.4g}]")
    for row, end in enumerate(bracket.ends):
        _draw(axes, row, end)
    _key(axes)
    axes.set_yticks(range(len(bracket.ends)), [end.method for end in bracket.ends])
    axes.set_ylim(len(bracket.ends) - 0.4, -0.6)
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"size of the perturbation, {norm_name(bracket.norm)}")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    return file_of(figure, ending)


def _draw(axes: Axes, row: int, end: End) -> None:
    if math.isfinite(end.value):
        marker = POINTS_RIGHT if end.side is Side.LOWER else POINTS_LEFT
        fill = "full" if end.proved or end.side is Side.UPPER else "none"
        axes.plot([end.value], [row], marker=marker, markersize=8, color=_color(end), fillstyle=fill)
        if end.proved:
            axes.plot([0.0, end.value], [row, row], color=_color(end), linewidth=3.0, alpha=0.25)
    infinite = "none found" if end.side is Side.UPPER else "whole range"
    row_texts(axes, row, (f"{end.value:.4g}" if math.isfinite(end.value) else infinite, f"{end.seconds:.2f} s"))


def _color(end: End) -> str:
    if end.side is Side.UPPER:
        return ATTACKED
    return PROVED if end.standing in PROOFS else ESTIMATED


def _key(axes: Axes) -> None:
    for color, marker, fill, label in (
        (PROVED, POINTS_RIGHT, "full", "proved: nothing nearer"),
        (ESTIMATED, POINTS_RIGHT, "none", "estimated"),
        (ATTACKED, POINTS_LEFT, "full", "another class, replayed"),
    ):
        axes.plot([], [], marker=marker, fillstyle=fill, color=color, linestyle="none", label=label)
    axes.figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
