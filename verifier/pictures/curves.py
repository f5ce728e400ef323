"""Certified robust accuracy against the size of perturbations: a curve a method, and the band up to the attacks."""

from __future__ import annotations

import io
from collections.abc import Sequence

from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.summary import certifying_methods
from verifier.pictures.bounds import undated
from verifier.radii.smoothed import SMOOTHED

ATTACKED = "#b3261e"
COLORS = ("#1b7f4d", "#0b62a4", "#b07a00", "#7b3fa0", "#4d4d4d", "#00838f", "#8c564b", "#5b7c00")
"""Of certifying methods; they are told apart by their markers as well."""
MARKERS = "osD^vP*X"


def accuracy_picture(answers: Sequence[SampleAnswers], options: AccuracyOptions, title: str, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        answers: about one sample at least.
        options: the sizes and methods asked about.
        title: of the picture.
        ending: one of `verifier.pictures.bounds.FORMATS`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.0, 5.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    sizes = (0.0, *options.epsilons)
    unbroken = [_share(answers, lambda a, e: e < a.broken or (e == 0 and a.clean), e) for e in sizes]
    certified = [_share(answers, lambda a, e: a.clean and e <= a.certified, e) for e in sizes]
    axes.fill_between(sizes, certified, unbroken, color="0.88", label="neither certified nor broken")
    axes.plot(sizes, unbroken, color=ATTACKED, marker="x", label="no attack breaks it")
    for place, name in enumerate(certifying_methods(answers, options)):
        style = "--" if name in SMOOTHED else "-"
        shares = [_share(answers, lambda a, e, name=name: _certifies(a, name, e), e) for e in sizes[1:]]
        label = f"{name} (of the smoothed network)" if name in SMOOTHED else name
        color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
        axes.plot(sizes[1:], shares, style, color=color, marker=marker, markersize=5, label=label)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"size of the perturbation, {options.norm:g}-norm")
    axes.set_ylabel(f"share of {len(answers)} samples")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    file = io.BytesIO()
    figure.savefig(file, format=ending.lower().lstrip("."), dpi=150, metadata=undated(ending))
    return file.getvalue()


def _share(answers, holds, epsilon: float) -> float:  # type: ignore[no-untyped-def]
    return sum(holds(a, epsilon) for a in answers) / len(answers)


def _certifies(sample: SampleAnswers, name: str, epsilon: float) -> bool:
    return any(answer.method == name and epsilon <= answer.certified for answer in sample.answers)
