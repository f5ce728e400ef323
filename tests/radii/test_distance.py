"""The minimal perturbation by one program against enumeration, closed forms, bisection; and solvers that lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

import verifier
from tests.attacks.minimal.planar import minimal_distance
from tests.networks import random_relu_network
from tests.radii.models import relu_network
from verifier.bounds.interval import interval_bounds
from verifier.deadline import Deadline
from verifier.errors import UsageError
from verifier.methods import Options
from verifier.network.functions.sigmoidal import Sigmoid
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense
from verifier.programs.distance import Surroundings, least_distance
from verifier.programs.solvers.highs import Highs
from verifier.programs.solvers.outcome import MilpOutcome, SolveStatus
from verifier.property.query import Box
from verifier.radii.bracket import Side
from verifier.radii.distance import by_program
from verifier.radii.measure import RadiusOptions
from verifier.radii.question import RadiusQuestion
from verifier.standing import Standing

NORMS = (1.0, 2.0, math.inf)
CLOSE = {1.0: 1e-4, 2.0: 1e-3, math.inf: 1e-4}
"""What the margins may take off, as a share of the ball's radius."""
ALONE = RadiusOptions((-1.0, 1.0), ["fast-bisection", "milp-distance"], timeout=20.0, threads=1)


def sample_of(seed: int, size: int = 2) -> np.ndarray:
    return np.random.default_rng(seed + 1000).uniform(-1, 1, size).astype(np.float32).astype(float)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_exact_value_of_tiny_networks(seed: int, norm: float, tmp_path: Path) -> None:
    network, x = relu_network(tmp_path, seed), sample_of(seed)
    bracket = verifier.radius(network, x, norm=norm, options=ALONE)
    exact = minimal_distance(network, x, bracket.label, norm, (np.full(2, -1.0), np.full(2, 1.0)))
    low = next(end for end in bracket.ends if end.method == "milp-distance")
    assert (low.side, low.standing) == (Side.LOWER, Standing.REAL)
    assert not bracket.crossings
    assert low.value <= exact * (1 + 1e-9)
    assert low.value >= exact * (1 - CLOSE[norm]) - 1e-7


@pytest.mark.parametrize("norm", NORMS)
def test_it_agrees_with_bisection(norm: float, tmp_path: Path) -> None:
    for seed in range(3):
        network, x = relu_network(tmp_path, seed, (4, 8, 6, 3)), sample_of(seed, 4)
        low, high = 0.0, math.inf
        for name in ("milp-distance", "auto"):  # each without the other's bound
            bracket = verifier.radius(network, x, norm=norm, options=replace(ALONE, methods=["fmn", name]))
            low, high = max(low, bracket.interval[0]), min(high, bracket.interval[1])
            assert low <= high * (1 + 1e-9)
        assert low == high or high - low <= 5e-3 * high  # both infinite where there is no other class


