"""The complete stage for networks with few inputs: branch and bound on the inputs."""

from __future__ import annotations

import math

from verifier.methods.optimised import note_lost, processes
from verifier.methods.task import Task
from verifier.search.boxes import Question
from verifier.search.inputs import InputOptions, InputSearch


def split_inputs(task: Task, seconds: float = math.inf) -> None:
    """Cuts the boxes of all open disjuncts until each is excluded, a violation turns up or the time is up.

    Args:
        task: whose open disjuncts have rows.
        seconds: wall time allowed.
    """
    groups = [(box.lower, box.upper, disjuncts) for box, disjuncts in task.open_conjunctions()]
    if not groups:
        return
    question = Question.of(task.forms, task.example, task.query.patterns, groups)
    options = InputOptions(memory=task.options.memory, threads=processes(task))
    search = InputSearch(question, task, options, task.deadline.within(seconds))
    found = search.run()
    note_lost(task, search.lost)
    if not found and search.stuck:
        task.notes.append("some boxes cannot be cut any further in float64: a violation is nearly reached there")
