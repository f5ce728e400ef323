"""The complete stage for networks with few inputs: branch and bound on the inputs."""

from __future__ import annotations

import math
from dataclasses import replace

from verifier.deadline import Deadline
from verifier.methods.task import Task
from verifier.methods.workers import note_lost, processes
from verifier.property.query import Box
from verifier.search.boxes import Question
from verifier.search.inputs import InputOptions, InputSearch

CONVERGING = 0.5
"""A search that has settled half of the volume goes on well: as boxes shrink, the rest goes faster."""


def split_inputs(task: Task, seconds: float = math.inf) -> None:
    """Cuts the boxes of all open disjuncts until each is excluded, a violation turns up or the time is up.

    Args:
        task: whose open disjuncts have rows.
        seconds: wall time allowed.
    """
    InputCutting(task).run(seconds)


class InputCutting:
    """The searches of one task, which can be interrupted and taken up again where they were.

    Args:
        task: whose disjuncts, those open when the first search begins, have rows.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._searches: list[InputSearch] = []
        self._begun = False

    def run(self, seconds: float) -> None:
        """Goes on for so long at most, or until the task is settled."""
        if not self._begun:
            self._begun = True
            groups = _sharing(self.task.open_conjunctions())
            self._searches = [_search(self.task, group, len(groups)) for group in groups]
        deadline = self.task.deadline.within(seconds)
        waiting = self._searches
        while waiting:  # those that ran out of their share go on with what the others have left over
            for count, search in enumerate(waiting):
                if self.task.settled or deadline.expired:
                    return
                self._advance(search, deadline.within(deadline.remaining / (len(waiting) - count)))
            waiting = [search for search in waiting if not search.exhausted]
            self._searches = waiting

    def _advance(self, search: InputSearch, deadline: Deadline) -> None:
        lost, stuck = search.lost, search.stuck
        found = search.resume(self.task.open, deadline)
        note_lost(self.task, search.lost - lost)
        if not found and search.stuck > stuck:
            self.task.notes.append(
                "some boxes cannot be cut any further in float64: a violation is nearly reached there"
            )

    @property
    def exhausted(self) -> bool:
        """Whether there is nothing left to cut: what is open stays open."""
        return self._begun and not self._searches

    @property
    def stalled(self) -> bool:
        """Whether most of the volume of some search is still open."""
        return any(search.open_share() > CONVERGING for search in self._searches)


def _sharing(boxes: list[tuple[Box, list[int]]]) -> list[list[tuple[Box, list[int]]]]:
    """The boxes in groups that share a ball, or have none."""
    groups: dict[tuple[object, ...], list[tuple[Box, list[int]]]] = {}
    for box, disjuncts in boxes:
        ball = box.ball
        key = () if ball is None else (ball.norm, ball.radius, ball.centre.tobytes())
        groups.setdefault(key, []).append((box, disjuncts))
    return list(groups.values())


def _search(task: Task, group: list[tuple[Box, list[int]]], several: int) -> InputSearch:
    """The search of boxes that share a ball, or have none; one of several that share the memory."""
    roots = [(box.lower, box.upper, disjuncts) for box, disjuncts in group]
    question = Question.of(task.forms, task.example, task.query.patterns, roots, group[0][0].ball)
    if task.tightens:
        question = replace(question, known=tuple(task.sharpened(box) for box, _ in group))
    options = InputOptions(memory=task.options.memory / several, threads=processes(task))
    search = InputSearch(question, task, options, task.deadline)
    task.trails.append(search.cuts)
    return search
