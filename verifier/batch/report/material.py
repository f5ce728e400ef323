"""What a report is made of: the results of some runs, by whom they were given, and where they cannot all be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from verifier.batch.agreement import contradictions, disputed_truths, with_shared_truths
from verifier.batch.records import Result, Run, run_labels

Key: TypeAlias = "tuple[str, str]"


@dataclass(frozen=True)
class Contender:
    """One method in one run.

    Attributes:
        run: its label.
        method: by name.
        label: the method, with the run where there are several.
    """

    run: str
    method: str
    label: str


class Material:
    """Runs with their results; the same run is taken once, however often it is given.

    Args:
        runs: as `read_places` gives them.
    """

    def __init__(self, runs: Sequence[tuple[Run, Sequence[Result]]]) -> None:
        once = {run.place: (run, results) for run, results in runs}
        self.runs = [run for run, _ in once.values()]
        self.results = with_shared_truths([result for _, results in once.values() for result in results])
        self._numbers = {id(result): number for number, result in enumerate(self.results)}
        self._labels = run_labels(self.runs)

    def label(self, run: Run) -> str:
        """``store#number``, with the folder where stores of the same name are compared."""
        return self._labels[run.place]

    def number(self, result: Result) -> int:
        """Its place among the results."""
        return self._numbers[id(result)]

    def contender(self, result: Result) -> Contender:
        """Who gave the result."""
        run = self.label(result.run)
        return Contender(run, result.method, f"{result.method} · {run}" if len(self.runs) > 1 else result.method)

    @cached_property
    def by_contender(self) -> dict[Contender, list[Result]]:
        """The results of each method in each run, in their order."""
        found: dict[Contender, list[Result]] = {}
        for result in self.results:
            found.setdefault(self.contender(result), []).append(result)
        return found

    @cached_property
    def benchmarks(self) -> list[str]:
        """Names, in the order of first appearance."""
        return list(dict.fromkeys(result.benchmark for result in self.results))

    @cached_property
    def contradictions(self) -> list[list[Result]]:
        """The groups of results of one instance among which there is a `sat` and an `unsat`."""
        return contradictions(self.results)

    @cached_property
    def contradicted(self) -> frozenset[Key]:
        """The keys of the instances that are in `contradictions`."""
        return frozenset(group[0].key for group in self.contradictions)

    @cached_property
    def disputed_truths(self) -> list[Result]:
        """One result of each instance of which the lists know different verdicts."""
        return disputed_truths(self.results)

    @cached_property
    def rejected(self) -> list[Result]:
        """The results whose proofs a checker rejects."""
        return [result for result in self.results if result.rejected]

    @cached_property
    def wrong(self) -> list[Result]:
        """The results that contradict a known verdict."""
        return [result for result in self.results if result.wrong]
