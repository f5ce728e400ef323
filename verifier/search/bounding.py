"""Bounds a batch of domains: ascent from the parents' choice, a proven bound, and where to cut next.

Cuts are ranked by what they would remove from the bound: at the minimiser of the linearised network every function's
line differs from the function by some amount, and that amount times the row's coefficient is what this entry costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import numpy as np

from verifier.arrays import Array, Convert, convert_like, namespace, to_numpy
from verifier.bounds.choosers import Line
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines
from verifier.bounds.lagrangian import Choice, Lagrangian, Rows
from verifier.bounds.layout import Layout, layout
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.bounds.relaxation import Relaxation
from verifier.network.functions.near import Near
from verifier.network.graph import Affine, Elementwise, Product
from verifier.property.query import Box, Patterns
from verifier.relaxations.families import has_jumps
from verifier.search.domains import Domains
from verifier.search.jumps import Jumps


@dataclass(frozen=True, eq=False)
class Question:
    """What all domains share.

    Attributes:
        engines: the network, its outputs the forms.
        box: the root box.
        intervals: of the root box, shape (1, size) each.
        shape: the layout over those.
        rows: for each disjunct its rows on the forms, float64, shape (D, R, forms), padded.
        thresholds: shape (D, R), infinite where padded.
        own: for some disjuncts intervals of all nodes that hold where their rows do, shape (1, size) each.
    """

    engines: Engines
    box: Box
    intervals: Sequence[Interval]
    shape: Layout
    rows: np.ndarray
    thresholds: np.ndarray
    own: Mapping[int, Sequence[Interval]] = field(default_factory=dict)

    @classmethod
    def over(cls, engines: Engines, box: Box, intervals: Sequence[Interval], patterns: Patterns) -> Question:
        """The question of all disjuncts of a query over one box with these intervals."""
        count, most = len(patterns.rows), max((len(r) for r in patterns.rows), default=0)
        rows, thresholds = np.zeros((count, most, patterns.count)), np.full((count, most), np.inf)
        for d, (forms, sides) in enumerate(zip(patterns.rows, patterns.thresholds, strict=True)):
            rows[d, np.arange(len(forms)), forms] = 1.0
            thresholds[d, : len(forms)] = sides
        return cls(engines, box, intervals, layout(engines.exact, intervals), rows, thresholds)

    @property
    def values(self) -> int:
        """Values of all nodes of one domain."""
        return sum(node.size for node in self.engines.exact.nodes)

    def where_violated(
        self, disjunct: np.ndarray, intervals: Sequence[Interval]
    ) -> tuple[list[Interval], Layout, np.ndarray]:
        """Intervals of M parts of disjuncts with their rows as constraints on the last node: a row is one of its forms.

        Args:
            disjunct: integers, shape (M,).
            intervals: of all nodes, shape (M, size) or (1, size) each.

        Returns:
            The intervals, the layout with the forms in it, and the positions of the rows' forms there, shape (M, R), -1
            where there is none. What follows holds for inputs that obey the rows, and so for that disjunct alone.
        """
        last = len(self.engines.exact.nodes) - 1
        forms = self.rows[disjunct].argmax(axis=2)
        exists = np.isfinite(self.thresholds[disjunct])
        shape = len(disjunct), self.rows.shape[2]
        lower, upper = (
            np.broadcast_to(to_numpy(a), shape).copy() for a in (intervals[last].lower, intervals[last].upper)
        )
        n, r = np.nonzero(exists)
        np.minimum.at(upper, (n, forms[n, r]), self.thresholds[disjunct][n, r])
        same = forms[:, :, None] == forms[:, None, :]
        again = np.tril(same & exists[:, None, :], -1).any(axis=2)  # a form that some row before has as well
        narrowed = list(intervals)
        convert = convert_like(intervals[last].upper)
        narrowed[last] = Interval(convert(lower), convert(upper))
        positions = np.where(exists & ~again, self.shape.open_count + forms, -1)
        return narrowed, self.shape.with_outputs(last, self.rows.shape[2]), positions


PROMISING = 1e-6
"""Margin, as computed, up to which a minimiser is replayed; only the replay decides."""

BETWEEN, KEPT = 3, 0.75
"""Steps of an ascent after which domains with a sufficient bound are left aside, if no more than this part is left."""

REPLAYS = 8
"""Minimisers of a batch that are replayed at most."""


@dataclass(frozen=True, eq=False)
class Minimisers:
    """Minimisers of the relaxation, the best and all that may be violations, best first.

    Attributes:
        disjunct: whose, shape (P,).
        margins: as computed, shape (P,).
        points: shape (P, input_size).
    """

    disjunct: np.ndarray
    margins: np.ndarray
    points: np.ndarray

    @classmethod
    def joined(cls, several: Iterable[Minimisers]) -> Minimisers:
        """All of them, in order."""
        several = list(several)
        return cls(*(np.concatenate([getattr(m, f.name) for m in several]) for f in fields(cls)))


@dataclass(frozen=True, eq=False)
class Bounded:
    """Domains with new bounds, choices and candidates for cuts, and what may be violations among the minimisers."""

    domains: Domains
    minimisers: Minimisers

    @classmethod
    def joined(cls, several: Iterable[Bounded]) -> Bounded:
        """All of them, in order."""
        several = list(several)
        return cls(Domains.joined(b.domains for b in several), Minimisers.joined(b.minimisers for b in several))


class Bounder:
    """Bounds domains of one question.

    Args:
        question: what is asked.
        options: of the ascents.
        candidates: how many entries to name for the next cut.
        enough: an ascent ends once all bounds exceed this.
    """

    def __init__(self, question: Question, options: AscentOptions, candidates: int, enough: float = 0.0) -> None:
        self.question, self.options, self.candidates, self.enough = question, options, candidates, enough
        engines = question.engines
        self._exact = convert_like(question.intervals[0].lower)
        self._fast = convert_like(engines.example)

    def intervals(self, domains: Domains) -> list[Interval]:
        """The root's intervals with each domain's own at the open operand entries, shape (M, size) there."""
        xp = namespace(self.question.intervals[0].lower)
        result = list(self.question.intervals)
        for k, slot in self.question.shape.operands.items():
            root, columns = result[k], self._exact(slot.columns)
            shape = (len(domains), root.lower.shape[1])
            lower = xp.asarray(xp.broadcast_to(root.lower, shape), copy=True)
            upper = xp.asarray(xp.broadcast_to(root.upper, shape), copy=True)
            lower[:, columns] = self._exact(domains.lower[:, slot.part])
            upper[:, columns] = self._exact(domains.upper[:, slot.part])
            result[k] = Interval(lower, upper, root.ball)
        for k, values in self.jumps.values(result, self.question.intervals).items():
            result[k] = values
        return result

    @cached_property
    def jumps(self) -> Jumps:
        """Those of the network's functions at the operand entries."""
        return Jumps(self.question.engines.exact, self.question.shape)

    def relaxation(self, domains: Domains) -> Relaxation:
        """The lines of the domains."""
        return Relaxation(self.question.engines.exact, self.intervals(domains), self.question.shape)

    def lagrangian(self, domains: Domains, relaxation: Relaxation) -> Lagrangian:
        """The dual function of the domains."""
        return Lagrangian(self.question.engines.fast, relaxation, self._rows(domains, self._fast))

    def _rows(self, domains: Domains, convert: Convert) -> Rows:
        rows, thresholds = self.question.rows[domains.disjunct], self.question.thresholds[domains.disjunct]
        return Rows(len(self.question.engines.exact.nodes) - 1, convert(rows), convert(thresholds), domains.cuts)

    def choice(self, domains: Domains) -> Choice:
        """The choice that the domains carry."""
        return Choice(*(self._fast(a) for a in (domains.places, domains.multipliers, domains.weights)))

    def bound(self, domains: Domains) -> Bounded:
        """Bounds the domains, from the choice they carry."""
        relaxation = self.relaxation(domains)
        lagrangian = self.lagrangian(domains, relaxation)
        best = self._ascended(domains, lagrangian)
        minimum = proven(relaxation, self._rows(domains, self._exact), best)
        done = replace(
            domains,
            bound=np.maximum(to_numpy(minimum.bound), domains.bound),
            places=to_numpy(best.places).astype(np.float32),
            multipliers=to_numpy(best.multipliers).astype(np.float32),
            weights=to_numpy(best.weights).astype(np.float32),
            candidates=ranked(self._scores(lagrangian, best, domains), self.candidates),
        )
        left = np.flatnonzero(~(done.bound > self.enough))
        return Bounded(done, self._minimisers(domains.disjunct[left], minimum.point[self._exact(left)]))

    def _ascended(self, domains: Domains, lagrangian: Lagrangian) -> Choice:
        """The best choice that an ascent finds; domains whose bounds do are left aside on the way."""
        best = Choice(*(namespace(a).asarray(a, copy=True) for a in vars(self.choice(domains)).values()))
        rows, ascent = np.arange(len(domains)), Ascent(lagrangian, self.choice(domains), self.options)
        while True:
            ascent.run(self.enough, BETWEEN)
            for whole, part in zip(vars(best).values(), vars(ascent.best).values(), strict=True):
                whole[self._fast(rows)] = part
            if ascent.done:
                return best
            left = np.flatnonzero(~(to_numpy(ascent.bound) > self.enough))
            if len(left) <= KEPT * len(rows):
                rows = rows[left]
                some = domains.take(rows)
                ascent = ascent.of(self._fast(left), self.lagrangian(some, self.relaxation(some)))

    def _minimisers(self, disjunct: np.ndarray, points: Array) -> Minimisers:
        """Of points, shape (M, input_size), where the disjuncts' rows nearly hold, or do; the best anyway."""
        question = self.question
        forms = to_numpy(question.engines.exact.forward(points))
        gaps = np.einsum("nrk,nk->nr", question.rows[disjunct], forms) - question.thresholds[disjunct]
        margins = gaps.max(axis=1)
        best = np.argsort(margins)[:REPLAYS]
        best = best[(margins[best] <= PROMISING) | (np.arange(len(best)) == 0)]
        return Minimisers(disjunct[best], margins[best], to_numpy(points)[best])

    def _scores(self, lagrangian: Lagrangian, choice: Choice, domains: Domains) -> np.ndarray:
        """For each operand entry that can be cut what a cut may gain, float64, shape (M, open_count)."""
        scores = self._costs(lagrangian, choice, domains)
        return np.where(self.cuttable(domains), scores + self._tie_breaks(scores, domains), 0.0)

    def costs(self, domains: Domains) -> np.ndarray:
        """For each operand entry what its function's relaxation costs the domain's bound, shape (M, open_count)."""
        return self._costs(self.lagrangian(domains, self.relaxation(domains)), self.choice(domains), domains)

    def _costs(self, lagrangian: Lagrangian, choice: Choice, domains: Domains) -> np.ndarray:
        evaluation = lagrangian.evaluate(choice)
        values = lagrangian.values(evaluation)
        shape, scores = self.question.shape, np.zeros(domains.lower.shape)
        for k, line in evaluation.lines.items():
            node = lagrangian.network.nodes[k]
            assert isinstance(node, (Elementwise, Product))
            costs = to_numpy(self._cost(node, line, values))
            for operand in node.operands:
                if operand in shape.operands:
                    slot = shape.operands[operand]
                    scores[:, slot.part] = np.maximum(scores[:, slot.part], costs[:, slot.columns])
        return scores

    def _tie_breaks(self, scores: np.ndarray, domains: Domains) -> np.ndarray:
        """Small scores for all, by the smaller part of a cut: the minimiser may happen to lie on all graphs at once."""
        cuts = self.cuts(domains)
        part = np.minimum(cuts - domains.lower, domains.upper - cuts)
        widest = np.max(np.where(np.isfinite(part), part, 0.0), axis=1, keepdims=True, initial=0.0)
        scale = np.max(scores, axis=1, keepdims=True, initial=0.0)
        return 1e-6 * np.where(scale > 0, scale, 1.0) * np.maximum(part, 0.0) / np.where(widest > 0, widest, 1.0)

    def cuttable(self, domains: Domains) -> np.ndarray:
        """Operand entries whose interval a cut would make two smaller ones of, bool, shape (M, open_count)."""
        cuts = self.cuts(domains)
        return (domains.lower < cuts) & (cuts < domains.upper)

    def cuts(self, domains: Domains) -> np.ndarray:
        """Where each interval would be cut, shape (M, open_count).

        At the jump inside that is nearest to the middle; else at the nearest kink, or in the middle of what is bent.
        """
        middle = 0.5 * (domains.lower + domains.upper)
        chosen = np.where(np.isnan(self._kinks[0]), middle, self._kinks[0])
        nearest, from_where = np.full(middle.shape, np.inf), np.where(np.isfinite(middle), middle, 0.0)
        for kinks in self._kinks:
            away = np.where((domains.lower < kinks) & (kinks < domains.upper), np.abs(kinks - from_where), np.inf)
            chosen, nearest = np.where(away < nearest, kinks, chosen), np.minimum(nearest, away)
        if not self.jumps.functions:
            return chosen
        jumps = self.jumps.nearest(domains.lower, domains.upper)
        return np.where(np.isnan(jumps), chosen, jumps)

    def early_entries(self, domains: Domains) -> np.ndarray:
        """Of the first node that has cuttable entries the one whose relaxation weighs most, -1 without any, shape (M,).

        The weight is the height of the triangle times the sum of the |weights| that the function's value meets next.
        Cuts in the first layer gain hardly anything until the intermediate bounds are tightened by what they imply,
        and then sometimes far more than others: six of them took a bound on mnist_fc 256x4 from -13.1 to -3.4, six in
        the last layers to -10.8.
        """
        cuts = self.cuts(domains)
        width = domains.upper - domains.lower
        height = (cuts - domains.lower) * (domains.upper - cuts) / np.where(width > 0, width, 1.0)
        weight = np.where(self.cuttable(domains), height * self._influence[None, :], 0.0)
        chosen = np.full(len(domains), -1)
        for slot in self.question.shape.operands.values():
            part = weight[:, slot.part]
            first = (chosen < 0) & (part > 0).any(axis=1)
            chosen = np.where(first, slot.start + np.argmax(part, axis=1), chosen)
        return chosen

    @cached_property
    def _influence(self) -> np.ndarray:
        """What the values of the functions that an operand entry feeds meet next, as a sum of |weights|."""
        network, shape = self.question.engines.exact, self.question.shape
        influence = np.zeros(shape.open_count)
        for k, function in enumerate(network.nodes):
            if not isinstance(function, (Elementwise, Product)):
                continue
            met = np.zeros(function.size)
            for node in network.nodes[k + 1 :]:
                if isinstance(node, Affine):
                    ones = namespace(node.bias).ones_like(node.bias)
                    pairs = zip(node.operands, node.maps, strict=True)
                    met += sum((to_numpy(m.magnitude.adjoint(ones)) for i, m in pairs if i == k), np.zeros(met.shape))
                elif k in node.operands:
                    met += 1.0
            for operand in function.operands:
                if operand in shape.operands:
                    slot = shape.operands[operand]
                    influence[slot.part] = np.maximum(influence[slot.part], met[slot.columns])
        return influence

    @cached_property
    def _kinks(self) -> np.ndarray:
        """For each operand entry the kinks of all that it feeds, NaN where that is bent; shape (kinks, open_count)."""
        shape = self.question.shape
        found: dict[int, set[float]] = {operand: set() for operand in shape.operands}
        bent: set[int] = set()
        for node in self.question.engines.exact.nodes:
            if isinstance(node, (Elementwise, Product)):
                turns = _kinks_of(node)
                for operand in found.keys() & set(node.operands):
                    found[operand].update(turns or ())
                    if turns is None:
                        bent.add(operand)
        most = max((len(kinks) for kinks in found.values()), default=0)
        kinks = np.full((max(most, 1), shape.open_count), np.nan)
        for operand, places in found.items():
            if operand not in bent:  # where there are neither kinks nor bends, there is nothing to cut but jumps
                rows = np.array(sorted(places) or [np.inf])[:, None]
                kinks[: len(rows), shape.operands[operand].part] = rows
        return kinks

    @staticmethod
    def _cost(node: Elementwise | Product, line: Line, values: dict[int, Array]) -> Array:
        """What the chosen line of each entry loses of the bound, shape (N, size)."""
        xp, operands = namespace(line.row), [values[i] for i in node.operands]
        true = node.function.value(operands[0]) if isinstance(node, Elementwise) else operands[0] * operands[1]
        return xp.abs(line.row * (true - line.at(operands)))


def _kinks_of(node: Elementwise | Product) -> list[float] | None:
    """Where a function turns, if it is linear in between, but for jumps; None where it is not.

    A number that is 0 at one place alone is sought by halves, once that place is an end.
    """
    if isinstance(node, Product):
        return None
    if has_jumps(node.function):
        return None if node.function == Near(0.0) else []
    return None if node.function.pieces is None else [piece.start for piece in node.function.pieces[1:]]


def ranked(scores: np.ndarray, count: int) -> np.ndarray:
    """The positions of the `count` largest positive scores of each row, best first, -1 where there are fewer."""
    found = np.full((len(scores), count), -1)
    most = min(count, scores.shape[1])
    if most:
        best = np.argpartition(-scores, most - 1, axis=1)[:, :most]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        best = np.take_along_axis(best, order, axis=1)
        found[:, :most] = np.where(np.take_along_axis(scores, best, axis=1) > 0, best, -1)
    return found
