"""What the methods say of one sample, and the same as plain numbers that a file can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from verifier.radii.bracket import CROSSING
from verifier.shown import json_number
from verifier.standing import Standing


@dataclass(frozen=True)
class Answer:
    """One method's answer about one sample.

    Attributes:
        method: its name.
        standing: what its certificates rest on; that of an attack for attacks.
        certified: no perturbation of this size or a smaller one changes the class; 0 where nothing is certified.
        broken: the size of a perturbation that does, infinite where none was found.
        seconds: that it took.
        abstained: of smoothing: whether it could not tell the smoothed network's class.
        detail: what else there is to say.
        point: the perturbed input, float32 numbers, where there is one.
        late: whether the time was up before the method had anything to say.
    """

    method: str
    standing: Standing
    certified: float = 0.0
    broken: float = math.inf
    seconds: float = 0.0
    abstained: bool = False
    detail: str = ""
    point: tuple[float, ...] | None = field(default=None, repr=False)
    late: bool = False

    @property
    def smoothed(self) -> bool:
        """Whether it speaks of the smoothed network instead."""
        return self.standing is Standing.PROBABLE


@dataclass(frozen=True)
class SampleAnswers:
    """All answers about one sample.

    Attributes:
        sample: its number in the data set.
        label: its class.
        predicted: the network's own class, as ONNX Runtime computes it.
        answers: one for each method; of a misclassified sample those of smoothing only.
    """

    sample: int
    label: int
    predicted: int
    answers: tuple[Answer, ...]

    @property
    def clean(self) -> bool:
        """Whether the network has it right."""
        return self.label == self.predicted

    @property
    def certified(self) -> float:
        """The largest size up to which some proof about the network reaches."""
        return max((a.certified for a in self.answers if not a.smoothed), default=0.0) if self.clean else 0.0

    @property
    def broken(self) -> float:
        """The size of the smallest perturbation found; 0 where the sample is misclassified."""
        return min((a.broken for a in self.answers), default=math.inf) if self.clean else 0.0

    @property
    def crossings(self) -> list[tuple[Answer, Answer]]:
        """Pairs of a proof and a perturbation that refutes it."""
        proofs = [a for a in self.answers if not a.smoothed and a.certified > 0]
        broken = [a for a in self.answers if math.isfinite(a.broken)]
        return [(p, b) for p in proofs for b in broken if p.certified > b.broken * (1 + CROSSING)]


def to_record(answers: SampleAnswers) -> dict[str, Any]:
    """For JSON; infinite sizes are null."""
    return {
        "sample": answers.sample,
        "label": answers.label,
        "predicted": answers.predicted,
        "answers": [
            {
                "method": a.method,
                "standing": a.standing.value,
                "certified": json_number(a.certified),
                "everywhere": math.isinf(a.certified),
                "broken": json_number(a.broken),
                "seconds": round(a.seconds, 4),
                "abstained": a.abstained,
                "detail": a.detail,
                "point": None if a.point is None else list(a.point),
                "late": a.late,
            }
            for a in answers.answers
        ],
    }


def from_record(record: dict[str, Any]) -> SampleAnswers:
    """The inverse of `to_record`."""
    return SampleAnswers(
        record["sample"], record["label"], record["predicted"], tuple(_answer(a) for a in record["answers"])
    )


def _answer(record: dict[str, Any]) -> Answer:
    point: Sequence[float] | None = record["point"]
    return Answer(
        record["method"],
        Standing(record["standing"]),
        math.inf if record["everywhere"] else record["certified"],
        math.inf if record["broken"] is None else record["broken"],
        record["seconds"],
        record["abstained"],
        record["detail"],
        None if point is None else tuple(point),
        record.get("late", False),
    )
