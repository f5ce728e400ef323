from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.attacks.minimal.problems import NORMS, PAIRS, check, everywhere, linear_network, planar_problem, problem
from verifier.attacks.minimal import classifier as classifier_module
from verifier.attacks.minimal.classifier import Classifier
from verifier.attacks.minimal.problem import Problem
from verifier.attacks.minimal.registry import ATTACKS, attacks_for
from verifier.deadline import Deadline
from verifier.errors import UsageError
from verifier.network.functions import Exp, Reciprocal
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.query import Box

UNIT = Box.exact(np.zeros(2), np.ones(2))


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_a_misclassified_sample_is_its_own_witness(name: str, norm: float) -> None:
    asked = planar_problem(0, norm, count=3)
    asked = replace(asked, labels=np.where(np.arange(3) == 1, (asked.labels + 1) % 3, asked.labels))
    result = ATTACKS[name].run(asked, np.random.default_rng(0), Deadline())[1]
    assert result.distance == 0.0
    assert result.point is not None
    np.testing.assert_array_equal(result.point, asked.x[1].astype(np.float32))
    assert (result.forward, result.backward) == (1, 0)


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_a_constant_network_has_no_adversarial_points(name: str, norm: float) -> None:
    network = linear_network(np.zeros((3, 2)), np.array([1.0, 0.5, 0.0]))
    for box in (UNIT, everywhere(2)):
        asked = problem(network, np.array([[0.0, 1.0], [0.5, 0.25]]), norm, box)
        results = ATTACKS[name].run(asked, np.random.default_rng(0), Deadline())
        assert [(r.point, r.distance) for r in results] == [(None, math.inf)] * 2


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_a_tie_everywhere_is_not_adversarial(name: str, norm: float) -> None:
    network = linear_network(np.ones((2, 2)), np.zeros(2))
    asked = problem(network, np.array([[0.25, 0.5]]), norm, UNIT)
    assert ATTACKS[name].run(asked, np.random.default_rng(0), Deadline())[0].distance == math.inf


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_overflow_is_survived(name: str, norm: float) -> None:
    nodes = (
        Input(2),
        Affine((0,), (Dense(np.array([[900.0, 0.0], [-900.0, 300.0]])),), np.zeros(2)),
        Elementwise((1,), Exp(), 2),
        Elementwise((2,), Reciprocal(), 2),
        Affine((3,), (Dense(np.array([[1.0, 0.0], [0.0, 1.0]])),), np.zeros(2)),
    )
    asked = problem(Network(nodes), np.array([[0.5, 0.25], [0.0, 1.0]]), norm, UNIT)
    with np.errstate(all="ignore"):
        check(asked, ATTACKS[name].run(asked, np.random.default_rng(0), Deadline()))


@pytest.mark.parametrize("norm", NORMS)
def test_the_judge_has_the_last_word(norm: float) -> None:
    asked = planar_problem(1, norm)
    stubborn = replace(asked, judge=lambda point: np.eye(3)[asked.labels[0]])
    alike = replace(stubborn, labels=np.full(4, asked.labels[0]))
    for attack in attacks_for(norm):
        if attack.name != "lbfgs":
            results = attack.run(alike, np.random.default_rng(0), Deadline())
            assert all(result.distance == math.inf and result.point is None for result in results)


@pytest.mark.parametrize("norm", NORMS)
def test_a_witness_that_the_judge_refuses_is_pushed_on(norm: float) -> None:
    """The judge's boundary lies a little farther than the network's, by about what float32 may do."""
    weights, bias = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([0.0, 0.75])
    asked = problem(linear_network(weights, bias), np.array([[0.5, 0.5], [1.0, 0.25]]), norm, UNIT)
    shifted = replace(asked, judge=linear_network(weights, bias - np.array([0.0, 1e-4])).forward)
    judged = replace(shifted, judge=lambda point: shifted.judge(point.astype(np.float64)[None, :])[0])
    for attack in attacks_for(norm):
        plain = attack.run(asked, np.random.default_rng(0), Deadline())
        results = attack.run(judged, np.random.default_rng(0), Deadline())
        check(judged, results)
        for result, before in zip(results, plain, strict=True):
            assert before.distance < result.distance < before.distance * 1.02


