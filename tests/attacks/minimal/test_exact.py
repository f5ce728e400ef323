from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.attacks.minimal.planar import grid_distance, minimal_distance
from tests.attacks.minimal.problems import NORMS, check, planar_problem
from verifier.attacks.minimal.carlini_wagner import CarliniWagner
from verifier.attacks.minimal.lbfgs import LimitedMemoryBfgs
from verifier.attacks.minimal.problem import Problem
from verifier.attacks.minimal.registry import attacks_for
from verifier.deadline import Deadline

SEEDS = range(10)


def exact(asked: Problem) -> np.ndarray:
    return np.array(
        [
            minimal_distance(asked.network, x, label, asked.norm, (asked.lower, asked.upper))
            for x, label in zip(asked.x, asked.labels, strict=True)
        ]
    )


def distances(norm: float, asked: Problem) -> dict[str, np.ndarray]:
    """Of every attack, the slow ones with less work than usual."""
    found = {}
    for attack in attacks_for(norm):
        if isinstance(attack, LimitedMemoryBfgs):
            attack = replace(attack, targets=1, weights=4, iterations=10)
        elif isinstance(attack, CarliniWagner):
            attack = replace(attack, steps=40, weights=6)
        results = attack.run(asked, np.random.default_rng(0), Deadline())
        check(asked, results)
        found[attack.name] = np.array([result.distance for result in results])
    return found


@pytest.mark.parametrize("norm", NORMS)
def test_the_exact_value_is_below_a_grid_and_near_it(norm: float) -> None:
    for seed in SEEDS:
        asked, spacing = planar_problem(seed, norm), 4.0 / 100
        for x, label, value in zip(asked.x, asked.labels, exact(asked), strict=True):
            coarse = grid_distance(asked.network, x, label, norm, (asked.lower, asked.upper), 101)
            assert value <= coarse * (1 + 1e-9)
            assert coarse == math.inf or value >= coarse - 4 * spacing


@pytest.mark.parametrize("norm", NORMS)
def test_attacks_come_near_the_exact_value_and_never_below(norm: float) -> None:
    best, values = [], []
    for seed in SEEDS:
        asked = planar_problem(seed, norm)
        least = exact(asked)
        found = distances(norm, asked)
        for name, distance in found.items():
            assert (distance >= least * (1 - 1e-9)).all(), (name, seed)
        best.append(np.min(list(found.values()), axis=0))
        values.append(least)
    reachable = np.isfinite(np.concatenate(values))
    ratios = np.concatenate(best)[reachable] / np.concatenate(values)[reachable]
    assert len(ratios) > 20
    assert np.mean(ratios < 1.02) > 0.9
