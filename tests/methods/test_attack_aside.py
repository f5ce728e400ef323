"""Attacks beside a search: what they find is judged by the task, and they go on from what is known."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks import random_relu_network
from tests.search.test_neurons import query_of
from verifier.methods import falsify, optimised
from verifier.methods.attack_aside import AttackAside
from verifier.methods.options import Options
from verifier.methods.task import Task
from verifier.property.query import Box
from verifier.verdict import Witness


def asked(threshold_above_least: float, judged: bool, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Whether a network reaches a little more than its least value, or less; judged by its own arithmetic."""
    network = random_relu_network(np.random.default_rng(2), (12, 24, 24, 1))
    box = Box.exact(-np.ones(12), np.ones(12))
    least = network.forward(np.random.default_rng(0).uniform(-1, 1, (5000, 12))).min()
    query = query_of(network, box, [(np.array([0]), np.array([float(least) + threshold_above_least]))])
    task = Task(network, query, Options(threads=1))

    def judge(disjunct: int, point: np.ndarray) -> Witness | None:
        y = network.forward(point[None])[0]
        holds = judged and all(row.holds(point, y) for row in query.disjuncts[disjunct].rows)
        task.witness = Witness(point.astype(np.float32), y) if holds else None
        return task.witness

    monkeypatch.setattr(task, "judge", judge)
    return task


@pytest.mark.parametrize("judged", [True, False])
def test_a_turn_s_candidates_are_judged(judged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    task = asked(0.1, judged, monkeypatch)
    attacks = AttackAside(task, [0])
    result = attacks.work(attacks.part(20.0))
    assert result.candidates
    assert task.witness is None  # nothing counts before it is taken
    assert attacks.taken(result) == judged
    assert (task.witness is not None) == judged


def test_turns_go_on_where_the_last_one_was(monkeypatch: pytest.MonkeyPatch) -> None:
    task = asked(-100.0, True, monkeypatch)
    monkeypatch.setattr("verifier.methods.attack_aside.THOROUGH", falsify.QUICK)
    attacks, margins = AttackAside(task, [0]), []
    for _ in range(2):
        attacks.pointed_out(0, -np.ones(12))
        assert not attacks.taken(attacks.work(attacks.part(20.0)))
        assert task.nearest is not None
        margins.append(task.nearest.margins[0])
    assert task.nearest.rounds == 2 * falsify.QUICK.rounds
    assert margins[1] <= margins[0]


@pytest.mark.parametrize("attacked", [False, True])
def test_only_where_there_were_attacks_before(attacked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The method that searches alone attacks nothing."""
    network = random_relu_network(np.random.default_rng(2), (4, 6, 1))
    box = Box.exact(-np.ones(4), np.ones(4))
    task = Task(network, query_of(network, box, [(np.array([0]), np.array([-100.0]))]), Options(threads=1))
    made: list[object] = []
    monkeypatch.setattr(optimised, "AttackAside", lambda *of: made.append(of))
    if attacked:
        falsify.best_of(task)
    optimised.split_neurons(task)
    assert len(made) == attacked
    assert not task.open.any()
