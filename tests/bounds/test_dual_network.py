"""The dual network: below every value, equal to CROWN with the same slopes, no tighter than the linear program."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import random_box, random_dag, random_relu_network
from verifier.bounds.backward import BackwardPass
from verifier.bounds.dual_network import DualNetwork, has_dual_network
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds, outputs_minimum
from verifier.deadline import Deadline
from verifier.network.clips import clips_as_relus
from verifier.network.functions import Clip, Relu
from verifier.network.graph import Network
from verifier.programs.margins import relaxed_margins
from verifier.property.query import Box
from verifier.relaxations.lines import Policy


def case(seed: int) -> tuple[Network, np.ndarray, np.ndarray]:
    """A random network of relus, with skips or fully connected, and a box."""
    rng = np.random.default_rng(seed)
    dag, _ = clips_as_relus(random_dag(rng, functions=(Relu(), Clip(-0.3, 0.5)), products=False))
    network = dag if seed % 2 else random_relu_network(rng, (3, 6, 5, 4, 2))
    scale = 10.0 ** rng.integers(-3, 4)
    lower, upper = random_box(rng, network.input_size, 0.5 * scale)
    return network, lower[None], upper[None]


def host(intervals: list[Interval]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(i.lower[0], i.upper[0]) for i in intervals]


@given(st.integers(0, 2**32))
def test_it_equals_crown_with_the_same_slopes(seed: int) -> None:
    network, lower, upper = case(seed)
    intervals = interval_bounds(network, lower, upper)
    last = len(network.nodes) - 1
    rows = np.random.default_rng(seed).normal(size=(1, 4, network.output_size))
    dual = DualNetwork(network, intervals).minimum(last, rows)
    crown = BackwardPass(network, intervals, Policy.PARALLEL).minimum(last, rows)
    size = np.abs(rows[0]) @ np.maximum(np.abs(intervals[-1].lower[0]), np.abs(intervals[-1].upper[0]))
    np.testing.assert_allclose(dual.bound[0], crown.bound[0], rtol=0, atol=1e-9 * (1 + size.max()))


@given(st.integers(0, 2**32))
def test_every_value_lies_within_its_bounds(seed: int) -> None:
    network, lower, upper = case(seed)
    intervals = linear_bounds(network, lower, upper, rule=DualNetwork)
    least = outputs_minimum(DualNetwork(network, intervals), intervals[-1].lower)[0]
    rng = np.random.default_rng(seed)
    share = rng.choice([0.0, 0.5, 1.0], size=(300, network.input_size)) + rng.uniform(-0.1, 0.1)
    points = lower + np.clip(share, 0, 1) * (upper - lower)
    values = network.values(points)
    for value, interval in zip(values, intervals, strict=True):
        room = 1e-9 * (1 + np.abs(value))
        assert (value >= interval.lower - room).all()
        assert (value <= interval.upper + room).all()
    assert (values[-1] >= least - 1e-9 * (1 + np.abs(values[-1]))).all()


@pytest.mark.parametrize("seed", range(20))
def test_it_is_no_tighter_than_the_linear_program(seed: int) -> None:
    network, lower, upper = case(seed)
    intervals = linear_bounds(network, lower, upper)
    dual = outputs_minimum(DualNetwork(network, intervals), intervals[-1].lower)[0]
    forms = [(np.array([i]), np.zeros(1)) for i in range(network.output_size)]
    box = Box.exact(lower[0], upper[0])
    programs = [outcome.bound for outcome in relaxed_margins(network, box, host(intervals), forms, Deadline())]
    assert (dual <= np.array(programs) + 1e-6 * (1 + np.abs(dual))).all()


def test_it_is_for_relus_only() -> None:
    assert not has_dual_network(random_dag(np.random.default_rng(0)))
    assert has_dual_network(random_relu_network(np.random.default_rng(0), (2, 3, 1)))
