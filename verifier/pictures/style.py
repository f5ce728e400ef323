"""What all pictures share: colours, markers, the words for norms, and how a figure becomes a file.

The colours are those of Okabe and Ito (2008, "Color Universal Design"), which people who are blind to some colours tell
apart as well; whatever has a colour has a marker or a line of its own besides.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
BLACK, ORANGE, SKY, GREEN = "#000000", "#e69f00", "#56b4e9", "#009e73"
YELLOW, BLUE, VERMILION, PURPLE = "#f0e442", "#0072b2", "#d55e00", "#cc79a7"
PROVED, ESTIMATED, ATTACKED = GREEN, ORANGE, VERMILION
"""What a proof rests under, what is only estimated, and what an attack reached."""
SERIES = (BLUE, GREEN, ORANGE, PURPLE, SKY, "#5a5a5a", "#8c564b", BLACK)
"""Of curves, with `MARKERS` and `DASHES` in step."""
MARKERS = "osD^vP*X"
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), "-.", (0, (7, 1.5, 1.5, 1.5, 1.5, 1.5)), "-", "--", ":")
POINTS_RIGHT, POINTS_LEFT = 5, 4
"""Matplotlib's carets whose tip, not whose middle, is at the value."""


def norm_name(norm: float) -> str:
    """Such as `2-norm` or `sup norm`."""
    return "sup norm" if math.isinf(norm) else f"{norm:g}-norm"


def range_name(clip: tuple[float, float] | None) -> str:
    """The data's range as titles have it, with a comma before it; empty where there is none."""
    return "" if clip is None else f", within [{clip[0]:g}, {clip[1]:g}]"


def row_texts(axes: Axes, row: float, texts: tuple[str, str], bold: bool = False) -> None:
    """Two columns of text at the right of a row of the axes: the first begins, the second ends in line with others."""
    weight = "bold" if bold else "normal"
    for text, offset, side in zip(texts, (8, 120), ("left", "right"), strict=True):
        axes.annotate(
            text, (1.0, row), xycoords=axes.get_yaxis_transform(), xytext=(offset, 0), textcoords="offset points",
            ha=side, va="center", fontsize=9, fontweight=weight, annotation_clip=False,
        )  # fmt: skip


def file_of(figure: Figure, ending: str, dpi: int = 150, tight: bool = False) -> bytes:
    """The bytes of a picture's file; the same figure gives the same file, with no date in it.

    Args:
        figure: what is drawn.
        ending: one of `FORMATS`.
        dpi: pixels to an inch, of a `.png`.
        tight: whether to cut the borders off.
    """
    dates: dict[str, dict[str, str | None]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    file, kind = io.BytesIO(), ending.lower()
    box = "tight" if tight else None
    figure.savefig(file, format=kind.lstrip("."), dpi=dpi, bbox_inches=box, metadata=dates.get(kind, {}))
    return file.getvalue()
