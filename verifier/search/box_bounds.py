"""Bounds a batch of boxes: which disjuncts stay open in each, what a violation's box shrinks to, where to cut it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.boxwise import BoxwisePass, Dependence, LinearForms, Plan, boxwise_intervals
from verifier.bounds.enclosure import Interval, intersected, minimiser
from verifier.bounds.forward import forward_bounds
from verifier.bounds.interval import interval_bounds
from verifier.bounds.zonotope import zonotope_bounds
from verifier.deadline import Deadline
from verifier.property.query import SMALLEST_MARGIN, gaps
from verifier.relaxations.policy import Policy
from verifier.search.boxes import Boxes, Question
from verifier.search.clipping import clipped
from verifier.search.cutting import Charges, input_to_cut

POLICIES = (Policy.ADAPTIVE, Policy.LOWER_END)
"""Lines that the property's forms are bounded with; each gives a linear function that also clips."""

BACKWARD_VALUES = 3000
"""Values of all nodes up to which open entries are bounded backward. Beyond, a forward pass of a fiftieth of the cost
and more boxes do better: of 500 boxes over one input of nn4sys mscn_128d (5,400 values) 5 a second against 250."""

FORWARD_VALUES = 20_000
"""Values of all nodes up to which boxes are bounded forward, many at a time. Networks beyond are deep: forward bounds
blow up in them (outputs of cifar_biasfield 0: 67,700 wide, CROWN's 65); zonotopes, of one box at a time, do not."""

MOST_CLIPPED = 16
"""Boxes with more disjuncts than this are not clipped: the hull of so many clips is hardly smaller."""


@dataclass(frozen=True, eq=False)
class Bounded:
    """What has been found out about N boxes.

    Attributes:
        open: disjuncts of the root that stay open, shape (N, most).
        margins: lower bounds of the disjuncts' margins, positive where excluded, shape (N, most).
        lower, upper: a smaller box that holds all violations of the open disjuncts, shape (N, input_size).
        dimension: the input to cut, shape (N,).
        unstable: entries that were open, shape (N,).
        known_lower, known_upper: as in `Boxes`.
        points: a candidate each, shape (N, input_size).
        columns, values: the column of its disjunct, and that one's margin there as computed, shape (N,).
    """

    open: np.ndarray
    margins: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    dimension: np.ndarray
    unstable: np.ndarray
    known_lower: np.ndarray
    known_upper: np.ndarray
    points: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    def take(self, chosen: np.ndarray) -> Bounded:
        """Those where a mask holds."""
        return Bounded(*(getattr(self, f.name)[chosen] for f in fields(self)))


