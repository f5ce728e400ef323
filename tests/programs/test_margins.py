"""Margins from programs: below every sample, ordered, exact where they claim to be, and honest about limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import plain_bounds, random_box, random_dag, random_relu_network, samples
from tests.programs.patterns import exact_minimum
from verifier.deadline import Deadline
from verifier.network.functions import Clip, Floor, Relu, Sigmoid, Sign, Tanh
from verifier.network.graph import Affine, Elementwise, Input, Network, Product
from verifier.network.linear_maps import Dense, Identity, Selection
from verifier.programs.margins import Conjunction, exact_margin, relaxed_margins
from verifier.property.query import Box

SEEDS = st.integers(0, 2**32 - 1)
NEVER = Deadline()


def row(form: int, threshold: float = 0.0) -> Conjunction:
    return np.array([form]), np.array([threshold])


def margins_of(values: np.ndarray, conjunction: Conjunction) -> np.ndarray:
    """The largest over rows of (form - threshold) for outputs of shape (N, K)."""
    rows, thresholds = conjunction
    return (values[:, rows] - thresholds).max(axis=1)


def random_conjunctions(rng: np.random.Generator, forms: int) -> list[Conjunction]:
    both = rng.permutation(forms)[:2], rng.normal(size=2)
    repeated = np.zeros(2, np.int64), np.array([0.5, -0.25])
    return [row(0), row(0, 1.5), row(forms - 1, -0.3), both, repeated, (np.arange(forms), rng.normal(size=forms))]


def max_pool(before: int) -> tuple[Affine, Elementwise, Affine]:
    """The max over neighbouring pairs of a node of 4 entries, as the reader lowers it: a + relu(b - a)."""
    first, second = Selection(np.array([0, 2]), 4), Selection(np.array([1, 3]), 4)
    difference = Dense(np.array([[-1.0, 1, 0, 0], [0, 0, -1, 1]]))
    zero = np.zeros(2)
    assert second.out_size == 2
    return (
        Affine((before,), (difference,), zero),
        Elementwise((before + 1,), Relu(), 2),
        Affine((before, before + 2), (first, Identity(2)), zero),
    )


@given(SEEDS)
@settings(max_examples=60, deadline=None)
def test_relaxed_margins_are_below_all_samples(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng, (Relu(), Clip(-0.3, 0.5), Sigmoid(), Tanh(), Sign(), Floor()))
    lower, upper = random_box(rng, network.input_size)
    bounds = plain_bounds(network, lower, upper)
    values = network.forward(samples(rng, lower, upper, 300))
    conjunctions = random_conjunctions(rng, 3)
    outcomes = relaxed_margins(network, Box.exact(lower, upper), bounds, conjunctions, NEVER)
    for conjunction, outcome in zip(conjunctions, outcomes, strict=True):
        least = margins_of(values, conjunction).min()
        interval = (bounds[-1][0][conjunction[0]] - conjunction[1]).max()
        scale = 1e-9 * (1 + np.abs(values).max())
        assert interval - scale <= outcome.bound <= least + scale
        if outcome.point is not None:
            assert ((outcome.point >= lower) & (outcome.point <= upper)).all()


@given(SEEDS)
@settings(max_examples=12, deadline=None)
def test_exact_margin_is_the_enumerated_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (2, 3, 2, 2))
    lower, upper = random_box(rng, 2, radius=2.0)
    bounds, box = plain_bounds(network, lower, upper), Box.exact(lower, upper)
    for conjunction in (row(0), (np.array([0, 1]), rng.normal(size=2))):
        truth = exact_minimum(network, lower, upper, *conjunction)
        shifted = conjunction[0], conjunction[1] + truth + 1.0  # negative margin: the solve runs to its optimum
        exact = exact_margin(network, box, bounds, shifted, NEVER)
        (relaxed,) = relaxed_margins(network, box, bounds, [shifted], NEVER)
        assert exact.complete
        assert exact.finished
        assert exact.bound == pytest.approx(-1.0, abs=1e-4)
        assert relaxed.bound <= exact.bound + 1e-4
        assert exact.bound <= -1.0 + 1e-9
        assert exact.point is not None
        assert margins_of(network.forward(exact.point[None]), shifted)[0] == pytest.approx(-1.0, abs=1e-4)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_exact_margin_is_attained_on_graphs_with_skips_and_convolutions(seed: int) -> None:
    """The MILP's optimum is below all samples, and its own point attains it: so it is the minimum."""
    rng = np.random.default_rng(seed)
    network = random_dag(rng, (Relu(), Clip(-0.3, 0.5)), products=False, depth=4)
    lower, upper = random_box(rng, network.input_size, radius=1.0)
    bounds = plain_bounds(network, lower, upper)
    values = network.forward(samples(rng, lower, upper, 300))
    conjunction = row(1, float(values[:, 1].max()) + 1.0)
    outcome = exact_margin(network, Box.exact(lower, upper), bounds, conjunction, NEVER)
    assert outcome.finished
    assert outcome.complete
    assert outcome.bound <= margins_of(values, conjunction).min()
    if outcome.point is not None:
        attained = margins_of(network.forward(outcome.point[None]), conjunction)[0]
        assert outcome.bound == pytest.approx(attained, abs=1e-3 * (1 + abs(attained)))


