"""The one answer that every method gives."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from verifier.shown import Shown, json_number

if TYPE_CHECKING:
    import numpy as np


NEARLY_NOTHING = 1e-100
"""Margins below this stand for a strict inequality that is only just met."""


class Status(StrEnum):
    """VNN-COMP's verdict words."""

    UNSAT = "unsat"
    SAT = "sat"
    UNKNOWN = "unknown"
    TIMEOUT = "timeout"
    ERROR = "error"


@dataclass(frozen=True, eq=False, repr=False)
class Witness(Shown):
    """A violation, replayed in ONNX Runtime.

    Attributes:
        x: the input, float32, shape (input_size,), all inputs concatenated.
        y: what the runtime computes from it, shape (output_size,), float64 holding the runtime's values exactly.
        distance: how far x lies outside the box in its largest entry; 0.0 unless a tolerance was asked for.
    """

    x: np.ndarray
    y: np.ndarray
    distance: float = 0.0

    def facts(self) -> Iterable[tuple[str, str]]:
        """The input and the output, as far as a line holds them."""
        return ("x", _entries(self.x)), ("y", _entries(self.y))

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "x": [json_number(v) for v in self.x],
            "y": [json_number(v) for v in self.y],
            "distance_from_input_set": self.distance,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Verdict(Shown):
    """What a method says of a query.

    Attributes:
        status: the verdict.
        method: the name of the method that reached it.
        bound: the best proven lower bound of the violation margin, the smallest over disjuncts of the largest over
            rows of (left side - right side): positive where the property is proved. None where no bound is known.
        witness: the violation, for `sat`.
        seconds: wall time spent.
        detail: one line for the user: why undecided, what is vacuous, which tolerance was used.
        reached: the smallest margin that an input of the query is known to reach, as float64 computes it: where the
            bound comes near it, it is the optimum. None where it was not looked for.
    """

    status: Status
    method: str
    bound: float | None = None
    witness: Witness | None = None
    seconds: float = 0.0
    detail: str = ""
    reached: float | None = None
    proof: str = ""

    @property
    def proved(self) -> bool:
        """Whether the property is proved: there is no violation (`unsat`)."""
        return self.status is Status.UNSAT

    @property
    def refuted(self) -> bool:
        """Whether the property is refuted: `witness` violates it (`sat`)."""
        return self.status is Status.SAT

    @property
    def margin(self) -> str:
        """What is known of the margin, in words; empty where nothing is."""
        if self.bound is None or math.isnan(self.bound):
            return ""
        return "margin above 0" if 0 < self.bound < NEARLY_NOTHING else f"margin at least {self.bound:.6g}"

    def facts(self) -> Iterable[tuple[str, str]]:
        """The verdict, what it rests on, and the counterexample."""
        yield "status", self.status.value
        yield "by", self.method
        if self.margin:
            yield "with", self.margin
        yield "in", f"{self.seconds:.2f} s"
        if self.witness is not None:
            yield from self.witness.facts()
        if self.detail:
            yield "detail:", self.detail
        if self.proof:
            yield "proof:", self.proof

    def to_dict(self) -> dict[str, Any]:
        """The verdict with its evidence, for JSON."""
        return {
            "verdict": self.status.value,
            "method": self.method,
            "bound": None if self.bound is None else json_number(self.bound),
            **({} if self.reached is None else {"reached": json_number(self.reached)}),
            "seconds": round(self.seconds, 4),
            "detail": self.detail,
            **({"proof": self.proof} if self.proof else {}),
            "witness": self.witness and self.witness.to_dict(),
        }

    def __bool__(self) -> bool:
        raise TypeError("a verdict is no truth value: ask verdict.proved, verdict.refuted or verdict.status")


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    Attributes:
        seconds: since the task was made.
        open: subproblems not yet decided.
        explored: subproblems bounded so far.
        bound: the worst proven lower bound of the margin among the open ones; positive once none is left.
    """

    seconds: float
    open: int
    explored: int
    bound: float


SHOWN = 8
"""Entries of a vector that a line holds."""


def _entries(values: np.ndarray) -> str:
    first = ", ".join(f"{v:.6g}" for v in values[:SHOWN])
    return f"({first}{f', ... {len(values)} entries' if len(values) > SHOWN else ''})"
