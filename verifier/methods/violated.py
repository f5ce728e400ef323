"""Bounds of a disjunct that hold where its rows do: multipliers of the rows sharpen the pre-activations (INVPROP).

Kotha et al., *Provably Bounding Neural Network Preimages*, arXiv 2302.01404. Only inputs that obey all rows of a
disjunct are violations, so that nobody needs intervals for others. What is found holds for that disjunct alone. It
excludes it where no input is left, and else bounds its margin wherever that is at most 0: no such bound says more of a
margin than that it is positive, and thorough tasks, which ask how large it is, do without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import PROMISING, Tightening
from verifier.bounds.optimise import AscentOptions
from verifier.bounds.reduced import reduced
from verifier.deadline import Deadline
from verifier.methods.optimised import SPARED, bound_once, costly, question_of, search_options
from verifier.methods.task import Task
from verifier.methods.workers import note_lost, processes
from verifier.property.query import SMALLEST_MARGIN, Box
from verifier.search.bounding import Bounder, Question
from verifier.search.crew import Crew
from verifier.search.domains import Domains
from verifier.search.neurons import roots

ASCENT = AscentOptions(steps=10)
"""The ascent of each pre-activation."""

SHARE = 0.25
"""Part of the time left, for all disjuncts together."""

MANY_VALUES = 20_000
"""Of all nodes, beyond which only entries are bounded whose relaxation costs the disjunct's bound. The others count
too: of mnist_fc 256x4 prop_8_0.03 five disjuncts are excluded with all entries, three with these."""

WORTHWHILE = 0.05
"""Part of what a bound lacks that a round has to gain for another one, and for the next disjunct."""


def alpha_where_violated(task: Task) -> None:
    """Optimised bounds of each disjunct where its rows hold, nearest to a proof first, as long as that gains."""
    if task.options.thorough:
        return
    boxes = task.open_conjunctions()
    for count, (box, disjuncts) in enumerate(boxes):
        deadline = Deadline(task.deadline.remaining * SHARE / (len(boxes) - count))
        question, excluded = question_of(task, box), 0
        untried = [d for d in disjuncts if d not in question.own]
        for d in sorted(untried, key=lambda d: -task.margins[d]):
            if task.witness is not None or deadline.expired or not _sharpened(task, box, question, d, deadline):
                break
            excluded += not task.open[d]
        task.explain(f"where rows hold, optimised bounds excluded {excluded} of {len(untried)} disjuncts")


def _sharpened(task: Task, box: Box, question: Question, disjunct: int, deadline: Deadline) -> bool:
    """Tightens and bounds one disjunct in turns, as long as that gains; whether it did at first."""
    first, one = task.margins[disjunct], np.array([disjunct])
    domains = roots(Bounder(question, search_options(task).root, 1), one)
    while task.open[disjunct] and task.witness is None and not deadline.expired:
        before = task.margins[disjunct]
        tight = _tightened(task, question, domains, deadline)
        if tight is None:
            task.margin_bounded(disjunct, SMALLEST_MARGIN)
            return True
        if not _narrower(question, question.own.get(disjunct, question.intervals), tight):
            break
        question = replace(question, own={disjunct: tight})
        domains = bound_once(task, question, one)
        if task.margins[disjunct] - before < WORTHWHILE * abs(before):
            break
    own = question.own.get(disjunct)
    if own is not None and task.open[disjunct]:
        intervals = task.enclosures.of(box)
        task.enclosures.keep_own(box, disjunct, reduced(task.forms, intervals).restored(own, intervals))
    return bool(task.margins[disjunct] - first >= WORTHWHILE * abs(first))


def _narrower(question: Question, before: Sequence[Interval], after: Sequence[Interval]) -> bool:
    """Whether the open entries of some node have lost enough of their widths to bound the disjunct once more."""
    for k, slot in question.shape.operands.items():
        old, new = (to_numpy(i[k].upper - i[k].lower)[:, slot.columns] for i in (before, after))
        if np.mean(1.0 - new / np.where(old > 0, old, 1.0)) >= PROMISING:
            return True
    return False


def _tightened(task: Task, question: Question, domain: Domains, deadline: Deadline) -> list[Interval] | None:
    """Intervals of all nodes where a disjunct's rows hold, shape (1, size) each; None if there is no such input.

    Args:
        domain: all of the disjunct, whose choice says which entries cost its bound, where there are many.
    """
    known = question.own.get(int(domain.disjunct[0]), question.intervals)
    intervals, shape, cuts = question.where_violated(domain.disjunct, known)
    chosen = costly(task, question, domain, SPARED[1]) if question.values > MANY_VALUES else None
    work = Tightening(question.engines, ASCENT, deadline, chosen, len(intervals) - 1)
    with Crew((work.bounds_of,), processes(task)) as crew:
        tight, empty = work.backward(intervals, shape, cuts, crew.map)
    note_lost(task, crew.lost)
    return None if empty[0] else tight
