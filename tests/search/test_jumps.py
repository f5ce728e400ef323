"""Networks with comparisons: searches and programs agree with enumeration of the steps, around the minimum."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import linprog

from tests.search.test_neurons import query_of, search
from verifier.bounds.linear import linear_bounds
from verifier.deadline import Deadline
from verifier.network.functions import Step
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense, Identity
from verifier.programs.margins import exact_margin
from verifier.property.forms import with_forms
from verifier.property.query import Box


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
