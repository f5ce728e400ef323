"""How a run gets on: counts for every benchmark, and an estimate of the time left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from verifier.batch.instances import is_wrong
from verifier.batch.outcome import Outcome
from verifier.batch.plan import Item
from verifier.verdict import Status


@dataclass
class Count:
    """Results so far.

    Attributes:
        total, done: items, and those with a result.
        of: the number of results with each verdict.
        wrong: verdicts that contradict a known one.
        seconds: wall time of the results of this session.
        timed: how many those are.
    """

    total: int = 0
    done: int = 0
    of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(Status, 0))
    wrong: int = 0
    seconds: float = 0.0
    timed: int = 0

    def add(self, verdict: str, truth: str) -> None:
        """Counts one result."""
        self.done += 1
        self.of[verdict] += 1
        self.wrong += is_wrong(verdict, truth)

    def __iadd__(self, other: Count) -> Count:
        self.total, self.done, self.wrong = self.total + other.total, self.done + other.done, self.wrong + other.wrong
        self.seconds, self.timed = self.seconds + other.seconds, self.timed + other.timed
        for verdict, count in other.of.items():
            self.of[verdict] += count
        return self


class Tally:
    """The counts of a run by benchmark.

    Args:
        workers: how many items are worked on at a time.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.counts: dict[str, Count] = defaultdict(Count)

    def expect(self, benchmark: str) -> None:
        """Counts an item that has no result yet."""
        self.counts[benchmark].total += 1

    def known(self, benchmark: str, verdict: str, truth: str) -> None:
        """Counts an item that had a result before."""
        self.expect(benchmark)
        self.counts[benchmark].add(verdict, truth)

    def record(self, results: Sequence[tuple[Item, Outcome]]) -> None:
        """Counts new results of items that were expected."""
        for item, outcome in results:
            count = self.counts[item.instance.benchmark]
            count.add(outcome.verdict.status, item.instance.truth)
            count.seconds += outcome.verdict.seconds
            count.timed += 1

    @property
    def total(self) -> Count:
        """All benchmarks together."""
        together = Count()
        for count in self.counts.values():
            together += count
        return together

    @property
    def seconds_left(self) -> float | None:
        """An estimate from the mean of each benchmark, or of all where it has none; None before the first result."""
        total = self.total
        if not total.timed:
            return None
        mean = total.seconds / total.timed
        ahead = sum((c.total - c.done) * (c.seconds / c.timed if c.timed else mean) for c in self.counts.values())
        return ahead / max(1, self.workers)