@pytest.mark.parametrize("norm", NORMS)
def test_both_arithmetics_have_to_agree(norm: float) -> None:
    """A judge that errs towards other classes does not make a point adversarial for the real network."""
    weights, bias = np.array([[1.0, 1.0], [0.0, 0.0]]), np.array([0.0, 0.75])
    network = linear_network(weights, bias)
    asked = replace(problem(network, np.array([[0.5, 0.5]]), norm, UNIT), judge=lambda point: np.array([0.0, 1.0]))
    result = ATTACKS["fast-bisection"].run(asked, np.random.default_rng(0), Deadline())[0]
    assert result.point is not None
    assert result.distance >= {1: 0.25, 2: 0.25 / math.sqrt(2), math.inf: 0.125}[norm] * (1 - 1e-9)


class _Counting:
    """A network that counts the rows it is run on."""

    def __init__(self, network: Network) -> None:
        self.network, self.nodes, self.output_size, self.rows = network, network.nodes, network.output_size, 0

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.rows += len(x)
        return self.network.forward(x)

    def values(self, x: np.ndarray) -> list[np.ndarray]:
        self.rows += len(x)
        return self.network.values(x)


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_passes_are_counted(name: str, norm: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[_Counting] = []
    backward = [0]
    begin, adjoint = Classifier.__init__, classifier_module.adjoint

    def counted_begin(self: Classifier, asked: Problem) -> None:
        begin(self, asked)
        made.append(_Counting(self.network))
        self.network = made[-1]

    def counted_adjoint(network: _Counting, values: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
        backward[0] += len(weights)
        return adjoint(network.network, values, weights)

    monkeypatch.setattr(Classifier, "__init__", counted_begin)
    monkeypatch.setattr(classifier_module, "adjoint", counted_adjoint)
    monkeypatch.setattr(classifier_module, "CHUNK_ENTRIES", 40)  # so that batches go by parts
    asked = planar_problem(2, norm, count=3)
    results = ATTACKS[name].run(asked, np.random.default_rng(0), Deadline())
    assert sum(result.forward for result in results) == sum(network.rows for network in made)
    assert sum(result.backward for result in results) == backward[0] > 0


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_the_same_seed_gives_the_same_points(name: str, norm: float) -> None:
    asked = planar_problem(3, norm, count=2)
    first, second = (ATTACKS[name].run(asked, np.random.default_rng(7), Deadline()) for _ in range(2))
    assert [r.distance for r in first] == [r.distance for r in second]


@pytest.mark.parametrize(("name", "norm"), PAIRS)
def test_an_expired_deadline_is_kept(name: str, norm: float) -> None:
    asked = planar_problem(4, norm)
    results = ATTACKS[name].run(asked, np.random.default_rng(0), Deadline(0.0))
    check(asked, results)
    assert max(result.forward for result in results) < 60


def test_norms_that_an_attack_lacks_are_refused() -> None:
    with pytest.raises(UsageError, match="ddn does not work in the inf-norm"):
        ATTACKS["ddn"].run(planar_problem(0, math.inf), np.random.default_rng(0), Deadline())


@pytest.mark.parametrize(
    "change",
    [
        {"x": np.array([[2.0, 0.0]])},
        {"x": np.array([[math.nan, 0.0]])},
        {"x": np.array([[0.5, 0.5, 0.5]])},
        {"labels": np.array([2])},
        {"labels": np.array([0, 0])},
        {"norm": 3},
        {"box": Box.exact(np.zeros(3), np.ones(3))},
        {"network": linear_network(np.ones((1, 2)), np.zeros(1))},
    ],
)
def test_problems_that_make_no_sense_are_refused(change: dict) -> None:
    asked = problem(linear_network(np.eye(2), np.zeros(2)), np.array([[0.5, 0.25]]), 2, UNIT)
    with pytest.raises(ValueError, match=r"sample|label|box|norm"):
        replace(asked, **change)