def test_max_pooling() -> None:
    network = Network((Input(4), *max_pool(0), Affine((3,), (Dense(np.array([[1.0, 1.0]])),), np.zeros(1))))
    lower, upper = np.array([-1.0, 0.25, -3.0, -2.0]), np.array([2.0, 0.5, 1.0, 0.0])
    bounds = plain_bounds(network, lower, upper)
    outcome = exact_margin(network, Box.exact(lower, upper), bounds, row(0, 5.0), NEVER)
    assert outcome.bound == pytest.approx(0.25 - 2.0 - 5.0, abs=1e-4)


def test_a_stable_network_is_solved_by_its_relaxation() -> None:
    """Without unstable relus the relaxation is the network, and no row of a relu is left."""
    rng = np.random.default_rng(0)
    hidden = Affine((0,), (Dense(rng.normal(size=(6, 3))),), np.array([20.0, 20, 20, -20, -20, -20]))
    weight = rng.normal(size=(1, 6))
    network = Network((Input(3), hidden, Elementwise((1,), Relu(), 6), Affine((2,), (Dense(weight),), np.zeros(1))))
    box = Box.exact(-np.ones(3), np.ones(3))
    (outcome,) = relaxed_margins(network, box, plain_bounds(network, box.lower, box.upper), [row(0)], NEVER)
    slopes = weight[0, :3] @ hidden.maps[0].to_sparse().toarray()[:3]
    least = weight[0, :3] @ hidden.bias[:3] - np.abs(slopes).sum()
    assert outcome.bound == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize("function", [Sigmoid(), Sign()])
def test_relaxed_functions_make_the_program_incomplete(function: Sigmoid | Sign) -> None:
    rng = np.random.default_rng(1)
    nodes = (Input(2), Affine((0,), (Dense(rng.normal(size=(3, 2))),), np.zeros(3)), Elementwise((1,), function, 3))
    network = Network((*nodes, Affine((2,), (Dense(rng.normal(size=(1, 3))),), np.zeros(1))))
    lower, upper = -np.ones(2), np.ones(2)
    values = network.forward(samples(rng, lower, upper, 200))
    bounds = plain_bounds(network, lower, upper)
    outcome = exact_margin(network, Box.exact(lower, upper), bounds, row(0, float(values.max()) + 1), NEVER)
    assert not outcome.complete
    assert outcome.bound <= (values - values.max() - 1).min()


def test_products_are_relaxed_by_mccormick() -> None:
    """The hull of x * y on [-1, 1]^2: has minimum -1, attained; x * x by McCormick alone goes down to -1 too."""
    lower, upper = -np.ones(2), np.ones(2)
    swap = Affine((0,), (Selection(np.array([1, 0]), 2),), np.zeros(2))
    network = Network((Input(2), swap, Product((0, 1), 2)))
    outcome = exact_margin(network, Box.exact(lower, upper), plain_bounds(network, lower, upper), row(0, 3.0), NEVER)
    assert not outcome.complete
    assert outcome.bound == pytest.approx(-4.0, abs=1e-4)
    square = Network((Input(2), Product((0, 0), 2)))
    bounds = plain_bounds(square, lower, upper)
    (relaxed,) = relaxed_margins(square, Box.exact(lower, upper), bounds, [row(0)], NEVER)
    assert relaxed.bound == pytest.approx(-1.0, abs=1e-9)


