"""Interval and linear bounds: containment, order, rounding, and agreement between array libraries."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_dag, random_relu_network
from verifier.bounds.backward import BackwardPass
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.deadline import Deadline
from verifier.network.functions import Exp, Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Product
from verifier.network.linear_maps import Dense, Identity
from verifier.relaxations.lines import Policy

SEEDS = st.integers(0, 2**32 - 1)


def boxes(rng: np.random.Generator, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes of all widths: degenerate, tiny, ordinary, wide."""
    centre = rng.normal(size=(count, size))
    radius = rng.choice([0.0, 1e-9, 0.05, 0.5, 3.0], size=(count, 1)) * rng.random((count, size))
    return centre - radius, centre + radius


def points(rng: np.random.Generator, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Random points and corners of each box, shape (samples, N, size)."""
    share = rng.random((12, *lower.shape))
    share[:6] = np.round(share[:6])
    return np.clip(lower + share * (upper - lower), lower, upper)


def slack(values: np.ndarray) -> np.ndarray:
    """What evaluating a network in float64 may itself be off by; the bounds speak of exact arithmetic."""
    return 1e-11 * (1 + np.abs(values))


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_every_node_lies_inside_its_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = boxes(rng, 5, network.input_size)
    for intervals in (interval_bounds(network, lower, upper), linear_bounds(network, lower, upper)):
        for x in points(rng, lower, upper):
            for value, interval in zip(network.values(x), intervals, strict=True):
                assert (value >= interval.lower - slack(value)).all()
                assert (value <= interval.upper + slack(value)).all()


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_every_policy_gives_a_lower_bound_of_the_outputs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = boxes(rng, 3, network.input_size)
    intervals = linear_bounds(network, lower, upper)
    rows = rng.normal(size=(1, 4, network.output_size))
    for policy in Policy:
        bound = BackwardPass(network, intervals, policy).minimum(len(network.nodes) - 1, rows).bound
        for x in points(rng, lower, upper):
            value = network.forward(x) @ rows[0].T
            assert (value >= bound - slack(value)).all()


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_linear_bounds_lie_inside_interval_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = boxes(rng, 4, network.input_size)
    for loose, tight in zip(interval_bounds(network, lower, upper), linear_bounds(network, lower, upper), strict=True):
        assert (tight.lower >= loose.lower - 1e-12 * (1 + np.abs(tight.lower))).all()
        assert (tight.upper <= loose.upper + 1e-12 * (1 + np.abs(tight.upper))).all()


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_a_linear_network_is_bounded_exactly(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(6, 4)), rng.normal(size=(3, 6))
    network = Network(
        (Input(4), Affine((0,), (Dense(first),), rng.normal(size=6)), Affine((1,), (Dense(second),), np.zeros(3)))
    )
    lower, upper = boxes(rng, 2, 4)
    bound = rows_minimum(network, interval_bounds(network, lower, upper))
    whole, bias = second @ first, second @ network.nodes[1].bias
    exact = np.maximum(whole, 0) @ lower[:, :, None] + np.minimum(whole, 0) @ upper[:, :, None]
    np.testing.assert_allclose(bound, exact[:, :, 0] + bias, rtol=1e-9, atol=1e-9)
    assert (bound <= exact[:, :, 0] + bias + 1e-12).all()


def test_cancellation_is_covered_by_the_margin() -> None:
    """Sums whose float64 value is far off in relative terms stay inside, judged in exact arithmetic."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        weight = rng.choice([1e16, -1e16, 1.0, 3.0, 1e-3], size=(1, 6)) * rng.choice([1.0, -1.0], size=(1, 6))
        point = rng.normal(size=(1, 6))
        network = Network((Input(6), Affine((0,), (Dense(weight),), np.array([rng.normal()]))))
        exact = sum(Fraction(float(w)) * Fraction(float(v)) for w, v in zip(weight[0], point[0], strict=True))
        exact += Fraction(float(network.nodes[1].bias[0]))
        interval = interval_bounds(network, point, point)[-1]
        assert Fraction(float(interval.lower[0, 0])) <= exact <= Fraction(float(interval.upper[0, 0]))
        bound = BackwardPass(network, interval_bounds(network, point, point)).minimum(1, np.ones((1, 1, 1))).bound
        assert Fraction(float(bound[0, 0])) <= exact


def test_batches_agree_with_single_boxes() -> None:
    rng = np.random.default_rng(11)
    network = random_relu_network(rng, (5, 16, 16, 3))
    lower, upper = boxes(rng, 7, 5)
    together = rows_minimum(network, linear_bounds(network, lower, upper))
    for n in range(7):
        one = slice(n, n + 1)
        alone = rows_minimum(network, linear_bounds(network, lower[one], upper[one]))
        np.testing.assert_allclose(together[one], alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_torch_gives_the_same_bounds(seed: int) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = boxes(rng, 3, network.input_size)
    expected = rows_minimum(network, linear_bounds(network, lower, upper))
    low, high = torch.tensor(lower), torch.tensor(upper)
    there = network.like(low)
    found = rows_minimum(there, linear_bounds(there, low, high))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)


def test_an_expired_deadline_leaves_sound_bounds() -> None:
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, (4, 12, 12, 2))
    lower, upper = boxes(rng, 2, 4)
    loose = interval_bounds(network, lower, upper)
    for interval, other in zip(linear_bounds(network, lower, upper, Deadline(0.0)), loose, strict=True):
        np.testing.assert_array_equal(interval.lower, other.lower)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_overflow_becomes_an_infinite_bound_never_nan() -> None:
    layers = (
        Input(1),
        Affine((0,), (Dense(np.array([[1e3], [-1e3]])),), np.zeros(2)),
        Elementwise((1,), Exp(), 2),
        Product((2, 2), 2),
        Affine((3,), (Dense(np.array([[1.0, -1.0]])),), np.zeros(1)),
        Elementwise((4,), Relu(), 1),
        Affine((5, 0), (Identity(1), Identity(1)), np.zeros(1)),
    )
    network = Network(layers)
    lower, upper = np.array([[-2.0]]), np.array([[2.0]])
    for intervals in (interval_bounds(network, lower, upper), linear_bounds(network, lower, upper)):
        assert not any(np.isnan(i.lower).any() or np.isnan(i.upper).any() for i in intervals)
        assert intervals[2].upper.max() == math.inf
        assert intervals[5].lower[0, 0] == 0.0
        assert intervals[6].lower[0, 0] <= -2.0
    assert rows_minimum(network, linear_bounds(network, lower, upper))[0, 0] <= -2.0
