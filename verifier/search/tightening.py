"""Tightens the intermediate bounds of a domain: what its cuts imply for all other neurons.

A cut constrains the neurons beside and behind it. Bounding them anew, with a multiplier for every cut, costs as much
as tens or hundreds of domains. On dense networks it closes whole subtrees; on convolutions it hardly ever pays. So it
is tried on the worst of the domains that have some cuts, within a share of the time that goes into cuts, and the
share doubles or halves with every try, by whether a second of it raised bounds more than a second of cuts.

The rows of a domain's disjunct may count as cuts of the outputs, for that disjunct alone: a longer way for every bound,
used where it gains more in a second.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.intermediate import Tightening
from verifier.bounds.optimise import AscentOptions
from verifier.deadline import Deadline
from verifier.search.bounding import Bounder
from verifier.search.domains import Domains

FEWEST_CUTS = 3
"""Cuts before a domain is tightened: with fewer there is hardly anything to imply."""

FIRST_SHARE, LEAST_SHARE, GREATEST_SHARE = 0.25, 1 / 32, 1.0
"""Of the time that goes into cuts, for tightening: at first, and at least; at most, all that is due is tightened."""

AT_ONCE = 0.5
"""Seconds of tightening in a batch at most."""

LASTING = 0.05
"""Tightening pays from this share of the rate of cuts on: unlike those it helps in all domains that follow."""

GROUP_ENTRIES = 1 << 22
"""Values of all nodes, for all rows, of the domains that are tightened at once."""


OTHER_TURN = 16
"""Tightenings of which one is done the way that gained less so far: with the rows of disjuncts, or without."""


class Tightener:
    """Decides which domains are due, and tightens them.

    Args:
        bounder: of the domains.
        options: the ascent for each entry.
        where_violated: whether the rows of a domain's disjunct count as constraints.
    """

    def __init__(self, bounder: Bounder, options: AscentOptions, where_violated: bool = False) -> None:
        self._bounder, self._options, self._where_violated = bounder, options, where_violated
        self._cost = math.nan  # seconds to tighten a domain
        self._share, self._spent, self._cutting = FIRST_SHARE, 0.0, 0.0
        self._cut_rate = self._bounding = 0.0
        self._rates: dict[bool, float] = {}  # of gains in a second, without rows and with them
        self._by_rows, self._tries = False, 0

    def cut(self, gain: float, parents: int, seconds: float) -> None:
        """Takes note of what cutting so many domains in two gained on average, and how long it took."""
        newest = 0.3 if self._cutting else 1.0
        self._cutting += seconds
        each = max(seconds / parents, 1e-6)
        self._cut_rate += newest * (gain / each - self._cut_rate)
        self._bounding += newest * (0.5 * each - self._bounding)

    def gained(self, gain: float) -> None:
        """Takes note of what tightening gained."""
        rate, by_rows = gain / max(self._cost, 1e-6), self._by_rows
        self._rates[by_rows] = 0.5 * (self._rates.get(by_rows, rate) + rate)
        pays = gain / self._cost >= LASTING * self._cut_rate
        self._share = min(max(self._share * (2.0 if pays else 0.5), LEAST_SHARE), GREATEST_SHARE)

    @property
    def every(self) -> float:
        """Cuts between two tightenings: 2 to that power is the number of domains that cost as much as one."""
        if math.isnan(self._cost):
            return FEWEST_CUTS
        return max(FEWEST_CUTS, math.log2(1.0 + self._cost / max(self._bounding, 1e-6)))

    def due(self, domains: Domains) -> tuple[np.ndarray, np.ndarray]:
        """Which to tighten now, the worst bounds first, and which to cut, bool, shape (M,) each.

        Where tightening pays, the rest of those that are due wait for their turn uncut.
        """
        due, pays = domains.age >= self.every, self._share >= 1.0
        allowed = AT_ONCE if pays else self._share * self._cutting - self._spent
        most = int(self._cutting > 0) if math.isnan(self._cost) else max(0, int(allowed / self._cost))
        now = due.copy()
        if due.sum() > most:
            now[np.argsort(np.where(due, domains.bound, np.inf), kind="stable")[most:]] = False
        return now, ~due if pays and most else ~now

    def tightened(self, domains: Domains, deadline: Deadline) -> Domains:
        """The domains with tighter intervals; those that turn out to be empty get an infinite bound."""
        started, self._by_rows = time.monotonic(), self._next_by_rows()
        done = Domains.joined(self.group(part, deadline, self._by_rows) for part in self.groups(domains))
        seconds = time.monotonic() - started
        self._spent += seconds
        self._cost = seconds / len(domains)
        return done

    def _next_by_rows(self) -> bool:
        """Whether rows count in the next tightening: what gains more in a second, and now and then the other."""
        if not self._where_violated:
            return False
        self._tries += 1
        if len(self._rates) < 2:
            return False in self._rates
        better = self._rates[True] > self._rates[False]
        return better != (self._tries % OTHER_TURN == 0)

    def groups(self, domains: Domains) -> list[Domains]:
        """The domains in groups that can be tightened at once."""
        most = max(1, GROUP_ENTRIES // max(1, 2 * domains.lower.shape[1] * self._bounder.question.values))
        return domains.parts(-(-len(domains) // most))

    def group(self, domains: Domains, deadline: Deadline, by_rows: bool = False) -> Domains:
        """What `tightened` does, for one group; `by_rows`: where its disjuncts' rows hold, and so for these alone."""
        question, first = self._bounder.question, self._first_cut(domains)
        intervals, shape, cuts, reach = self._bounder.intervals(domains), question.shape, domains.cuts, 0
        if by_rows:
            intervals, shape, rows = question.where_violated(domains.disjunct, intervals)
            cuts, reach = np.concatenate([cuts, rows], axis=1), len(intervals) - 1
        work = Tightening(question.engines, self._options, deadline, reach=reach)
        tight, empty = work.of_domains(intervals, shape, cuts, first)
        lower, upper = domains.lower.copy(), domains.upper.copy()
        for k, slot in question.shape.operands.items():
            lower[:, slot.part] = np.maximum(lower[:, slot.part], to_numpy(tight[k].lower)[:, slot.columns])
            upper[:, slot.part] = np.minimum(upper[:, slot.part], to_numpy(tight[k].upper)[:, slot.columns])
        roomy = self._bounder.jumps.clear_of(lower, upper)
        lower, upper = np.maximum(domains.lower, roomy[0]), np.minimum(domains.upper, roomy[1])
        empty = empty | (lower > upper).any(axis=1)
        keep = empty[:, None]
        lower, upper = np.where(keep, domains.lower, lower), np.where(keep, domains.upper, upper)
        bound = np.where(empty, np.inf, domains.bound)
        return replace(domains, lower=lower, upper=upper, bound=bound, age=np.zeros(len(domains), np.int64))

    def _first_cut(self, domains: Domains) -> int:
        """The first node of which an entry's interval is not the root's in some domain."""
        question = self._bounder.question
        for k, slot in sorted(question.shape.operands.items()):
            root = question.intervals[k]
            lower, upper = (to_numpy(a)[0, slot.columns] for a in (root.lower, root.upper))
            if (domains.lower[:, slot.part] != lower).any() or (domains.upper[:, slot.part] != upper).any():
                return k
        return len(question.engines.exact.nodes)
