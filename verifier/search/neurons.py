"""Branch and bound on the operands of functions: a relu is cut at its kink, anything bent in the middle (GenBaB).

Bunel et al., *Branch and Bound for Piecewise Linear Neural Network Verification*, JMLR 2020; Wang et al., arXiv
2103.06624 (beta-CROWN). Intermediate bounds stay those of the root; a cut changes the lines of its function, and its
interval becomes a constraint with a multiplier.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from verifier.arrays import convert_like, to_numpy
from verifier.bounds.lagrangian import first_choice
from verifier.bounds.optimise import AscentOptions
from verifier.deadline import Deadline
from verifier.search.bounding import Bounded, Bounder, Question
from verifier.search.branching import children, chosen
from verifier.search.domains import Domains, Pool
from verifier.search.observer import Observer

Together: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Applies a function to parts of the work, possibly in several threads, results in order (`map`, `Executor.map`)."""


@dataclass(frozen=True)
class NeuronOptions:
    """How a search on neurons works.

    Attributes:
        root: the ascent for each disjunct before any cut.
        step: the ascent after a cut, which goes on from the parent's choice.
        candidates: cuts that are tried out for each one that is made; 1 takes the estimate's word.
        batch: domains bounded together at most.
        batch_values: values of all nodes of a batch at most.
        batch_seconds: a batch is kept small enough to take about this long.
        memory: bytes the open domains may take.
        threads: parts a batch is cut in, for `together`.
    """

    root: AscentOptions = AscentOptions(steps=40, decay=0.95)
    step: AscentOptions = AscentOptions(steps=10, place_rate=0.15, decay=0.9)
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
    """

    def __init__(
        self, question: Question, options: NeuronOptions, observer: Observer, deadline: Deadline, together: Together
    ) -> None:
        self.question, self.options, self.observer = question, options, observer
        self.deadline, self.together = deadline, together
        self.explored = 0
        self.stuck: list[Domains] = []
        self._bounder = Bounder(question, options.step, options.candidates)
        self._closed: dict[int, float] = {}
        self._told = -np.inf
        self._tried = np.full(len(question.rows), np.inf)

    def roots(self, disjuncts: np.ndarray) -> Domains:
        """One domain a disjunct, with CROWN's choice."""
        question, count = self.question, len(disjuncts)
        ends = [np.zeros((count, question.shape.open_count)) for _ in range(2)]
        for k, slot in question.shape.operands.items():
            for end, interval in zip(ends, (question.intervals[k].lower, question.intervals[k].upper), strict=True):
                end[:, slot.part] = to_numpy(interval)[0, slot.columns]
        width = question.rows.shape[1]
        empty = Domains(
            disjunct=np.asarray(disjuncts, np.int64),
            leaf=np.zeros(count, np.int64),
            bound=np.full(count, -np.inf),
            lower=ends[0],
            upper=ends[1],
            places=np.zeros((count, question.shape.place_count), np.float32),
            multipliers=np.zeros((count, question.shape.open_count), np.float32),
            weights=np.ones((count, width), np.float32),
            candidates=np.full((count, self.options.candidates), -1),
        )
        first = first_choice(self._bounder.lagrangian(empty, question.intervals))
        return replace(empty, places=to_numpy(first.places), weights=to_numpy(first.weights))

    def run(self, disjuncts: np.ndarray) -> bool:
        """Searches until all disjuncts are excluded, a witness is accepted or the time is up; whether one was found."""
        roots = self._bound_parts(self.roots(disjuncts), Bounder(self.question, self.options.root, self.options.candidates))
        self._closed = {int(d): np.inf for d in disjuncts}
        if self._found(roots):
            return True
        open_ones = self._sorted_out(roots.domains)
        self._account(open_ones, None)
        pool, size = Pool(open_ones if len(open_ones) else roots.domains, self.options.memory), 16
        if not len(open_ones):
            return False
        while len(pool) and not self.deadline.expired:
            started = time.monotonic()
            parents = pool.take(size)
            bounded = self._bound_parts(self._cut(parents), self._bounder)
            if self._found(bounded):
                return True
            pool.put(self._sorted_out(bounded.domains))
            self._account(parents, pool)
            size = self._next_size(len(parents), time.monotonic() - started)
        return False

    def _cut(self, parents: Domains) -> Domains:
        def halves(part: Domains) -> Domains:
            return children(self._bounder, part, chosen(self._bounder, part))

        return Domains.joined(self.together(halves, parents.parts(self.options.threads)))

    def _bound_parts(self, domains: Domains, bounder: Bounder) -> Bounded:
        parts = list(self.together(bounder.bound, domains.parts(self.options.threads)))
        self.explored += len(domains)
        return Bounded(Domains.joined(p.domains for p in parts), np.concatenate([p.points for p in parts]))

    def _sorted_out(self, domains: Domains) -> Domains:
        """The domains that stay open; closed ones are noted, and so are those that no cut can help."""
        closed = domains.bound > 0
        for d, bound in zip(domains.disjunct[closed], domains.bound[closed], strict=True):
            self._closed[int(d)] = min(self._closed[int(d)], float(bound))
        stuck = ~closed & (domains.candidates[:, 0] < 0)
        if stuck.any():
            self.stuck.append(domains.take(stuck))
        return domains.take(~closed & ~stuck)

    def _account(self, touched: Domains, pool: Pool | None) -> None:
        """Tells the observer of disjuncts that are excluded by now, and now and then of the progress."""
        open_ones = np.unique(pool.disjuncts if pool is not None else touched.disjunct)
        unsettled = {int(d) for part in self.stuck for d in part.disjunct} | {int(d) for d in open_ones}
        for d in [d for d in self._closed if d not in unsettled]:
            self.observer.margin_bounded(d, self._closed.pop(d))
        if self.deadline.elapsed - self._told > 0.25:
            self._told = self.deadline.elapsed
            bounds = pool.bound if pool is not None else touched.bound
            self.observer.advanced(len(bounds), self.explored, float(bounds.min(initial=np.inf)))

    def _found(self, bounded: Bounded) -> bool:
        """Whether one of the minimisers is a witness; only those that come nearer than all before are replayed."""
        question, domains = self.question, bounded.domains
        exact = question.engines.exact
        forms = to_numpy(exact.forward(convert_like(question.intervals[0].lower)(bounded.points)))
        gaps = np.einsum("nrk,nk->nr", question.rows[domains.disjunct], forms) - question.thresholds[domains.disjunct]
        margins = gaps.max(axis=1)
        for n in np.argsort(margins)[:8]:
            d = int(domains.disjunct[n])
            if margins[n] <= 1e-6 and margins[n] < self._tried[d]:
                self._tried[d] = margins[n]
                if self.observer.accepts(d, bounded.points[n]):
                    return True
        return False

    def _next_size(self, done: int, seconds: float) -> int:
        options = self.options
        most = min(options.batch, max(2, options.batch_values // self.question.values))
        by_time = int(done * options.batch_seconds / max(seconds, 1e-3))
        return max(2, min(most, 2 * done + 16, by_time))
