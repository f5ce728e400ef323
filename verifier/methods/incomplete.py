"""Stages that prove by bounds, and cannot always: interval propagation, linear bounds and the triangle LP.

The LP's minimisers are tried as witnesses too, as they cost nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verifier.arrays import Array, convert_like, to_numpy
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds, maps_of_ball, rows_minimum
from verifier.methods.task import Task, host
from verifier.property.query import Box

BATCH_ENTRIES = 1 << 22
"""Boxes are bounded together for at most this many values of the widest node."""


def interval(task: Task) -> None:
    """Interval bound propagation of all open boxes."""
    for group, lower, upper in _batches(task):
        ball = group[0][0].ball
        known = None if ball is None else maps_of_ball(task.forms, Interval(lower, upper, ball))
        last = interval_bounds(task.forms, lower, upper, known)[-1]
        _take_note(task, group, last.lower)


def crown(task: Task) -> None:
    """Linear bounds (CROWN) of all open boxes, with the best of the usual lower slopes."""
    for group, lower, upper in _batches(task):
        if task.deadline.expired:
            return
        if len(group) == 1:
            intervals = task.enclosure(group[0][0])
        else:
            intervals = linear_bounds(task.forms, lower, upper, task.deadline)
        _take_note(task, group, rows_minimum(task.forms, intervals))


def lp(task: Task) -> None:
    """The triangle LP of each open box, solved for its open disjuncts; minimisers are tried as witnesses."""
    from verifier.programs.margins import relaxed_margins
    from verifier.programs.solvers import conic

    patterns = task.query.patterns
    for box, disjuncts in task.open_conjunctions():
        conjunctions = [(patterns.rows[d], patterns.thresholds[d]) for d in disjuncts]
        bounds = host(task.enclosure(box))
        if box.ball is not None and box.ball.norm == 2 and not conic.available():
            task.notes.append("CVXPY is not installed, so that the program knew the box around the ball alone")
        for d, outcome in zip(
            disjuncts, relaxed_margins(task.forms, box, bounds, conjunctions, task.deadline), strict=True
        ):
            task.margin_bounded(d, outcome.bound)
            if task.open[d] and outcome.point is not None and task.judge(d, outcome.point):
                return
        if task.deadline.expired:
            return


def _batches(task: Task) -> Iterator[tuple[list[tuple[Box, list[int]]], Array, Array]]:
    """Open boxes in groups, with their bounds stacked on the task's device, shape (N, input_size).

    A box with a ball is a group by itself.
    """
    boxes = task.open_boxes()
    convert = convert_like(task.example)
    widest = max(node.size for node in task.forms.nodes) * max(1, task.query.patterns.count)
    step = max(1, BATCH_ENTRIES // widest)
    plain, balls = [b for b in boxes if b[0].ball is None], [b for b in boxes if b[0].ball is not None]
    groups = [plain[start : start + step] for start in range(0, len(plain), step)]
    for group in (*groups, *([b] for b in balls)):
        lower, upper = np.stack([b.lower for b, _ in group]), np.stack([b.upper for b, _ in group])
        yield group, convert(lower), convert(upper)


def _take_note(task: Task, group: list[tuple[Box, list[int]]], lower: Array) -> None:
    for (_, disjuncts), row in zip(group, to_numpy(lower), strict=True):
        task.bounded(disjuncts, row)
