"""The options that ask about the neighbourhood of a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from verifier.batch.job import Around
from verifier.cli.options import number, option, whole
from verifier.errors import UsageError

NORMS = {"1": 1.0, "2": 2.0, "inf": math.inf}
MEASURES = {"0": 0.0, **NORMS}
"""Of distances; there are no balls of norm 0."""


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """The neighbourhood of a sample."""

    around: Path | None = option(
        Path, None, "Look near this sample (.npy, .npz, .csv, .txt); without PROPERTY for another class.", "SAMPLE"
    )
    epsilon: float | None = option(number(), None, "How near: the radius of the ball around the sample.")
    norm: str = option(str, "inf", "Of that ball: 1, 2 or inf.", "P")
    clip: str = option(str, "", "Values that inputs can have at all.", "LOW,HIGH")
    label: int | None = option(whole(), None, "The sample's class; otherwise the network's own.")

    def asked(self) -> Around | None:
        """What the options say; None where they were not given.

        Raises:
            UsageError: a value is out of range, or one option misses another.
        """
        if self.around is None:
            given = {"--epsilon": self.epsilon is not None, "--clip": self.clip, "--label": self.label is not None}
            for name in (name for name, is_given in given.items() if is_given):
                raise UsageError("no sample to look around", name, "give --around SAMPLE as well")
            return None
        if self.epsilon is None:
            raise UsageError("no radius", "--around", "give --epsilon as well")
        if not 0 <= self.epsilon < math.inf:
            raise UsageError(f"a radius of {self.epsilon}", "--epsilon", "give a finite number from 0 on")
        limits = range_given(self.clip) if self.clip else None
        return Around(self.around, self.epsilon, norm_named(self.norm), limits, self.label)


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
