"""Branch and bound on the operands of functions: a relu is cut at its kink, anything bent in the middle (GenBaB).

Bunel et al., *Branch and Bound for Piecewise Linear Neural Network Verification*, JMLR 2020; Wang et al., arXiv
2103.06624 (beta-CROWN). A cut changes the lines of its function, and its interval becomes a constraint with a
multiplier; what cuts imply for other entries is found every few cuts (`search.tightening`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.enclosure import Interval
from verifier.bounds.lagrangian import first_choice
from verifier.bounds.optimise import AscentOptions
from verifier.deadline import Deadline
from verifier.programs.solvers.backend import Backend
from verifier.property.query import SMALLEST_MARGIN
from verifier.search.aside import Aside, Turns
from verifier.search.bounding import PROMISING, Bounded, Bounder, Minimisers, Question
from verifier.search.branching import children, chosen
from verifier.search.crew import Crew
from verifier.search.domains import Domains, Pool
from verifier.search.expansion import Expander, Expansion, still_cuttable
from verifier.search.leaves import solved
from verifier.search.observer import Observer
from verifier.search.record import Record
from verifier.search.tightening import Tightener

PROBE_SHARE = 0.05
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
        batch: domains expanded together at most.
        batch_values: values of all nodes of these at most.
        batch_seconds: a batch is kept small enough to take about this long.
        memory: bytes the open domains may take.
        threads: processes that work on batches.
        solver: of the linear programs of leaves; None is HiGHS.
        where_violated: whether the rows of a domain's disjunct may tighten its intervals, as if they held. That
            excludes disjuncts all the same; a margin counts up to 0 only (`methods.violated`).
    """

    root: AscentOptions = field(default_factory=lambda: AscentOptions(steps=40, decay=0.95))
    step: AscentOptions = field(default_factory=lambda: AscentOptions(steps=12, place_rate=0.05, multiplier_rate=0.2))
    tightening: AscentOptions = field(default_factory=lambda: AscentOptions(steps=10, multiplier_rate=0.5))
    candidates: int = 3
    batch: int = 512
    batch_values: int = 3 << 18
    batch_seconds: float = 1.0
    memory: float = 4e9
    threads: int = 2
    solver: Backend | None = None
    where_violated: bool = False


