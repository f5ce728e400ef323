"""Intermediate bounds that rest on the rows of a disjunct: they contain all that obeys the rows, and gain by them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds.test_optimise import of_part, random_choice, random_cuts
from tests.networks import random_box, random_dag, random_relu_network, samples
from tests.search.test_neurons import query_of
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines, Tightening
from verifier.bounds.lagrangian import Choice, Lagrangian, Relaxation, Rows
from verifier.bounds.linear import linear_bounds
from verifier.bounds.optimise import AscentOptions, proven
from verifier.deadline import Deadline
from verifier.network.graph import Network
from verifier.property.forms import with_forms
from verifier.property.query import Box
from verifier.search.bounding import Question

SEEDS = st.integers(0, 2**32 - 1)


def asked(network: Network, box: Box, conjunctions: list[tuple[np.ndarray, np.ndarray]]) -> Question:
    """The question whose disjuncts are outputs <= thresholds."""
    patterns = query_of(network, box, conjunctions).patterns
    forms = with_forms(network, patterns)
    intervals = linear_bounds(forms, box.lower[None], box.upper[None])
    return Question.over(
        Engines(forms, forms.like(np.zeros(0, np.float32)), np.zeros(0, np.float32)), box, intervals, patterns
    )


def random_question(rng: np.random.Generator) -> tuple[Question, np.ndarray]:
    """Some conjunction that a part of the box obeys, with a form that stands in it twice, and points of the box."""
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    points = samples(rng, lower, upper, 400)
    rows = rng.integers(0, network.output_size, size=int(rng.integers(1, 4)))
    thresholds = np.array([np.quantile(network.forward(points)[:, r], rng.random()) for r in rows])
    return asked(network, Box.exact(lower, upper), [(rows, thresholds)]), points


def within(points: np.ndarray, question: Question, intervals: list[Interval]) -> None:
    """Asserts that all nodes' values of points are in the intervals."""
    for value, tight in zip(question.engines.exact.values(points), intervals, strict=True):
        slack = 1e-11 * (1 + np.abs(value))
        assert (value >= tight.lower - slack).all()
        assert (value <= tight.upper + slack).all()


@given(SEEDS)
@settings(max_examples=8, deadline=None)
def test_bounds_contain_what_obeys_the_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    question, points = random_question(rng)
    cut, cuts = random_cuts(rng, list(question.intervals), question.shape, 2)
    network, one = question.engines.exact, np.array([0])
    for known, positions in ((question.intervals, np.zeros((1, 0), np.int64)), (cut, cuts)):
        intervals, shape, rows = question.where_violated(one, known)
        work = Tightening(question.engines, AscentOptions(steps=4), Deadline(), reach=len(intervals) - 1)
        inside = of_part(network, points, intervals)
        positions = np.concatenate([positions, rows], axis=1)
        for tight, empty in (
            work.backward(intervals, shape, positions),
            work.of_domains(intervals, shape, positions, 1),
        ):
            if len(inside):
                assert not empty[0]
                within(inside, question, tight)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_any_multipliers_of_rows_give_a_bound_and_their_gradient_is_the_derivative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    question, points = random_question(rng)
    intervals, shape, positions = question.where_violated(np.array([0]), question.intervals)
    network, last = question.engines.exact, len(intervals) - 1
    k = int(rng.integers(0, last + 1))
    coefficients, threshold = rng.normal(size=(1, 1, network.nodes[k].size)), rng.normal(size=(1, 1))
    rows, relaxation = Rows(k, coefficients, threshold, positions, last), Relaxation(network, intervals, shape)
    choice = random_choice(rng, shape, rows)
    inside = of_part(network, points, intervals)
    if len(inside):
        value = network.values(inside)[k] @ coefficients[0, 0] - threshold[0, 0]
        assert (value >= proven(relaxation, rows, choice).bound[0] - 1e-11 * (1 + np.abs(value))).all()
    lagrangian = Lagrangian(network, relaxation, rows)
    gradient = lagrangian.gradient(choice, lagrangian.evaluate(choice))
    direction, step = rng.normal(size=choice.multipliers.shape), 1e-7

    def moved(by: float) -> float:
        return float(
            lagrangian.evaluate(Choice(choice.places, choice.multipliers + by * direction, choice.weights)).bound[0]
        )

    slopes = (moved(step) - moved(0.0)) / step, (moved(0.0) - moved(-step)) / step
    if np.isfinite(slopes).all() and abs(slopes[0] - slopes[1]) < 1e-3 * (1 + abs(slopes[0])):
        counted = (positions >= 0) * direction
        assert float((gradient.multipliers * counted).sum()) == pytest.approx(np.mean(slopes), rel=1e-3, abs=1e-3)


def test_rows_sharpen_what_feeds_the_outputs() -> None:
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, (4, 12, 12, 2))
    lower, upper = -np.ones(4), np.ones(4)
    least = network.forward(samples(rng, lower, upper, 2000))[:, 0].min()
    question = asked(network, Box.exact(lower, upper), [(np.array([0]), np.array([least + 0.1]))])
    intervals, shape, rows = question.where_violated(np.array([0]), question.intervals)
    tight, empty = Tightening(question.engines, AscentOptions(), Deadline(), reach=len(intervals) - 1).backward(
        intervals, shape, rows
    )
    assert not empty[0]
    widths = [float((i[3].upper - i[3].lower).mean()) for i in (question.intervals, tight)]
    assert widths[1] < 0.8 * widths[0]
