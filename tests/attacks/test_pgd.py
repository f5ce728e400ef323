"""The attack: gradients are derivatives, findings are judged, and easy violations are found."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_dag
from verifier.attacks.gradient import outputs_and_gradient
from verifier.attacks.pgd import AttackOptions, Best, Target, attack
from verifier.deadline import Deadline
from verifier.network.functions import Exp, Reciprocal, Relu, Round, Sign
from verifier.network.functions.near import Near
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.forms import with_forms
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.verdict import Witness


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_gradient_is_the_derivative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    x, weights = rng.normal(size=(3, network.input_size)), rng.normal(size=(3, network.output_size))
    _, gradient = outputs_and_gradient(network, x, lambda outputs: weights)
    direction, step = rng.normal(size=x.shape), 1e-6
    ahead = (network.forward(x + step * direction) * weights).sum(axis=1)
    behind = (network.forward(x - step * direction) * weights).sum(axis=1)
    here = (network.forward(x) * weights).sum(axis=1)
    slopes = np.stack([(ahead - here) / step, (here - behind) / step])
    found = (gradient * direction).sum(axis=1)
    smooth = np.abs(slopes[0] - slopes[1]) < 1e-3 * (1 + np.abs(slopes[0]))  # no kink between the three points
    np.testing.assert_allclose(found[smooth], slopes.mean(axis=0)[smooth], rtol=1e-3, atol=1e-3)


def needle(threshold: float) -> tuple[Network, Query]:
    """Y = sum of relu(x_i - 0.9) over the unit box in 4 dimensions, asked to reach `threshold`; its maximum is 0.4."""
    nodes = (
        Input(4),
        Affine((0,), (Dense(np.eye(4)),), np.full(4, -0.9)),
        Elementwise((1,), Relu(), 4),
        Affine((2,), (Dense(np.ones((1, 4))),), np.zeros(1)),
    )
    row = LinearConstraint((), ((0, Fraction(-1)),), Fraction(-threshold))
    box = Box.exact(np.zeros(4), np.ones(4))
    return Network(nodes), Query((Disjunct(box, (row,)),), 4, 1)


def target(network: Network, query: Query, judged: list[np.ndarray]) -> Target:
    def judge(disjunct: int, point: np.ndarray) -> Witness | None:
        judged.append(point)
        y = network.forward(point[None, :])[0]
        rows = query.disjuncts[disjunct].rows
        return Witness(point.astype(np.float32), y) if all(row.holds(point, y) for row in rows) else None

    return Target(with_forms(network, query.patterns), query, judge, np.zeros(0))


OPTIONS = AttackOptions(starts=32, steps=30, rounds=20)


def test_a_violation_is_found_and_lies_in_the_box() -> None:
    network, query = needle(0.08)
    witness = attack(Best(target(network, query, [])), [0], OPTIONS, np.random.default_rng(0), Deadline(30.0))
    assert witness is not None
    assert (witness.x >= 0).all()
    assert (witness.x <= 1).all()


def test_nothing_is_claimed_where_there_is_nothing() -> None:
    network, query = needle(0.5)
    judged: list[np.ndarray] = []
    options = AttackOptions(starts=8, steps=10, rounds=2)
    assert attack(Best(target(network, query, judged)), [0], options, np.random.default_rng(0), Deadline(30.0)) is None


def test_the_judge_has_the_last_word() -> None:
    network, query = needle(0.05)
    forms = with_forms(network, query.patterns)
    refusing = Target(forms, query, lambda disjunct, point: None, np.zeros(0))
    options = AttackOptions(starts=8, steps=10, rounds=2)
    assert attack(Best(refusing), [0], options, np.random.default_rng(0), Deadline(30.0)) is None


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_gives_the_same_witness(seed: int) -> None:
    network, query = needle(0.08)
    found = [
        attack(Best(target(network, query, [])), [0], OPTIONS, np.random.default_rng(seed), Deadline(30.0))
        for _ in range(2)
    ]
    assert found[0] is not None
    assert found[1] is not None
    np.testing.assert_array_equal(found[0].x, found[1].x)


def test_steps_have_a_slope() -> None:
    nodes = (
        Input(2),
        Elementwise((0,), Sign(), 2),
        Affine((1,), (Dense(np.array([[1.0, -2.0]])),), np.zeros(1)),
    )
    _, gradient = outputs_and_gradient(Network(nodes), np.array([[0.3, 0.0], [5.0, -5.0]]), np.ones_like)
    assert (np.sign(gradient) == [[1.0, -1.0], [1.0, -1.0]]).all()


def test_jumps_that_are_passed_count_less_than_those_ahead() -> None:
    nodes = (
        Input(2),
        Elementwise((0,), Sign(), 2),
        Affine((1,), (Dense(np.array([[1.0, 1.0]])),), np.zeros(1)),
    )
    for width in (1.0, 0.1):
        _, gradient = outputs_and_gradient(Network(nodes), np.array([[0.5, -0.5]]), np.ones_like, width)
        assert gradient[0, 0] > 10 * gradient[0, 1] > 0


def test_a_narrow_slope_minds_what_is_near_a_jump() -> None:
    nodes = (Input(2), Elementwise((0,), Sign(), 2), Affine((1,), (Dense(np.ones((1, 2))),), np.zeros(1)))
    ratios = []
    for width in (1.0, 0.1):
        _, gradient = outputs_and_gradient(Network(nodes), np.array([[0.1, 3.0]]), np.ones_like, width)
        ratios.append(gradient[0, 0] / gradient[0, 1])
    assert ratios[1] > 5 * ratios[0] > 5


def test_equalities_draw_towards_zero() -> None:
    nodes = (Input(2), Elementwise((0,), Near(0.1), 2), Affine((1,), (Dense(np.ones((1, 2))),), np.zeros(1)))
    _, gradient = outputs_and_gradient(Network(nodes), np.array([[0.5, -2.0]]), np.ones_like)
    assert (np.sign(gradient) == [[-1.0, 1.0]]).all()


def test_staircases_have_the_slope_of_the_whole() -> None:
    nodes = (Input(2), Elementwise((0,), Round(), 2), Affine((1,), (Dense(np.array([[3.0, -2.0]])),), np.zeros(1)))
    _, gradient = outputs_and_gradient(Network(nodes), np.array([[0.3, 1e4]]), np.ones_like)
    np.testing.assert_array_equal(gradient, [[3.0, -2.0]])


def test_an_attack_goes_on_where_the_one_before_it_was() -> None:
    network, query = needle(0.5)  # out of reach: 0.4 is the most
    best = Best(target(network, query, []))
    options = AttackOptions(starts=16, steps=8, rounds=2)
    attack(best, [0], options, np.random.default_rng(0), Deadline(30.0))
    before = best.margins[0]
    attack(best, [0], options, np.random.default_rng(1), Deadline(30.0))
    assert best.rounds == 4
    assert 0.1 - 1e-9 <= best.margins[0] <= before


def test_a_relaxation_s_minimiser_is_a_start() -> None:
    network, query = needle(0.39)  # hardly more than the corner
    best = Best(target(network, query, []), minimisers={0: np.ones(4)})
    options = AttackOptions(starts=2, most_starts=2, steps=0, most_steps=0)
    assert attack(best, [0], options, np.random.default_rng(0), Deadline(30.0)) is not None


def test_numbers_beside_a_refused_point_are_judged() -> None:
    network, query = needle(0.4)
    forms, refused = with_forms(network, query.patterns), np.ones(4)
    judged: list[np.ndarray] = []

    def judge(disjunct: int, point: np.ndarray) -> Witness | None:
        judged.append(point)
        return None if (point == refused).all() else Witness(point.astype(np.float32), np.zeros(1))

    best = Best(Target(forms, query, judge, np.zeros(0)), minimisers={0: refused})
    options = AttackOptions(starts=2, most_starts=2, steps=0, most_steps=0)
    witness = attack(best, [0], options, np.random.default_rng(0), Deadline(30.0))
    assert witness is not None
    assert 0 < np.abs(judged[-1] - refused).max() < 1e-5
    assert (judged[-1] <= 1).all()


def test_overflow_leaves_the_rest_of_the_gradient() -> None:
    nodes = (
        Input(1),
        Affine((0,), (Dense(np.array([[1.0], [-1.0]])),), np.zeros(2)),
        Elementwise((1,), Exp(), 2),
        Elementwise((2,), Reciprocal(), 2),
        Affine((3,), (Dense(np.array([[1.0, 1.0]])),), np.zeros(1)),
    )
    with np.errstate(over="ignore", invalid="ignore"):
        _, gradient = outputs_and_gradient(Network(nodes), np.array([[800.0], [1.0]]), np.ones_like)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[1], np.exp(1.0) - np.exp(-1.0))


def test_many_disjuncts_each_get_their_turn() -> None:
    network, query = needle(0.08)
    impossible = LinearConstraint((), ((0, Fraction(1)),), Fraction(-1))
    disjuncts = (*(Disjunct(query.disjuncts[0].box, (impossible,)) for _ in range(40)), query.disjuncts[0])
    asked = Query(disjuncts, 4, 1)
    options = AttackOptions(rounds=40, batch_entries=64)
    assert (
        attack(Best(target(network, asked, [])), range(41), options, np.random.default_rng(0), Deadline(30.0))
        is not None
    )
