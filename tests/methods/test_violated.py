"""Bounds where a disjunct's rows hold: verdicts and margins stay right, and nothing of them reaches other disjuncts."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tests.bounds.test_where_violated import asked
from tests.networks import random_relu_network, samples
from tests.programs.patterns import exact_minimum
from tests.search.test_neurons import Recorder, query_of
from verifier.bounds.linear import linear_bounds
from verifier.deadline import Deadline
from verifier.methods import Options, stages
from verifier.methods.optimised import question_of, search_options
from verifier.methods.task import Task
from verifier.network.graph import Network
from verifier.property.query import SMALLEST_MARGIN, Box
from verifier.search.bounding import Question
from verifier.search.neurons import NeuronOptions, NeuronSearch

BOX = Box.exact(-np.ones(3), np.ones(3))


def network_and_truths(seed: int) -> tuple[Network, list[tuple[np.ndarray, np.ndarray]], list[float]]:
    """A network, conjunctions of one and of two rows, and their margins by enumeration."""
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (3, 4, 3, 3))
    conjunctions = [(np.array([0]), np.zeros(1)), (np.array([1, 2]), rng.normal(scale=0.2, size=2))]
    return network, conjunctions, [exact_minimum(network, BOX.lower, BOX.upper, *c) for c in conjunctions]


@pytest.mark.parametrize("seed", range(2))
def test_margins_stay_below_the_true_ones(seed: int) -> None:
    network, conjunctions, truths = network_and_truths(seed)
    for shifts in ((-0.3, 0.05), (-1e-3, -1e-3), (0.05, -0.3)):
        moved = [(rows, t + true + s) for (rows, t), true, s in zip(conjunctions, truths, shifts, strict=True)]
        task = Task(network, query_of(network, BOX, moved), Options(threads=1, timeout=60.0))
        task.accepts = lambda disjunct, point: False  # type: ignore[method-assign]
        for stage in (stages.alpha, stages.alpha_where_violated, stages.split_neurons):
            stage(task)
            for margin, is_open, shift in zip(task.margins, task.open, shifts, strict=True):
                assert margin <= max(-shift, 0.0) + 1e-6
                assert is_open == (margin <= 0)
        assert task.open.tolist() == [s > 0 for s in shifts]


def test_what_rows_exclude_has_no_larger_margin_and_thorough_tasks_do_without() -> None:
    network, conjunctions, truths = network_and_truths(3)
    rows, thresholds = conjunctions[0]
    query = query_of(network, BOX, [(rows, thresholds + truths[0] - 1e-3)])
    for thorough in (False, True):
        task = Task(network, query, Options(threads=1, timeout=60.0, thorough=thorough))
        stages.alpha(task)
        assert task.open[0]
        stages.alpha_where_violated(task)
        assert task.open[0] == thorough
        assert search_options(task).where_violated != thorough
        stages.split_neurons(task)
        margin = task.margins[0]
        assert SMALLEST_MARGIN < margin <= 1e-3 + 1e-6 if thorough else margin == SMALLEST_MARGIN


def test_no_bound_of_a_disjunct_reaches_the_box_or_another_disjunct() -> None:
    network, conjunctions, truths = network_and_truths(2)
    moved = [(rows, t + true + 0.02) for (rows, t), true in zip(conjunctions, truths, strict=True)]
    task = Task(network, query_of(network, BOX, moved), Options(threads=1, timeout=60.0))
    task.accepts = lambda disjunct, point: False  # type: ignore[method-assign]
    stages.alpha(task)
    stages.alpha_where_violated(task)
    points = samples(np.random.default_rng(0), BOX.lower, BOX.upper, 2000)
    values = task.forms.values(points)
    for value, interval in zip(values, task.enclosures.of(box_of(task)), strict=True):
        assert (value >= interval.lower - 1e-9).all()
        assert (value <= interval.upper + 1e-9).all()
    own = task.enclosures.own(box_of(task))
    assert own
    assert question_of(task, box_of(task)).own.keys() == own.keys()
    for d, intervals in own.items():
        holds = np.all([values[-1][:, f] <= t for f, t in rows_of(task, d)], axis=0)
        for value, interval in zip(values[:-1], intervals, strict=False):
            assert (value[holds] >= interval.lower - 1e-9).all()
            assert (value[holds] <= interval.upper + 1e-9).all()


def box_of(task: Task) -> Box:
    return task.query.disjuncts[0].box


def rows_of(task: Task, disjunct: int) -> list[tuple[int, float]]:
    patterns = task.query.patterns
    return list(zip(patterns.rows[disjunct].tolist(), patterns.thresholds[disjunct].tolist(), strict=True))


@pytest.mark.parametrize("partition", [False, True])
def test_a_search_keeps_the_own_intervals_of_disjuncts_apart(partition: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first disjunct is given intervals of a part of the box in which the second is not violated."""
    network, conjunctions, truths = network_and_truths(3)
    (rows, thresholds), true = conjunctions[1], truths[1]
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    points = samples(np.random.default_rng(0), np.zeros(3), np.ones(3), 200)
    margins = [(network.forward(sign * points)[:, rows] - thresholds).max(axis=1).min() for sign in signs]
    sign = signs[np.argmax(margins)]  # where the second is farthest from a violation
    assert max(margins) > true + 0.02
    moved = [(np.array([0]), np.full(1, 10.0)), (rows, thresholds + true + 0.02)]
    query, question = query_of(network, BOX, moved), asked(network, BOX, moved)
    ends = np.minimum(sign, 0.0)[None], np.maximum(sign, 0.0)[None]
    question = replace(question, own={0: linear_bounds(question.engines.exact, *ends)})
    monkeypatch.setattr(NeuronSearch, "_partition_pays", lambda self, domains: partition)
    for of_rows in (False, True):
        found, told = searched(network, question, Recorder(network, query), of_rows)
        assert found.stuck
        assert max(told.margins.values(), default=0.0) <= 0


def searched(network: Network, question: Question, told: Recorder, of_rows: bool) -> tuple[NeuronSearch, Recorder]:
    """A search to its end that finds no witness."""
    told.accepts = lambda disjunct, point: False  # type: ignore[method-assign]
    found = NeuronSearch(question, NeuronOptions(threads=1, where_violated=of_rows), told, Deadline(60.0))
    with np.errstate(all="ignore"):
        found.run(np.arange(2))
    return found, told
