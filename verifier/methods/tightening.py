"""Sharpens the bounds of all neurons by programs before a method uses them (bound tightening, OBBT).

It goes layer by layer, as each layer is bounded over relaxations that rest on those before it. Every open entry takes
two programs, which is expensive, so it is done only when asked for. Several processes share the entries of a layer.
"""

from __future__ import annotations

import numpy as np

from verifier.arrays import convert_like
from verifier.bounds.enclosure import Interval, intersected
from verifier.bounds.layout import open_in, operand_nodes, undecided
from verifier.bounds.linear import bounds_within
from verifier.deadline import Deadline
from verifier.methods.task import Task, host
from verifier.methods.workers import note_lost, processes
from verifier.property.query import Box
from verifier.search.crew import Crew

CHUNKS_PER_PROCESS = 3
"""Parts of a layer for each process: as few as keep all busy to the end, since the programs of one go on from each
other."""


def tighten(task: Task) -> None:
    """Sharpens the bounds over every open box, within the share of the time that the options allow."""
    deadline = task.deadline.within(task.deadline.remaining * task.options.tighten_share)
    boxes = task.open_conjunctions()
    for count, (box, _) in enumerate(boxes):
        if deadline.expired:
            return
        share = deadline.within(deadline.remaining / (len(boxes) - count))
        before = task.enclosures.of(box)
        after = _Layers(task, box, share).tightened(list(before))
        task.enclosures.keep(box, after)
        counts = [int(undecided(task.forms, intervals)[0]) for intervals in (before, after)]
        told = f"{counts[0]} open neurons before, {counts[1]} after"
        task.explain(f"bounds sharpened by {task.options.tighten}: {told}")


class _Layers:
    """Tightens the nodes that functions and products work on, one after the other."""

    def __init__(self, task: Task, box: Box, deadline: Deadline) -> None:
        self.task, self.box, self.deadline = task, box, deadline
        self.on_host = task.forms.like(np.zeros(0))

    def tightened(self, intervals: list[Interval]) -> list[Interval]:
        network = self.task.forms
        layers = [k for k in operand_nodes(network) if network.nodes[k].operands not in ((), (0,))]
        for count, k in enumerate(layers):
            entries = np.flatnonzero(open_in(network, intervals, k)[0])
            if self.deadline.expired:
                break
            if len(entries):
                share = self.deadline.within(self.deadline.remaining / (len(layers) - count))
                intervals[k] = intersected(intervals[k], self._found(intervals, k, entries, share))
                intervals = bounds_within(network, intervals[0], self.task.deadline, intervals)
        return intervals

    def _found(self, intervals: list[Interval], k: int, entries: np.ndarray, deadline: Deadline) -> Interval:
        """Node k's interval with the programs' bounds for its open entries."""
        from verifier.programs.tightening import EntryPrograms

        task, known = self.task, host(intervals[: k + 1])
        exact = task.options.tighten == "milp"
        programs = EntryPrograms(self.on_host, self.box, known, k, exact, deadline, task.solver)
        workers = processes(task)
        parts = np.array_split(entries, min(len(entries), workers * CHUNKS_PER_PROCESS))
        with Crew((programs.bounds_of,), workers) as crew:
            found = crew.map(programs.bounds_of, parts)
        note_lost(task, crew.lost)
        lower, upper = (end.copy() for end in known[k])
        lower[entries] = np.concatenate([low for low, _ in found])
        upper[entries] = np.concatenate([high for _, high in found])
        convert = convert_like(task.example)
        return Interval(convert(lower[None]), convert(upper[None]))
