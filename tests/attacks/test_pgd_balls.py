"""The attack in balls: what it tries lies in them, and it comes to where the violation is."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.attacks.test_pgd import target
from tests.networks import random_relu_network
from verifier.attacks.pgd import AttackOptions, Best, attack
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.query import Disjunct, LinearConstraint, Query
from verifier.property.robustness import Neighbourhood, robustness_query

OPTIONS = AttackOptions(rounds=3)


def at_most(value: float) -> LinearConstraint:
    return LinearConstraint((), ((0, Fraction(1)),), Fraction(value))


@pytest.mark.parametrize("norm", [1, 2])
@pytest.mark.parametrize("clip", [None, (-0.1, 0.4)])
def test_the_extreme_point_of_a_linear_function_is_found(norm: int, clip: tuple[float, float] | None) -> None:
    rng = np.random.default_rng(norm)
    row = rng.normal(size=30)
    network = Network((Input(30), Affine((0,), (Dense(row[None]),), np.zeros(1))))
    box = Neighbourhood(0.1 * rng.random(30), 0.6, norm, clip).box()
    cp = pytest.importorskip("cvxpy")
    x = cp.Variable(30)
    limits = [cp.norm(x - box.ball.centre, norm) <= 0.6, x >= box.lower, x <= box.upper]
    optimum = cp.Problem(cp.Minimize(row @ x), limits).solve(solver=cp.CLARABEL)
    near, beyond = optimum + 0.02 * abs(optimum), optimum - 1e-4
    for threshold, found in ((near, True), (beyond, False)):
        query, judged = Query((Disjunct(box, (at_most(threshold),)),), 30, 1), []
        witness = attack(Best(target(network, query, judged)), [0], OPTIONS, rng, Deadline(20))
        assert (witness is not None) == found
        for point in judged:
            assert box.ball.excess(point) <= 1e-9
            assert (point >= box.lower - 1e-12).all()
            assert (point <= box.upper + 1e-12).all()


def test_balls_and_boxes_of_one_query_are_kept_apart() -> None:
    """Three input sets around one point: only that of the box holds a violation."""
    network = Network((Input(4), Affine((0,), (Dense(np.ones((1, 4))),), np.zeros(1))))
    boxes = [Neighbourhood(np.zeros(4), 1.0, norm).box() for norm in (1, 2, np.inf)]
    query = Query(tuple(Disjunct(box, (at_most(-3.0),)) for box in boxes), 4, 1)
    judged: list[np.ndarray] = []
    attacked = target(network, query, judged)
    assert attack(Best(attacked), [0, 1], OPTIONS, np.random.default_rng(0), Deadline(20)) is None
    assert attack(Best(attacked), [0, 1, 2], OPTIONS, np.random.default_rng(0), Deadline(20)) is not None


def test_a_ball_of_radius_zero_is_its_centre() -> None:
    rng = np.random.default_rng(4)
    network = random_relu_network(rng, (5, 6, 3))
    sample = rng.normal(size=5).astype(np.float32).astype(float)
    label = int(np.argmax(network.forward(sample[None])[0]))
    for norm in (1, 2):
        for asked, found in ((label, False), ((label + 1) % 3, True)):
            query = robustness_query((5, 3), Neighbourhood(sample, 0.0, norm), asked)
            judged: list[np.ndarray] = []
            witness = attack(Best(target(network, query, judged)), [0, 1], OPTIONS, rng, Deadline(20))
            assert (witness is not None) == found
            assert all((point == sample).all() for point in judged)