class NeuronSearch:
    """Decides disjuncts of one box together.

    Args:
        question: what is asked, over that box.
        options: how to work.
        observer: who asked; told of every disjunct that is excluded.
        deadline: when to stop.
        aside: what goes on beside it, if anything.

    Attributes:
        explored: domains bounded so far.
        found: whether a witness was accepted.
        record: the tree of cuts and what closed its leaves.
        stuck: domains that can neither be cut nor closed; their disjuncts stay open.
        lost: processes that ended before their time.
        turns: of what goes on beside it.
    """

    def __init__(
        self,
        question: Question,
        options: NeuronOptions,
        observer: Observer,
        deadline: Deadline,
        aside: Aside | None = None,
    ) -> None:
        self.question, self.options, self.observer, self.deadline = question, options, observer, deadline
        self.aside, self.turns = aside, Turns(deadline, options.threads)
        self.explored = self.lost = 0
        self.found = False
        self.record = Record(0, 0.0)
        self.stuck: list[Domains] = []
        self._first = Bounder(question, options.root, options.candidates)
        self._bounder = Bounder(question, options.step, options.candidates)
        self._tightener = Tightener(self._bounder, options.tightening, options.where_violated)
        self._conditional = options.where_violated or bool(question.own)
        self._expander = Expander(self._bounder, self._tightener, deadline)
        self._parts = np.zeros(len(question.rows), np.int64)  # of each disjunct, those that are still open
        self._closed = np.full(len(question.rows), np.inf)  # the least bound of those that are closed
        self._tried = np.full(len(question.rows), np.inf)  # the least margin that was replayed
        self._told = -np.inf

    def run(self, disjuncts: np.ndarray) -> bool:
        """Searches until all disjuncts are excluded, a witness is accepted or the time is up; whether one was found."""
        self.record = Record(len(disjuncts), self.options.memory / 4)
        self._parts[disjuncts] = 1
        functions = self._first.bound, self._bounder.bound, self._tighten, self._expander.expand, self._work_aside
        with Crew(functions, self.options.threads) as crew:
            opened = self._sorted_out(self._bounded(crew, self._first, roots(self._first, disjuncts)))
            if len(opened) and not self.found and self._partition_pays(opened):
                opened = self._within_own(self._partitioned(self._as_asked(opened), crew), crew)
            pool = Pool(opened, self.options.memory)
            self._work_off(pool, crew)
            if not self.found:
                self._tell_open([pool.domains, *_domains(crew), *self.stuck])
            self.lost = crew.lost
        return self.found

    @property
    def finished(self) -> bool:
        """Whether every disjunct that was asked about is excluded."""
        return not self._parts.any()

    def _work_off(self, pool: Pool, crew: Crew) -> None:
        """Expands open domains, worst bounds first, until none is left."""
        size = 16
        while (len(pool) or _domains(crew)) and not self.found and not self.deadline.expired:
            self._hand_out(pool, crew, size)
            done = crew.take(self.deadline.remaining)
            if done is None:
                return
            self._hand_out(pool, crew, size)  # before the outcome is looked at, so that nobody waits
            part, expansion = done
            if isinstance(part, Turn):
                self.turns.had(expansion.seconds)
                self.found = self.aside is not None and self.aside.taken(expansion.result)
                continue
            self._take_up(expansion, pool)
            size = self._next_size(len(expansion.positions), expansion.seconds)
            if not self.found:
                self._report(pool, crew)

    def _work_aside(self, turn: Turn) -> Turned:
        assert self.aside is not None
        started = time.monotonic()
        return Turned(self.aside.work(turn.part), time.monotonic() - started)

    def _hand_out(self, pool: Pool, crew: Crew, size: int) -> None:
        aside_busy = any(isinstance(part, Turn) for part in crew.under_way)
        if self.aside is not None and not aside_busy and crew.free and (seconds := self.turns.due()):
            crew.put(self._work_aside, Turn(self.aside.part(seconds)))
        while crew.free and len(pool):
            crew.put(self._expander.expand, pool.take(min(size, -(-len(pool) // crew.free))))

    def _take_up(self, expansion: Expansion, pool: Pool) -> None:
        """Notes what an expansion closed, and puts the halves that stay open into the pool."""
        pool.put(expansion.waiting)
        if expansion.settled is not None:
            self._sorted_out(expansion.settled)
        if expansion.halves is not None:
            halves = self.record.grown(expansion.halves.domains, expansion.cuts, expansion.positions)
            self.explored += len(halves)
            np.add.at(self._parts, halves.disjunct[: len(expansion.positions)], 1)  # two for one
            pool.put(self._sorted_out(replace(expansion.halves, domains=halves)))

    def _partition_pays(self, domains: Domains) -> bool:
        """Whether a few cuts in the first layer, with tightening, do more for the worst domain than others."""
        budget = Deadline(PROBE_SHARE * self.deadline.remaining)
        worst, bounds = domains.take(np.array([np.argmin(domains.bound)])), []
        for choose in (Bounder.early_entries, chosen):
            several = worst
            for _ in range(PARTITION_CUTS):
                positions = choose(self._bounder, several)
                if (positions < 0).any():
                    return False
                several = self._bounder.bound(children(self._bounder, several, positions)).domains
            one, rest = several.take(slice(1)), several.take(slice(1, None))
            started = time.monotonic()
            tightened = [self._tightener.group(one, budget)]
            if (time.monotonic() - started) * len(rest) > budget.remaining:
                return False
            tightened += [self._tightener.group(group, budget) for group in self._tightener.groups(rest)]
            bounds.append(float(self._bounder.bound(Domains.joined(tightened)).domains.bound.min()))
        return bounds[0] > bounds[1] and not budget.expired

    def _partitioned(self, domains: Domains, crew: Crew) -> Domains:
        """The domains cut in the first layer, all disjuncts alike, so that each part is tightened once for all of them.

        Nothing here may rest on the rows or the own intervals of one of them.

        Goes on as long as the next round, eight times as many parts, takes no large share of the time left.
        """
        part, budget = np.zeros(len(domains), np.int64), Deadline(PARTITION_SHARE * self.deadline.remaining)
        while len(domains) and not self.found:
            cuts = 0
            while cuts < PARTITION_CUTS and ((positions := self._bounder.early_entries(domains)) >= 0).all():
                domains, part = self._halved(domains, positions), np.concatenate([2 * part, 2 * part + 1])
                cuts += 1
            if not cuts:
                break
            # Numbered anew in every round: a path of cuts, two numbers for each, would not fit an integer for long.
            _, first, part = np.unique(part, return_index=True, return_inverse=True)
            started = time.monotonic()
            groups = self._tightener.groups(domains.take(first))
            once = Domains.joined(crew.map(self._tighten, groups))
            seconds = time.monotonic() - started
            bound = np.maximum(domains.bound, np.where(np.isinf(once.bound[part]), once.bound[part], -np.inf))
            ends = {"lower": once.lower[part], "upper": once.upper[part]}
            domains = replace(domains, **ends, bound=bound, age=once.age[part])
            bounded = self._bounded(crew, self._bounder, domains)
            is_open = still_cuttable(bounded.domains)
            domains, part = self._sorted_out(bounded), part[is_open]
            if seconds * 2**PARTITION_CUTS * len(np.unique(part)) / len(first) > budget.remaining:
                break
        return domains

    def _tighten(self, group: Domains) -> Domains:
        return self._tightener.group(group, self.deadline)

    def _as_asked(self, roots_: Domains) -> Domains:
        """Roots with the intervals that all disjuncts have."""
        lower, upper = _ends(self.question, [self.question.intervals] * len(roots_))
        return replace(roots_, lower=lower, upper=upper)

    def _within_own(self, domains: Domains, crew: Crew) -> Domains:
        """Domains within the intervals that their disjuncts alone have; those that stay open."""
        if not self.question.own or not len(domains) or self.found:
            return domains
        own = roots(self._first, domains.disjunct)
        lower, upper = np.maximum(domains.lower, own.lower), np.minimum(domains.upper, own.upper)
        empty = (lower > upper).any(axis=1)
        lower[empty], upper[empty] = domains.lower[empty], domains.upper[empty]
        narrowed = replace(domains, lower=lower, upper=upper, bound=np.where(empty, np.inf, domains.bound))
        return self._sorted_out(self._bounded(crew, self._bounder, narrowed))

    def _halved(self, parents: Domains, positions: np.ndarray) -> Domains:
        """Both halves of each parent, as parts of their disjuncts with nodes of the tree of their own."""
        cuts = self._bounder.cuts(parents)[np.arange(len(parents)), positions]
        np.add.at(self._parts, parents.disjunct, 1)  # two for one
        return self.record.grown(children(self._bounder, parents, positions), cuts, positions)

    def _bounded(self, crew: Crew, bounder: Bounder, domains: Domains) -> Bounded:
        """The domains bounded by all processes together."""
        self.explored += len(domains)
        count = max(self.options.threads, -(-len(domains) // self._most))
        return Bounded.joined(crew.map(bounder.bound, domains.parts(count)))

    def _sorted_out(self, bounded: Bounded) -> Domains:
        """The domains that stay open, after their minimisers were tried as witnesses; closed ones are noted."""
        domains = bounded.domains
        self.found = self.found or self._violated(bounded.minimisers)
        open_ones, kept = ~(domains.bound > 0), still_cuttable(domains)
        for n in np.flatnonzero(open_ones & ~kept):
            leaf = domains.take(np.array([n]))
            if not self.found and not self.deadline.expired:
                leaf, self.found = solved(self._bounder, leaf, self.observer, self.deadline, self.options.solver)
            if leaf.bound[0] > 0:
                self._close(leaf)
            else:
                self.stuck.append(leaf)
        self._close(domains.take(~open_ones))
        return domains.take(kept)

    def _close(self, domains: Domains) -> None:
        """Takes note of closed domains, and tells of disjuncts of which no part is open any more."""
        self.record.close(domains)
        np.minimum.at(self._closed, domains.disjunct, domains.bound)
        np.subtract.at(self._parts, domains.disjunct, 1)
        for d in np.unique(domains.disjunct):
            if self._parts[d] == 0:
                bound = min(self._closed[d], SMALLEST_MARGIN) if self._conditional else self._closed[d]
                self.observer.margin_bounded(int(d), float(bound))

    def _tell_open(self, left: list[Domains]) -> None:
        """Tells the bounds of disjuncts that stay open, of which `left` holds all open parts."""
        margin = np.minimum(self._closed, 0.0)  # no margin told here may exclude a disjunct
        for part in left:
            np.minimum.at(margin, part.disjunct, part.bound)
        for d in np.flatnonzero(self._parts > 0):
            self.observer.margin_bounded(int(d), float(margin[d]))

    def _report(self, pool: Pool, crew: Crew) -> None:
        """Tells of the progress, now and then."""
        if self.deadline.elapsed - self._told > 0.25:
            self._told = self.deadline.elapsed
            bounds = [pool.bound, *(part.bound for part in _domains(crew))]
            worst = min(float(bound.min(initial=np.inf)) for bound in bounds)
            self.turns.note(worst)
            self.observer.advanced(int(self._parts.sum()), self.explored, worst)

    def _violated(self, minimisers: Minimisers) -> bool:
        """Whether one of the minimisers is a witness; only those that come nearer than all before are replayed."""
        for d, margin, point in zip(minimisers.disjunct, minimisers.margins, minimisers.points, strict=True):
            if margin > PROMISING:
                if self.aside is not None:
                    self.aside.pointed_out(int(d), point)
            elif margin < self._tried[d]:
                self._tried[d] = margin
                if self.observer.accepts(int(d), point):
                    return True
        return False

    @property
    def _most(self) -> int:
        """Domains of a batch at most."""
        return min(self.options.batch, max(2, self.options.batch_values // self.question.values))

    def _next_size(self, done: int, seconds: float) -> int:
        by_time = int(done * self.options.batch_seconds / max(seconds, 1e-3))
        return max(2, min(self._most, 2 * done + 16, by_time))


@dataclass(frozen=True)
class Turn:
    """A turn of what goes on beside the search, as its processes are given it."""

    part: Any


@dataclass(frozen=True)
class Turned:
    """What came of a turn, and the seconds that it took."""

    result: Any
    seconds: float


def _domains(crew: Crew) -> list[Domains]:
    """Those under way."""
    return [part for part in crew.under_way if isinstance(part, Domains)]


def roots(bounder: Bounder, disjuncts: np.ndarray) -> Domains:
    """One domain a disjunct: the whole box, CROWN's choice, no bound yet."""
    question, count = bounder.question, len(disjuncts)
    shape = question.shape
    lower, upper = _ends(question, [question.intervals] * count)
    if question.own:  # an end on a jump would be taken for a cut, which leaves the jump to its other half
        own = _ends(question, [question.own.get(int(d), question.intervals) for d in disjuncts])
        roomy = bounder.jumps.clear_of(*own)
        lower, upper = np.maximum(lower, roomy[0]), np.minimum(upper, roomy[1])
    domains = Domains(
        disjunct=np.asarray(disjuncts, np.int64),
        leaf=np.arange(count),
        age=np.zeros(count, np.int64),
        bound=np.full(count, -np.inf),
        lower=lower,
        upper=upper,
        places=np.zeros((count, shape.place_count), np.float32),
        cuts=np.full((count, 0), -1, np.int32),
        multipliers=np.zeros((count, 0), np.float32),
        weights=np.ones((count, question.rows.shape[1]), np.float32),
        candidates=np.full((count, bounder.candidates), -1),
    )
    first = first_choice(bounder.lagrangian(domains, bounder.relaxation(domains)))
    return replace(domains, places=to_numpy(first.places), weights=to_numpy(first.weights))


def _ends(question: Question, intervals: Sequence[Sequence[Interval]]) -> tuple[np.ndarray, np.ndarray]:
    """The ends of M domains' intervals at the open operand entries, given those of all nodes, shape (1, size) each."""
    lower, upper = (np.zeros((len(intervals), question.shape.open_count)) for _ in range(2))
    for n, own in enumerate(intervals):
        for k, slot in question.shape.operands.items():
            lower[n, slot.part] = to_numpy(own[k].lower)[0, slot.columns]
            upper[n, slot.part] = to_numpy(own[k].upper)[0, slot.columns]
    return lower, upper
