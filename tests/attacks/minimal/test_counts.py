"""Attacks in the 0-norm, the number of changed entries, against the exact minimum."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import linprog

from tests.attacks.minimal.problems import check, everywhere, linear_network, problem
from tests.attacks.minimal.test_digits import digits
from tests.lipschitz.boundaries import pattern_region
from tests.networks import random_relu_network
from verifier.attacks.minimal.geometry import into_ball, lengths, to_hyperplane
from verifier.attacks.minimal.problem import Problem, distance_up
from verifier.attacks.minimal.registry import ATTACKS, attacks_for
from verifier.deadline import Deadline
from verifier.errors import UsageError
from verifier.network.graph import Elementwise
from verifier.property.query import Box


def fmn(asked: Problem) -> np.ndarray:
    results = ATTACKS["fmn"].run(asked, np.random.default_rng(0), Deadline())
    check(asked, results)
    return np.array([result.distance for result in results])


def least_count(asked: Problem, n: int) -> float:
    """The fewest entries whose change can make another class lead, by linear programs on all activation patterns."""
    x, label, network = asked.x[n], int(asked.labels[n]), asked.network
    neurons = sum(node.size for node in network.nodes if isinstance(node, Elementwise))
    regions = [pattern_region(network, np.array(p)) for p in itertools.product((0.0, 1.0), repeat=neurons)]
    sides = list(zip(asked.lower, asked.upper, strict=True))
    regions = [r for r in regions if linprog(0 * x, A_ub=r[0], b_ub=r[1], bounds=sides).status == 0]
    for count in range(len(x) + 1):
        for free in itertools.combinations(range(len(x)), count):
            low, high = x.copy(), x.copy()
            low[list(free)], high[list(free)] = asked.lower[list(free)], asked.upper[list(free)]
            if any(_leads(region, label, (low, high)) for region in regions):
                return count
    return math.inf


def _leads(region: tuple[np.ndarray, ...], label: int, box: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether some other class leads somewhere in the region and the box."""
    rows, sides, outputs, constants = region
    for j in range(len(outputs)):
        form, constant = outputs[j] - outputs[label], constants[j] - constants[label]
        found = linprog(-form, A_ub=rows, b_ub=sides, bounds=list(zip(*box, strict=True)))
        if j != label and found.status == 0 and constant - found.fun > 1e-6:
            return True
    return False


def test_the_exact_count_of_tiny_relu_networks_is_mostly_found_and_never_beaten() -> None:
    found, least = [], []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        network, box = random_relu_network(rng, [3, 4, 3]), Box.exact(-np.ones(3), np.ones(3))
        asked = problem(network, rng.uniform(-1, 1, (2, 3)), 0, box)
        found += fmn(asked).tolist()
        least += [least_count(asked, n) for n in range(2)]
    assert (np.array(found) >= least).all()
    assert np.mean(np.array(found) == least) > 0.8
    assert len(set(least)) > 1


@pytest.mark.parametrize("seed", range(10))
def test_the_exact_count_of_linear_networks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 12))
    weights = rng.normal(size=(3, n))
    box = Box.exact(np.zeros(n), np.ones(n))
    asked = problem(linear_network(weights, rng.normal(size=3)), rng.random((4, n)), 0, box)
    for x, label, distance in zip(asked.x, asked.labels, fmn(asked), strict=True):
        counts = [math.inf]
        for j in set(range(3)) - {int(label)}:
            form = weights[j] - weights[label]
            lead = (asked.network.forward(x[None])[0] @ (np.eye(3)[j] - np.eye(3)[label])).item()
            gains = np.sort(np.maximum(form * (asked.upper - x), form * (asked.lower - x)))[::-1]
            reached = np.flatnonzero(lead + np.cumsum(gains) > 1e-6)
            counts.append(reached[0] + 1 if len(reached) else math.inf)
        assert distance == min(counts)


@pytest.mark.parametrize("model", ["digits_dense", "digits_conv"])
def test_every_digit_is_changed_by_few_pixels(model: str) -> None:
    found = fmn(digits(model, 0, 16))
    assert np.isfinite(found).all()
    assert (found == np.rint(found)).all()
    assert np.median(found) <= 3


def test_without_a_box_one_entry_is_enough_for_a_linear_network() -> None:
    rng = np.random.default_rng(0)
    asked = problem(linear_network(rng.normal(size=(3, 6)), np.zeros(3)), rng.normal(size=(3, 6)), 0, everywhere(6))
    assert (fmn(asked) == 1).all()


def test_geometry_of_counts() -> None:
    rng = np.random.default_rng(1)
    delta = np.array([[0.0, -3.0, 1.0, 2.0], [0.0, 0.0, 0.0, 1e-300]])
    assert lengths(delta, 0).tolist() == [3, 1]
    assert into_ball(delta, np.array([2.0, 0.0]), 0).tolist() == [[0, -3, 0, 2], [0, 0, 0, 0]]
    for _ in range(20):
        weights, room = rng.normal(size=5), (rng.random((1, 5)), rng.random((1, 5)))
        gains = np.sort(np.abs(weights) * np.where(weights > 0, room[1], room[0])[0])[::-1]
        for count in range(1, 6):
            rise = gains[:count].sum() - 0.5 * gains[count - 1]
            step = to_hyperplane(weights[None], np.array([rise]), room, 0)
            assert step @ weights == pytest.approx([rise])
            assert lengths(step, 0)[0] == count
    x = np.float32(rng.random(9)).astype(float)
    point = x.copy()
    point[:4] = np.nextafter(point[:4], 2)
    assert distance_up(0, x, point) == 4


def test_other_attacks_refuse() -> None:
    assert [attack.name for attack in attacks_for(0)] == ["fmn"]
    with pytest.raises(UsageError, match="0-norm"):
        ATTACKS["deepfool"].run(digits("digits_dense", 0, 1), np.random.default_rng(0), Deadline())