def test_a_fixed_factor_makes_a_product_exact() -> None:
    network = Network((Input(2), Affine((0,), (Selection(np.array([1, 0]), 2),), np.zeros(2)), Product((0, 1), 2)))
    lower, upper = np.array([0.3, -1.0]), np.array([0.3, 2.0])
    bounds = plain_bounds(network, lower, upper)
    outcome = exact_margin(network, Box.exact(lower, upper), bounds, row(0, 7.0), NEVER)
    assert outcome.complete
    assert outcome.bound == pytest.approx(-0.3 - 7.0, abs=1e-4)


def test_a_candidate_ends_the_solve() -> None:
    rng = np.random.default_rng(2)
    network = random_relu_network(rng, (4, 8, 8, 2))
    lower, upper = -2 * np.ones(4), 2 * np.ones(4)
    bounds = plain_bounds(network, lower, upper)
    seen: list[np.ndarray] = []

    def accepts(x: np.ndarray) -> bool:
        seen.append(x)
        return bool(network.forward(x[None])[0, 0] <= 50.0)

    outcome = exact_margin(network, Box.exact(lower, upper), bounds, row(0, 50.0), Deadline(60.0), accepts)
    assert outcome.finished
    assert len(seen) == 1
    assert outcome.point is not None
    assert (outcome.point == seen[0]).all()
    assert outcome.bound <= 0


def test_a_positive_margin_ends_the_solve_with_a_proof() -> None:
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, (3, 6, 6, 1))
    lower, upper = -np.ones(3), np.ones(3)
    bounds = plain_bounds(network, lower, upper)
    least = network.forward(samples(rng, lower, upper, 500)).min()
    (relaxed,) = relaxed_margins(network, Box.exact(lower, upper), bounds, [row(0, least - 1.0)], NEVER)
    outcome = exact_margin(network, Box.exact(lower, upper), bounds, row(0, least - 1.0), Deadline(60.0))
    assert outcome.finished
    assert 0 < outcome.bound <= 1.0
    assert outcome.bound >= min(relaxed.bound, 1e-9)


def test_after_the_deadline_the_known_bounds_remain() -> None:
    rng = np.random.default_rng(4)
    network = random_relu_network(rng, (3, 6, 6, 2))
    box = Box.exact(-np.ones(3), np.ones(3))
    bounds = plain_bounds(network, box.lower, box.upper)
    conjunctions = random_conjunctions(rng, 2)
    for conjunction, outcome in zip(
        conjunctions, relaxed_margins(network, box, bounds, conjunctions, Deadline(0.0)), strict=True
    ):
        assert not outcome.finished
        assert outcome.detail
        assert outcome.bound == pytest.approx((bounds[-1][0][conjunction[0]] - conjunction[1]).max())
        exact = exact_margin(network, box, bounds, (conjunction[0], conjunction[1] + 100), Deadline(0.0))
        assert not exact.finished
        assert exact.bound == pytest.approx(outcome.bound - 100)


def test_infinite_bounds_leave_nothing_known() -> None:
    network = random_relu_network(np.random.default_rng(5), (2, 3, 1))
    box = Box.exact(-np.ones(2), np.ones(2))
    bounds = plain_bounds(network, box.lower, box.upper)
    bounds[1] = np.full(3, -np.inf), np.full(3, np.inf)
    bounds[2] = np.zeros(3), np.full(3, np.inf)
    bounds[3] = np.full(1, -np.inf), np.full(1, np.inf)
    (relaxed,) = relaxed_margins(network, box, bounds, [row(0)], NEVER)
    exact = exact_margin(network, box, bounds, row(0), NEVER)
    for outcome in (relaxed, exact):
        assert outcome.bound == -np.inf
        assert not outcome.finished
        assert "no finite bounds" in outcome.detail


def test_a_bounded_function_of_an_unbounded_operand_is_still_enclosed() -> None:
    network = Network((Input(1), Elementwise((0,), Tanh(), 1), Affine((1,), (Identity(1),), np.ones(1))))
    low, high = np.array([-np.inf]), np.array([np.inf])
    bounds = [(low, high), (-np.ones(1), np.ones(1)), (np.zeros(1) - 1, np.ones(1) + 1)]
    (outcome,) = relaxed_margins(network, Box.exact(low, high), bounds, [row(0)], NEVER)
    assert outcome.bound == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("broken", [(np.array([np.nan]), np.array([1.0])), (np.array([1.0]), np.array([0.0]))])
