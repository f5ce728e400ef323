"""Stages on optimised linear bounds: alpha-CROWN alone, and branch and bound on neurons."""

from __future__ import annotations

import numpy as np

from verifier.arrays import namespace, zeros
from verifier.bounds.intermediate import Engines, Tightening
from verifier.bounds.linear import rows_minimum
from verifier.bounds.optimise import AscentOptions
from verifier.deadline import Deadline
from verifier.methods.task import Task
from verifier.search.bounding import Bounder, Question
from verifier.search.neurons import NeuronOptions, NeuronSearch, roots
from verifier.search.workers import workers

INTERMEDIATE = AscentOptions(steps=10)
"""The ascent of each intermediate bound of a root box: twice as many took a bound of mnist_fc 256x4 from -44 to -43."""


def alpha(task: Task, share: float = 0.3) -> None:
    """Optimised bounds: of every open pre-activation, as far as a share of the time goes, then of every disjunct."""
    engines = engines_of(task)
    boxes = task.open_conjunctions()
    with workers(task.options.threads) as together:
        for count, (box, disjuncts) in enumerate(boxes):
            if task.settled or task.deadline.expired:
                return
            time = task.deadline.remaining * share / (len(boxes) - count)
            intervals = task.enclosure(box)
            tight = Tightening(engines, INTERMEDIATE, Deadline(time), together).of_box(intervals)
            task.tightened(box, tight)
            task.bounded(disjuncts, np.asarray(rows_minimum(task.forms, tight))[0])
            still = np.array([d for d in disjuncts if task.open[d]], np.int64)
            if len(still):
                _bound(task, Question.over(engines, box, tight, task.query.patterns), still)


def _bound(task: Task, question: Question, disjuncts: np.ndarray) -> None:
    """Bounds the disjuncts once, without a cut; the minimisers of those left open are tried as witnesses."""
    options = _options(task)
    bounder = Bounder(question, options.root, options.candidates)
    bounded = bounder.bound(roots(bounder, disjuncts))
    for d, bound, point in zip(disjuncts, bounded.domains.bound, bounded.points, strict=True):
        task.margin_bounded(int(d), float(bound))
        if task.open[d] and task.accepts(int(d), point):
            return


def _options(task: Task) -> NeuronOptions:
    return NeuronOptions(memory=task.options.memory * 1e6, threads=task.options.threads)


def split_neurons(task: Task) -> None:
    """Branch and bound on the neurons of each open box, from the bounds known so far."""
    engines = engines_of(task)
    boxes = task.open_conjunctions()
    with workers(task.options.threads) as together:
        for count, (box, disjuncts) in enumerate(boxes):
            if task.settled or task.deadline.expired:
                return
            question = Question.over(engines, box, task.enclosure(box), task.query.patterns)
            share = task.deadline.within(task.deadline.remaining / (len(boxes) - count))
            NeuronSearch(question, _options(task), task, share, together).run(np.array(disjuncts))


def engines_of(task: Task) -> Engines:
    """The task's network in float64 for proofs and in float32 for ascents."""
    example = namespace(task.example).astype(zeros(task.example, (0,)), namespace(task.example).float32)
    return Engines(task.forms, task.forms.like(example), example)
