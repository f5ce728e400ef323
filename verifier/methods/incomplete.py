"""Stages that prove by bounds, and cannot always: intervals, linear bounds, the dual network, the triangle LP.

The LP's minimisers are tried as witnesses too, as they cost nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from verifier.arrays import Array, convert_like, to_numpy
from verifier.bounds.enclosure import Interval, intersected
from verifier.bounds.interval import interval_bounds, placed
from verifier.bounds.linear import bounds_within, intervals_within, linear_bounds, outputs_minimum, rows_minimum
from verifier.methods.task import Task, host
from verifier.network.clips import clips_as_relus
from verifier.property.query import Box
from verifier.relaxations.lines import Policy

BATCH_ENTRIES = 1 << 22
"""Boxes are bounded together for at most this many values of the widest node."""


def interval(task: Task) -> None:
    """Interval bound propagation of all open boxes."""
    for group, lower, upper in _batches(task):
        known, inputs = _sharpened(task, group), _inputs(group, lower, upper)
        if known is None and inputs.ball is not None:
            known = intervals_within(task.forms, inputs)
        intervals = interval_bounds(task.forms, lower, upper, known)
        task.enclosures.count([box for box, _ in group], intervals)
        _take_note(task, group, intervals[-1].lower)


def crown(task: Task) -> None:
    """Linear bounds (CROWN) of all open boxes, with the best of the usual lower slopes."""
    for group, lower, upper in _batches(task):
        if task.deadline.expired:
            return
        if len(group) == 1:
            intervals = task.enclosures.of(group[0][0])
        else:
            intervals = linear_bounds(task.forms, lower, upper, task.deadline)
        task.enclosures.count([box for box, _ in group], intervals)
        _take_note(task, group, rows_minimum(task.forms, intervals))


def zonotope(task: Task) -> None:
    """Zonotopes of all open boxes, one after another, and one backward pass of the forms on their bounds."""
    from verifier.bounds.zonotope import zonotope_bounds

    convert = convert_like(task.example)
    for box, disjuncts in task.open_boxes():
        if task.deadline.expired:
            return
        intervals = zonotope_bounds(task.forms, convert(box.lower[None]), convert(box.upper[None]))
        sharper = task.sharpened(box)
        if sharper is not None:
            intervals = [intersected(*pair) for pair in zip(intervals, sharper, strict=True)]
        task.enclosures.keep(box, intervals)
        task.bounded(disjuncts, to_numpy(rows_minimum(task.forms, intervals, (Policy.ADAPTIVE,)))[0])


def dual(task: Task) -> None:
    """The dual network's bounds (Wong & Kolter) of all open boxes, on intermediate bounds of its own."""
    from verifier.bounds.dual_network import DualNetwork, has_dual_network

    network, place = clips_as_relus(task.forms)
    if not has_dual_network(network):
        task.notes.append("the dual network is that of relus, and this network has other functions")
        return
    for group, lower, upper in _batches(task):
        if task.deadline.expired:
            return
        sharpened = _sharpened(task, group)
        known = None if sharpened is None else placed(sharpened, network, place)
        intervals = bounds_within(network, _inputs(group, lower, upper), task.deadline, known, DualNetwork)
        task.enclosures.count([box for box, _ in group], [intervals[k] for k in place])
        _take_note(task, group, outputs_minimum(DualNetwork(network, intervals), intervals[-1].lower))


def lp(task: Task) -> None:
    """The triangle LP of each open box, solved for its open disjuncts; minimisers are tried as witnesses."""
    from verifier.programs.margins import relaxed_margins

    patterns, thorough = task.query.patterns, task.options.thorough
    note_multipliers(task)
    for box, disjuncts in task.open_conjunctions():
        conjunctions = [(patterns.rows[d], patterns.thresholds[d]) for d in disjuncts]
        bounds = host(task.enclosures.of(box))
        outcomes = relaxed_margins(task.forms, box, bounds, conjunctions, task.deadline, solver=task.solver)
        for d, outcome in zip(disjuncts, outcomes, strict=True):
            task.margin_bounded(d, outcome.bound)
            if task.open[d] and outcome.point is not None and task.judge(d, outcome.point) and not thorough:
                return
            if thorough and outcome.point is not None:
                task.reaches(d, outcome.point)
            if outcome.detail and not task.deadline.expired:
                task.notes.append(outcome.detail)
        if task.deadline.expired:
            return


def note_multipliers(task: Task) -> None:
    """Tells the user where linear programs are solved in vain."""
    if task.solver is not None and not task.solver.capabilities.multipliers:
        task.notes.append(f"{task.solver.name} gives no multipliers, so its linear programs prove nothing")


def _batches(task: Task) -> Iterator[tuple[list[tuple[Box, list[int]]], Array, Array]]:
    """Open boxes in groups, with their bounds stacked on the task's device, shape (N, input_size).

    A box with a ball is a group by itself.
    """
    boxes = task.open_boxes()
    convert = convert_like(task.example)
    widest = max(node.size for node in task.forms.nodes) * max(1, task.query.patterns.count)
    step = max(1, BATCH_ENTRIES // widest) if not task.tightens else 1
    plain, balls = [b for b in boxes if b[0].ball is None], [b for b in boxes if b[0].ball is not None]
    groups = [plain[start : start + step] for start in range(0, len(plain), step)]
    for group in (*groups, *([b] for b in balls)):
        lower, upper = np.stack([b.lower for b, _ in group]), np.stack([b.upper for b, _ in group])
        yield group, convert(lower), convert(upper)


def _inputs(group: list[tuple[Box, list[int]]], lower: Array, upper: Array) -> Interval:
    """The input set of a group."""
    return Interval(lower, upper, group[0][0].ball)


def _sharpened(task: Task, group: list[tuple[Box, list[int]]]) -> list[Interval] | None:
    """What programs have found out about the nodes over a group of one box."""
    return task.sharpened(group[0][0]) if len(group) == 1 else None


def _take_note(task: Task, group: list[tuple[Box, list[int]]], lower: Array) -> None:
    for (_, disjuncts), row in zip(group, to_numpy(lower), strict=True):
        task.bounded(disjuncts, row)
