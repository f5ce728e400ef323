"""The options that ask about the neighbourhood of a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from verifier.batch.job import Around
from verifier.errors import UsageError

Sample: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Look near this sample (.npy, .npz, .csv, .txt); without PROPERTY for another class."),
]
Epsilon: TypeAlias = Annotated[float | None, typer.Option(help="How near: the radius of the ball around the sample.")]
Norm: TypeAlias = Annotated[str, typer.Option(help="Of that ball: 1, 2 or inf.")]
Clip: TypeAlias = Annotated[str, typer.Option(metavar="LOW,HIGH", help="Values that inputs can have at all.")]
Label: TypeAlias = Annotated[int | None, typer.Option(help="The sample's class; otherwise the network's own.")]

NORMS = {"1": 1.0, "2": 2.0, "inf": math.inf}
MEASURES = {"0": 0.0, **NORMS}
"""Of distances; there are no balls of norm 0."""


def neighbourhood(sample: Path | None, epsilon: float | None, norm: str, clip: str, label: int | None) -> Around | None:
    """What the options say; None where they were not given.

    Raises:
        UsageError: a value is out of range, or one option misses another.
    """
    if sample is None:
        for given, option in ((epsilon is not None, "--epsilon"), (clip, "--clip"), (label is not None, "--label")):
            if given:
                raise UsageError("no sample to look around", option, "give --around SAMPLE as well")
        return None
    if epsilon is None:
        raise UsageError("no radius", "--around", "give --epsilon as well")
    if not 0 <= epsilon < math.inf:
        raise UsageError(f"a radius of {epsilon}", "--epsilon", "give a finite number from 0 on")
    return Around(sample, epsilon, norm_named(norm), range_given(clip) if clip else None, label)


def norm_named(norm: str, known: Mapping[str, float] = NORMS) -> float:
    """The norm that an option names, of those known.

    Raises:
        UsageError: it names none.
    """
    if norm.lower() not in known:
        *first, last = known
        raise UsageError(f"a norm {norm!r}", "--norm", f"give {', '.join(first)} or {last}")
    return known[norm.lower()]


def described(around: Around) -> dict[str, object]:
    """The same for a JSON file."""
    return {
        "sample": str(around.sample),
        "epsilon": around.epsilon,
        "norm": "inf" if math.isinf(around.norm) else int(around.norm),
        "clip": None if around.clip is None else [repr(end) for end in around.clip],
        "label": around.label,
    }


def range_given(clip: str) -> tuple[float, float]:
    """The data's range that an option gives, the lower end first.

    Raises:
        UsageError: it is none.
    """
    try:
        low, high = (float(word) for word in clip.split(","))
    except ValueError:
        low, high = math.nan, math.nan
    if not low <= high:
        raise UsageError(f"{clip!r} is no range", "--clip", "give two numbers, the lower first: --clip 0,1")
    return low, high
