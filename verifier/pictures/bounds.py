"""The bounds of a comparison on a line, one row a method."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.errors import UsageError
from verifier.methods.comparison import Answer, Comparison
from verifier.pictures.style import BLUE, FORMATS, GREEN, POINTS_RIGHT, VERMILION, file_of, row_texts
from verifier.verdict import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COMPLETE, INCOMPLETE, REACHED = GREEN, BLUE, VERMILION
SPREAD = 30.0
"""From this ratio of the largest to the smallest magnitude on, the axis is logarithmic beyond its middle."""


def check_picture(path: Path, option: str) -> None:
    """Finds out before the work whether a picture can be drawn into such a file.

    Raises:
        UsageError: its ending is that of no known format, or Matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("pictures need matplotlib, which is not installed", option, "pip install matplotlib")
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path.name} is no kind of picture", option, f"end its name with {', '.join(FORMATS)}")


def bounds_picture(comparison: Comparison, title: str, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        comparison: what is drawn.
        title: of the picture.
        ending: one of `verifier.pictures.style.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    answers = comparison.answers
    figure = Figure(figsize=(9.0, 1.6 + 0.38 * len(answers)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    beyond = _scale(axes, comparison)
    axes.axvline(0.0, color="0.45", linestyle="--", linewidth=1.0, label="0: beyond it the property is proved")
    if comparison.optimum is not None:
        axes.axvline(comparison.optimum, color="0.1", linewidth=1.2, label=f"exact margin {comparison.optimum:.6g}")
    for row, answer in enumerate(answers):
        _draw(axes, row, answer, comparison.optimum)
    _key(axes)
    axes.set_yticks(range(len(answers)), [answer.method for answer in answers])
    axes.set_ylim(len(answers) - 0.4, -0.6)
    axes.set_xlabel("margin to a violation" + (f" (logarithmic beyond ±{beyond:.2g})" if beyond else ""))
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    return file_of(figure, ending)


def _draw(axes: Axes, row: int, answer: Answer, optimum: float | None) -> None:
    """A method's bound, what is missing to the optimum, the margin it reached, and what it says."""
    verdict, color = answer.verdict, COMPLETE if answer.complete else INCOMPLETE
    if verdict.bound is not None:
        if optimum is not None:
            axes.plot([verdict.bound, optimum], [row, row], color=color, linewidth=3.0, alpha=0.25)
        fill = "full" if answer.complete else "none"
        axes.plot([verdict.bound], [row], marker=POINTS_RIGHT, markersize=8, color=color, fillstyle=fill)
    if verdict.reached is not None:
        axes.plot([verdict.reached], [row], marker="x", markersize=6, color=REACHED, linestyle="none")
    decided = verdict.status in (Status.SAT, Status.UNSAT)
    row_texts(axes, row, (str(verdict.status), f"{verdict.seconds:.2f} s"), decided)


def _scale(axes: Axes, comparison: Comparison) -> float:
    """A symmetric logarithmic axis where magnitudes differ widely: loose bounds would squeeze the others together.

    Returns:
        From which magnitude on the axis is logarithmic; 0 where it is not at all.
    """
    verdicts = [answer.verdict for answer in comparison.answers]
    values = [abs(v) for verdict in verdicts for v in (verdict.bound, verdict.reached) if v is not None]
    sizes = [value for value in values if math.isfinite(value) and value > 1e-3]
    if sizes and max(sizes) > SPREAD * min(sizes):
        beyond = max(min(sizes), max(sizes) / 300)
        axes.set_xscale("symlog", linthresh=beyond)
        return beyond
    return 0.0


def _key(axes: Axes) -> None:
    for color, marker, fill, label in (
        (INCOMPLETE, POINTS_RIGHT, "none", "lower bound, incomplete method"),
        (COMPLETE, POINTS_RIGHT, "full", "lower bound, complete method"),
        (REACHED, "x", "full", "reached by an input"),
    ):
        axes.plot([], [], marker=marker, fillstyle=fill, color=color, linestyle="none", label=label)
    axes.figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
