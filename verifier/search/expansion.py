"""What becomes of a batch of open domains: some are tightened, the rest is cut, and the halves are bounded.

One call does it all, so that a process can work on its own batch while others work on theirs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from verifier.deadline import Deadline
from verifier.search.bounding import Bounded, Bounder
from verifier.search.branching import children, chosen
from verifier.search.domains import Domains
from verifier.search.tightening import Tightener


@dataclass(frozen=True, eq=False)
class Expansion:
    """The outcome for some parents.

    Attributes:
        settled: parents that tightening has closed, or left with nothing to cut; None if there are none.
        waiting: parents that are to be tightened, but not in this batch.
        halves: of M other parents, bounded, first all lower halves, then all upper ones; None if there are none.
        positions: the operand entries that these were cut at, shape (M,).
        cuts: where they were cut, shape (M,).
        seconds: how long cutting took, without what tightening took.
    """

    settled: Bounded | None
    waiting: Domains
    halves: Bounded | None
    positions: np.ndarray
    cuts: np.ndarray
    seconds: float


class Expander:
    """Expands batches of one question.

    Args:
        bounder: of the domains.
        tightener: of their intervals.
        deadline: of the search.
    """

    def __init__(self, bounder: Bounder, tightener: Tightener, deadline: Deadline) -> None:
        self._bounder, self._tightener, self._deadline = bounder, tightener, deadline

    def expand(self, parents: Domains) -> Expansion:
        """The outcome for open parents that can be cut."""
        now, cut = self._tightener.due(parents)
        waiting = parents.take(~now & ~cut)
        settled, parents = self._refreshed(parents, now, cut)
        if not len(parents):
            none = np.zeros(0, np.int64)
            return Expansion(settled, waiting, None, none, np.zeros(0), 0.0)
        started = time.monotonic()
        positions = chosen(self._bounder, parents)
        cuts = self._bounder.cuts(parents)[np.arange(len(parents)), positions]
        halves = self._bounder.bound(children(self._bounder, parents, positions))
        seconds = time.monotonic() - started
        self._tightener.cut(gain(parents, halves.domains), len(parents), seconds)
        return Expansion(settled, waiting, halves, positions, cuts, seconds)

    def _refreshed(self, parents: Domains, now: np.ndarray, cut: np.ndarray) -> tuple[Bounded | None, Domains]:
        """Tightens the intervals of some; what that settles, and what of them and of others is to be cut."""
        others = parents.take(cut)
        if not now.any():
            return None, others
        tightened = self._tightener.tightened(parents.take(now), self._deadline)
        bounded = self._bounder.bound(tightened)
        self._tightener.gained(gain(tightened, bounded.domains))
        again = still_cuttable(bounded.domains)
        settled = Bounded(bounded.domains.take(~again), bounded.minimisers)
        return settled, Domains.joined([others, bounded.domains.take(again)])


def still_cuttable(domains: Domains) -> np.ndarray:
    """Which are open and have something left to cut, bool, shape (M,)."""
    return ~(domains.bound > 0) & (domains.candidates[:, 0] >= 0)


def gain(before: Domains, after: Domains) -> float:
    """By how much the bounds of domains, or of their children, rose on average; a proof counts as far as it needed."""
    old, new = np.mean(np.minimum(before.bound, 0.0)), np.mean(np.minimum(after.bound, 0.0))
    return float(new - old)
