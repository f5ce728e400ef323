"""Networks with comparisons: searches and programs agree with enumeration of the steps, around the minimum."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from tests.bounds.test_where_violated import asked
from tests.search.test_neurons import query_of, search
from verifier.bounds.enclosure import Interval
from verifier.bounds.layout import layout
from verifier.bounds.linear import linear_bounds
from verifier.bounds.optimise import AscentOptions
from verifier.deadline import Deadline
from verifier.network.functions import Floor, Near, Round, ScalarFunction, Step, Truncation
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense, Identity
from verifier.programs.margins import exact_margin
from verifier.property.forms import with_forms
from verifier.property.query import Box
from verifier.search.bounding import Bounder
from verifier.search.jumps import Jumps
from verifier.search.neurons import roots


def stepped(rng: np.random.Generator, at_zero: bool, inputs: int = 4, steps: int = 5) -> Network:
    """One output, y = c step(W x + b) + d x."""
    return Network(
        (
            Input(inputs),
            Affine((0,), (Dense(rng.normal(size=(steps, inputs))),), 0.3 * rng.normal(size=steps)),
            Elementwise((1,), Step(at_zero), steps),
            Affine(
                (2, 0), (Dense(rng.normal(size=(1, steps))), Dense(0.3 * rng.normal(size=(1, inputs)))), np.zeros(1)
            ),
        )
    )


def least(network: Network, box: Box) -> float:
    """The infimum over all patterns of steps, each a linear program over what the pattern allows."""
    inner, last = network.nodes[1], network.nodes[3]
    weight, bias = inner.maps[0].weight, inner.bias
    found = np.inf
    for pattern in product((0, 1), repeat=len(bias)):
        signs = np.where(np.array(pattern) == 1, -1.0, 1.0)
        done = linprog(
            last.maps[1].weight[0],
            signs[:, None] * weight,
            -signs * bias,
            bounds=list(zip(box.lower, box.upper, strict=True)),
        )
        if done.status == 0:
            found = min(found, done.fun + float(last.maps[0].weight[0] @ np.array(pattern)))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_cuts_at_jumps_reach_the_exact_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = stepped(rng, at_zero=bool(seed % 2))
    box = Box.exact(-np.ones(4), np.ones(4))
    true = least(network, box)
    for shift in (-0.05, -1e-3, 1e-3, 0.05):
        query = query_of(network, box, [(np.zeros(1, np.int64), np.array([true + shift]))])
        done, recorder = search(network, query)
        if shift < 0:
            assert 0 < recorder.margins[0] <= -shift + 1e-6
        else:
            assert recorder.margins.get(0, 0.0) <= 0  # a minimiser on the right side of each jump may not be found
            assert not done.found or recorder.witness is not None


def levels(function: ScalarFunction) -> list[tuple[float, float, float]]:
    """What the function is between its jumps: value, and the closed interval around it."""
    if isinstance(function, Near):
        r = function.radius
        return [(0.0, -9.0, -r), (1.0, -r, r), (0.0, r, 9.0)]
    if isinstance(function, Truncation):
        return [(k, k - (k <= 0), k + (k >= 0)) for k in range(-9, 10)]
    start = 0.5 if isinstance(function, Round) else 0.0
    return [(float(k), k - start, k + 1.0 - start) for k in range(-9, 9)]


@pytest.mark.parametrize("function", [Floor(), Round(), Round(-1.0, 1.0), Truncation(), Near(0.5)], ids=repr)
def test_cuts_at_several_jumps_reach_the_exact_minimum(function: ScalarFunction) -> None:
    """With y = c f(W x + b) + d x, two f of two inputs each, the infimum is a linear program on each pair of levels."""
    if isinstance(function, Round) and function.greatest == 1:
        scale, allowed = 0.6, [k for k in levels(function) if abs(k[0]) <= 1]
    else:
        scale, allowed = 1.5, levels(function)
    rng = np.random.default_rng(7)
    weight, bias = scale * rng.uniform(-1, 1, (2, 2)), 0.2 * rng.uniform(-1, 1, 2)
    forward, across = rng.normal(size=(1, 2)), 0.3 * rng.normal(size=(1, 2))
    inner = Affine((0,), (Dense(weight),), bias)
    last = Affine((2, 0), (Dense(forward), Dense(across)), np.zeros(1))
    network = Network((Input(2), inner, Elementwise((1,), function, 2), last))
    true = np.inf
    for pair in product(allowed, repeat=2):
        ends = [np.array([level[k] for level in pair]) - bias for k in (1, 2)]
        rows, limits = np.concatenate([weight, -weight]), np.concatenate([ends[1], -ends[0]])
        done = linprog(across[0], rows, limits, bounds=[(-1.0, 1.0)] * 2)
        if done.status == 0:
            true = min(true, done.fun + float(forward[0] @ np.array([level[0] for level in pair])))
    box = Box.exact(-np.ones(2), np.ones(2))
    query = query_of(network, box, [(np.zeros(1, np.int64), np.array([true - 1e-3]))])
    _, recorder = search(network, query)
    assert 0 < recorder.margins[0] <= 1e-3 + 1e-6
    query = query_of(network, box, [(np.zeros(1, np.int64), np.array([true + 1e-3]))])
    assert search(network, query, seconds=2.0)[1].margins.get(0, 0.0) <= 0


def test_an_end_that_a_search_may_rest_on_comes_from_a_cut() -> None:
    """The half without a jump's own value ends before it; the root's end there, and a tightened one, do not."""
    nodes = (Input(1), Affine((0,), (Dense(np.array([[1.0]])),), np.zeros(1)), Elementwise((1,), Floor(), 1))
    network = Network(nodes)
    whole = [Interval(np.array([[0.5]]), np.array([[3.0]]))] * 2 + [Interval(np.array([[0.0]]), np.array([[3.0]]))]
    jumps = Jumps(network, layout(network, whole))
    lower, upper = np.array([[0.5], [2.0], [2.5]]), np.array([[2.0], [3.0], [2.75]])
    found = jumps.values([whole[0], Interval(lower, upper)], whole)[2]
    assert found.lower.ravel().tolist() == [0, 2, 2]
    assert found.upper.ravel().tolist() == [1, 3, 2]
    roomy = jumps.clear_of(lower, upper)
    assert roomy[1].ravel().tolist() == [np.nextafter(2, 3), np.nextafter(3, 4), 2.75]
    assert jumps.nearest(lower, upper)[0, 0] == 1.0
    assert np.isnan(jumps.nearest(lower, upper)[1:]).all()


def test_an_end_on_a_jump_that_is_a_disjuncts_own_comes_from_no_cut() -> None:
    nodes = (Input(2), Affine((0,), (Dense(np.array([[1.0, -1.0]])),), np.zeros(1)), Elementwise((1,), Step(False), 1))
    network, box = Network(nodes), Box.exact(-np.ones(2), np.ones(2))
    conjunctions = [(np.zeros(1, np.int64), np.array([0.5]))] * 2
    question = asked(network, box, conjunctions)
    own = [*question.intervals[:1], Interval(np.zeros((1, 1)), np.ones((1, 1))), *question.intervals[2:]]
    bounder = Bounder(replace(question, own={1: own}), AscentOptions(steps=1), 1)
    domains = roots(bounder, np.arange(2))
    assert domains.lower.ravel().tolist() == [question.intervals[1].lower[0, 0], np.nextafter(0.0, -1.0)]
    assert bounder.intervals(domains)[2].lower.ravel().tolist() == [0.0, 0.0]
    assert bounder.intervals(domains)[2].upper.ravel().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(3))
def test_programs_hold_steps_as_whole_numbers(seed: int) -> None:
    network = stepped(np.random.default_rng(seed), at_zero=True)
    box = Box.exact(-np.ones(4), np.ones(4))
    true = least(network, box)
    query = query_of(network, box, [(np.zeros(1, np.int64), np.array([0.0]))])
    forms = with_forms(network, query.patterns)
    intervals = [(i.lower[0], i.upper[0]) for i in linear_bounds(forms, box.lower[None], box.upper[None])]
    outcome = exact_margin(forms, box, intervals, (np.zeros(1, np.int64), np.array([0.0])), Deadline(20))
    assert true - 1e-3 <= outcome.bound <= true + 1e-9


def test_a_place_that_is_on_a_jump_itself_is_never_lost() -> None:
    """The place x = 0 alone is 1: both kinds of steps share their operand, and neither half of a cut may drop it."""
    nodes = (
        Input(2),
        Affine((0,), (Dense(np.array([[1.0, -1.0]])),), np.zeros(1)),
        Elementwise((1,), Step(True), 1),
        Elementwise((1,), Step(False), 1),
        Affine((2, 3), (Dense(np.array([[-1.0]])), Identity(1)), np.zeros(1)),
    )
    network = Network(nodes)
    query = query_of(network, Box.exact(-np.ones(2), np.ones(2)), [(np.zeros(1, np.int64), np.array([-0.5]))])
    _, recorder = search(network, query, seconds=5.0)
    assert recorder.margins.get(0, 0.0) <= 0
