"""The complete stage: one exact MILP for each disjunct that is still open (Tjeng et al., arXiv 1711.07356)."""

from __future__ import annotations

import numpy as np

from verifier.methods.task import Task, host


def milp(task: Task) -> None:
    """Settles open disjuncts one by one; candidates of the solver are replayed as they come."""
    from verifier.programs.margins import exact_margin

    patterns = task.query.patterns
    for box, disjuncts in task.open_conjunctions():
        bounds = host(task.enclosure(box))
        for count, d in enumerate(disjuncts):

            def accepted(point: np.ndarray, d: int = d) -> bool:
                return task.judge(d, point) is not None

            conjunction = (patterns.rows[d], patterns.thresholds[d])
            share = task.deadline.within(task.deadline.remaining / (len(disjuncts) - count))
            outcome = exact_margin(task.forms, box, bounds, conjunction, share, accepted)
            task.margin_bounded(d, outcome.bound)
            if task.witness is not None or task.deadline.expired:
                return
            if task.open[d] and outcome.finished:
                _explain(task, complete=outcome.complete)


def _explain(task: Task, complete: bool) -> None:
    if complete:
        task.notes.append(
            "a violation may exist within the solver's tolerance, but none that ONNX Runtime confirms exactly"
        )
    else:
        task.notes.append("the network has functions that the MILP only relaxes, so it is not complete here")
