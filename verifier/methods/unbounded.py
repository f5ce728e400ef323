"""Queries whose inputs have no bound on one side, or on both.

Such a box is a finite core, on which every method works, and for each side without a bound what lies beyond the core,
a half space that only intervals and linear bounds know. Relus of a half line have bounds, so that what lies beyond is
often excluded at once; the smallest core is taken for which all of it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from verifier.methods import stages
from verifier.methods.task import Task
from verifier.property.query import Box, Query

CORES = (1.0, 1e2, 1e4, 1e6)
"""Where a core may end, in both directions."""

SEARCHED = 1e4
"""Where it ends when nothing excludes what lies beyond, and violations are all that can be found."""

ADVICE = "inputs without bounds were looked at up to {:g} only: what lies beyond is not excluded; give them bounds"


def has_unbounded(query: Query) -> bool:
    """Whether a box has an infinite side."""
    boxes = {id(d.box): d.box for d in query.disjuncts}.values()
    return any(not (np.isfinite(box.lower).all() and np.isfinite(box.upper).all()) for box in boxes)


def run_in_parts(task: Task, run: Callable[[Task], str]) -> str:
    """Runs a method on the cores of a task's boxes, and takes note of what it and the bounds beyond find out.

    Args:
        run: the method's stages; returns its name.
    """
    query = task.query
    beyond = next((found for end in CORES if (found := _beyond(task, end)) is not None), None)
    end, margin = beyond or (SEARCHED, None)
    core = _with_boxes(query, {id(d.box): _core(d.box, end) for d in query.disjuncts})
    part = _part_of(task, core)
    told = run(part)
    task.witness, task.notes, task.history = part.witness, task.notes + part.notes, part.history
    if margin is None:
        task.notes.append(ADVICE.format(end))
    elif not part.open.any():  # of each disjunct the least of all is known: parts may be cut into cells of their own
        task.margins[:], task.open[:] = min(margin, part.margins.min(initial=np.inf)), False
    return told


def _part_of(task: Task, query: Query) -> Task:
    """A task for other boxes of the same query."""
    part = Task(task.network, query, replace(task.options, timeout=max(0.001, task.deadline.remaining)))
    part.on_stage, part.on_progress, part.explanation = task.on_stage, task.on_progress, task.explanation
    return part


def _beyond(task: Task, end: float) -> tuple[float, float] | None:
    """The end, and what the margins beyond it are at least, where all of that is excluded."""
    if task.deadline.expired:
        return None
    pieces = [replace(disjunct, box=box) for disjunct in task.query.disjuncts for box in _outside(disjunct.box, end)]
    part = _part_of(task, replace(task.query, disjuncts=tuple(pieces)))
    if not all(disjunct.rows for disjunct in part.query.disjuncts):
        return None
    for stage in (stages.interval, stages.crown):
        if part.open.any():
            stage(part)
    return None if part.open.any() else (end, float(part.margins.min(initial=np.inf)))


def _outside(box: Box, end: float) -> list[Box]:
    """The half spaces of a box beyond a core that ends there; none where no side is unbounded."""
    found = []
    for i in np.flatnonzero(np.isneginf(box.lower)):
        upper, inner = box.upper.copy(), box.inner_upper.copy()
        upper[i], inner[i] = min(upper[i], -end), min(inner[i], -end)
        found.append(replace(box, upper=upper, inner_upper=inner))
    for i in np.flatnonzero(np.isposinf(box.upper)):
        lower, inner = box.lower.copy(), box.inner_lower.copy()
        lower[i], inner[i] = max(lower[i], end), max(inner[i], end)
        found.append(replace(box, lower=lower, inner_lower=inner))
    return found


def _core(box: Box, end: float) -> Box:
    """The box cut off where it is unbounded; an end beyond which its other bound lies is moved to that."""
    below, above = np.isneginf(box.lower), np.isposinf(box.upper)
    lower = np.where(below, np.minimum(-end, box.upper), box.lower)
    upper = np.where(above, np.maximum(end, box.lower), box.upper)
    inner_lower = np.where(below, np.minimum(-end, box.inner_upper), box.inner_lower)
    inner_upper = np.where(above, np.maximum(end, box.inner_lower), box.inner_upper)
    kind = box.inner_lower.dtype
    return replace(box, lower=lower, upper=upper, inner_lower=inner_lower.astype(kind),
                   inner_upper=inner_upper.astype(kind))  # fmt: skip


def _with_boxes(query: Query, boxes: dict[int, Box]) -> Query:
    return replace(query, disjuncts=tuple(replace(d, box=boxes[id(d.box)]) for d in query.disjuncts))
