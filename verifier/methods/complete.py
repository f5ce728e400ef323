"""The complete stage: one exact MILP for each disjunct that is still open (Tjeng et al., arXiv 1711.07356)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from verifier.methods.falsify import NO_FLOAT32
from verifier.methods.task import Task, host

if TYPE_CHECKING:
    from verifier.programs.margins import MarginOutcome

USED_UP = 0.4
"""Part of its share of the time after which a solve that did not finish is taken to have been stopped by its limit."""


def milp(task: Task, seconds: float = math.inf) -> None:
    """Settles open disjuncts one by one; candidates of the solver are replayed as they come.

    Those with the best bound so far go first. Each may take its share of the time left; those that ran out of it are
    tried again with the larger share that the others have left over.

    Args:
        task: whose open disjuncts are asked about.
        seconds: wall time allowed.
    """
    deadline = task.deadline.within(seconds)
    waiting = [d for _, disjuncts in task.open_conjunctions() for d in disjuncts]
    while waiting:
        again = []
        waiting.sort(key=lambda d: -task.margins[d])
        for count, d in enumerate(waiting):
            if _ran_out_of_time(task, d, deadline.remaining / (len(waiting) - count)):
                again.append(d)
            if (task.settled and not task.options.thorough) or deadline.expired:
                return
        waiting = again


def _ran_out_of_time(task: Task, d: int, seconds: float) -> bool:
    """Works on disjunct `d`; whether it is still open only because the time was up."""
    from verifier.programs.margins import exact_margin, exact_optimum

    thorough = task.options.thorough

    def accepted(point: np.ndarray) -> bool:
        if not thorough:
            return task.judge(d, point) is not None
        if task.reaches(d, point) <= 0 and task.witness is None:
            task.judge(d, point)
        return False  # the optimum is wanted

    patterns, box, share = task.query.patterns, task.query.disjuncts[d].box, task.deadline.within(seconds)
    conjunction = (patterns.rows[d], patterns.thresholds[d])
    bounds = host(task.enclosures.of(box))
    margin_of = exact_optimum if thorough else exact_margin
    outcome = margin_of(task.forms, box, bounds, conjunction, share, accepted, solver=task.solver)
    task.margin_bounded(d, outcome.bound)
    unfinished = bool(task.open[d]) and not outcome.finished
    # Solvers are given a little less time than there is, so a share counts as used up before its end.
    ran_out = unfinished and share.elapsed >= USED_UP * share.seconds
    if outcome.detail and not ran_out:
        task.notes.append(outcome.detail)
    if task.open[d] and outcome.finished and task.witness is None:
        task.notes.append(_explanation(outcome) if box.has_float32_point else NO_FLOAT32)
    return ran_out


def _explanation(outcome: MarginOutcome) -> str:
    if outcome.complete:
        return "a violation may exist within the solver's tolerance, but none that ONNX Runtime confirms"
    return outcome.detail or "the network has functions that the MILP only relaxes, so it is not complete here"
