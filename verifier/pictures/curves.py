"""Certified robust accuracy against the size of perturbations: a curve a method, and the band up to the attacks."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.evaluation.answers import SampleAnswers
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.summary import certifying_methods
from verifier.pictures.style import ATTACKED, DASHES, MARKERS, SERIES, file_of, norm_name
from verifier.radii.smoothed import SMOOTHED


def accuracy_picture(answers: Sequence[SampleAnswers], options: AccuracyOptions, title: str, ending: str) -> bytes:
    """The picture as the bytes of a file.

    Args:
        answers: about one sample at least.
        options: the sizes and methods asked about.
        title: of the picture.
        ending: one of `verifier.pictures.style.FORMATS`.
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
        shares = [_share(answers, lambda a, e, name=name: _certifies(a, name, e), e) for e in sizes[1:]]
        label = f"{name} (of the smoothed network)" if name in SMOOTHED else name
        color, marker = SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)]
        dashes = DASHES[place % len(DASHES)]
        axes.plot(sizes[1:], shares, ls=dashes, color=color, marker=marker, markersize=5, alpha=0.9, label=label)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=0.0)
    axes.set_xlabel(f"size of the perturbation, {norm_name(options.norm)}")
    axes.set_ylabel(f"share of {len(answers)} samples")
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return file_of(figure, ending)


def _share(answers, holds, epsilon: float) -> float:  # type: ignore[no-untyped-def]
    return sum(holds(a, epsilon) for a in answers) / len(answers)


def _certifies(sample: SampleAnswers, name: str, epsilon: float) -> bool:
    return any(answer.method == name and epsilon <= answer.certified for answer in sample.answers)
