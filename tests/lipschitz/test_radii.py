"""Radii from constants against the exact minimal perturbation, and CLEVER's estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import weibull_max

from tests.lipschitz.boundaries import minimal_perturbation
from tests.networks import plain_bounds, random_relu_network
from verifier.lipschitz.certificates import (
    Question,
    by_gradient,
    by_local_norms,
    by_logits,
    by_pairs,
    by_semidefinite,
)
from verifier.lipschitz.clever import CleverOptions, clever, fitted_end, uniform_in_ball
from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.radii import (
    largest_local_radius,
    logit_factor,
    radius_from_logits,
    radius_from_pairs,
)
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.standing import Standing

NORMS = (1.0, 2.0, math.inf)


def case(seed):
    """A network with two inputs, a point, its class, its margins and the rows of the differences."""
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, [(2, 5, 3), (2, 3, 2, 3), (2, 4, 2)][seed % 3])
    x = rng.normal(size=2)
    outputs = network.forward(x[None])[0]
    label = int(outputs.argmax())
    rows = np.delete(np.eye(len(outputs))[label] - np.eye(len(outputs)), label, axis=0)
    return network, x, label, rows @ outputs, rows


def intervals_of_gradients(network, lower, upper, _=None):
    bounds = [plain_bounds(network, low, high)[-1] for low, high in zip(lower, upper, strict=True)]
    return tuple(np.stack(ends) for ends in zip(*bounds, strict=True))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(12))
def test_radii_are_never_above_the_exact_minimal_perturbation(seed, norm):
    network, x, label, margins, _ = case(seed)
    exact = minimal_perturbation(network, x, label, norm)
    question, ball = Question(network, label, margins * (1 - 1e-12), norm), min(exact, 2.0) / 2

    def values_on(radius, _=None):
        return plain_bounds(network, x - radius, x + radius)

    found = [
        by_logits(question),
        by_pairs(question),
        by_local_norms(question, values_on),
        by_gradient(question, values_on, intervals_of_gradients),
        by_semidefinite(question),
        by_semidefinite(question, values_on(ball), ball),
    ]
    for radius in found:
        assert 0 < radius.radius <= exact + 1e-8, (radius, exact)
        assert radius.standing is Standing.CERTIFIED


@pytest.mark.parametrize("norm", NORMS)
def test_the_factor_is_sharp_and_the_usual_slip_is_wrong(norm):
    network = Network((Input(2), Affine((0,), (Dense(np.eye(2)),), np.zeros(2))))
    x, margin = np.array([3.0, 1.0]), np.array([2.0])
    constant = LipschitzConstants(network, norm).of_outputs()
    exact = {1.0: 2.0, 2.0: math.sqrt(2.0), math.inf: 1.0}[norm]
    towards = {1.0: [0.0, 1.0], 2.0: [-math.sqrt(0.5), math.sqrt(0.5)], math.inf: [-1.0, 1.0]}[norm]
    at_boundary = network.forward((x + exact * np.array(towards))[None])[0]
    assert at_boundary[0] == pytest.approx(at_boundary[1])
    found = radius_from_logits(margin, constant, norm)
    assert exact * (1 - 1e-12) <= found <= exact
    assert radius_from_pairs(margin, LipschitzConstants(network, norm).of_forms(np.array([[1.0, -1.0]]))) <= exact
    slip = float(margin[0] / (2.0 ** (1 / norm) * constant))
    if norm == math.inf:
        assert slip > 1.9 * exact  # no certificate
    elif norm == 1.0:
        assert slip < 0.6 * exact  # half of what is true
    else:
        assert slip == pytest.approx(exact)


def test_the_factor_is_rounded_up():
    assert [logit_factor(norm) for norm in NORMS] == pytest.approx([1, math.sqrt(2), 2])
    assert logit_factor(2.0) ** 2 > 2


def test_radii_at_the_edges():
    ones = np.ones(2)
    assert radius_from_pairs(np.array([1.0, 0.0]), ones) == 0
    assert radius_from_pairs(np.array([1.0, -1.0]), ones) == 0
    assert radius_from_pairs(np.array([1.0, math.nan]), ones) == 0
    assert radius_from_pairs(ones, np.array([1.0, math.inf])) == 0
    assert radius_from_pairs(ones, np.array([1.0, math.nan])) == 0
    assert radius_from_pairs(np.array([1.0, math.inf]), ones) == 0
    assert radius_from_pairs(ones, np.zeros(2), within=0.3) == 0.3
    assert radius_from_pairs(ones, np.zeros(2)) == math.inf
    assert radius_from_pairs(3 * ones, 7 * ones) < 3 / 7
    assert radius_from_pairs(ones, ones, within=0.5) == 0.5


def test_the_best_ball_is_found():
    found = largest_local_radius(lambda r: min(r, 1 / (1 + r)), 1e-2, steps=40)
    assert found == pytest.approx((math.sqrt(5) - 1) / 2, rel=2e-3)
    assert largest_local_radius(lambda r: 0.0, 1.0) == 0.0


@pytest.mark.parametrize("norm", NORMS)
def test_points_are_uniform_in_the_ball(norm):
    points = uniform_in_ball(np.random.default_rng(0), 20000, 3, norm)
    lengths = np.linalg.norm(points, ord=norm, axis=1)
    assert lengths.max() <= 1
    assert np.mean(lengths <= 0.5) == pytest.approx(1 / 8, abs=0.01)
    assert np.abs(points.mean(axis=0)).max() < 0.02


def test_the_end_of_a_reverse_weibull_law_is_found():
    errors = []
    for seed in range(20):
        drawn = weibull_max(3.0, loc=7.0, scale=2.0).rvs(size=400, random_state=seed)
        found = fitted_end(drawn, 0.05)
        assert found.end >= drawn.max()
        errors.append(found.end - 7.0)
    assert abs(np.median(errors)) < 0.2


def test_a_rejected_fit_gives_the_largest_sample():
    two_lumps = np.r_[np.full(200, 1.0), np.full(200, 2.0)] + 1e-3 * np.random.default_rng(0).random(400)
    found = fitted_end(two_lumps, 0.05)
    assert not found.accepted
    assert found.end == two_lumps.max()
    assert fitted_end(np.full(10, 4.0), 0.05).end == 4.0


def test_clever_is_an_estimate_with_a_seed():
    network, x, label, _, _ = case(1)
    options = CleverOptions(radius=0.5, batches=30, batch_size=50, seed=3)
    first, again = (clever(network, x, label, 2.0, options) for _ in range(2))
    other = clever(network, x, label, 2.0, CleverOptions(radius=0.5, batches=30, batch_size=50, seed=4))
    assert first.radius == again.radius
    assert first.constants != other.constants
    assert first.radius.standing is Standing.ESTIMATE
    assert first.radius.radius <= 0.5
    assert clever(network, x, 1 - min(label, 1), 2.0, options).radius.radius == 0 or label > 1


@pytest.mark.parametrize("norm", NORMS)
def test_clever_is_exact_for_a_linear_network(norm):
    weight = np.array([[1.0, 2.0], [-1.0, 0.5]])
    network = Network((Input(2), Affine((0,), (Dense(weight),), np.zeros(2))))
    estimate = clever(network, np.array([0.3, 0.2]), 0, norm, CleverOptions(radius=5.0, batches=5, batch_size=5))
    dual = {1.0: math.inf, 2.0: 2.0, math.inf: 1.0}[norm]
    margin = float((weight[0] - weight[1]) @ [0.3, 0.2])
    assert estimate.radius.radius == pytest.approx(margin / np.linalg.norm(weight[0] - weight[1], dual))
