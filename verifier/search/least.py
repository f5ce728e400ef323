"""The least value of a linear form by branch and bound on the inputs, best first: from both sides, at any time.

The search is that of `search.inputs` with a threshold that moves: a box is closed once the form is proved to exceed the
threshold there, which lies a gap below the least value that an input is known to reach. It falls as better inputs turn
up, so that what was closed stays closed. Boxes are shrunk to where the form may be at most the threshold; what is cut
off has larger values, and counts as such.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verifier.deadline import Deadline
from verifier.search.box_bounds import Bounded, BoxBounder
from verifier.search.boxes import Boxes, Frontier, Question
from verifier.search.crew import Crew
from verifier.search.inputs import InputOptions
from verifier.tolerances import UNIT_ROUNDOFF

Judge = Callable[[np.ndarray], float]
"""Given a point, float64, shape (input_size,), a value that an input near it reaches; infinite where there is none."""

JUDGED = 4
"""Candidates of a chunk that are judged at most."""


@dataclass(frozen=True)
class Job:
    """Boxes to bound, and the threshold by then."""

    boxes: Boxes
    threshold: float


class LeastSearch:
    """Encloses the least value of one form over root boxes.

    Args:
        question: one disjunct; its last row is form <= threshold, whatever the threshold is, and rows before it bound
            the inputs further.
        known: a proven lower bound of the form on all root boxes, and an upper one that is its largest or is reached.
        judge: tells what inputs reach.
        options: how to work.
        deadline: when to stop.

    Attributes:
        reached: the least value that the judge has told of.
        explored: boxes bounded so far.
        lost: processes that ended before their time.
    """

    def __init__(
        self, question: Question, known: tuple[float, float], judge: Judge, options: InputOptions, deadline: Deadline
    ) -> None:
        self.question, self.judge, self.options, self.deadline = question, judge, options, deadline
        self.reached, self.explored, self.lost = np.inf, 0, 0
        self._known, self._most = known
        self._bounder = BoxBounder(question, options.clip, deadline)
        self._row = int(np.isfinite(question.thresholds[0]).sum()) - 1
        self._frontier, self._chunks = Frontier(options.memory * 1e6), deque[Boxes]()
        self._closed = np.inf  # the least bound of all that is closed or cut off
        self._stuck = np.inf  # of boxes that are too small to cut
        self._flying = np.inf  # of boxes that were under way when the time was up
        self._batched, self._started = 0, time.monotonic()
        values = sum(node.size for node in question.forms.nodes)
        self._chunk = max(1, min(options.chunk, options.chunk_values // values))

    @property
    def lower(self) -> float:
        """A proven lower bound of the form over all root boxes."""
        waiting = min((float(boxes.bound.min()) for boxes in self._chunks), default=np.inf)
        found = min(self._closed, self._stuck, self._flying, self._frontier.bound, waiting)
        return max(self._known, found)

    def run(self, gap: float, reached: float = np.inf) -> None:
        """Searches until the bound is within a gap of what is reached, or the deadline.

        Args:
            gap: absolute, positive.
            reached: a value that some input is known to reach.
        """
        self.reached = min(self.reached, reached)
        self._frontier.put(self._bounder.roots(0, len(self.question.table)))
        with Crew((self._bound,), self.options.threads) as crew:
            while not self.deadline.expired:
                self._hand_out(crew, gap)
                done = crew.take(self.deadline.remaining)
                if done is None:
                    break
                self._take_up(*done)
            self.lost += crew.lost
            self._flying = min((float(job.boxes.bound.min()) for job in crew.under_way), default=np.inf)

    def _threshold(self, gap: float) -> float:
        return self.reached - gap if np.isfinite(self.reached) else self._most

    def _bound(self, job: Job) -> Bounded:
        self.question.thresholds[0, self._row] = job.threshold
        return self._bounder.bound(job.boxes)

    def _hand_out(self, crew: Crew, gap: float) -> None:
        """Gives chunks of the worst boxes to all that are free; what the threshold has passed meanwhile is closed."""
        threshold = self._threshold(gap)
        while crew.free:
            if not self._chunks:
                self._next_batch(threshold)
            if not self._chunks:
                return
            crew.put(self._bound, Job(self._chunks.popleft(), threshold))

    def _next_batch(self, threshold: float) -> None:
        """Takes as many boxes as are bounded in a short time; those that the threshold has passed are closed."""
        options = self.options
        seconds = max(time.monotonic() - self._started, 1e-3)
        by_time = options.batch_seconds * self.explored / seconds if self.explored else np.inf
        size = int(min(options.batch, self._batched + 64, max(2, by_time)))
        while len(self._frontier) and not self._chunks:
            batch = self._frontier.take(size)
            passed = batch.bound > threshold
            self._closed = min(self._closed, float(batch.bound[passed].min(initial=np.inf)))
            self._batched = 2 * len(batch)
            batch = batch.take(~passed)
            if len(batch):
                batch = batch.take(np.argsort(batch.unstable, kind="stable"))
                self._chunks.extend(batch.parts(min(self._chunk, -(-len(batch) // options.threads))))

    def _take_up(self, job: Job, bounded: Bounded) -> None:
        """Notes what was closed or cut off, judges candidates, keeps the halves of what stays open."""
        part = job.boxes
        self.explored += len(part)
        self._judge(bounded, job.threshold)
        bound = self._bounds(part, bounded, job.threshold)
        is_open = bounded.open[:, 0]
        if not is_open.all():
            self._closed = min(self._closed, float(bound[~is_open].min()))
        moved = is_open & ((part.lower != bounded.lower).any(axis=1) | (part.upper != bounded.upper).any(axis=1))
        if moved.any():
            self._closed = min(self._closed, job.threshold)
        halves = self._halves(part, bounded, bound)
        if halves is not None:
            self._frontier.put(halves)

    def _bounds(self, part: Boxes, bounded: Bounded, threshold: float) -> np.ndarray:
        """Lower bounds of the form on each box, no worse than its parent's, shape (N,)."""
        margins = bounded.margins[:, 0]
        if self._row == 0:
            rounding = 4 * UNIT_ROUNDOFF * (abs(threshold) + np.abs(margins))
            found = np.where(margins > 0, np.maximum(threshold, threshold + margins - rounding), -np.inf)
            found = np.where(margins <= 0, threshold + margins - rounding, found)
        else:  # a margin is the largest over all rows: it tells of the form only that it exceeds the threshold
            found = np.where(margins > 0, threshold, -np.inf)
        return np.maximum(np.where(np.isnan(found), -np.inf, found), part.bound)

    def _judge(self, bounded: Bounded, threshold: float) -> None:
        values = bounded.values + threshold if self._row == 0 else bounded.values
        limit = self.reached if self._row == 0 else 0.0
        for n in np.argsort(values)[:JUDGED]:
            if not values[n] < limit:
                return
            self.reached = min(self.reached, self.judge(bounded.points[n]))

    def _halves(self, part: Boxes, bounded: Bounded, bound: np.ndarray) -> Boxes | None:
        number = np.arange(len(part))
        low, high = bounded.lower[number, bounded.dimension], bounded.upper[number, bounded.dimension]
        cut = 0.5 * low + 0.5 * high
        left, cuttable = bounded.open[:, 0], (low < cut) & (cut < high)
        if (left & ~cuttable).any():
            self._stuck = min(self._stuck, float(bound[left & ~cuttable].min()))
        chosen = np.flatnonzero(left & cuttable)
        if not len(chosen):
            return None
        part, bounded, cut, bound = part.take(chosen), bounded.take(chosen), cut[chosen], bound[chosen]
        number, halves = np.arange(len(chosen)), []
        for above in (False, True):
            ends = bounded.lower.copy(), bounded.upper.copy()
            ends[0 if above else 1][number, bounded.dimension] = cut
            known = bounded.unstable, bounded.known_lower, bounded.known_upper
            halves.append(Boxes(part.root, part.leaf, *ends, bounded.open, bound, *known))
        return Boxes.joined(halves)
