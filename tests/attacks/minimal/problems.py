"""Problems for the tests of minimal attacks."""

from __future__ import annotations

import math

import numpy as np

from tests.networks import random_relu_network
from verifier.attacks.minimal.problem import Judge, Perturbation, Problem
from verifier.attacks.minimal.registry import ATTACKS
from verifier.network.graph import Affine, Input, Network
from verifier.network.linear_maps import Dense
from verifier.property.query import Box

NORMS = (1, 2, math.inf)
PAIRS = [(name, norm) for norm in NORMS for name in ATTACKS if norm in ATTACKS[name].norms]
"""Every attack in every norm it works in."""


def everywhere(size: int) -> Box:
    """No box."""
    return Box.exact(np.full(size, -math.inf), np.full(size, math.inf))


def exact_judge(network: Network) -> Judge:
    """Judges in float64, so that what it accepts is adversarial in real numbers, but for float64's rounding."""
    return lambda point: network.forward(point.astype(np.float64)[None, :])[0]


def problem(network: Network, x: np.ndarray, norm: float, box: Box, labels: np.ndarray | None = None) -> Problem:
    """With the network's own classes of `x` (rounded to float32) for labels, unless others are given."""
    x = np.asarray(x, np.float32).astype(np.float64)
    if labels is None:
        labels = network.forward(x).argmax(axis=1)
    return Problem(network, x, labels, norm, box, exact_judge(network))


def linear_network(weights: np.ndarray, bias: np.ndarray) -> Network:
    return Network((Input(weights.shape[1]), Affine((0,), (Dense(weights),), bias)))


def planar_problem(seed: int, norm: float, side: float = 2.0, count: int = 4) -> Problem:
    """A random relu network with two inputs and three classes on [-side, side]^2."""
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, [2, int(rng.integers(4, 9)), int(rng.integers(3, 7)), 3])
    box = Box.exact(np.full(2, -side), np.full(2, side))
    return problem(network, rng.uniform(-side, side, size=(count, 2)), norm, box)


def check(asked: Problem, results: list[Perturbation]) -> None:
    """What every answer has to be: a witness in the box at the distance that is told, or none and infinity."""
    assert len(results) == len(asked.x)
    for n, result in enumerate(results):
        if result.point is None:
            assert result.distance == math.inf
            continue
        assert result.point.dtype == np.float32
        assert asked.box.contains(result.point)
        outputs, label = asked.judge(result.point), asked.labels[n]
        assert np.delete(outputs, label).max() > outputs[label]
        measured = np.linalg.norm(result.point.astype(np.float64) - asked.x[n], asked.norm)
        assert measured * (1 - 1e-12) <= result.distance <= measured * (1 + 1e-12)
