"""Branch and bound on the inputs: a box that no bound decides is cut in two, until every part is decided.

A subproblem is a part of a root box together with the disjuncts of that box that are still open there. All of a batch
are bounded at once (`search.box_bounds`), by rows for what is open in each; children start from their parents'
intervals. Boxes shrink to where a violation can be (`search.clipping`), and are cut where that promises to tighten the
worst disjunct's bound most (`search.cutting`).
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.property.query import SMALLEST_MARGIN
from verifier.search.box_bounds import Bounded, BoxBounder
from verifier.search.boxes import Boxes, Frontier, Question
from verifier.search.crew import Crew
from verifier.search.observer import Observer
from verifier.search.record import InputCuts
from verifier.search.tree import Tree

PROMISING = 1e-6
"""Candidates within this of a violation, as computed, are replayed."""

REPLAYS = 8
"""Candidates of a part of a batch that are replayed at most."""


@dataclass(frozen=True)
class InputOptions:
    """How the search works.

    Attributes:
        memory: what the open boxes may take, in megabytes.
        threads: processes that bound chunks.
        batch: the most boxes that are taken, worst first, to be cut into chunks.
        chunk: the most boxes that are bounded together.
        chunk_values: the most values of all nodes of those.
        batch_seconds: how long a batch should take at most.
        clip: whether boxes are shrunk.
    """

    memory: float = 4000.0
    threads: int = 2
    batch: int = 4096
    chunk: int = 256
    chunk_values: int = 1 << 22
    batch_seconds: float = 0.3
    clip: bool = True


class InputSearch:
    """Excludes the disjuncts of some boxes, or finds a violation.

    Args:
        question: what is asked.
        observer: is told what is found out.
        options: how to work.
        deadline: when it expires, what is open stays open.

    Attributes:
        explored: boxes bounded so far.
        cuts: made so far.
        stuck: boxes that are open and too small to cut.
        lost: processes that ended before their time.
    """

    def __init__(self, question: Question, observer: Observer, options: InputOptions, deadline: Deadline) -> None:
        self.question, self.observer, self.options, self.deadline = question, observer, options, deadline
        self.explored = self.stuck = self.lost = 0
        self.cuts = InputCuts(question.lower, question.upper, Tree(len(question.lower)))
        self._bounder = BoxBounder(question, options.clip, deadline)
        count = len(question.rows)
        self._parts = np.zeros(count, np.int64)  # parts of each disjunct's box that are still open
        self._margin = np.full(count, np.inf)  # the least margin of those that are closed
        self._tried = np.full(count, np.inf)  # the least value that was replayed
        self._started, self._told = time.monotonic(), -np.inf
        self._paused = self._started
        self._wanted = np.ones(count, bool)  # disjuncts that are not excluded by anybody else
        values = sum(node.size for node in question.forms.nodes)
        self._chunk = max(1, min(options.chunk, options.chunk_values // values))
        self._frontier, self._chunks = Frontier(options.memory * 1e6), deque[Boxes]()
        self._begun = self._batched = 0  # root boxes that have entered; twice the boxes of the last batch
        np.add.at(self._parts, question.table[question.table >= 0], 1)

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to bound or to cut."""
        return not len(self._frontier) and not self._chunks and self._begun == len(self.question.table)

    def run(self) -> bool:
        """Searches to the end, or until the deadline; whether a violation was found."""
        with Crew((self._bounder.bound,), self.options.threads) as crew:
            found = self._work_off(crew)
            self.lost += crew.lost
            self._chunks.extendleft(crew.under_way)
        self._paused = time.monotonic()
        return found

    def resume(self, still_open: np.ndarray, deadline: Deadline) -> bool:
        """Goes on where the last deadline ended the search; whether a violation was found.

        Args:
            still_open: the disjuncts that nobody has excluded meanwhile, bool, shape (D,).
            deadline: the new one.
        """
        self.deadline = self._bounder.deadline = deadline
        self._started += time.monotonic() - self._paused
        self._wanted = still_open.copy()
        waiting = [*self._chunks, *([self._frontier.take(len(self._frontier))] if len(self._frontier) else [])]
        self._chunks.clear()
        for boxes in waiting:
            self._frontier.put(self._still_wanted(boxes))
        return self.run()

    def _still_wanted(self, boxes: Boxes) -> Boxes:
        """The boxes without the disjuncts that others have excluded, and without those that have none left."""
        table = self.question.table[boxes.root]
        left = boxes.open & self._wanted[table]
        return replace(boxes, open=left).take(left.any(axis=1))

    def open_share(self) -> float:
        """The part of the root boxes' volume that is still open, from 0 to 1; boxes that are not begun are open."""
        lower, upper = self.question.lower, self.question.upper
        varying = lower < upper
        total = float(len(lower) - self._begun)
        for boxes in (*self._chunks, *self._frontier.blocks):
            widths = np.where(varying, upper - lower, 1.0)[boxes.root]
            parts = np.where(varying[boxes.root], (boxes.upper - boxes.lower) / widths, 1.0)
            total += float(parts.prod(axis=1).sum())
        return total / len(lower)

    def _work_off(self, crew: Crew) -> bool:
        """Bounds open boxes, worst bounds first, until none is left; whether a violation was found."""
        while not self.deadline.expired:
            self._hand_out(crew)
            done = crew.take(self.deadline.remaining)
            if done is None:
                return False
            self._hand_out(crew)  # before the outcome is looked at, so that nobody waits
            if self._advance(*done):
                return True
            self._report(crew)
        return False

    def _hand_out(self, crew: Crew) -> None:
        """Gives chunks of the worst boxes to all that are free."""
        while crew.free:
            if not self._chunks:
                self._next_batch()
            if not self._chunks:
                return
            crew.put(self._bounder.bound, self._chunks.popleft())

    def _next_batch(self) -> None:
        """Takes as many boxes as are bounded in a short time, and cuts them into chunks of similar ones."""
        options = self.options
        size = int(min(options.batch, self._batched + 64, max(2, options.batch_seconds * self._speed)))
        while not len(self._frontier):  # root boxes enter only when the earlier ones are decided
            begun, self._begun = self._begun, min(self._begun + size, len(self.question.table))
            if begun == self._begun:
                return
            self._frontier.put(self._still_wanted(self._bounder.roots(begun, self._begun)))
        batch = self._frontier.take(size)
        self._batched = 2 * len(batch)
        batch = batch.take(np.argsort(batch.unstable, kind="stable"))
        self._chunks.extend(batch.parts(min(self._chunk, -(-len(batch) // options.threads))))

    def _advance(self, part: Boxes, bounded: Bounded) -> bool:
        """Takes note of what was found out and keeps the halves of what stays open; whether a violation was found."""
        self.explored += len(part)
        if self._found(part, bounded):
            return True
        self._settle(part, bounded)
        halves = self._halves(part, bounded)
        if halves:
            self._frontier.put(Boxes.joined(halves))
        return False

    def _found(self, part: Boxes, bounded: Bounded) -> bool:
        """Whether a candidate is a violation; only those that come nearer than all before are replayed."""
        table = self.question.table
        for n in np.argsort(bounded.values)[:REPLAYS]:
            d, value = int(table[part.root[n], bounded.columns[n]]), float(bounded.values[n])
            if value > PROMISING:
                break
            if value < self._tried[d]:
                self._tried[d] = value
                if self.observer.accepts(d, bounded.points[n]):
                    return True
        return False

    def _settle(self, part: Boxes, bounded: Bounded) -> None:
        """Takes note of the disjuncts that are excluded in some boxes; tells of those that have no open part left."""
        closed = part.open & ~bounded.open
        table = self.question.table
        ids = table[part.root][closed]
        np.minimum.at(self._margin, ids, bounded.margins[closed])
        clipped = (part.lower != bounded.lower).any(axis=1) | (part.upper != bounded.upper).any(axis=1)
        # Of what was clipped away no more is known than that there is no violation.
        np.minimum.at(self._margin, table[part.root][bounded.open & clipped[:, None]], SMALLEST_MARGIN)
        np.subtract.at(self._parts, ids, 1)
        for d in np.unique(ids):
            if self._parts[d] == 0:
                self.observer.margin_bounded(int(d), float(self._margin[d]))

    def _halves(self, part: Boxes, bounded: Bounded) -> list[Boxes]:
        """Both halves of every box that is still open; none of one that is too small to cut."""
        number = np.arange(len(part))
        low, high = bounded.lower[number, bounded.dimension], bounded.upper[number, bounded.dimension]
        cut = 0.5 * low + 0.5 * high
        left, cuttable = bounded.open.any(axis=1), (low < cut) & (cut < high)
        self.stuck += int((left & ~cuttable).sum())
        chosen = np.flatnonzero(left & cuttable)
        if not len(chosen):
            return []
        part, bounded, cut, number = part.take(chosen), bounded.take(chosen), cut[chosen], np.arange(len(chosen))
        np.add.at(self._parts, self.question.table[part.root][bounded.open], 1)  # two parts for one
        leaf = _with_clips(self.cuts.tree, part, bounded)
        bound = np.where(bounded.open, bounded.margins, np.inf).min(axis=1)
        halves = []
        for above in (False, True):
            ends = bounded.lower.copy(), bounded.upper.copy()
            ends[0 if above else 1][number, bounded.dimension] = cut
            leaves = self.cuts.tree.add(leaf, bounded.dimension, cut, above)
            known = bounded.unstable, bounded.known_lower, bounded.known_upper
            halves.append(Boxes(part.root, leaves, *ends, bounded.open, bound, *known))
        return halves

    @property
    def _speed(self) -> float:
        """Boxes a second, so far."""
        return self.explored / max(time.monotonic() - self._started, 1e-3) if self.explored else np.inf

    def _report(self, crew: Crew) -> None:
        """Tells of the progress, now and then."""
        seconds = time.monotonic() - self._started
        if seconds - self._told > 0.25:
            self._told = seconds
            waiting = len(self.question.table) - self._begun
            elsewhere = [*self._chunks, *crew.under_way]
            bounds = [self._frontier.bound, *(float(boxes.bound.min()) for boxes in elsewhere)]
            count = len(self._frontier) + waiting + sum(len(boxes) for boxes in elsewhere)
            self.observer.advanced(count, self.explored, -np.inf if waiting else min(bounds))


def _with_clips(tree: Tree, part: Boxes, bounded: Bounded) -> np.ndarray:
    """Each box's number in the tree after its clips, which are noted as cuts whose other side is empty."""
    leaf = part.leaf.copy()
    for j in range(part.lower.shape[1]):
        for above, old, new in ((True, part.lower, bounded.lower), (False, part.upper, bounded.upper)):
            moved = np.flatnonzero(old[:, j] != new[:, j])
            if len(moved):
                leaf[moved] = tree.add(leaf[moved], j, new[moved, j], above)
    return leaf
