"""Stages on optimised linear bounds: alpha-CROWN alone, and branch and bound on neurons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from verifier.bounds.intermediate import Engines, Tightening
from verifier.bounds.linear import rows_minimum
from verifier.bounds.optimise import AscentOptions
from verifier.bounds.reduced import reduced
from verifier.deadline import Deadline
from verifier.methods.attack_aside import AttackAside
from verifier.methods.incomplete import note_multipliers
from verifier.methods.task import Task
from verifier.methods.workers import note_lost, processes
from verifier.network.graph import Network
from verifier.property.query import SMALLEST_MARGIN, Box
from verifier.search.bounding import PROMISING, Bounder, Question
from verifier.search.crew import Crew
from verifier.search.domains import Domains
from verifier.search.neurons import NeuronOptions, NeuronSearch, roots

COSTLY_TIME = 0.5
"""Part of the time left for pre-activations that cost much."""

SPARED = 0.1, 0.01
"""Part of what all relaxations cost a bound that is not worth the time: in the first round, and later."""

WORTHWHILE = 0.02
"""Part of what a bound lacks that another round of tightening has to gain."""

QUICK = AscentOptions(steps=4)
"""The same where there are several rounds: ten steps take off a width of 9.8 no more than 3.3, three 3.2."""

INTERMEDIATE = AscentOptions(steps=10)
"""The ascent of each intermediate bound of a root box: twice as many took a bound of mnist_fc 256x4 from -44 to -43."""


def alpha(task: Task, share: float = 0.3) -> None:
    """Optimised bounds: of every open pre-activation, as far as a share of the time goes, then of every disjunct."""
    boxes = task.open_conjunctions()
    for count, (box, disjuncts) in enumerate(boxes):
        if task.witness is not None or task.deadline.expired:
            return
        _tighten(task, box, Deadline(task.deadline.remaining * share / (len(boxes) - count)))
        task.bounded(disjuncts, np.asarray(rows_minimum(task.forms, task.enclosures.of(box)))[0])
        still = np.array([d for d in disjuncts if task.open[d] or task.options.thorough], np.int64)
        if len(still):
            bound_once(task, question_of(task, box), still)


def alpha_by_cost(task: Task) -> None:
    """Optimised bounds of every disjunct, and between them of the pre-activations whose relaxation costs these most.

    For networks with products and large ones, whose intermediate bounds are too many to be optimised all.
    """
    boxes = task.open_conjunctions()
    for count, (box, disjuncts) in enumerate(boxes):
        deadline = Deadline(task.deadline.remaining * COSTLY_TIME / (len(boxes) - count))
        spared = SPARED[0]
        while task.witness is None and not task.deadline.expired:
            question, before = question_of(task, box), task.margins[disjuncts]
            domains = bound_once(task, question, np.array(disjuncts))
            disjuncts = [d for d in disjuncts if task.open[d]]
            gained = task.margins[disjuncts] - before[np.isin(domains.disjunct, disjuncts)]
            if not disjuncts or deadline.expired or (gained < WORTHWHILE * np.abs(task.margins[disjuncts])).all():
                break
            chosen = costly(task, question, domains.take(task.open[domains.disjunct]), spared)
            _tighten(task, box, deadline, chosen)
            spared = SPARED[1]


def costly(task: Task, question: Question, domains: Domains, spared: float) -> dict[int, np.ndarray]:
    """The entries of operand nodes, by index, whose relaxations cost the bounds of some domain all but a part."""
    costs = Bounder(question, search_options(task).root, 1).costs(domains)
    rising = np.argsort(costs, axis=1)
    sums = np.cumsum(np.take_along_axis(costs, rising, axis=1), axis=1)
    wanted = np.zeros(costs.shape, bool)
    np.put_along_axis(wanted, rising, sums > spared * sums[:, -1:], axis=1)
    network, chosen = question.engines.exact, {}
    for k, slot in question.shape.operands.items():
        chosen[k] = np.zeros(network.nodes[k].size, bool)
        chosen[k][slot.columns] = wanted[:, slot.part].any(axis=0)
    return chosen


def _tighten(task: Task, box: Box, deadline: Deadline, chosen: Mapping[int, np.ndarray] | None = None) -> None:
    """Optimises the bounds of open pre-activations over a box: of all, or of those chosen of the reduced network."""
    intervals = task.enclosures.of(box)
    small = reduced(task.forms, intervals)
    work = Tightening(_engines(task, small.network), INTERMEDIATE if chosen is None else QUICK, deadline, chosen)
    with Crew((work.bounds_of,), processes(task)) as crew:
        tight = work.of_box(small.taken(intervals), crew.map)
    note_lost(task, crew.lost)
    task.enclosures.keep(box, small.restored(tight, intervals))


def bound_once(task: Task, question: Question, disjuncts: np.ndarray) -> Domains:
    """Bounds the disjuncts once, without a cut; the minimisers of those left open are tried as witnesses."""
    options = search_options(task)
    enough = math.inf if task.options.thorough else 0.0
    bounder = Bounder(question, options.root, options.candidates, enough)
    bounded = bounder.bound(roots(bounder, disjuncts))
    for d, bound in zip(disjuncts.tolist(), bounded.domains.bound.tolist(), strict=True):
        task.margin_bounded(d, min(bound, SMALLEST_MARGIN) if d in question.own else bound)
    found = bounded.minimisers
    for d, margin, point in zip(found.disjunct, found.margins, found.points, strict=True):
        if margin > PROMISING:
            task.minimisers[int(d)] = point
        elif task.accepts(int(d), point):
            break
    return bounded.domains


def search_options(task: Task) -> NeuronOptions:
    """How a task's searches on neurons work."""
    return NeuronOptions(
        memory=task.options.memory * 1e6,
        threads=processes(task),
        solver=task.solver,
        where_violated=not task.options.thorough,
    )


def split_neurons(task: Task, seconds: float = math.inf) -> None:
    """Branch and bound on the neurons of each open box, from the bounds known so far, for so long at most.

    Attacks have their turns beside it where there were some before.
    """
    deadline = task.deadline.within(seconds)
    note_multipliers(task)
    waiting = task.open_conjunctions()
    while waiting:  # boxes that ran out of their share are tried again with what the others have left over
        again = []
        for count, (box, disjuncts) in enumerate(waiting):
            if task.settled or deadline.expired:
                return
            share = deadline.within(deadline.remaining / (len(waiting) - count))
            aside = AttackAside(task, disjuncts) if task.nearest is not None else None
            search = NeuronSearch(question_of(task, box), search_options(task), task, share, aside)
            search.run(np.array(disjuncts))
            note_lost(task, search.lost)
            if aside is not None:
                aside.explain(search.turns)
            still = [d for d in disjuncts if task.open[d]]
            if share.expired and still:
                again.append((box, still))
        waiting = again


def question_of(task: Task, box: Box) -> Question:
    """What is asked of a box, about no more of the network than matters there."""
    intervals = task.enclosures.of(box)
    small = reduced(task.forms, intervals)
    question = Question.over(_engines(task, small.network), box, small.taken(intervals), task.query.patterns)
    own = {d: small.taken(found) for d, found in task.enclosures.own(box).items() if task.open[d]}
    return replace(question, own=own)


def _engines(task: Task, network: Network) -> Engines:
    """A network in float64 for proofs and in float32 for ascents."""
    return Engines(network, network.like(task.example32), task.example32)
