"""Certificates of smoothed networks whose class probabilities are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from tests.networks import random_relu_network
from verifier.errors import UsageError
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.smoothing.certify import SmoothingOptions, certify, certify_two_sided, predict
from verifier.smoothing.sampling import NoisyNetwork, Purpose, stream, winners
from verifier.smoothing.soft import MeanBound, certify_soft, softmax
from verifier.standing import Standing

EXAMPLE = np.zeros(0)


def linear(weight, bias=None) -> Network:
    weight = np.asarray(weight, float)
    return Network(
        (Input(weight.shape[1]), Affine((0,), (Dense(weight),), np.zeros(len(weight)) if bias is None else bias))
    )


def half_plane(distance: float) -> tuple[Network, np.ndarray]:
    """Two classes parted by a line; the input lies in class 0, at this distance from it."""
    direction = np.array([0.6, -0.8, 0.0])
    return linear(np.stack([direction, -direction])), distance * direction


@pytest.mark.parametrize("sigma", [0.25, 1.0])
def test_the_radius_of_a_linear_classifier_is_its_distance(sigma):
    network, x = half_plane(0.3)
    noisy = NoisyNetwork(network, sigma, EXAMPLE, 5000)
    options = SmoothingOptions(100, 50_000, 0.001)
    for rule in (certify, certify_two_sided):
        found = rule(noisy, x, options)
        probability = norm.cdf(0.3 / sigma)
        error = math.sqrt(probability * (1 - probability) / options.estimation) / norm.pdf(0.3 / sigma) * sigma
        assert found.label == 0
        assert 0.3 - 8 * error < found.radius < 0.3 + 2 * error
        assert found.standing is Standing.PROBABLE
    assert predict(noisy, x, options) == 0


def test_radii_exceed_the_true_one_at_most_as_often_as_allowed():
    network, x = half_plane(0.5)
    noisy, alpha, repeats = NoisyNetwork(network, 0.5, EXAMPLE), 0.1, 400
    options = [SmoothingOptions(20, 200, alpha, seed) for seed in range(repeats)]
    for rule in (certify, certify_two_sided):
        wrong = sum(rule(noisy, x, o).radius > 0.5 for o in options)
        assert wrong <= binom.ppf(1 - 1e-6, repeats, alpha)


def test_on_the_boundary_it_abstains():
    network, x = half_plane(0.0)
    noisy, options = NoisyNetwork(network, 1.0, EXAMPLE), SmoothingOptions(100, 2000, 0.001, 5)
    for rule in (certify, certify_two_sided, certify_soft):
        found = rule(noisy, x, options)
        assert found.label is None
        assert found.radius == 0
        assert "abstained" in found.statement
    assert predict(noisy, x, options) is None


def test_two_sides_pay_where_the_rest_is_spread_over_classes():
    """Class 0 has a bit less than half of the probability, so that the one-sided radius is 0."""
    angles = np.array([0.0, 2.1, 4.2])
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    noisy = NoisyNetwork(linear(directions, np.array([0.3, 0.0, 0.0])), 1.0, EXAMPLE)
    options = SmoothingOptions(1000, 20_000, 0.001)
    assert certify(noisy, np.zeros(2), options).label is None
    found = certify_two_sided(noisy, np.zeros(2), options)
    assert found.label == 0
    assert found.radius > 0.1
    assert found.upper < 1 - found.lower
    assert "Bonferroni" in found.method


def test_ties_and_nan_count_against_every_class():
    outputs = np.array(
        [[1.0, 2.0], [2.0, 2.0], [math.nan, 1.0], [math.inf, 1.0], [math.inf, math.inf], [3.0, -math.inf]]
    )
    assert winners(outputs).tolist() == [1, 2, 2, 0, 2, 0]
    tied = NoisyNetwork(linear(np.ones((2, 3))), 1.0, EXAMPLE)
    options = SmoothingOptions(50, 500, 0.01)
    assert tied.counts(np.zeros(3), 100, np.random.default_rng(0)).tolist() == [0, 0]
    assert certify(tied, np.zeros(3), options).label is None
    assert certify_two_sided(tied, np.zeros(3), options).label is None
    assert predict(tied, np.zeros(3), options) is None


def test_seeds_reproduce_and_batches_do_not_matter():
    network = random_relu_network(np.random.default_rng(0), (4, 8, 3))
    x, options = np.array([0.3, -0.2, 1.0, 0.5]), SmoothingOptions(50, 1000, 0.01, 7)
    whole, parts = (NoisyNetwork(network, 0.3, EXAMPLE, batch) for batch in (10_000, 7))
    for rule in (certify, certify_two_sided):
        assert rule(whole, x, options, 3) == rule(whole, x, options, 3)
        assert rule(whole, x, options, 3) == rule(parts, x, options, 3)
    first, second = certify_soft(whole, x, options), certify_soft(parts, x, options)
    assert first.radius == pytest.approx(second.radius, rel=1e-9)
    counts = [whole.counts(x, 1000, stream(seed, 0, Purpose.ESTIMATION)).tolist() for seed in range(8)]
    assert len({tuple(c) for c in counts}) > 1


def test_streams_are_independent():
    drawn = [
        stream(seed, sample, purpose).standard_normal(4000)
        for seed in (0, 1)
        for sample in (0, 1, 2)
        for purpose in Purpose
    ]
    correlations = np.corrcoef(drawn) - np.eye(len(drawn))
    assert np.abs(correlations).max() < 5 / math.sqrt(4000)


def test_how_much_is_selected_with_does_not_change_the_estimate():
    network, x = half_plane(0.5)
    noisy = NoisyNetwork(network, 0.5, EXAMPLE)
    few, many = (certify(noisy, x, SmoothingOptions(n, 1000, 0.01)) for n in (10, 999))
    assert few.lower == many.lower


@pytest.mark.parametrize("bound", list(MeanBound))
def test_the_soft_radius_lies_below_that_of_the_mean_score(bound):
    network, x = half_plane(1.0)
    noisy, sigma = NoisyNetwork(network, 0.5, EXAMPLE), 0.5
    found = certify_soft(noisy, x, SmoothingOptions(50, 40_000, 0.001), 0, bound)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    mean = (weights / weights.sum()) @ (1 / (1 + np.exp(-2 * (1.0 + sigma * nodes))))
    assert found.label == 0
    assert found.lower < mean
    true = sigma * norm.ppf(mean)
    assert 0.95 * true < found.radius < true
    assert bound.value in found.method


def test_a_low_temperature_makes_soft_smoothing_hard():
    network, x = half_plane(0.4)
    noisy, options = NoisyNetwork(network, 0.5, EXAMPLE), SmoothingOptions(50, 20_000, 0.001)
    cold = certify_soft(noisy, x, options, temperature=1e-4)
    assert cold.radius == pytest.approx(0.4, abs=0.05)
    assert softmax(np.array([[math.nan, 1.0], [math.inf, math.inf], [1e3, 0.0]])).tolist() == [[0, 0], [0, 0], [1, 0]]


def test_the_statement_is_about_the_smoothed_network():
    network, x = half_plane(1.0)
    text = certify(NoisyNetwork(network, 0.5, EXAMPLE), x, SmoothingOptions(10, 1000, 0.001)).statement
    assert "smoothed network" in text
    assert "0.999" in text


def test_another_array_library_gives_the_same():
    torch = pytest.importorskip("torch")
    network, x = half_plane(0.3)
    example = torch.zeros(0, dtype=torch.float64)
    options = SmoothingOptions(50, 2000, 0.01)
    ours = certify(NoisyNetwork(network, 0.5, EXAMPLE), x, options)
    theirs = certify(NoisyNetwork(network.like(example), 0.5, example), x, options)
    assert ours == theirs


def test_wrong_options_are_told():
    network, _ = half_plane(0.3)
    with pytest.raises(UsageError, match="sigma"):
        NoisyNetwork(network, 0.0, EXAMPLE)
    with pytest.raises(UsageError, match="alpha"):
        SmoothingOptions(alpha=1.0)
    with pytest.raises(UsageError, match="draws"):
        SmoothingOptions(estimation=0)
    with pytest.raises(UsageError, match="temperature"):
        certify_soft(NoisyNetwork(network, 1.0, EXAMPLE), np.zeros(3), SmoothingOptions(1, 1), temperature=0.0)
