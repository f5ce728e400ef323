"""Ranges on a line, one row a form: what inputs reach, and what is proved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.pictures.style import ATTACKED, POINTS_LEFT, POINTS_RIGHT, PROVED, file_of, row_texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from verifier.ranges.result import Ranges

MOST_ROWS = 60
"""Forms that are drawn at most; the widest of them where there are more."""


def ranges_picture(ranges: Ranges, title: str, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        ranges: what is drawn; of more than `MOST_ROWS` those of the widest ranges.
        title: of the picture.
        ending: one of `verifier.pictures.style.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = _chosen(ranges)
    figure = Figure(figsize=(9.0, 1.6 + 0.3 * len(chosen)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row, k in enumerate(chosen):
        _draw(axes, row, ranges, int(k))
    _key(axes)
    axes.set_yticks(range(len(chosen)), [ranges.names[k] for k in chosen])
    axes.set_ylim(len(chosen) - 0.4, -0.6)
    axes.set_xlabel("value")
    left_out = len(ranges.names) - len(chosen)
    axes.set_title(f"{title}{f', the widest {len(chosen)} of them' if left_out else ''}", loc="left", fontsize=10)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    return file_of(figure, ending)


def _chosen(ranges: Ranges) -> np.ndarray:
    if len(ranges.names) <= MOST_ROWS:
        return np.arange(len(ranges.names))
    widths = np.nan_to_num((ranges.upper - ranges.lower).reshape(-1), posinf=np.inf)
    return np.sort(np.argsort(-widths, kind="stable")[:MOST_ROWS])


def _draw(axes: Axes, row: int, ranges: Ranges, k: int) -> None:
    """A bar over what is reached, carets at the proven ends, and the numbers."""
    names = "lower", "reached_lower", "reached_upper", "upper"
    low, inner_low, inner_high, high = (float(getattr(ranges, name).reshape(-1)[k]) for name in names)
    axes.plot([inner_low, inner_high], [row, row], color=ATTACKED, linewidth=5.0, alpha=0.6, solid_capstyle="butt")
    for value, marker in ((low, POINTS_RIGHT), (high, POINTS_LEFT)):
        if np.isfinite(value):
            axes.plot([value], [row], marker=marker, markersize=8, color=PROVED, linestyle="none")
    row_texts(axes, row, (f"{low:.4g}", f"{high:.4g}"))


def _key(axes: Axes) -> None:
    axes.plot([], [], color=ATTACKED, linewidth=5.0, alpha=0.6, label="reached by inputs")
    axes.plot([], [], marker=POINTS_RIGHT, color=PROVED, linestyle="none", label="proven end")
    axes.figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
