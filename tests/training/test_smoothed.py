"""Smoothed classifiers: closed forms of a linear one, its gradient by differences, attacks against certificates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from tests.networks import random_relu_network
from verifier.errors import UsageError
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.readers.onnx import load_network
from verifier.smoothing.certify import SmoothingOptions
from verifier.training.data import load_split
from verifier.training.recipe import DataRecipe
from verifier.training.smoothed import AttackOptions, SmoothedClassifier

OPTIONS = SmoothingOptions(selection=100, estimation=4000, alpha=0.001)
WEIGHTS = np.array([[0.6, -0.8], [-0.6, 0.8]])


def linear(sigma: float = 0.5) -> SmoothedClassifier:
    """Two classes on either side of a line through 0, of which class 0 has w x > 0 with a unit w."""
    network = Network((Input(2), Affine((0,), (Dense(WEIGHTS),), np.zeros(2))))
    return SmoothedClassifier(network, sigma, OPTIONS)


def test_certificate_of_a_linear_classifier() -> None:
    smoothed, x = linear(), np.array([0.6, -0.2])
    distance = float(WEIGHTS[0] @ x)  # which is the radius of the smoothed network as well
    found = smoothed.certify(x)
    assert found.label == smoothed.predict(x) == 0
    assert 0.85 * distance < found.radius <= distance
    assert found.lower <= norm.cdf(distance / 0.5)


def test_it_abstains_on_the_boundary() -> None:
    assert linear().predict(np.zeros(2)) is None
    assert linear().certify(np.zeros(2)).label is None


def test_gradient_is_that_of_the_score() -> None:
    rng = np.random.default_rng(4)
    smoothed = SmoothedClassifier(random_relu_network(rng, (5, 9, 9, 4)), 0.3, OPTIONS)
    x, step = rng.normal(size=5), 1e-7
    for label in range(4):
        gradient = smoothed.soft_gradient(x, label, draws=50, sample=2)
        for entry, unit in zip(gradient, np.eye(5), strict=True):
            ends = [smoothed.soft_score(x + side * step * unit, label, 50, 2) for side in (1, -1)]
            assert entry == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-6)


def test_attack_succeeds_just_beyond_the_boundary_only() -> None:
    smoothed, x = linear(), np.array([0.6, -0.2])
    distance = float(WEIGHTS[0] @ x)
    far, near = (smoothed.attack(x, 0, share * distance) for share in (1.3, 0.8))
    assert far.success
    assert far.label == 1
    assert far.distance <= 1.3 * distance
    assert not near.success
    held = smoothed.attack(x, 0, 1.3 * distance, AttackOptions(clip=(-0.3, 0.7)))
    assert (held.point >= -0.3).all()
    assert (held.point <= 0.7).all()


def test_no_attack_within_the_certified_radius() -> None:
    root = Path(__file__).parents[2]
    smoothed = SmoothedClassifier(load_network(root / "vnnlib_specs/onnx/digits_dense.onnx"), 0.25, OPTIONS)
    split = load_split(DataRecipe("digits"))
    certified = 0
    for n, x in enumerate(split.test_x[:12].astype(float)):
        found = smoothed.certify(x, n)
        if found.label is not None:
            certified += 1
            assert not smoothed.attack(x, found.label, found.radius, AttackOptions(10, 30, (0.0, 1.0)), n).success
    assert certified >= 6


def test_mistakes() -> None:
    with pytest.raises(UsageError, match="sigma"):
        SmoothedClassifier(linear().network, 0.0)
    with pytest.raises(UsageError, match="no class 2"):
        linear().soft_gradient(np.zeros(2), 2)
    with pytest.raises(UsageError, match="epsilon"):
        linear().attack(np.zeros(2), 0, -1.0)
    with pytest.raises(UsageError, match="draws"):
        AttackOptions(draws=0)
