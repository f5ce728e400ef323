"""Counts and the competition's score: +10 for each right verdict, -150 for each wrong one (VNN-COMP 2021 to 2025).

A verdict whose truth is not known counts as right, unless another one contradicts it: then it counts for nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import median

from verifier.batch.records import Result
from verifier.batch.report.material import Contender, Key, Material
from verifier.verdict import Status

RIGHT = 10
WRONG = -150


@dataclass(frozen=True)
class Score:
    """What came of some results.

    Attributes:
        instances: how many were asked.
        verified, falsified, unknown, timeout, error: how many have that verdict, right or wrong.
        missing: how many have no result yet.
        wrong: verdicts that contradict the known one.
        disputed: verdicts on instances of unknown truth that another verdict contradicts.
        total_seconds, median_seconds: wall time of those verified or falsified; the median is None where none are.
    """

    instances: int
    verified: int
    falsified: int
    unknown: int
    timeout: int
    error: int
    missing: int
    wrong: int
    disputed: int
    total_seconds: float
    median_seconds: float | None

    @property
    def solved(self) -> int:
        """How many are verified or falsified, right or wrong."""
        return self.verified + self.falsified

    @property
    def points(self) -> int:
        """The competition's score."""
        return RIGHT * (self.solved - self.wrong - self.disputed) + WRONG * self.wrong


def score(results: Iterable[Result], contradicted: Collection[Key] = frozenset()) -> Score:
    """Counts results; `contradicted` are the keys of instances on which verdicts differ."""
    results = list(results)
    said = [result.verdict for result in results]
    times = [result.seconds for result in results if result.solved]
    disputed = [r for r in results if r.solved and not r.truth and r.key in contradicted]
    return Score(
        instances=len(results),
        verified=said.count(Status.UNSAT),
        falsified=said.count(Status.SAT),
        unknown=said.count(Status.UNKNOWN),
        timeout=said.count(Status.TIMEOUT),
        error=said.count(Status.ERROR),
        missing=said.count(None),
        wrong=sum(result.wrong for result in results),
        disputed=len(disputed),
        total_seconds=sum(times),
        median_seconds=median(times) if times else None,
    )


@dataclass(frozen=True)
class Line:
    """A line of the summary: one benchmark ("" for all of them) by one method in one run."""

    benchmark: str
    who: Contender
    score: Score


def totals(material: Material) -> list[Line]:
    """All benchmarks together, for each method in each run."""
    return [Line("", who, score(results, material.contradicted)) for who, results in material.by_contender.items()]


def by_benchmark(material: Material) -> list[Line]:
    """Each benchmark by each method in each run that was asked it."""
    lines = []
    for benchmark in material.benchmarks:
        for who, results in material.by_contender.items():
            chosen = [result for result in results if result.benchmark == benchmark]
            if chosen:
                lines.append(Line(benchmark, who, score(chosen, material.contradicted)))
    return lines
