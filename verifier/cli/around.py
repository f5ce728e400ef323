"""The options that ask about the neighbourhood of a sample."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from verifier.arguments import limits_written, norm_named, number_written
from verifier.batch.job import Around
from verifier.cli.options import option, whole
from verifier.errors import UsageError

CHANNELS = "Where an array's channels come: first, or last while the network has them before rows and columns."


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """The neighbourhood of a sample."""

    around: Path | None = option(
        Path,
        None,
        "Look near this sample (.npy, .npz, .csv, .txt, image); without PROPERTY for another class.",
        "SAMPLE",
    )
    data: str | None = option(str, None, "The same of a known set: digits, mnist5k; or of a file.", "DATA")
    samples: str | None = option(str, None, "Which of its samples, where there are several.", "I")
    epsilon: str = option(str, "", "How near: the radius of the ball around the sample, such as 0.03 or 8/255.", "SIZE")
    norm: str = option(str, "inf", "Of that ball: 1, 2 or inf.", "P")
    clip: str = option(str, "", "Values that inputs can have at all; the sample is to lie between them.", "LOW,HIGH")
    label: int | None = option(whole(), None, "The sample's class; otherwise the data's, or the network's own.")
    channels: str = option(str, "first", CHANNELS, "WHERE")

    @property
    def sample(self) -> Path | None:
        """The file, or the name of a set."""
        return Path(self.data) if self.around is None and self.data is not None else self.around

    def asked(self) -> Around | None:
        """What the options say; None where they were not given.

        Raises:
            UsageError: a value is out of range, or one option misses another.
        """
        if self.around is not None and self.data is not None:
            raise UsageError("two samples", "--data", "give --around or --data")
        if self.sample is None:
            given = {"--epsilon": self.epsilon, "--clip": self.clip, "--samples": self.samples}
            for name in (name for name, value in (given | {"--label": self.label}).items() if value not in (None, "")):
                raise UsageError("no sample to look around", name, "give --around SAMPLE as well")
            return None
        if not self.epsilon:
            raise UsageError("no radius", "--around" if self.data is None else "--data", "give --epsilon as well")
        epsilon = number_written(self.epsilon, "epsilon")
        if not 0 <= epsilon < math.inf:
            raise UsageError(f"a radius of {epsilon}", "--epsilon", "give a finite number from 0 on")
        limits = limits_written(self.clip) if self.clip else None
        norm = norm_named(self.norm)
        return Around(self.sample, epsilon, norm, limits, self.label, self.samples, self.channels)


def described(around: Around) -> dict[str, object]:
    """The same for a JSON file."""
    return {
        "sample": str(around.sample),
        "epsilon": around.epsilon,
        "norm": "inf" if math.isinf(around.norm) else int(around.norm),
        "clip": None if around.clip is None else [repr(end) for end in around.clip],
        "label": around.label,
        "number": around.number,
        "channels": around.channels,
    }
