"""The bracket of one sample's minimal perturbation: its ends, which are the best, which contradict each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from verifier.shown import Shown, html_table, json_number
from verifier.standing import Standing

CROSSING = 1e-9
"""A certified end may lie above an attack's by this much of it: witnesses are judged in floating point."""
PROOFS = (Standing.EXACT, Standing.CERTIFIED, Standing.REAL)


class Side(StrEnum):
    """Where an end lies."""

    LOWER = "lower"
    UPPER = "upper"


@dataclass(frozen=True, eq=False)
class End:
    """One method's bound on the minimal perturbation.

    Attributes:
        method: its name.
        side: whether it bounds from below or from above.
        value: in the bracket's norm; infinite from above where an attack failed, from below where no input of the
            data's range has another class.
        standing: what it rests on.
        seconds: that the method took; those of both of its ends where it has two.
        point: the witness of an end from above, float32, shape (input_size,).
        detail: what else there is to say, one line.
        late: whether the time was up before the method had anything to say; the value says nothing then.
    """

    method: str
    side: Side
    value: float
    standing: Standing
    seconds: float = 0.0
    point: np.ndarray | None = field(default=None, repr=False)
    detail: str = ""
    late: bool = False

    @property
    def proved(self) -> bool:
        """Whether the minimal perturbation cannot be smaller."""
        return self.side is Side.LOWER and self.standing in PROOFS

    @property
    def told(self) -> str:
        return f"{self.method} {self.side} {self.value:.9g} ({self.standing})"


@dataclass(frozen=True)
class Crossing:
    """A proof that no smaller perturbation changes the class, and a smaller perturbation that does."""

    lower: End
    upper: End

    @property
    def told(self) -> str:
        return f"{self.lower.told} lies above {self.upper.told}"


@dataclass(frozen=True, eq=False, repr=False)
class Bracket(Shown):
    """What is known of the minimal perturbation of one sample.

    Attributes:
        norm: 1, 2 or inf; or 0, the number of entries that are changed.
        label: the class that is to be kept.
        predicted: the network's own class.
        ends: of all methods, in the order they ran.
        tolerance: the relative gap up to which the bracket counts as the value.
        seconds: all of it took.
    """

    norm: float
    label: int
    predicted: int
    ends: Sequence[End]
    tolerance: float
    seconds: float = 0.0

    @property
    def lower(self) -> End | None:
        """The best proved bound from below."""
        return max((end for end in self.ends if end.proved), key=lambda end: end.value, default=None)

    @property
    def upper(self) -> End | None:
        """The best bound from above that has a witness."""
        known = [end for end in self.ends if end.side is Side.UPPER and math.isfinite(end.value)]
        return min(known, key=lambda end: end.value, default=None)

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends as numbers: 0 and infinity where nothing is known."""
        return (self.lower.value if self.lower else 0.0), (self.upper.value if self.upper else math.inf)

    @property
    def gap(self) -> float:
        """What lies between the ends as a share of the upper one: 0 at best, 1 where nothing was proved."""
        low, high = self.interval
        if math.isinf(high):
            return 0.0 if math.isinf(low) else 1.0
        return 0.0 if high == 0 else max(0.0, high - low) / high

    @property
    def exact(self) -> bool:
        """Whether the value is known, up to the tolerance."""
        return not self.crossings and self.gap <= self.tolerance

    @property
    def standing(self) -> Standing | None:
        """Exact, or that of the best proof; None where there is none, or a contradiction."""
        if self.crossings or self.lower is None:
            return None
        return Standing.EXACT if self.exact else self.lower.standing

    @property
    def crossings(self) -> list[Crossing]:
        """All proofs that some witness refutes."""
        proofs = [end for end in self.ends if end.proved]
        uppers = [end for end in self.ends if end.side is Side.UPPER and math.isfinite(end.value)]
        return [Crossing(a, b) for a in proofs for b in uppers if a.value > b.value * (1 + CROSSING)]

    @property
    def summary(self) -> str:
        """The bracket in a line."""
        low, high = self.interval
        if self.crossings:
            return "the ends contradict each other"
        if self.predicted != self.label:
            return "0, exact: the sample is misclassified already"
        if math.isinf(low):
            return "infinite: no input of the data's range has another class"
        by = f"[{low:.6g}, {high:.6g}], from {self._named(self.lower)} to {self._named(self.upper)}"
        return f"{by}; exact within {self.gap:.1g}" if self.exact else f"{by}; a gap of {self.gap:.2%} is left"

    def facts(self) -> Iterable[tuple[str, str]]:
        """What is known, in words, and each end."""
        yield "of class", f"{self.label} in norm {self.norm:g}"
        yield "radius", self.summary
        yield "in", f"{self.seconds:.2f} s"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return bracket_record(self)

    def _repr_html_(self) -> str:
        rows = ((e.method, e.side.value, f"{e.value:.6g}", e.standing.value, f"{e.seconds:.2f}") for e in self.ends)
        headings = "method", "end", "value", "standing", "seconds"
        return super()._repr_html_() + html_table("ends", headings, rows)

    @staticmethod
    def _named(end: End | None) -> str:
        return "nothing" if end is None else f"{end.method} ({end.standing})"


def end_record(end: End) -> dict[str, object]:
    """An end for JSON."""
    return {
        "method": end.method,
        "side": end.side.value,
        "value": json_number(end.value),
        "infinite": math.isinf(end.value),
        "standing": end.standing.value,
        "seconds": round(end.seconds, 4),
        "point": None if end.point is None else [float(v) for v in end.point],
        "detail": end.detail,
        "late": end.late,
    }


def bracket_record(bracket: Bracket) -> dict[str, Any]:
    """A bracket for JSON."""
    low, high = bracket.interval
    return {
        "norm": "inf" if math.isinf(bracket.norm) else int(bracket.norm),
        "label": bracket.label,
        "predicted": bracket.predicted,
        "lower": json_number(low),
        "upper": json_number(high),
        "gap": bracket.gap,
        "exact": bracket.exact,
        "standing": bracket.standing,
        "summary": bracket.summary,
        "seconds": round(bracket.seconds, 4),
        "crossings": [
            {"told": c.told, "lower": end_record(c.lower), "upper": end_record(c.upper)} for c in bracket.crossings
        ],
        "ends": [end_record(end) for end in bracket.ends],
    }