@pytest.mark.parametrize("norm", NORMS)
def test_a_linear_form_in_closed_form(norm: float) -> None:
    """Min |w x + b| / ||w||_q without a box; the margins, and tangents, take little off."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        weight, centre = rng.normal(size=5), rng.normal(size=5)
        network = Network((Input(5), Affine((0,), (Dense(weight[None]),), np.array([0.5]))))
        value = float(weight @ centre + 0.5)
        threshold = value - abs(value)
        exact = abs(value) / np.linalg.norm(weight, {1.0: math.inf, 2.0: 2, math.inf: 1}[norm])
        radius = 1.7 * exact
        reach = radius * np.abs(weight).sum()
        bounds = [(centre - radius, centre + radius), (np.array([value - reach]), np.array([value + reach]))]
        box = Box.exact(*bounds[0])
        seen: list[np.ndarray] = []
        around = Surroundings(network, box, bounds, centre, radius, norm)
        found = least_distance(around, [(0, threshold)], Deadline(10.0), seen.append, radius)
        assert found.finished
        assert exact * (1 - 1e-3) <= found.bound <= exact
        assert seen


def test_the_ball_is_all_that_is_said(tmp_path: Path) -> None:
    """Within a ball too small for any other class the bound is nearly the radius, and never more."""
    network, x = relu_network(tmp_path, 0), sample_of(0)
    question = RadiusQuestion(network, x, None, math.inf, (-1.0, 1.0))
    exact = minimal_distance(network, x, question.kept, math.inf, (np.full(2, -1.0), np.full(2, 1.0)))
    for share in (0.5, 0.9):
        (end,) = by_program(question, Options(threads=1), share * exact, Deadline(10.0), 1e-3)
        assert share * exact * (1 - 1e-3) <= end.value <= share * exact
    (end,) = by_program(replace(question, clip=None), Options(threads=1), math.inf, Deadline(10.0), 1e-3)
    assert end.value == 0
    assert "bounds the ball" in end.detail


def test_where_no_other_class_is_the_bound_is_infinite(tmp_path: Path) -> None:
    network = relu_network(tmp_path, 2)
    x = sample_of(2)
    question = RadiusQuestion(network, x, None, 1.0)
    small = replace(question, clip=(float(x.min()) - 1e-3, float(x.max()) + 1e-3))
    (end,) = by_program(small, Options(threads=1), math.inf, Deadline(10.0), 1e-3)
    assert minimal_distance(network, x, question.kept, 1.0, (small.box.lower, small.box.upper)) == math.inf
    assert end.value == math.inf


def test_inputs_that_do_not_matter_stay() -> None:
    network = Network((Input(3), Affine((0,), (Dense(np.array([[1.0, 0.0, 0.0]])),), np.array([2.0]))))
    centre, seen = np.array([0.0, 0.9, -0.9]), list[np.ndarray]()
    box = Box.exact(-np.ones(3), np.ones(3))  # not centred there
    bounds = [(box.lower, box.upper), (np.array([1.0]), np.array([3.0]))]
    found = least_distance(
        Surroundings(network, box, bounds, centre, 1.9, math.inf), [(0, 1.5)], Deadline(10.0), seen.append, 1.9
    )
    assert 0.499 < found.bound <= 0.5
    assert (seen[-1][1:] == centre[1:]).all()


def test_out_of_time_is_no_proof(tmp_path: Path) -> None:
    question = RadiusQuestion(relu_network(tmp_path, 3), sample_of(3), None, 1.0, (-1.0, 1.0))
    low = by_program(question, Options(threads=1), 0.5, Deadline(1e-9), 1e-3)[0]
    assert low.value == 0 or low.detail.startswith("0 programs")


@dataclass(frozen=True)
class Liar(Highs):
    """Tells a dual bound that is too high, or none that is a number."""

    factor: float = 1.5

    def solve_milp(self, program, deadline, stop_above=np.inf, on_candidate=None) -> MilpOutcome:  # type: ignore[no-untyped-def]
        honest = super().solve_milp(program, deadline, np.inf, on_candidate)
        lie = honest.dual_bound + (self.factor - 1) * 2 if math.isfinite(self.factor) else self.factor
        return MilpOutcome(SolveStatus.OPTIMAL, lie, honest.primal)


@pytest.mark.parametrize("factor", [1.3, 2.0, 1e6, math.inf, math.nan])
def test_lies_are_refused(factor: float) -> None:
    rng = np.random.default_rng(7)
    network = random_relu_network(rng, [2, 6, 1])
    centre, radius = np.zeros(2), 2.0
    box = Box.exact(centre - radius, centre + radius)
    bounds = [(i.lower[0], i.upper[0]) for i in interval_bounds(network, box.lower[None], box.upper[None])]
    grid = np.stack(np.meshgrid(*2 * [np.linspace(-1, 1, 41)]), axis=-1).reshape(-1, 2)
    threshold = float(network.forward(grid).min())
    around = Surroundings(network, box, bounds, centre, radius, math.inf)
    honest = least_distance(around, [(0, threshold)], Deadline(10.0), lambda x: None, radius)
    assert 0 < honest.bound <= 1.0
    told = least_distance(around, [(0, threshold)], Deadline(10.0), lambda x: None, radius, solver=Liar(factor=factor))
    assert told.bound <= honest.bound * (1 + 1e-9)


def test_smooth_functions_are_only_relaxed() -> None:
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(4, 2)), rng.normal(size=(1, 4))
    nodes = (
        Input(2),
        Affine((0,), (Dense(weights[0]),), rng.normal(size=4)),
        Elementwise((1,), Sigmoid(), 4),
        Affine((2,), (Dense(weights[1]),), np.zeros(1)),
    )
    network = Network(nodes)
    box = Box.exact(-np.ones(2), np.ones(2))
    bounds = [(i.lower[0], i.upper[0]) for i in interval_bounds(network, box.lower[None], box.upper[None])]
    points = rng.uniform(-1, 1, (20000, 2))
    values = network.forward(points)[:, 0]
    threshold = float(np.quantile(values, 0.2))
    around = Surroundings(network, box, bounds, np.zeros(2), 1.0, math.inf)
    found = least_distance(around, [(0, threshold)], Deadline(10.0), lambda x: None, 1.0)
    assert not found.complete
    assert found.bound <= np.abs(points[values <= threshold]).max(axis=1).min()


def test_it_runs_only_where_asked_for() -> None:
    for norm in NORMS:
        assert "milp-distance" not in RadiusOptions().chosen(norm)
        assert RadiusOptions(methods=["milp-distance"]).chosen(norm) == ["milp-distance"]
    with pytest.raises(UsageError):
        RadiusOptions(methods=["milp-distances"])
