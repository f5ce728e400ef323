"""Tightens the intermediate bounds of a domain: what its cuts imply for all other neurons.

A cut constrains the neurons beside and behind it. Bounding them anew, with a multiplier for every cut, costs as much
as hundreds of domains, and may be worth far more than eight cuts. So it is done every few cuts: just so often that
about as much time goes into tightening as into bounding. That doubles the time, as one cut more would: where it gains
less than that, it is done less often.
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

FIRST_AGE = 5
"""Cuts before the first tightening, when its cost is not yet known."""

GROUP_ENTRIES = 1 << 22
"""Values of all nodes, for all rows, of the domains that are tightened at once."""


class Tightener:
    """Decides which domains are due, and tightens them.

    Args:
        bounder: of the domains.
        options: the ascent for each entry.
    """

    def __init__(self, bounder: Bounder, options: AscentOptions) -> None:
        self._bounder, self._options = bounder, options
        self._bounding, self._tightening = 1e-3, math.nan
        self._cut_gain, self._patience = 0.0, 0.0

    def took(self, seconds: float) -> None:
        """Takes note of what bounding one domain costs."""
        self._bounding = 0.7 * self._bounding + 0.3 * seconds

    def cut(self, gain: float) -> None:
        """Takes note of what a cut gains."""
        self._cut_gain = 0.7 * self._cut_gain + 0.3 * gain if self._cut_gain else gain

    def gained(self, gain: float) -> None:
        """Takes note of what tightening has gained: less than the cut that it costs, and it is done less often."""
        self._patience = max(0.0, self._patience + (-1.0 if gain >= self._cut_gain else 1.0))

    @property
    def every(self) -> float:
        """Cuts between two tightenings: 2 to that power is the number of domains that cost as much as one."""
        if math.isnan(self._tightening):
            return FIRST_AGE
        return max(3.0, math.log2(1.0 + self._tightening / self._bounding)) + self._patience

    def due(self, domains: Domains, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """Whose turn it is, and whose it is not yet, bool, shape (M,) each.

        The rest is due as well, but more than can be tightened in about so many seconds; the worst bounds come first.
        """
        due = domains.age >= self.every
        most = 4 if math.isnan(self._tightening) else max(2, int(seconds / self._tightening))
        now = due.copy()
        if due.sum() > most:
            now[np.argsort(np.where(due, domains.bound, np.inf), kind="stable")[most:]] = False
        return now, ~due

    def tightened(self, domains: Domains, deadline: Deadline) -> Domains:
        """The domains with tighter intervals; those that turn out to be empty get an infinite bound."""
        started = time.monotonic()
        done = Domains.joined(self.group(part, deadline) for part in self.groups(domains))
        self._tightening = (time.monotonic() - started) / len(domains)
        return done

    def groups(self, domains: Domains) -> list[Domains]:
        """The domains in groups that can be tightened at once."""
        most = max(1, GROUP_ENTRIES // (2 * domains.lower.shape[1] * self._bounder.question.values))
        return domains.parts(-(-len(domains) // most))

    def group(self, domains: Domains, deadline: Deadline) -> Domains:
        """What `tightened` does, for one group."""
        question = self._bounder.question
        work = Tightening(question.engines, self._options, deadline)
        first = self._first_cut(domains)
        tight, empty = work.of_domains(self._bounder.intervals(domains), question.shape, domains.cuts, first)
        lower, upper = domains.lower.copy(), domains.upper.copy()
        for k, slot in question.shape.operands.items():
            lower[:, slot.part] = np.maximum(lower[:, slot.part], to_numpy(tight[k].lower)[:, slot.columns])
            upper[:, slot.part] = np.minimum(upper[:, slot.part], to_numpy(tight[k].upper)[:, slot.columns])
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
