from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from tests.attacks.minimal.problems import NORMS
from verifier.attacks.minimal.geometry import into_ball, lengths, to_hyperplane
from verifier.attacks.minimal.problem import distance_up


def least_length(weights: np.ndarray, rise: float, room: tuple[np.ndarray, np.ndarray], norm: float) -> float:
    """The same by a solver: the least norm of a step inside the box by which the form rises."""
    n = len(weights)
    bounds = list(zip(-room[0], room[1], strict=True))
    if norm == 2:
        found = minimize(
            lambda d: float(d @ d),
            np.zeros(n),
            jac=lambda d: 2 * d,
            bounds=bounds,
            constraints={"type": "eq", "fun": lambda d: weights @ d - rise, "jac": lambda d: weights},
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert found.success
        return math.sqrt(found.fun)
    sizes = n if norm == 1 else 1  # |d| <= t, with a t for each entry or one for all
    matrix = np.eye(n) if norm == 1 else np.ones((n, 1))
    found = linprog(
        np.concatenate([np.zeros(n), np.ones(sizes)]),
        A_ub=np.block([[np.eye(n), -matrix], [-np.eye(n), -matrix]]),
        b_ub=np.zeros(2 * n),
        A_eq=np.concatenate([weights, np.zeros(sizes)])[None, :],
        b_eq=[rise],
        bounds=bounds + [(0, None)] * sizes,
    )
    assert found.status == 0
    return float(found.fun)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(15))
def test_the_step_to_a_hyperplane_is_the_shortest(norm: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    weights = rng.normal(size=n) * rng.choice([0.0, 1.0, 1.0, 1.0], size=n)
    weights[0] = 1.0
    room = rng.random(n) * rng.choice([0.0, 1.0, 1.0], size=n), rng.random(n)
    sign = rng.choice([-1.0, 1.0])
    most = np.where(sign * weights > 0, room[1], room[0]) @ np.abs(weights)
    rise = sign * 0.9 * rng.random() * most
    step = to_hyperplane(weights[None, :], np.array([rise]), (room[0][None, :], room[1][None, :]), norm)
    assert step @ weights == pytest.approx([rise], abs=1e-12)
    assert (step >= -room[0] - 1e-15).all()
    assert (step <= room[1] + 1e-15).all()
    assert lengths(step, norm)[0] == pytest.approx(least_length(weights, rise, room, norm), rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_box_the_step_has_the_dual_length(norm: float) -> None:
    rng = np.random.default_rng(0)
    weights, rise = rng.normal(size=(20, 5)), rng.normal(size=20)
    weights[3, 2] = 0.0
    nowhere = np.full((20, 5), math.inf)
    step = to_hyperplane(weights, rise, (nowhere, nowhere), norm)
    dual = {1: math.inf, 2: 2, math.inf: 1}[norm]
    np.testing.assert_allclose((step * weights).sum(axis=1), rise)
    np.testing.assert_allclose(lengths(step, norm), np.abs(rise) / np.linalg.norm(weights, dual, axis=1))


@pytest.mark.parametrize("norm", NORMS)
def test_a_rise_without_room_ends_in_the_corner(norm: float) -> None:
    weights, room = np.array([[1.0, -2.0, 0.0]]), (np.array([[0.5, 0.25, 1.0]]), np.array([[0.125, 2.0, 1.0]]))
    np.testing.assert_array_equal(to_hyperplane(weights, np.array([9.0]), room, norm), [[0.125, -0.25, 0.0]])
    np.testing.assert_array_equal(to_hyperplane(weights, np.array([-9.0]), room, norm), [[-0.5, 2.0, 0.0]])
    np.testing.assert_array_equal(to_hyperplane(0 * weights, np.array([1.0]), room, norm), [[0.0, 0.0, 0.0]])


@pytest.mark.parametrize("norm", NORMS)
def test_the_projection_into_a_ball_is_the_nearest_point(norm: float) -> None:
    """It is p if and only if (d - p) (q - p) <= 0 for every q of the ball."""
    rng = np.random.default_rng(1)
    delta, radius = rng.normal(size=(50, 4)), 1.5 * rng.random(50)
    radius[0] = 0.0
    nearest = into_ball(delta, radius, norm)
    assert (lengths(nearest, norm) <= radius * (1 + 1e-12)).all()
    inside = lengths(delta, norm) <= radius
    np.testing.assert_array_equal(nearest[inside], delta[inside])
    for _ in range(300):
        other = rng.normal(size=delta.shape)
        other *= (radius / lengths(other, norm))[:, None]
        assert (((delta - nearest) * (other - nearest)).sum(axis=1) <= 1e-9).all()
    for i in range(4):
        corner = np.where(np.arange(4) == i, np.sign(delta) * radius[:, None], 0.0)
        assert (((delta - nearest) * (corner - nearest)).sum(axis=1) <= 1e-9).all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_distance_is_never_below_the_exact_one(norm: float) -> None:
    from fractions import Fraction

    rng = np.random.default_rng(2)
    for _ in range(200):
        scale = 10.0 ** rng.integers(-20, 20, size=5)
        x, point = (rng.normal(size=5) * scale).astype(np.float32), (rng.normal(size=5) * scale).astype(np.float32)
        differences = [abs(Fraction(float(a)) - Fraction(float(b))) for a, b in zip(x, point, strict=True)]
        told = Fraction(distance_up(norm, x.astype(np.float64), point.astype(np.float64)))
        if norm == 2:
            exact, told = sum(d * d for d in differences), told * told
        else:
            exact = sum(differences) if norm == 1 else max(differences)
        assert exact <= told <= exact * Fraction(1 + 1e-13)
    assert distance_up(norm, x.astype(np.float64), x.astype(np.float64)) == 0.0
