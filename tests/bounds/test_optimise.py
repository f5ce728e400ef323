"""Optimised bounds: sound whatever the choice, right in their gradient, and as good as the linear program."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_box, random_dag, random_relu_network, samples
from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines, Tightening
from verifier.bounds.lagrangian import Choice, Lagrangian, Rows, first_choice
from verifier.bounds.layout import Layout, layout
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.bounds.relaxation import Relaxation
from verifier.deadline import Deadline
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense
from verifier.programs.margins import relaxed_margins
from verifier.property.query import Box

SEEDS = st.integers(0, 2**32 - 1)


def random_cuts(
    rng: np.random.Generator, intervals: list[Interval], shape: Layout, count: int
) -> tuple[list[Interval], np.ndarray]:
    """Intervals with a few open entries cut to a part, and the cuts' positions, shape (1, C)."""
    cut = [Interval(i.lower.copy(), i.upper.copy()) for i in intervals]
    positions = rng.permutation(shape.open_count)[:count]
    for position in positions:
        node, entry = shape.entry(int(position))
        low, high = cut[node].lower[0, entry], cut[node].upper[0, entry]
        if node > 0 and np.isfinite(low) and np.isfinite(high):
            end = cut[node].upper if rng.random() < 0.5 else cut[node].lower
            end[0, entry] = low + rng.uniform(0.3, 0.7) * (high - low)
    return cut, positions[None, :].astype(np.int64)


def of_part(network: Network, points: np.ndarray, intervals: list[Interval]) -> np.ndarray:
    """The points whose values at all nodes lie in the intervals."""
    inside = np.ones(len(points), bool)
    for value, interval in zip(network.values(points), intervals, strict=True):
        inside &= ((value >= interval.lower) & (value <= interval.upper)).all(axis=1)
    return points[inside]


def random_rows(rng: np.random.Generator, network: Network, cuts: np.ndarray, count: int = 2) -> Rows:
    coefficients = rng.normal(size=(1, count, network.output_size))
    return Rows(len(network.nodes) - 1, coefficients, rng.normal(size=(1, count)), cuts)


def random_choice(rng: np.random.Generator, shape: Layout, rows: Rows) -> Choice:
    return Choice(
        rng.random((1, shape.place_count)),
        rng.normal(scale=0.3, size=rows.cuts.shape),
        rng.dirichlet(np.ones(rows.thresholds.shape[1]), size=1),
    )


