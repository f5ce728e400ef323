"""Branch and bound on the operands of functions: a relu is cut at its kink, anything bent in the middle (GenBaB).

Bunel et al., *Branch and Bound for Piecewise Linear Neural Network Verification*, JMLR 2020; Wang et al., arXiv
2103.06624 (beta-CROWN). A cut changes the lines of its function, and its interval becomes a constraint with a
multiplier; what cuts imply for other entries is found every few cuts (`search.tightening`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from verifier.arrays import convert_like, to_numpy
from verifier.bounds.lagrangian import first_choice
from verifier.bounds.optimise import AscentOptions
from verifier.deadline import Deadline
from verifier.search.bounding import Bounded, Bounder, Question
from verifier.search.branching import children, chosen
from verifier.search.domains import Domains, Pool
from verifier.search.leaves import solved
from verifier.search.observer import Observer
from verifier.search.record import Record
from verifier.search.tightening import Tightener
from verifier.search.workers import Together

PROMISING = 1e-6
"""Margin, as computed, up to which a point is replayed; only the replay decides."""

PROBE_SHARE = 0.15
"""Of the time left; where tightening sixteen domains takes longer than this, no partition is considered."""

PARTITION_SHARE = 0.3
"""Of the time left, for the whole partition."""

PARTITION_CUTS = 3
"""Cuts in the first layer between two tightenings, without which they are worth little."""


@dataclass(frozen=True)
class NeuronOptions:
    """How a search on neurons works.

    Attributes:
        root: the ascent for each disjunct before any cut.
        step: the ascent after a cut, which goes on from the parent's choice.
        tightening: the ascent for each intermediate bound, when a domain's are tightened.
        candidates: cuts that are tried out for each one that is made; 1 takes the estimate's word.
        batch: domains bounded together at most.
        batch_values: values of all nodes of a batch at most.
        batch_seconds: a batch is kept small enough to take about this long.
        memory: bytes the open domains may take.
        threads: parts a batch is cut in, for `together`.
    """

    root: AscentOptions = field(default_factory=lambda: AscentOptions(steps=40, decay=0.95))
    step: AscentOptions = field(
        default_factory=lambda: AscentOptions(steps=6, place_rate=0.15, multiplier_rate=0.5, decay=0.9)
    )
    tightening: AscentOptions = field(default_factory=lambda: AscentOptions(steps=10, multiplier_rate=0.5))
    candidates: int = 3
    batch: int = 1024
    batch_values: int = 1 << 22
    batch_seconds: float = 0.7
    memory: float = 4e9
    threads: int = 2


class NeuronSearch:
    """Decides disjuncts of one box together.

    Args:
        question: what is asked, over that box.
        options: how to work.
        observer: who asked; told of every disjunct that is excluded.
        deadline: when to stop.
        together: runs the parts of a batch.

    Attributes:
        explored: domains bounded so far.
        found: whether a witness was accepted.
        record: the tree of cuts and what closed its leaves.
        stuck: domains that can neither be cut nor closed; their disjuncts stay open.
    """

    def __init__(
        self, question: Question, options: NeuronOptions, observer: Observer, deadline: Deadline, together: Together
    ) -> None:
        self.question, self.options, self.observer = question, options, observer
        self.deadline, self.together = deadline, together
        self.explored = 0
        self.found = False
        self.record = Record(0, 0.0)
        self.stuck: list[Domains] = []
        self._bounder = Bounder(question, options.step, options.candidates)
        self._tightener = Tightener(self._bounder, options.tightening)
        self._closed: dict[int, float] = {}
        self._told = -np.inf
        self._tried = np.full(len(question.rows), np.inf)

    def run(self, disjuncts: np.ndarray) -> bool:
        """Searches until all disjuncts are excluded, a witness is accepted or the time is up; whether one was found."""
        first = Bounder(self.question, self.options.root, self.options.candidates)
        self.record = Record(len(disjuncts), self.options.memory / 4)
        bounded = self._bound_parts(roots(first, disjuncts), first)
        self._closed = {int(d): np.inf for d in disjuncts}
        opened = self._sorted_out(bounded)
        if len(opened) and not self.found and self._partition_pays(opened):
            opened = self._partitioned(opened)
        pool, size = Pool(opened, self.options.memory), 16
        self._account(pool)
        while len(pool) and not self.found and not self.deadline.expired:
            parents = self._refreshed(pool.take(size))
            if len(parents) and not self.found:
                started = time.monotonic()
                bounded = self._bound_parts(self._cut(parents), self._bounder)
                seconds = time.monotonic() - started
                self._tightener.took(seconds / len(bounded.domains))
                self._tightener.cut(gain(parents, bounded.domains))
                pool.put(self._sorted_out(bounded))
                size = self._next_size(len(parents), seconds)
            if not self.found:
                self._account(pool)
        return self.found

    def _partition_pays(self, domains: Domains) -> bool:
        """Whether a few cuts in the first layer, with tightening, do more for the worst domain than others."""
        budget = Deadline(PROBE_SHARE * self.deadline.remaining)
        worst, bounds = domains.take(np.array([np.argmin(domains.bound)])), []
        for choose in (Bounder.early_entries, chosen):
            several = worst
            for _ in range(PARTITION_CUTS):
                positions = choose(self._bounder, several)
                if budget.expired or (positions < 0).any():
                    return False
                several = self._bounder.bound(children(self._bounder, several, positions)).domains
            self._tightener.cut(gain(worst, several) / PARTITION_CUTS)
            tightened = self._tightener.tightened(several, budget, self.together)
            bounds.append(float(self._bounder.bound(tightened).domains.bound.min()))
        return bounds[0] > bounds[1] and not budget.expired

    def _partitioned(self, domains: Domains) -> Domains:
        """The domains cut in the first layer, all disjuncts alike, so that each part is tightened once for all of them.

        Goes on as long as the next round, eight times as many parts, takes no large share of the time left.
        """
        part, budget = np.zeros(len(domains), np.int64), Deadline(PARTITION_SHARE * self.deadline.remaining)
        while len(domains) and not self.found:
            for _ in range(PARTITION_CUTS):
                positions = self._bounder.early_entries(domains)
                if (positions < 0).any():
                    return domains
                domains, part = self._halved(domains, positions), np.concatenate([2 * part, 2 * part + 1])
            # Numbered anew in every round: a path of cuts, two numbers for each, would not fit an integer for long.
            _, first, part = np.unique(part, return_index=True, return_inverse=True)
            started = time.monotonic()
            once = self._tightener.tightened(domains.take(first), self.deadline, self.together)
            seconds = time.monotonic() - started
            bound = np.maximum(domains.bound, np.where(np.isinf(once.bound[part]), once.bound[part], -np.inf))
            ends = {"lower": once.lower[part], "upper": once.upper[part]}
            domains = replace(domains, **ends, bound=bound, age=once.age[part])
            bounded = self._bound_parts(domains, self._bounder)
            is_open = ~(bounded.domains.bound > 0) & (bounded.domains.candidates[:, 0] >= 0)
            domains, part = self._sorted_out(bounded), part[is_open]
            if seconds * 2**PARTITION_CUTS * len(np.unique(part)) / len(first) > budget.remaining:
                break
        return domains

    def _halved(self, parents: Domains, positions: np.ndarray) -> Domains:
        halves = children(self._bounder, parents, positions)
        return self.record.grown(halves, self._bounder.cuts(parents)[np.arange(len(parents)), positions], positions)

    def _refreshed(self, parents: Domains) -> Domains:
        """The domains, with the intervals of those tightened whose turn it is; without those that this closes."""
        due = self._tightener.due(parents, self.options.batch_seconds)
        if not due.any():
            return parents
        tightened = self._tightener.tightened(parents.take(due), self.deadline, self.together)
        bounded = self._bound_parts(tightened, self._bounder)
        self._tightener.gained(gain(tightened, bounded.domains))
        return Domains.joined([parents.take(~due), self._sorted_out(bounded)])

    def _cut(self, parents: Domains) -> Domains:
        parts = parents.parts(self.options.threads)
        positions = np.concatenate(list(self.together(lambda part: chosen(self._bounder, part), parts)))
        return self._halved(parents, positions)

    def _bound_parts(self, domains: Domains, bounder: Bounder) -> Bounded:
        parts = list(self.together(bounder.bound, domains.parts(self.options.threads)))
        self.explored += len(domains)
        return Bounded(Domains.joined(p.domains for p in parts), np.concatenate([p.points for p in parts]))

    def _sorted_out(self, bounded: Bounded) -> Domains:
        """The domains that stay open, after their minimisers were tried as witnesses; closed ones are noted."""
        domains = bounded.domains
        self.found = self.found or self._violated(bounded)
        open_ones, uncut = ~(domains.bound > 0), domains.candidates[:, 0] < 0
        for n in np.flatnonzero(open_ones & uncut):
            leaf = domains.take(np.array([n]))
            if not self.found and not self.deadline.expired:
                leaf, self.found = solved(self._bounder, leaf, self.observer, self.deadline)
            if leaf.bound[0] > 0:
                self._close(leaf)
            else:
                self.stuck.append(leaf)
        self._close(domains.take(~open_ones))
        return domains.take(open_ones & ~uncut)

    def _close(self, domains: Domains) -> None:
        self.record.close(domains)
        for d, bound in zip(domains.disjunct, domains.bound, strict=True):
            self._closed[int(d)] = min(self._closed[int(d)], float(bound))

    def _account(self, pool: Pool) -> None:
        """Tells the observer of disjuncts that are excluded by now, and now and then of the progress."""
        kept = [pool.disjunct, *(part.disjunct for part in self.stuck)]
        unsettled = set(np.unique(np.concatenate(kept)).tolist())
        for d in [d for d in self._closed if d not in unsettled]:
            self.observer.margin_bounded(d, self._closed.pop(d))
        if self.deadline.elapsed - self._told > 0.25:
            self._told = self.deadline.elapsed
            self.observer.advanced(len(pool), self.explored, float(pool.bound.min(initial=np.inf)))

    def _violated(self, bounded: Bounded) -> bool:
        """Whether one of the minimisers is a witness; only those that come nearer than all before are replayed."""
        question, domains = self.question, bounded.domains
        exact = question.engines.exact
        forms = to_numpy(exact.forward(convert_like(question.intervals[0].lower)(bounded.points)))
        gaps = np.einsum("nrk,nk->nr", question.rows[domains.disjunct], forms) - question.thresholds[domains.disjunct]
        margins = gaps.max(axis=1)
        for n in np.argsort(margins)[:8]:
            d = int(domains.disjunct[n])
            if margins[n] <= PROMISING and margins[n] < self._tried[d]:
                self._tried[d] = margins[n]
                if self.observer.accepts(d, bounded.points[n]):
                    return True
        return False

    def _next_size(self, done: int, seconds: float) -> int:
        options = self.options
        most = min(options.batch, max(2, options.batch_values // self.question.values))
        by_time = int(done * options.batch_seconds / max(seconds, 1e-3))
        return max(2, min(most, 2 * done + 16, by_time))


def gain(before: Domains, after: Domains) -> float:
    """By how much the bounds of domains, or of their children, rose on average; a proof counts as far as it needed."""
    old, new = np.mean(np.minimum(before.bound, 0.0)), np.mean(np.minimum(after.bound, 0.0))
    return float(new - old)


def roots(bounder: Bounder, disjuncts: np.ndarray) -> Domains:
    """One domain a disjunct: the whole box, CROWN's choice, no bound yet."""
    question, count = bounder.question, len(disjuncts)
    shape = question.shape
    ends = [np.zeros((count, shape.open_count)) for _ in range(2)]
    for k, slot in shape.operands.items():
        for end, interval in zip(ends, (question.intervals[k].lower, question.intervals[k].upper), strict=True):
            end[:, slot.part] = to_numpy(interval)[0, slot.columns]
    domains = Domains(
        disjunct=np.asarray(disjuncts, np.int64),
        leaf=np.arange(count),
        age=np.zeros(count, np.int64),
        bound=np.full(count, -np.inf),
        lower=ends[0],
        upper=ends[1],
        places=np.zeros((count, shape.place_count), np.float32),
        cuts=np.full((count, 0), -1, np.int32),
        multipliers=np.zeros((count, 0), np.float32),
        weights=np.ones((count, question.rows.shape[1]), np.float32),
        candidates=np.full((count, bounder.candidates), -1),
    )
    first = first_choice(bounder.lagrangian(domains, bounder.relaxation(domains)))
    return replace(domains, places=to_numpy(first.places), weights=to_numpy(first.weights))
