"""The complete stage for networks with few inputs: branch and bound on the inputs."""

from __future__ import annotations

import math
from dataclasses import replace

from verifier.deadline import Deadline
from verifier.methods.optimised import note_lost, processes
from verifier.methods.task import Task
from verifier.property.query import Box
from verifier.search.boxes import Question
from verifier.search.inputs import InputOptions, InputSearch


def split_inputs(task: Task, seconds: float = math.inf) -> None:
    """Cuts the boxes of all open disjuncts until each is excluded, a violation turns up or the time is up.

    Args:
        task: whose open disjuncts have rows.
        seconds: wall time allowed.
    """
    deadline = task.deadline.within(seconds)
    waiting = _sharing(task.open_conjunctions())
    while waiting:  # those that ran out of their share are tried again with what the others have left over
        again = []
        for count, group in enumerate(waiting):
            if task.settled or deadline.expired:
                return
            share = deadline.within(deadline.remaining / (len(waiting) - count))
            _search(task, group, share)
            still = [(box, [d for d in disjuncts if task.open[d]]) for box, disjuncts in group]
            if share.expired and any(disjuncts for _, disjuncts in still):
                again.append([(box, disjuncts) for box, disjuncts in still if disjuncts])
        waiting = again


def _sharing(boxes: list[tuple[Box, list[int]]]) -> list[list[tuple[Box, list[int]]]]:
    """The boxes in groups that share a ball, or have none."""
    groups: dict[tuple[object, ...], list[tuple[Box, list[int]]]] = {}
    for box, disjuncts in boxes:
        ball = box.ball
        key = () if ball is None else (ball.norm, ball.radius, ball.centre.tobytes())
        groups.setdefault(key, []).append((box, disjuncts))
    return list(groups.values())


def _search(task: Task, group: list[tuple[Box, list[int]]], deadline: Deadline) -> None:
    """Works on boxes that share a ball, or have none."""
    roots = [(box.lower, box.upper, disjuncts) for box, disjuncts in group]
    question = Question.of(task.forms, task.example, task.query.patterns, roots, group[0][0].ball)
    if task.tightens:
        question = replace(question, known=tuple(task.sharpened(box) for box, _ in group))
    options = InputOptions(memory=task.options.memory, threads=processes(task))
    search = InputSearch(question, task, options, deadline)
    found = search.run()
    note_lost(task, search.lost)
    if not found and search.stuck:
        task.notes.append("some boxes cannot be cut any further in float64: a violation is nearly reached there")