def margins(network: Network, rows: Rows, points: np.ndarray) -> np.ndarray:
    return (network.forward(points) @ rows.coefficients[0].T - rows.thresholds[0]).max(axis=1)


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_any_choice_gives_a_bound(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    intervals = linear_bounds(network, lower[None], upper[None])
    shape = layout(network, intervals)
    cut, cuts = random_cuts(rng, intervals, shape, int(rng.integers(0, 4)))
    rows = random_rows(rng, network, cuts)
    relaxation = Relaxation(network, cut, shape)
    points = of_part(network, samples(rng, lower, upper, 400), cut)
    lagrangian = Lagrangian(network, relaxation, rows)
    ascent = Ascent(lagrangian, first_choice(lagrangian), AscentOptions(steps=8))
    ascent.run(np.inf)
    for choice in (random_choice(rng, shape, rows), ascent.best):
        found = proven(relaxation, rows, choice)
        if len(points):
            value = margins(network, rows, points)
            assert (value >= found.bound[0] - 1e-11 * (1 + np.abs(value))).all()
        assert (found.point[0] >= lower).all()
        assert (found.point[0] <= upper).all()


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_gradient_is_the_derivative(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    intervals = linear_bounds(network, lower[None], upper[None])
    shape = layout(network, intervals)
    cut, cuts = random_cuts(rng, intervals, shape, 3)
    rows = random_rows(rng, network, cuts)
    lagrangian = Lagrangian(network, Relaxation(network, cut, shape), rows)
    here = random_choice(rng, shape, rows)
    direction = Choice(*(rng.normal(size=a.shape) for a in (here.places, here.multipliers, here.weights)))
    gradient = lagrangian.gradient(here, lagrangian.evaluate(here))
    step = 1e-7

    def moved(by: float) -> float:
        pairs = ((here.places, direction.places), (here.multipliers, direction.multipliers))
        arrays = [a + by * d for a, d in pairs]
        return float(lagrangian.evaluate(Choice(*arrays, here.weights + by * direction.weights)).bound[0])

    ahead, behind, value = moved(step), moved(-step), moved(0.0)
    slopes = (ahead - value) / step, (value - behind) / step
    found = sum(
        float((g * d).sum())
        for g, d in (
            (gradient.places, direction.places),
            (gradient.multipliers, direction.multipliers),
            (gradient.weights, direction.weights),
        )
    )
    if np.isfinite(slopes).all() and abs(slopes[0] - slopes[1]) < 1e-3 * (1 + abs(slopes[0])):  # no kink between
        assert found == pytest.approx(np.mean(slopes), rel=1e-3, abs=1e-3)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_between_crown_and_the_linear_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (4, 10, 10, 3))
    lower, upper = random_box(rng, 4)
    intervals = linear_bounds(network, lower[None], upper[None])
    shape = layout(network, intervals)
    unit = np.eye(3)[:, None, :]
    rows = Rows(len(network.nodes) - 1, unit, np.zeros((3, 1)), np.zeros((3, 0), np.int64))
    relaxation = Relaxation(network, intervals, shape)
    lagrangian = Lagrangian(network, relaxation, rows)
    ascent = Ascent(lagrangian, first_choice(lagrangian), AscentOptions(steps=400, decay=0.99))
    ascent.run(np.inf)
    bound = proven(relaxation, rows, ascent.best).bound
    crown = rows_minimum(network, intervals)[0]
    plain = proven(relaxation, rows, first_choice(lagrangian)).bound
    pairs = [(i.lower[0], i.upper[0]) for i in intervals]
    asked = [(np.array([k]), np.zeros(1)) for k in range(3)]
    program = [m.bound for m in relaxed_margins(network, Box.exact(lower, upper), pairs, asked, Deadline())]
    scale = 1 + np.abs(crown)
    assert (bound >= plain - 1e-9 * scale).all()
    assert (bound <= np.array(program) + 1e-6 * scale).all()
    assert (bound >= np.array(program) - 0.02 * scale).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_choice_that_is_no_number_proves_nothing_wrong(bad: float) -> None:
    rng = np.random.default_rng(1)
    network = random_relu_network(rng, (3, 8, 8, 2))
    lower, upper = -np.ones(3), np.ones(3)
    intervals = linear_bounds(network, lower[None], upper[None])
    shape = layout(network, intervals)
    cuts = np.array([[0, 1]])
    rows = random_rows(rng, network, cuts)
    relaxation = Relaxation(network, intervals, shape)
    value = margins(network, rows, samples(rng, lower, upper, 500)).min()
    good = random_choice(rng, shape, rows)
    for name in ("places", "multipliers", "weights"):
        broken = getattr(good, name).copy()
        broken[0, 0] = bad
        assert not proven(relaxation, rows, replace(good, **{name: broken})).bound[0] > value


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_intermediate_bounds_contain_their_part_and_are_inside_crowns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    points = samples(rng, lower, upper, 300)
    intervals = linear_bounds(network, lower[None], upper[None])
    engines = Engines(network, network.like(np.zeros(0, np.float32)), np.zeros(0, np.float32))
    work = Tightening(engines, AscentOptions(steps=4), Deadline())
    shape = layout(network, intervals)
    cut, cuts = random_cuts(rng, intervals, shape, 2)
    of_box = work.of_box(intervals)
    of_part_, empty = work.of_domains(cut, shape, cuts, 1)
    assert not (empty[0] and len(of_part(network, points, cut)))
    of_part_ = cut if empty[0] else of_part_
    for found, given_, inside in ((of_box, intervals, points), (of_part_, cut, of_part(network, points, cut))):
        for value, tight, loose in zip(network.values(inside), found, given_, strict=True):
            slack = 1e-11 * (1 + np.abs(value))
            assert (value >= tight.lower - slack).all()
            assert (value <= tight.upper + slack).all()
            assert (tight.lower >= loose.lower).all()
            assert (tight.upper <= loose.upper).all()


def test_several_parts_agree_with_each_alone() -> None:
    rng = np.random.default_rng(8)
    network = random_relu_network(rng, (4, 12, 12, 2))
    lower, upper = -np.ones(4), np.ones(4)
    intervals = linear_bounds(network, lower[None], upper[None])
    shape = layout(network, intervals)
    parts = [random_cuts(rng, intervals, shape, 2) for _ in range(3)]
    engines = Engines(network, network, np.zeros(0))
    work = Tightening(engines, AscentOptions(steps=5), Deadline())
    stacked = [
        Interval(np.concatenate([p[k].lower for p, _ in parts]), np.concatenate([p[k].upper for p, _ in parts]))
        for k in range(len(network.nodes))
    ]
    together, _ = work.of_domains(stacked, shape, np.concatenate([cuts for _, cuts in parts]), 1)
    for n, (part, cuts) in enumerate(parts):
        for one, several in zip(work.of_domains(part, shape, cuts, 1)[0], together, strict=True):
            np.testing.assert_allclose(several.lower[n], one.lower[0], rtol=1e-7, atol=1e-9)


def test_torch_gives_the_same_bounds() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    intervals = linear_bounds(network, lower[None], upper[None])
    shape = layout(network, intervals)
    cut, cuts = random_cuts(rng, intervals, shape, 2)
    rows = random_rows(rng, network, cuts)
    choice = random_choice(rng, shape, rows)
    expected = proven(Relaxation(network, cut, shape), rows, choice).bound
    there = [Interval(torch.tensor(i.lower), torch.tensor(i.upper)) for i in cut]
    moved = Rows(rows.node, torch.tensor(rows.coefficients), torch.tensor(rows.thresholds), cuts)
    arrays = (torch.tensor(a) for a in (choice.places, choice.multipliers, choice.weights))
    relaxation = Relaxation(network.like(torch.zeros(0, dtype=torch.float64)), there, shape)
    found = proven(relaxation, moved, Choice(*arrays)).bound
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9, atol=1e-9)
    lagrangian = Lagrangian(relaxation.network, relaxation, moved)
    ascent = Ascent(lagrangian, first_choice(lagrangian), AscentOptions(steps=3))
    ascent.run(np.inf)
    assert float(ascent.bound[0]) >= float(lagrangian.evaluate(first_choice(lagrangian)).bound[0])


def test_a_part_without_points_is_found_to_be_empty() -> None:
    """X and -x cannot both be at least 0.25: bounds of a third entry, x again, cross."""
    layers = (
        Input(1),
        Affine((0,), (Dense(np.array([[1.0], [-1.0], [1.0]])),), np.zeros(3)),
        Elementwise((1,), Relu(), 3),
        Affine((2,), (Dense(np.ones((1, 3))),), np.zeros(1)),
    )
    network = Network(layers)
    intervals = linear_bounds(network, -np.ones((1, 1)), np.ones((1, 1)))
    engines = Engines(network, network, np.zeros(0))
    work = Tightening(engines, AscentOptions(steps=40), Deadline())
    for low, empty in ((0.25, True), (-1.0, False)):
        part = list(intervals)
        part[1] = Interval(np.array([[0.25, low, -1.0]]), np.ones((1, 3)))
        tight, found = work.of_domains(part, layout(network, intervals), np.array([[0, 1]]), 1)
        assert found[0] == empty
        if not empty:
            assert tight[1].lower[0, 2] == pytest.approx(0.25, abs=0.01)