class BoxBounder:
    """Bounds boxes of one question.

    Args:
        question: what is asked.
        clip: whether boxes are shrunk.
        deadline: when it expires, bounds get loose, as no more intervals are tightened.
    """

    def __init__(self, question: Question, clip: bool, deadline: Deadline) -> None:
        self.question, self.clip, self.deadline = question, clip, deadline
        self.plan = Plan(question.forms, question.example, question.ball is not None)
        self._convert = convert_like(question.example)
        self._last = len(question.forms.nodes) - 1
        self._unit = self._convert(np.eye(question.forms.output_size)[None])
        self._values = sum(node.size for node in question.forms.nodes)
        self._slices: dict[int, slice] = {}
        start = 0
        for k in self.plan.tightened:
            stop = start + question.forms.nodes[k].size
            self._slices[k], start = slice(start, stop), stop
        self.entries = start

    def roots(self, start: int, stop: int) -> Boxes:
        """The root boxes `start : stop`, with what is known of them."""
        boxes = Boxes.roots(self.question, self.entries, start, stop)
        for row, known in enumerate(self.question.known[start:stop]):
            if known is None:
                continue
            for k, part in self._slices.items():
                boxes.known_lower[row, part] = to_numpy(known[k].lower)[0]
                boxes.known_upper[row, part] = to_numpy(known[k].upper)[0]
        return boxes

    def bound(self, boxes: Boxes) -> Bounded:
        """Bounds the boxes."""
        convert = self._convert
        known = {
            k: Interval(convert(boxes.known_lower[:, part]), convert(boxes.known_upper[:, part]))
            for k, part in self._slices.items()
        }
        box = Interval(convert(boxes.lower), convert(boxes.upper), self.question.ball)
        intervals, dependences = self._intervals(box, known)
        passes = [BoxwisePass(self.plan, intervals, policy) for policy in POLICIES]
        every = _concatenated([backward.forms(self._last, self._unit) for backward in passes])
        forms = _best(every, len(POLICIES))
        disjuncts = np.maximum(self.question.table[boxes.root], 0)
        rows, thresholds = self.question.rows[disjuncts], self.question.thresholds[disjuncts]
        lowest = np.maximum(forms.bound, to_numpy(intervals[self._last].lower))
        found = lowest[np.arange(len(boxes))[:, None, None], rows]
        over = gaps(found, thresholds, self.question.strict[disjuncts])
        margins, lower, upper = over.max(axis=2), boxes.lower, boxes.upper
        if box.ball is not None:
            outside = box.ball.misses(lower, upper)[:, None]
            margins = np.where(outside, np.maximum(margins, SMALLEST_MARGIN), margins)
        is_open = boxes.open & ~(margins > 0)
        if self.clip and is_open.shape[1] <= MOST_CLIPPED:
            lower, upper, impossible = _clipped_hull(boxes, every, rows, thresholds, is_open)
            margins = np.where(impossible, np.maximum(margins, SMALLEST_MARGIN), margins)
            is_open = is_open & ~impossible
        critical = _critical(over, margins, is_open, rows)
        steepness = np.abs(every.coefficients[np.arange(len(boxes)), critical]) * (upper - lower)
        charges = np.zeros_like(lower)
        if dependences is not None:
            costs = self._costs(passes[0], critical)
            charges = Charges(self.plan, upper - lower, dependences).of(costs)
        dimension = input_to_cut(steepness, charges, upper - lower)
        points, columns, values = self._candidates(lower, upper, forms, critical, is_open, rows, thresholds)
        return Bounded(
            is_open, margins, lower, upper, dimension, self._unstable(intervals),
            *self._joined(intervals), points, columns, values,
        )  # fmt: skip

    def _intervals(
        self, box: Interval, known: dict[int, Interval]
    ) -> tuple[list[Interval], dict[int, list[Dependence]] | None]:
        """Intervals of all nodes: backward ones for the open entries, or where those would be too many forward ones.

        With the former, how these entries depend on the inputs.
        """
        if self._values <= BACKWARD_VALUES:
            return boxwise_intervals(self.plan, box, known, self.deadline)
        forms = self.question.forms
        if self._values <= FORWARD_VALUES:
            intervals = forward_bounds(forms, box.lower, box.upper)
            intervals[0] = box
        else:
            intervals = _stacked([self._deep(*ends) for ends in _one_by_one(box)])
            intervals[0] = box
        for k, interval in known.items():
            intervals[k] = intersected(intervals[k], interval)
        return intervals, None

    def _deep(self, lower: Array, upper: Array) -> list[Interval]:
        """Intervals of all nodes over one box of a deep network, which takes seconds."""
        if self.deadline.expired:
            return interval_bounds(self.question.forms, lower, upper)
        return zonotope_bounds(self.question.forms, lower, upper)

    def _costs(self, backward: BoxwisePass, critical: np.ndarray) -> dict[int, np.ndarray]:
        """What the lines of each function cost the critical form of each box, shape (N, size)."""
        backward.costs = {}
        backward.forms(self._last, self._unit[0][self._convert(critical)][:, None, :])
        return {k: to_numpy(cost)[:, 0, :] for k, cost in backward.costs.items()}

    def _unstable(self, intervals: list[Interval]) -> np.ndarray:
        counts = [to_numpy(self.plan.open_entries(k, intervals[k])).sum(axis=1) for k in self.plan.tightened]
        return np.sum(counts, axis=0) if counts else np.zeros(len(intervals[0].lower), np.int64)

    def _joined(self, intervals: list[Interval]) -> tuple[np.ndarray, np.ndarray]:
        count = len(intervals[0].lower)
        ends = np.empty((count, self.entries)), np.empty((count, self.entries))
        for k, part in self._slices.items():
            ends[0][:, part], ends[1][:, part] = to_numpy(intervals[k].lower), to_numpy(intervals[k].upper)
        return ends

    def _candidates(
        self, lower: np.ndarray, upper: np.ndarray, forms: LinearForms, critical: np.ndarray, is_open: np.ndarray,
        rows: np.ndarray, thresholds: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """Where each box's critical row is least, the disjunct that is violated most there, and the margin."""
        number = np.arange(len(lower))
        points = minimiser(Interval(lower, upper, self.question.ball), forms.coefficients[number, critical])
        values = to_numpy(self.question.forms.forward(self._convert(points)))
        margins = (values[number[:, None, None], rows] - thresholds).max(axis=2)
        margins = np.where(is_open, margins, np.inf)
        columns = np.argmin(margins, axis=1)
        return points, columns, margins[number, columns]


def _one_by_one(box: Interval) -> Iterator[tuple[Array, Array]]:
    """The ends of each of N boxes, shape (1, input_size) each."""
    for n in range(box.lower.shape[0]):
        yield box.lower[n : n + 1, :], box.upper[n : n + 1, :]


def _stacked(found: list[list[Interval]]) -> list[Interval]:
    """The intervals of all nodes for N boxes, from those for each box."""
    xp = namespace(found[0][0].lower)
    nodes = zip(*found, strict=True)
    return [Interval(xp.concat([i.lower for i in n]), xp.concat([i.upper for i in n])) for n in nodes]


def _concatenated(found: list[LinearForms]) -> LinearForms:
    """The forms of all policies on the host, those of a policy together, shape (N, policies x forms)."""

    def joined(arrays: list[Array]) -> np.ndarray:
        return np.concatenate([to_numpy(a) for a in arrays], axis=1)

    parts = ([f.coefficients for f in found], [f.constant for f in found], [f.bound for f in found])
    return LinearForms(*(joined(part) for part in parts))


def _best(every: LinearForms, policies: int) -> LinearForms:
    """Of each form that policy's linear function which has the best bound, shape (N, forms)."""
    count, width = every.bound.shape[0], every.bound.shape[1] // policies
    best = np.argmax(every.bound.reshape(count, policies, width), axis=1) * width + np.arange(width)
    number = np.arange(count)[:, None]
    return LinearForms(every.coefficients[number, best], every.constant[number, best], every.bound[number, best])


def _critical(over: np.ndarray, margins: np.ndarray, is_open: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The form that is nearest to exclude the worst open disjunct of each box, shape (N,)."""
    number = np.arange(len(over))
    worst = np.argmin(np.where(is_open, margins, np.inf), axis=1)
    return rows[number, worst, np.argmax(over[number, worst], axis=1)]


def _clipped_hull(
    boxes: Boxes, forms: LinearForms, rows: np.ndarray, thresholds: np.ndarray, is_open: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The hull of what the open disjuncts' rows leave of the boxes, and the disjuncts of which nothing is left."""
    number = np.arange(len(boxes))[:, None]
    hull = np.full_like(boxes.lower, np.inf), np.full_like(boxes.upper, -np.inf)
    impossible = np.zeros_like(is_open)
    offsets = np.repeat(np.arange(len(POLICIES)) * (forms.bound.shape[1] // len(POLICIES)), rows.shape[2])
    for d in range(is_open.shape[1]):
        several = np.tile(rows[:, d], len(POLICIES)) + offsets
        coefficients, constant = forms.coefficients[number, several], forms.constant[number, several]
        most = np.tile(thresholds[:, d], len(POLICIES))
        lower, upper, empty = clipped(boxes.lower, boxes.upper, coefficients, constant, most)
        impossible[:, d] = is_open[:, d] & empty
        inside = (is_open[:, d] & ~empty)[:, None]
        hull = (
            np.where(inside, np.minimum(hull[0], lower), hull[0]),
            np.where(inside, np.maximum(hull[1], upper), hull[1]),
        )
    nothing = ~(is_open & ~impossible).any(axis=1, keepdims=True)
    return np.where(nothing, boxes.lower, hull[0]), np.where(nothing, boxes.upper, hull[1]), impossible
