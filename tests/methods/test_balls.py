"""Balls through all methods: witnesses lie in them exactly, proofs are never contradicted, bounds come in order."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

import verifier
from tests.networks import random_dag, random_relu_network
from tests.readers.onnx_models import load, model_of
from verifier.bounds.dual_network import DualNetwork
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.bounds.lagrangian import Lagrangian, Rows, first_choice
from verifier.bounds.layout import layout
from verifier.bounds.linear import bounds_within, intervals_within, linear_bounds, outputs_minimum, rows_minimum
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.bounds.relaxation import Relaxation
from verifier.deadline import Deadline
from verifier.evidence.replay import own_class
from verifier.methods.task import host
from verifier.network.graph import Network
from verifier.programs.margins import exact_margin, relaxed_margins
from verifier.property.query import Box
from verifier.property.robustness import Neighbourhood

METHODS = ("auto", "alpha", "inputs", "neurons", "milp", "lp", "dual")


def classifier(rng: np.random.Generator, sizes: tuple[int, ...], folder: Path) -> Network:
    """A random relu network as a model that ONNX Runtime can run."""
    nodes, constants, before = [], {}, "x"
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        constants[f"w{k}"] = (rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)).astype(np.float32)
        constants[f"b{k}"] = (0.3 * rng.normal(size=outputs)).astype(np.float32)
        nodes.append(helper.make_node("Gemm", [before, f"w{k}", f"b{k}"], [f"z{k}"]))
        before = f"z{k}"
        if k < len(sizes) - 2:
            nodes.append(helper.make_node("Relu", [f"z{k}"], [f"a{k}"]))
            before = f"a{k}"
    return load(model_of(nodes, {"x": (1, sizes[0])}, [before], constants), folder)


def least_margin(network: Network, box: Box, label: int, rng: np.random.Generator) -> float:
    """The least of (label's output - another's) that descent by finite steps from many samples comes to."""
    x = points(box, rng, 1500)

    def margin(x: np.ndarray) -> np.ndarray:
        y = network.forward(x)
        return y[:, label] - np.delete(y, label, axis=1).max(axis=1)

    lowest, reach = margin(x), 0.3
    for _ in range(25):
        moved = inside(box, x + reach * rng.normal(size=x.shape) * (box.upper - box.lower))
        found = margin(moved)
        better = found < lowest
        x[better], lowest[better] = moved[better], found[better]
        reach *= 0.8
    return float(lowest.min())


def inside(box: Box, x: np.ndarray) -> np.ndarray:
    x = np.clip(x, box.lower, box.upper)
    return x if box.ball is None else box.ball.retracted(x, box.lower, box.upper)


def points(box: Box, rng: np.random.Generator, count: int) -> np.ndarray:
    """Points of box and ball; half of them as far out as can be."""
    x = box.lower + rng.random((count, box.size)) * (box.upper - box.lower)
    x[::2] = box.middle + 10 * (x[::2] - box.middle)
    return inside(box, x)


def no_contradiction(seed: int, folder: Path) -> set[str]:
    """Runs all methods on a random question, checks what they say, and returns the verdicts."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 5))
    network = classifier(rng, (size, int(rng.integers(3, 8)), int(rng.integers(3, 6)), 3), folder)
    norm = (1, 2, math.inf)[seed % 3]
    sample, epsilon = rng.normal(size=size), float(rng.choice([0.2, 0.5, 1.0])) * (1.5 if norm == 1 else 1.0)
    clip = None if rng.random() < 0.5 else (-1.0, 1.0)
    sample = np.clip(sample, -1, 1) if clip else sample  # a sample outside the data's range is refused
    label = own_class(network, sample)
    query = verifier.robustness_query(network, sample, label, epsilon, norm, clip)
    if not query.disjuncts:
        assert verifier.verify(network, query).status == "unsat"
        return {"unsat"}
    lowest = least_margin(network, query.disjuncts[0].box, label, rng)
    verdicts = set()
    for method in METHODS:
        answer = verifier.verify(network, query, method, verifier.Options(timeout=20, threads=1))
        verdicts.add(answer.status.value)
        if answer.witness is not None:
            check_witness(answer.witness, sample, epsilon, norm, clip)
        if answer.status == "unsat":
            assert lowest > -1e-9, (method, lowest)
        if answer.bound is not None and answer.status != "sat":
            assert answer.bound <= lowest + 1e-6, (method, answer.bound, lowest)
    assert not {"sat", "unsat"} <= verdicts
    return verdicts


def check_witness(
    witness: verifier.Witness, sample: np.ndarray, epsilon: float, norm: float, clip: tuple[float, float] | None
) -> None:
    gaps = [abs(Fraction(float(a)) - Fraction(float(b))) for a, b in zip(witness.x, sample, strict=True)]
    if norm == math.inf:
        assert max(gaps) <= Fraction(epsilon)
    else:
        assert sum(g ** int(norm) for g in gaps) <= Fraction(epsilon) ** int(norm)
    if clip is not None:
        assert (witness.x >= clip[0]).all()
        assert (witness.x <= clip[1]).all()
    assert witness.distance == 0.0


