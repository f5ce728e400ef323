from __future__ import annotations

import math

import numpy as np
import pytest
from tests.attacks.minimal.planar import grid_distance, minimal_distance
from tests.attacks.minimal.problems import NORMS, check, planar_problem

from verifier.attacks.minimal.problem import MinimalAttack, Problem
from verifier.attacks.minimal.registry import ATTACKS, attacks_for
from verifier.deadline import Deadline

SEEDS = range(12)


def exact(asked: Problem) -> np.ndarray:
    return np.array(
        [
            minimal_distance(asked.network, x, label, asked.norm, asked.lower, asked.upper)
            for x, label in zip(asked.x, asked.labels, strict=True)
        ]
    )


def distances(attack: MinimalAttack, asked: Problem) -> np.ndarray:
    results = attack.run(asked, np.random.default_rng(0), Deadline())
    check(asked, results)
    return np.array([result.distance for result in results])


@pytest.mark.parametrize("norm", NORMS)
def test_the_exact_value_is_below_a_grid_and_near_it(norm: float) -> None:
    for seed in SEEDS:
        asked, spacing = planar_problem(seed, norm), 4.0 / 200
        for x, label, value in zip(asked.x, asked.labels, exact(asked), strict=True):
            coarse = grid_distance(asked.network, x, label, norm, asked.lower, asked.upper, 201)
            assert value <= coarse * (1 + 1e-9)
            assert coarse == math.inf or value >= coarse - 4 * spacing


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_gets_below_the_exact_value(name: str, norm: float) -> None:
    attack = ATTACKS[name]
    if norm not in attack.norms:
        return
    for seed in SEEDS:
        asked = planar_problem(seed, norm)
        assert (distances(attack, asked) >= exact(asked) * (1 - 1e-9)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_the_best_attack_is_near_the_exact_value(norm: float) -> None:
    ratios = []
    for seed in SEEDS:
        asked = planar_problem(seed, norm)
        best = np.min([distances(attack, asked) for attack in attacks_for(norm)], axis=0)
        values = exact(asked)
        assert np.isinf(best[np.isinf(values)]).all()
        ratios.extend((best / values)[np.isfinite(values)])
    assert np.mean(np.array(ratios) < 1.01) > 0.9
    assert np.isfinite(ratios).mean() > 0.95