def test_broken_bounds_are_an_error(broken: tuple[np.ndarray, np.ndarray]) -> None:
    network = random_relu_network(np.random.default_rng(6), (2, 3, 1))
    box = Box.exact(-np.ones(2), np.ones(2))
    bounds = plain_bounds(network, box.lower, box.upper)
    bounds[-1] = broken
    with pytest.raises(ValueError, match="NaN or cross"):
        relaxed_margins(network, box, bounds, [row(0)], NEVER)


def test_weights_too_small_for_the_solver_are_covered() -> None:
    """1e-10 * x with x up to 1e6 moves the output by 1e-4: the dropped entry's reach is taken off the bound."""
    network = Network((Input(2), Affine((0,), (Dense(np.array([[1e-10, 1.0]])),), np.zeros(1))))
    lower, upper = np.array([-1e6, 0.0]), np.array([1e6, 1.0])
    box, bounds = Box.exact(lower, upper), plain_bounds(network, lower, upper)
    loose = [*bounds[:-1], (bounds[-1][0] - 1, bounds[-1][1] + 1)]
    (relaxed,) = relaxed_margins(network, box, loose, [row(0)], NEVER)
    assert -1.01e-4 <= relaxed.bound <= -1e-4
    assert exact_margin(network, box, loose, row(0, 1.0), NEVER).bound <= -1.0 - 1e-4


def test_saturated_functions_leave_the_program_feasible() -> None:
    """Slopes below what a solver keeps, on values as narrow: what is dropped must not make rows contradict bounds."""
    nodes = (Input(2), Affine((0,), (Dense(np.eye(2)),), np.array([-21.0, -19.0])), Elementwise((1,), Sigmoid(), 2))
    network = Network((*nodes, Affine((2,), (Dense(np.array([[1e6, -1e6]])),), np.zeros(1))))
    lower, upper = np.array([-3.0, -2.0]), np.array([3.0, 2.0])
    bounds = plain_bounds(network, lower, upper)
    (outcome,) = relaxed_margins(network, Box.exact(lower, upper), bounds, [row(0)], NEVER)
    least = network.forward(np.array([[-3.0, 2.0]]))[0, 0]
    assert outcome.finished
    assert outcome.bound <= least
    assert outcome.bound == pytest.approx(least, rel=0.05)


def test_a_constant_form_needs_no_program() -> None:
    network = Network((Input(1), Affine((0,), (Dense(np.zeros((1, 1))),), np.array([2.0]))))
    box = Box.exact(np.zeros(1), np.ones(1))
    bounds = [(box.lower, box.upper), (np.array([2.0]), np.array([2.0]))]
    for outcome in (
        *relaxed_margins(network, box, bounds, [row(0, 1.5), row(0, 2.5)], NEVER),
        exact_margin(network, box, bounds, row(0, 2.5), NEVER),
    ):
        assert outcome.finished
        assert abs(outcome.bound) == pytest.approx(0.5)


def test_outputs_that_are_inputs_need_no_rows() -> None:
    swap = Affine((0,), (Selection(np.array([1, 0, -1]), 2),), np.zeros(3))
    network, box = Network((Input(2), swap)), Box.exact(np.array([-1.0, 2.0]), np.array([0.5, 3.0]))
    bounds = [(box.lower, box.upper), (np.array([0.0, -5, -1]), np.array([9.0, 5, 1]))]
    outcomes = relaxed_margins(network, box, bounds, [row(0), row(1), row(2), (np.arange(2), np.zeros(2))], NEVER)
    assert [o.bound for o in outcomes] == pytest.approx([2.0, -1.0, 0.0, 2.0], abs=1e-9)
    assert outcomes[1].point is not None
    assert outcomes[1].point[0] == -1.0
    assert exact_margin(network, box, bounds, row(1), NEVER).bound == pytest.approx(-1.0)


def test_a_conjunction_without_rows_is_never_excluded() -> None:
    network = random_relu_network(np.random.default_rng(7), (2, 3, 1))
    box = Box.exact(-np.ones(2), np.ones(2))
    bounds = plain_bounds(network, box.lower, box.upper)
    empty = np.zeros(0, np.int64), np.zeros(0)
    assert relaxed_margins(network, box, bounds, [empty], NEVER)[0].bound == -np.inf
    assert exact_margin(network, box, bounds, empty, NEVER).bound == -np.inf
