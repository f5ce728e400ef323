from __future__ import annotations

import math

import numpy as np
import pytest

from tests.attacks.minimal.problems import NORMS, PAIRS, check, everywhere, linear_network, problem
from verifier.attacks.minimal.fast_bisection import FastBisection
from verifier.attacks.minimal.geometry import lengths, to_hyperplane
from verifier.attacks.minimal.problem import Problem
from verifier.attacks.minimal.registry import ATTACKS
from verifier.deadline import Deadline
from verifier.property.query import Box


def least(asked: Problem, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The least distances of a linear classifier inside the box: to the nearest of its hyperplanes."""
    values = []
    for x, label in zip(asked.x, asked.labels, strict=True):
        rows = np.delete(weights, label, axis=0) - weights[label]
        rises = -(rows @ x + np.delete(bias, label) - bias[label])
        room = x - asked.lower + np.zeros_like(rows), asked.upper - x + np.zeros_like(rows)
        steps = to_hyperplane(rows, rises, room, asked.norm)
        reached = (rows * steps).sum(axis=1) >= rises - 1e-9
        values.append(lengths(steps, asked.norm)[reached].min(initial=math.inf))
    return np.array(values)


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_a_linear_classifier_without_a_box(name: str, norm: float) -> None:
    attack, rng = ATTACKS[name], np.random.default_rng(0)
    weights, bias = rng.normal(size=(2, 6)), rng.normal(size=2)
    asked = problem(linear_network(weights, bias), rng.normal(size=(5, 6)), norm, everywhere(6))
    results = attack.run(asked, rng, Deadline())
    check(asked, results)
    margin = np.abs(asked.x @ (weights[0] - weights[1]) + bias[0] - bias[1])
    exact = margin / np.linalg.norm(weights[0] - weights[1], {1: math.inf, 2: 2, math.inf: 1}[norm])
    np.testing.assert_allclose(least(asked, weights, bias), exact)
    ratios = np.array([result.distance for result in results]) / exact
    assert (ratios >= 1 - 1e-9).all()
    assert (ratios <= 1.03).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["deepfool", "fmn", "fab", "fast-bisection", "pgd"])
def test_samples_on_the_faces_of_the_box(name: str, norm: float) -> None:
    rng = np.random.default_rng(3)
    weights, bias = rng.normal(size=(3, 8)), 0.3 * rng.normal(size=3)
    corners = rng.choice([0.0, 0.0, 1.0, 0.5], size=(12, 8))
    asked = problem(linear_network(weights, bias), corners, norm, Box.exact(np.zeros(8), np.ones(8)))
    results = ATTACKS[name].run(asked, rng, Deadline())
    check(asked, results)
    exact, found = least(asked, weights, bias), np.array([result.distance for result in results])
    assert np.isfinite(exact).sum() > 6
    assert (found >= exact * (1 - 1e-9)).all()
    ratios = (found / exact)[np.isfinite(exact)]
    assert np.median(ratios) < 1.02
    assert np.isfinite(ratios).all()


def test_the_estimate_of_a_linear_classifier_is_its_distance() -> None:
    rng = np.random.default_rng(4)
    weights, bias = rng.normal(size=(4, 5)), rng.normal(size=4)
    for norm in NORMS:
        asked = problem(linear_network(weights, bias), rng.normal(size=(5, 5)), norm, everywhere(5))
        results = FastBisection().run(asked, rng, Deadline())
        exact = least(asked, weights, bias)
        np.testing.assert_allclose([result.estimate for result in results], exact, rtol=1e-4)
        assert all(result.estimate <= result.distance * (1 + 1e-12) for result in results)
