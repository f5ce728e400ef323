"""All methods on one query, side by side: what each proves, how far it is from the optimum, what it cost.

Every method bounds the same number, the violation's margin: the smallest, over the inputs, of how far the property is
from being violated. Complete methods reach it, incomplete ones stay below it, attacks above. So each answer checks
the others: a proof against a counterexample, and a bound against every input whose margin is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from verifier.deadline import Deadline
from verifier.errors import VerifierError
from verifier.methods.options import Options
from verifier.methods.registry import METHODS, Method, check_solver, method_named, run
from verifier.methods.task import Task
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.shown import Shown, json_number
from verifier.verdict import Status, Verdict

OPTIMAL = 1e-3
"""The optimum is known where a bound and a reached margin of the same sign are this near, relative to their size."""
LEAST_SHARE = 0.1
"""Seconds that a method has at least, though the ones before it have overrun."""
CONTRADICTORY = 1e-6, 1e-9
"""A bound that exceeds a reached margin by more, relative to their size plus absolutely, contradicts it: float64 has
computed that, off by far less."""


@dataclass(frozen=True, eq=False)
class Answer:
    """What one method said.

    Attributes:
        method: by name.
        verdict: its own; `error` where it failed, with the reason as its detail.
        undecided: neurons on whose bounds their function is not linear, as the method ended with them; None where it
            has no bounds of neurons.
    """

    method: str
    verdict: Verdict
    undecided: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the method decides every query on piecewise linear networks, given time."""
        return METHODS[self.method].complete


@dataclass(frozen=True, eq=False)
class Contradiction:
    """Two answers that cannot both be right.

    Attributes:
        proof: claims that all margins are above something.
        refutation: has an input that reaches less.
        told: what contradicts what, in one line.
    """

    proof: Answer
    refutation: Answer
    told: str


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Shown):
    """The answers of several methods to one question, in the order they were asked."""

    answers: tuple[Answer, ...]

    def facts(self) -> Iterable[tuple[str, str]]:
        """What all say, and each answer."""
        yield "verdict", "contradiction" if self.contradictions else str(self.verdict or "undecided")
        if self.optimum is not None:
            yield "exact margin", f"{self.optimum:.6g}"
        for answer in self.answers:
            verdict = answer.verdict
            margin = f", {verdict.margin}" if verdict.margin else ""
            yield answer.method, f"{verdict.status.value}{margin}, {verdict.seconds:.2f} s"

    def to_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return {
            "verdict": self.verdict and self.verdict.value,
            "bound": json_number(self.bound),
            "reached": json_number(self.reached),
            "optimum": self.optimum,
            "contradictions": [c.told for c in self.contradictions],
            "answers": {answer.method: answer.verdict.to_dict() for answer in self.answers},
        }

    @cached_property
    def reached(self) -> float:
        """The smallest margin that some input is known to reach; infinite where none is."""
        return min((a.verdict.reached for a in self.answers if a.verdict.reached is not None), default=math.inf)

    @cached_property
    def bound(self) -> float:
        """The largest proven lower bound; -inf where there is none."""
        return max((a.verdict.bound for a in self.answers if a.verdict.bound is not None), default=-math.inf)

    @cached_property
    def optimum(self) -> float | None:
        """The exact margin, where a bound and an input meet."""
        if not math.isfinite(self.bound) or not math.isfinite(self.reached) or self.contradictions:
            return None
        same_sign = (self.bound > 0) == (self.reached > 0)
        near = self.reached - self.bound <= OPTIMAL * max(abs(self.bound), abs(self.reached))
        return self.reached if same_sign and near else None

    def gap(self, answer: Answer) -> float | None:
        """How far the answer's bound stays below the optimum; None where either is not known."""
        if self.optimum is None or answer.verdict.bound is None:
            return None
        return max(0.0, self.optimum - answer.verdict.bound)

    @cached_property
    def contradictions(self) -> list[Contradiction]:
        """Every pair of answers that cannot both be right."""
        return list(self._contradictions())

    def _contradictions(self) -> Iterator[Contradiction]:
        for proof in self.answers:
            for other in self.answers:
                bound, reached = proof.verdict.bound, other.verdict.reached
                if (proof.verdict.status, other.verdict.status) == (Status.UNSAT, Status.SAT):
                    yield Contradiction(proof, other, f"{proof.method} says unsat, {other.method} says sat")
                elif bound is not None and reached is not None and bound > reached + _room(bound, reached):
                    told = f"{proof.method} proves a margin from {bound:.9g} on, {other.method} reached {reached:.9g}"
                    yield Contradiction(proof, other, told)

    @property
    def verdict(self) -> Status | None:
        """What the decided answers say; None where there are none, or they contradict each other."""
        said = {a.verdict.status for a in self.answers} & {Status.UNSAT, Status.SAT}
        return said.pop() if len(said) == 1 and not self.contradictions else None


def _room(bound: float, reached: float) -> float:
    relative, absolute = CONTRADICTORY
    return relative * max(abs(bound), abs(reached)) + absolute


def all_methods() -> tuple[str, ...]:
    """The methods in the order of a comparison: incomplete ones, complete ones, and the plan made of them last."""
    return tuple(sorted(METHODS, key=lambda name: (name == "auto", METHODS[name].complete)))


def shares(methods: Sequence[str], seconds: float) -> Iterator[tuple[str, float]]:
    """Each method with its share of the time that is left when its turn comes.

    Args:
        methods: names.
        seconds: for all of them.
    """
    deadline = Deadline(seconds)
    for count, method in enumerate(methods):
        yield method, max(deadline.remaining / (len(methods) - count), LEAST_SHARE)


def compared(network: Network, query: Query, methods: Sequence[str], options: Options) -> Comparison:
    """Runs the methods one after the other in this process; one that fails is an `error`, and the others go on.

    Args:
        network, query: the question.
        methods: names.
        options: for all of them; the timeout is shared out.

    Raises:
        UsageError: there is no such method, or the solver is not to be had or cannot do what they ask of it.
    """
    chosen = [method_named(name) for name in methods]
    check_solver(options.solver, methods)
    answers = []
    for (_, seconds), method in zip(shares(methods, options.timeout), chosen, strict=True):
        task = Task(network, query, replace(options, timeout=seconds, thorough=True))
        answers.append(_answer(task, method))
    return Comparison(tuple(answers))


def _answer(task: Task, method: Method) -> Answer:
    try:
        return Answer(method.name, run(task, method), task.enclosures.undecided)
    except VerifierError as error:
        return Answer(method.name, Verdict(Status.ERROR, method.name, detail=str(error)))
