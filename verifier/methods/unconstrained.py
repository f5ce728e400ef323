"""Disjuncts that ask nothing of the outputs: one input of their box is a violation."""

from __future__ import annotations

import numpy as np

from verifier.methods.task import Task


def judge_unconstrained(task: Task) -> None:
    """Disjuncts without rows are violated by every input of their box; its centre will do."""
    for d in np.flatnonzero(task.open):
        disjunct = task.query.disjuncts[d]
        if not disjunct.rows and task.judge(int(d), disjunct.box.middle):
            return
