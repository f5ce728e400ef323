"""Cases at functions: the engine's optimised bounds look for lines and multipliers, the checker's decide.

First lines alone, then facts about the root, then a search (`search.neurons`), which is written down (`replay`). What
the checker's bounds do not close of it is cut further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.bounds.interval import node_interval
from verifier.bounds.layout import layout
from verifier.bounds.optimise import AscentOptions
from verifier.checker.bounds import Hints, State
from verifier.checker.narrowing import empty
from verifier.checker.rational import rounded
from verifier.deadline import Deadline
from verifier.proofs.ascents import intervals_of
from verifier.proofs.draft import GivenUp, Leaf
from verifier.proofs.facts import FactWriter
from verifier.proofs.leaves import Question, duals
from verifier.proofs.replay import Replay
from verifier.proofs.work import Work, exceeds
from verifier.property.query import Box
from verifier.search import bounding
from verifier.search.branching import children, chosen
from verifier.search.domains import Domains
from verifier.search.neurons import NeuronOptions, NeuronSearch, roots
from verifier.search.record import Record

ROOT = AscentOptions(steps=40, decay=0.95)
STEP = AscentOptions(steps=12, place_rate=0.05, multiplier_rate=0.2)
BATCH = 128
FACTS = 0.3
"""Of the time left, for facts."""


class Silent:
    """Asked for a search of which nothing but the record matters."""

    def accepts(self, disjunct: int, point: np.ndarray) -> bool:
        return False

    def margin_bounded(self, disjunct: int, margin: float) -> None:
        pass

    def advanced(self, open_count: int, explored: int, bound: float) -> None:
        pass


class Neurons:
    """Closes disjuncts below one root of a proof."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.graph, self.disjuncts, self.draft, self.ascents = work.graph, work.disjuncts, work.draft, work.ascents
        self.cuts, self.names = work.cuts, work.cuts.names
        self.batch = max(2, min(BATCH, (1 << 21) // sum(node.size for node in work.graph.nodes)))

    def prove(self, root: int, state: State, which: Sequence[int]) -> None:
        """Closes disjuncts on a sharpened root with these bounds.

        Raises:
            GivenUp: some cannot be closed, or the time ran out.
        """
        self.state, self.which = state, list(which)
        step, waiting = self._begun(root)
        if not len(waiting):
            return
        facts = FactWriter(
            self.ascents, self.cuts, self.work.bounder, self.draft, Deadline(FACTS * self.work.deadline.remaining)
        )
        root = self.draft.root(self.which[0])  # what was closed so far knows of no facts
        self.which = sorted({self.which[d] for d in waiting.disjunct.tolist()})
        self.state = facts.sharpened(root, state)
        step, waiting = self._begun(root)
        if not len(waiting):
            return
        self.which = sorted({self.which[d] for d in waiting.disjunct.tolist()})
        facts.deadline = self.work.deadline
        step = self._bounder()
        leaves = Replay(self._searched(step.question), step.question.shape, facts, self.draft).leaves(root, self.state)
        self._cut(step, self._open(step, leaves))

    def _searched(self, question: bounding.Question) -> Record:
        """The record of a search that excludes all disjuncts."""
        search = NeuronSearch(question, NeuronOptions(threads=self.work.threads), Silent(), self.work.deadline)
        search.run(np.arange(len(self.which)))
        if not search.finished or not search.record.complete:
            raise GivenUp("the time ran out" if self.work.deadline.expired else "a search did not come to its end")
        return search.record

    def _cut(self, step: bounding.Bounder, waiting: Domains) -> None:
        """Cuts what the checker's bounds do not close until they do."""
        while len(waiting):
            self.work.in_time()
            order = np.argsort(waiting.bound)
            now, waiting = waiting.take(order[: self.batch]), waiting.take(order[self.batch :])
            positions = chosen(step, now)
            cuts = step.cuts(now)[np.arange(len(now)), positions]
            halves = children(step, now, positions)
            halves.leaf[:] = self._split(step.question, now, positions, cuts)
            waiting = Domains.joined([waiting, self._open(step, step.bound(halves).domains)])

    def _begun(self, root: int) -> tuple[bounding.Bounder, Domains]:
        """What bounds the parts of a root, and those disjuncts that stay open on all of it."""
        step = self._bounder()
        first = bounding.Bounder(step.question, ROOT, 1)
        domains = roots(first, np.arange(len(self.which)))
        domains.leaf[:] = root
        return step, self._open(step, first.bound(domains).domains)

    def _bounder(self) -> bounding.Bounder:
        """Bounds parts of the root, the disjuncts' rows being the outputs of a network."""
        of = [[row.coefficients for row in self.disjuncts[d].rows] for d in self.which]
        number = {form: f for f, form in enumerate(dict.fromkeys(form for forms in of for form in forms))}
        self.forms = np.zeros((len(number), self.graph.nodes[self.graph.output].size))
        for form, f in number.items():
            for j, value in form:
                self.forms[f, j] = float(value)
        rows = np.zeros((len(of), max(map(len, of)), len(number)))
        thresholds = np.full(rows.shape[:2], np.inf)
        for n, (d, forms) in enumerate(zip(self.which, of, strict=True)):
            rows[n, np.arange(len(forms)), [number[form] for form in forms]] = 1.0
            limits = np.array([row.threshold for row in self.disjuncts[d].rows], object)
            thresholds[n, : len(forms)] = rounded(limits, np.inf)
        engines = self.ascents.of_forms(self.forms)
        intervals = intervals_of(self.state, self.graph.output)
        intervals.append(node_interval(engines.exact, len(intervals), intervals))
        box = Box.exact(self.state.lower[0][0], self.state.upper[0][0])
        shape = layout(engines.exact, intervals, sharing=False)
        return bounding.Bounder(bounding.Question(engines, box, intervals, shape, rows, thresholds), STEP, 1)

    def _split(
        self, question: bounding.Question, parents: Domains, positions: np.ndarray, cuts: np.ndarray
    ) -> np.ndarray:
        """New nodes of the draft: all lower halves, then all upper ones."""
        pairs = []
        for leaf, position, cut in zip(parents.leaf.tolist(), positions.tolist(), cuts.tolist(), strict=True):
            k, entry = question.shape.entry(position)
            k, cut = self.cuts.written(k, cut)
            pairs.append(self.draft.split(leaf, self.names[k], entry, cut))
        return np.array([below for below, _ in pairs] + [above for _, above in pairs])

    def _open(self, bounder: bounding.Bounder, domains: Domains) -> Domains:
        """Those that the checker's bounds do not close; leaves for the others."""
        hopeful = np.flatnonzero(domains.bound > 0)
        closed = np.zeros(len(domains), bool)
        for start in range(0, len(hopeful), self.batch):
            self.work.in_time()
            some = hopeful[start : start + self.batch]
            closed[some] = self._close(bounder, domains.take(some))
        left = domains.take(~closed)
        if (left.candidates[:, 0] < 0).any():
            bounded = []
            for part in left.parts(-(-len(left) // self.batch)):
                self.work.in_time()
                bounded.append(bounder.bound(part).domains)
            left = Domains.joined(bounded)
        stuck = left.candidates[:, 0] < 0
        self._solve(bounder, left.take(stuck))
        return left.take(~stuck)

    def _solve(self, bounder: bounding.Bounder, domains: Domains) -> None:
        """Closes domains in which nothing is left to cut, by the duals of their linear programs.

        Raises:
            GivenUp: that does not suffice.
        """
        for n in range(len(domains)):
            self.work.in_time()
            domain, question = domains.take(slice(n, n + 1)), bounder.question
            thresholds = question.thresholds[domain.disjunct[0]]
            exists = np.isfinite(thresholds)
            rows = (question.rows[domain.disjunct[0]] @ self.forms)[exists]
            places = [question.shape.entry(int(c)) for c in domain.cuts[0] if c >= 0]
            presses = [self.cuts.press(k) for k, _ in places]
            cuts = [place for place, does in zip(places, presses, strict=True) if does]
            hints = Translated.of(self, bounder, domain).hints
            asked = Question(self.graph.output, rows, thresholds[exists], cuts, hints)
            found = duals(self.work.bounder, self._part(question, domain), asked)
            if found is not None:
                domain.weights[0, exists] = found[0]
                domain.multipliers[0, np.flatnonzero(domain.cuts[0] >= 0)[presses]] = found[1]
            if found is None or not self._close(bounder, domain).all():
                raise GivenUp("nothing is left to cut where a bound does not suffice")

    def _close(self, bounder: bounding.Bounder, domains: Domains) -> np.ndarray:
        """Adds leaves for the domains that are empty or that the checker's bounds close; which they are."""
        closed = empty(self._part(bounder.question, domains))
        for n in np.flatnonzero(closed).tolist():
            d = self.which[domains.disjunct[n]]
            weights = np.eye(1, len(self.disjuncts[d].rows))[0]
            self.draft.leaves.append(Leaf(int(domains.leaf[n]), d, tuple(weights.tolist())))
        left = np.flatnonzero(~closed)
        if len(left):
            closed[left] = self._close_by_bounds(bounder, domains.take(left))
        return closed

    def _close_by_bounds(self, bounder: bounding.Bounder, domains: Domains) -> np.ndarray:
        question, translated = bounder.question, Translated.of(self, bounder, domains)
        part, weights = self._part(question, domains), translated.weights
        rows = (np.einsum("nr,nrf->nf", weights, question.rows[domains.disjunct]) @ self.forms)[:, None]
        thresholds = np.where(np.isinf(question.thresholds), 0.0, question.thresholds)[domains.disjunct]
        limit = (weights * thresholds).sum(1)
        closed = exceeds(self.work.bounder.least(part, self.graph.output, rows, translated.hints)[:, 0], limit)
        for n in np.flatnonzero(closed):
            d = self.which[domains.disjunct[n]]
            own = tuple(weights[n, : len(self.disjuncts[d].rows)].tolist())
            leaf = Leaf(int(domains.leaf[n]), d, own, translated.pressures[n], translated.slopes[n])
            self.draft.leaves.append(leaf)
        return closed

    def _part(self, question: bounding.Question, domains: Domains) -> State:
        """What the checker knows of domains."""
        lower, upper = list(self.state.lower), list(self.state.upper)
        for k, slot in question.shape.operands.items():
            for ends, values in ((lower, domains.lower), (upper, domains.upper)):
                ends[k] = np.repeat(ends[k], len(domains), 0)
                ends[k][:, slot.columns] = values[:, slot.part]
        return self._with_steps(State(lower, upper), domains)

    def _with_steps(self, part: State, domains: Domains) -> State:
        """The same with what cuts on the way say of the values of steps."""
        graph, count = self.graph, len(domains)
        ends = {False: part.upper, True: part.lower}
        for k in (k for steps in self.cuts.steps.values() for k in steps):
            for side in ends.values():
                side[k] = np.array(np.broadcast_to(side[k], (count, graph.nodes[k].size)))
        for n, node in enumerate(domains.leaf.tolist()):
            for name, entry, cut, above in self.draft.way(node):
                k = graph.quantities[name]
                for i, end in self.work.bounder.ends(k, cut, above) if name in self.cuts.presses else []:
                    if i == k:
                        better = max if above else min
                        ends[above][k][n, entry] = better(ends[above][k][n, entry], end)
        return part


@dataclass(frozen=True, eq=False)
class Translated:
    """What domains chose, as a proof writes it and as the checker reads that."""

    weights: np.ndarray
    pressures: list[tuple[float, ...]]
    slopes: np.ndarray
    hints: Hints

    @classmethod
    def of(cls, search: Neurons, bounder: bounding.Bounder, domains: Domains) -> Translated:
        """Slopes of few digits, multipliers and weights as float32."""
        question, count = bounder.question, len(domains)
        lines = bounder.lagrangian(domains, bounder.relaxation(domains)).evaluate(bounder.choice(domains)).lines
        slopes = search.ascents.choices.slopes(lines, search.graph.output, count)
        hints = search.ascents.choices.hints(slopes)
        given: list[dict[tuple[str, int], float]] = [{} for _ in range(count)]
        for n, c in zip(*np.nonzero(domains.cuts >= 0), strict=True):
            k, entry = question.shape.entry(int(domains.cuts[n, c]))
            if search.cuts.press(k):
                given[n][search.names[k], entry] = multiplier = float(domains.multipliers[n, c])
                hints.pressures.setdefault(k, np.zeros((count, search.graph.nodes[k].size)))[n, entry] = multiplier
        pressures = [tuple(search.draft.on_way(int(leaf), given[n])) for n, leaf in enumerate(domains.leaf)]
        weights = domains.weights.astype(float)
        weights = np.where(np.isfinite(question.thresholds[domains.disjunct]), np.maximum(weights, 0.0), 0.0)
        return cls(weights.astype(np.float32).astype(float), pressures, slopes, hints)