def test_methods_agree_with_sampling_and_with_each_other(tmp_path: Path) -> None:
    verdicts = [no_contradiction(seed, tmp_path) for seed in range(9)]
    assert any("sat" in v for v in verdicts)
    assert any("unsat" in v for v in verdicts)


@pytest.mark.slow
def test_methods_agree_on_many_networks(tmp_path: Path) -> None:
    for seed in range(1000, 1200):
        no_contradiction(seed, tmp_path)


@pytest.mark.parametrize("norm", [1, 2])
def test_bounds_come_in_order(norm: int) -> None:
    """Interval <= CROWN <= alpha-CROWN <= LP <= MILP <= samples, and those of the box are no tighter."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        network = random_relu_network(rng, (5, 8, 8, 1))
        box = Neighbourhood(rng.normal(size=5), 1.0, norm).box()
        assert box is not None
        ends = box.lower[None], box.upper[None]
        inputs = Interval(*ends, box.ball)
        interval = intervals_within(network, inputs)[-1].lower[0, 0]
        intervals = bounds_within(network, inputs)
        dual = bounds_within(network, inputs, rule=DualNetwork)
        dual = outputs_minimum(DualNetwork(network, dual), dual[-1].lower)[0, 0]
        crown = rows_minimum(network, intervals)[0, 0]
        alpha = optimised(network, intervals)
        one = np.array([0])
        (lp,) = relaxed_margins(network, box, host(intervals), [(one, np.zeros(1))], Deadline())
        exact = exact_margin(network, box, host(intervals), (one, np.full(1, 50.0)), Deadline(60))
        lowest = network.forward(points(box, rng, 4000)).min()
        assert interval_bounds(network, *ends)[-1].lower[0, 0] <= interval + 1e-9
        assert rows_minimum(network, linear_bounds(network, *ends))[0, 0] <= crown + 1e-9
        assert interval <= crown + 1e-9
        assert interval <= dual + 1e-9
        assert dual <= lp.bound + 1e-5
        assert crown <= alpha + 1e-6
        assert alpha <= lp.bound + 1e-5
        assert lp.bound <= exact.bound + 50 + 1e-4
        assert exact.finished
        assert exact.bound + 50 <= lowest
        assert lowest - (exact.bound + 50) <= 0.3
        assert lp.point is not None
        assert exact.point is not None
        assert network.forward(exact.point[None])[0, 0] - (exact.bound + 50) <= 1e-3


def optimised(network: Network, intervals: list[Interval]) -> float:
    shape = layout(network, intervals)
    rows = Rows(len(network.nodes) - 1, np.ones((1, 1, 1)), np.zeros((1, 1)), np.zeros((1, 0), np.int64))
    relaxation = Relaxation(network, intervals, shape)
    lagrangian = Lagrangian(network, relaxation, rows)
    ascent = Ascent(lagrangian, first_choice(lagrangian), AscentOptions(steps=60))
    ascent.run(math.inf)
    return float(proven(relaxation, rows, ascent.best).bound[0])


@pytest.mark.parametrize("norm", [1, 2])
def test_every_node_stays_within_its_interval(norm: int) -> None:
    for seed in range(25):
        rng = np.random.default_rng(seed)
        network = random_dag(rng)
        box = Neighbourhood(rng.normal(size=network.input_size), 0.5, norm, (-1.5, 1.5)).box()
        if box is None:
            continue
        with np.errstate(all="ignore"):
            found = bounds_within(network, Interval(box.lower[None], box.upper[None], box.ball))
        values = network.values(points(box, rng, 500))
        for value, interval in zip(values, found, strict=True):
            slack = 1e-9 * (1 + np.abs(value))  # the points are in the ball up to rounding
            assert (value >= interval.lower - slack).all()
            assert (value <= interval.upper + slack).all()


@pytest.mark.parametrize("norm", [1, 2])
def test_a_comparison_sees_no_contradiction_in_a_ball(norm: int, tmp_path: Path) -> None:
    """Margins that methods reach are those of points in the ball, and the exact one is the same for all."""
    rng = np.random.default_rng(norm)
    network = classifier(rng, (3, 6, 5, 3), tmp_path)
    sample = rng.normal(size=3)
    query = verifier.robustness_query(network, sample, None, 0.4, norm)
    methods = ("interval", "crown", "dual", "alpha", "lp", "milp")
    comparison = verifier.compare(network, query, methods, verifier.Options(timeout=60, threads=1))
    assert not comparison.contradictions
    assert comparison.optimum is not None
    lowest = least_margin(network, query.disjuncts[0].box, own_class(network, sample), rng)
    assert comparison.optimum == pytest.approx(lowest, abs=0.01)
    bounds = {a.method: a.verdict.bound for a in comparison.answers}
    assert bounds["interval"] <= bounds["crown"] + 1e-9
    assert bounds["crown"] <= bounds["lp"] + 1e-6
    assert bounds["lp"] <= bounds["milp"] + 1e-4
