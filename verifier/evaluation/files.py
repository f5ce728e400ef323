"""What a run leaves for other tools: a row for every sample and method, and the shares."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from verifier.evaluation.answers import Answer, SampleAnswers
from verifier.evaluation.options import AccuracyOptions
from verifier.evaluation.summary import Share, Summary
from verifier.text import cell

COLUMNS = (
    "sample",
    "label",
    "predicted",
    "method",
    "standing",
    "about",
    "certified",
    "broken",
    "abstained",
    "detail",
    "seconds",
)


def rows_csv(answers: Sequence[SampleAnswers], asked: dict[str, Any], options: AccuracyOptions) -> str:
    """A row for every sample and method, which can be read without any other.

    Args:
        answers: of all samples.
        asked: what holds of every row, by column.
        options: whose sizes have a column each: certified, broken or open.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"at {epsilon:g}" for epsilon in options.epsilons), *asked])
    for sample in sorted(answers, key=lambda a: a.sample):
        for answer in sample.answers or (None,):
            at = [_state(sample, answer, epsilon) for epsilon in options.epsilons]
            writer.writerow([cell(value) for value in (*_row(sample, answer), *at, *asked.values())])
    return file.getvalue()


def _row(sample: SampleAnswers, answer: Answer | None) -> list[Any]:
    first = [sample.sample, sample.label, sample.predicted]
    if answer is None:
        return [*first, "none", "exact", "network", 0.0, 0.0, "", "the sample is misclassified", 0.0]
    about = "smoothed network" if answer.smoothed else "network"
    ends = [repr(answer.certified), repr(answer.broken)]
    return [
        *first, answer.method, answer.standing, about, *ends, answer.abstained, answer.detail, f"{answer.seconds:.4f}"
    ]  # fmt: skip


def _state(sample: SampleAnswers, answer: Answer | None, epsilon: float) -> str:
    if answer is None:
        return "misclassified"
    if epsilon <= answer.certified:
        return "certified"
    return "broken" if epsilon >= answer.broken else "open"


def record(summary: Summary, asked: dict[str, Any], claim: str) -> dict[str, Any]:
    """The shares for a JSON file."""
    return {
        "asked": asked,
        "claim": claim,
        "samples": summary.clean.of,
        "clean": _share(summary.clean),
        "abstained": {name: _share(share) for name, share in summary.abstained.items()},
        "sizes": [
            {
                "epsilon": size.epsilon,
                "certified": {name: _share(share) for name, share in size.certified.items()},
                "certified by any": _share(size.by_any),
                "unbroken": _share(size.unbroken),
                "between": _share(size.between),
            }
            for size in summary.sizes
        ],
    }


def _share(share: Share) -> dict[str, Any]:
    return {"count": share.count, "share": share.value, "interval": [round(end, 6) for end in share.interval]}
