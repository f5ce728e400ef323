"""Two runs side by side: what one solved and the other did not, and how their times compare, pair by pair.

Times of one instance differ by orders of magnitude from those of another, so that means say little: what counts is the
ratio of each pair, its median, and how likely the wins and losses would be a coin's (the exact sign test; on gained and
lost instances it is McNemar's).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from verifier.batch.records import Result
from verifier.verdict import Status

SHORTEST = 1e-6
"""Seconds that a result takes at least: clocks tell no less, and ratios stay finite."""
NOTICEABLE_RATIO = 1.1
"""Times that differ by less than this factor count as the same where instances are named faster or slower."""
NOTICEABLE_SECONDS = 0.05
"""Likewise by less than this many seconds."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One instance in both runs."""

    a: Result
    b: Result

    @property
    def both(self) -> bool:
        """Whether both solved it, to the same verdict."""
        return self.a.solved and self.a.verdict == self.b.verdict

    @property
    def ratio(self) -> float:
        """The second's time as a multiple of the first's."""
        return self.b.seconds / max(self.a.seconds, SHORTEST)

    @property
    def noticeable(self) -> bool:
        """Whether the times differ by more than noise."""
        apart = abs(self.a.seconds - self.b.seconds) > NOTICEABLE_SECONDS
        return apart and not 1 / NOTICEABLE_RATIO <= self.ratio <= NOTICEABLE_RATIO


@dataclass(frozen=True, eq=False)
class Comparison:
    """What changed from run a to run b.

    Attributes:
        pairs: the instances that both have a result for.
        only_a, only_b: how many have one in that run alone.
    """

    pairs: tuple[Pair, ...]
    only_a: int
    only_b: int

    @classmethod
    def of(cls, a: Iterable[Result], b: Iterable[Result]) -> Comparison:
        """Pairs the results of the same contents: those of the same name first, then in the order they stand in."""
        first = [result for result in a if result.verdict is not None]
        second = [result for result in b if result.verdict is not None]
        partner = _matched(first, second, lambda r: (r.benchmark, r.network, r.prop, r.key))
        for same in (lambda r: (r.name, r.key), lambda r: r.key):
            left = [i for i in range(len(first)) if i not in partner]
            free = sorted(set(range(len(second))) - set(partner.values()))
            found = _matched([first[i] for i in left], [second[j] for j in free], same)
            partner |= {left[i]: free[j] for i, j in found.items()}
        pairs = tuple(Pair(first[i], second[partner[i]]) for i in sorted(partner))
        return cls(pairs, len(first) - len(pairs), len(second) - len(pairs))

    @cached_property
    def gained(self) -> list[Pair]:
        """Solved by b alone."""
        return [p for p in self.pairs if p.b.solved and not p.a.solved]

    @cached_property
    def lost(self) -> list[Pair]:
        """Solved by a alone."""
        return [p for p in self.pairs if p.a.solved and not p.b.solved]

    @cached_property
    def contradictory(self) -> list[Pair]:
        """Proved by one, refuted by the other: one of them is wrong."""
        return [p for p in self.pairs if p.a.solved and p.b.solved and p.a.verdict != p.b.verdict]

    @cached_property
    def both(self) -> list[Pair]:
        """Solved by both, to the same verdict."""
        return [p for p in self.pairs if p.both]

    @cached_property
    def faster(self) -> list[Pair]:
        """Solved by both, noticeably faster by b; the most so first."""
        return sorted((p for p in self.both if p.noticeable and p.ratio < 1), key=lambda p: p.ratio)

    @cached_property
    def slower(self) -> list[Pair]:
        """Solved by both, noticeably slower by b; the most so first."""
        return sorted((p for p in self.both if p.noticeable and p.ratio > 1), key=lambda p: -p.ratio)

    @cached_property
    def proofs_gained(self) -> list[Pair]:
        """Proved in both, with a proof in b alone that no checker has refused."""
        return [p for p in self._proved if _stands(p.b) and not _stands(p.a)]

    @cached_property
    def proofs_lost(self) -> list[Pair]:
        """Likewise in a alone."""
        return [p for p in self._proved if _stands(p.a) and not _stands(p.b)]

    @property
    def _proved(self) -> list[Pair]:
        """Proved in both, a proof being wanted in both."""
        wanted = (p for p in self.both if p.a.proof is not None and p.b.proof is not None)
        return [p for p in wanted if p.a.verdict is Status.UNSAT]

    @property
    def median_ratio(self) -> float | None:
        """The median of b's time over a's, where both solved; None where they solved nothing together."""
        return median(p.ratio for p in self.both) if self.both else None

    @property
    def time_sign_test(self) -> float:
        """The probability of wins and losses in time at least as uneven as these, were they a coin's."""
        return sign_test(sum(p.ratio < 1 for p in self.both), sum(p.ratio > 1 for p in self.both))

    @property
    def solved_sign_test(self) -> float:
        """Likewise of gained and lost instances."""
        return sign_test(len(self.gained), len(self.lost))


def _stands(result: Result) -> bool:
    return result.proof is not None and result.proof.stands


def _matched(first: Sequence[Result], second: Sequence[Result], same: Callable[[Result], Hashable]) -> dict[int, int]:
    """For positions in `first` the position in `second` of a result that is the same, each used once."""
    waiting: dict[Hashable, deque[int]] = {}
    for j, result in enumerate(second):
        waiting.setdefault(same(result), deque()).append(j)
    return {i: waiting[same(r)].popleft() for i, r in enumerate(first) if waiting.get(same(r))}


def sign_test(wins: int, losses: int) -> float:
    """The two-sided exact sign test's p-value; 1.0 where there is neither win nor loss."""
    if wins + losses == 0:
        return 1.0
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue)
