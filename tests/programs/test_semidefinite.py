"""The semidefinite relaxation: below the exact minimum whatever the multipliers, above the LP when they are good."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.networks import dense, plain_bounds, random_box, random_dag, random_relu_network, samples
from tests.programs.patterns import exact_minimum
from verifier.deadline import Deadline
from verifier.errors import UsageError
from verifier.methods import Options, Task
from verifier.methods.semidefinite import sdp
from verifier.network.functions import Relu, Sigmoid
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Dense, Scaling
from verifier.programs.centred import CentredNetwork, centred
from verifier.programs.margins import Conjunction, exact_margin, relaxed_margins
from verifier.programs.semidefinite import DualRounds, linear_multipliers, polished, semidefinite_margins
from verifier.programs.squares import projected, quadratic, squares_bound
from verifier.property.query import Box, Disjunct, LinearConstraint, Query

SEEDS = st.integers(0, 2**32 - 1)
NEVER = Deadline()


def row(form: int, threshold: float = 0.0) -> Conjunction:
    return np.array([form]), np.array([threshold])


def margin_at(network: Network, points: np.ndarray, conjunction: Conjunction) -> float:
    """The least over points of the largest of (form - threshold)."""
    return float((network.forward(points)[:, conjunction[0]] - conjunction[1]).max(axis=1).min())


def attained(network: Network, box: Box, conjunction: Conjunction) -> float:
    """A margin that some input has, the least one up to the MILP's tolerance: no sound bound lies above it."""
    bounds = plain_bounds(network, box.lower, box.upper)
    points = samples(np.random.default_rng(0), box.lower, box.upper, 200)
    raised = conjunction[0], conjunction[1] + np.abs(network.forward(points)).max() + 1  # no early end
    outcome = exact_margin(network, box, bounds, raised, NEVER)
    if outcome.point is not None:
        points = np.vstack([points, outcome.point])
    return margin_at(network, points, conjunction)


def unsettled(network: Network, box: Box, conjunction: Conjunction) -> Conjunction:
    """The conjunction with thresholds so high that its margin is about -1 and solves run to their optimum."""
    return conjunction[0], conjunction[1] + attained(network, box, conjunction) + 1.0


def random_question(seed: int) -> tuple[Network, Box]:
    rng = np.random.default_rng(seed)
    hidden = [int(size) for size in rng.integers(3, 9, size=rng.integers(1, 4))]
    network = random_relu_network(rng, (int(rng.integers(1, 4)), *hidden, 2))
    lower, upper = random_box(rng, network.input_size, radius=1.5)
    return network, Box.exact(lower, upper)


def centred_values(network: Network, relaxed: CentredNetwork, box: Box, x: np.ndarray) -> np.ndarray:
    """The vector v = (1, t) at the input x, shape (1 + n,), for a plain network whose inputs all vary."""
    bounds, values, parts = plain_bounds(network, box.lower, box.upper), [x], [np.ones(1)]
    parts.append((x - (box.lower + box.upper) / 2) / ((box.upper - box.lower) / 2))
    for k, node in enumerate(network.nodes[1:], start=1):
        if isinstance(node, Affine):
            values.append(node.maps[0].apply(values[-1][None])[0] + node.bias)
        else:
            values.append(np.maximum(values[-1], 0.0))
            low, high = bounds[k - 1]
            parts.append((2 * values[-1] / high - 1)[(low < 0) & (high > 0)])
    v = np.concatenate(parts)
    assume(len(v) == 1 + relaxed.variables)  # not where all of a layer is dead, and what is before it does not matter
    return v


@given(SEEDS)
@settings(max_examples=8, deadline=None)
def test_it_lies_between_the_lp_and_the_exact_margin(seed: int) -> None:
    network, box = random_question(seed)
    conjunctions = [row(0), row(1, 0.3), (np.arange(2), np.array([0.1, -0.2]))]
    conjunctions = [unsettled(network, box, c) for c in conjunctions]
    bounds = plain_bounds(network, box.lower, box.upper)
    found = semidefinite_margins(network, box, bounds, conjunctions, NEVER)
    loose = relaxed_margins(network, box, bounds, conjunctions, NEVER)
    for conjunction, tight, lp in zip(conjunctions, found, loose, strict=True):
        assert tight.finished
        assert lp.bound - 1e-3 * (1 + abs(lp.bound)) <= tight.bound <= attained(network, box, conjunction)


@given(SEEDS)
@settings(max_examples=5, deadline=None)
def test_it_is_below_the_enumerated_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (2, 3, 2, 2))
    lower, upper = random_box(rng, 2, radius=2.0)
    bounds = plain_bounds(network, lower, upper)
    for conjunction in (row(0), (np.arange(2), rng.normal(size=2))):
        least = exact_minimum(network, lower, upper, *conjunction)
        shifted = conjunction[0], conjunction[1] + least + 1.0
        (outcome,) = semidefinite_margins(network, Box.exact(lower, upper), bounds, [shifted], NEVER)
        assert outcome.bound <= -1.0 + 1e-7


def test_it_closes_most_of_the_lp_gap() -> None:
    """Loose bounds would pass every test of soundness."""
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, (5, 12, 12, 1))
    box = Box.exact(-0.7 * np.ones(5), 0.7 * np.ones(5))
    bounds = plain_bounds(network, box.lower, box.upper)
    conjunction = unsettled(network, box, row(0))
    (outcome,) = semidefinite_margins(network, box, bounds, [conjunction], NEVER)
    (lp,) = relaxed_margins(network, box, bounds, [conjunction], NEVER)
    assert lp.bound < -1.05
    assert outcome.bound > -1.0 - 0.4 * (-1.0 - lp.bound)


@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_quadratic_is_the_form_less_the_constraints(seed: int) -> None:
    """The identity everything rests on, from the network's own values: q = relu(-z) / unit."""
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (3, 5, 4, 2))
    box = Box.exact(*(np.zeros(3) - rng.random(3) - 0.1, np.zeros(3) + rng.random(3) + 0.1))
    relaxed = centred(network, box, plain_bounds(network, box.lower, box.upper), 100)
    m, n = len(relaxed.relu), relaxed.variables
    vector = rng.normal(size=2 + 4 * m + n)
    vector[0] = 1.0
    multipliers = projected(vector, relaxed, 2)
    assert multipliers is not None
    matrix = quadratic(relaxed, relaxed.outputs, multipliers)
    for x in samples(rng, box.lower, box.upper, 5):
        v = centred_values(network, relaxed, box, x)
        q, t = relaxed.negative.rows @ v, v[relaxed.relu]
        assert np.abs(q * (1 + t)).max(initial=0.0) < 1e-12
        assert (q >= -1e-12).all()
        assert (relaxed.reach * (1 - t) / 2 - q >= -1e-12).all()
        constraints = multipliers.sign @ q + multipliers.chord @ (relaxed.reach * (1 - t) / 2 - q)
        constraints += multipliers.complement @ (q * (1 + t)) + multipliers.product @ (relaxed.reach * q - q * q)
        form = multipliers.weight @ network.forward(x[None])[0]
        assert v @ matrix @ v == pytest.approx(form - constraints, abs=1e-9)


def good_multipliers(relaxed: CentredNetwork) -> list[np.ndarray]:
    """The solver's, the same with a better diagonal, and those of the cube alone."""
    solved = DualRounds(relaxed, relaxed.outputs).run(2000, np.inf)
    fitted = polished(relaxed, relaxed.outputs, solved, NEVER)
    return [solved, fitted, linear_multipliers(relaxed, relaxed.outputs)]


def lie(vector: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = int(rng.integers(6))
    if kind == 0:
        return rng.normal(size=len(vector)) * 10.0 ** rng.integers(-8, 9)
    if kind == 1:
        return rng.permutation(vector)
    if kind == 2:
        return vector * 10.0 ** rng.uniform(-200, 200)
    if kind == 3:
        return vector * rng.choice([-1.0, 1.0], size=len(vector))
    if kind == 4:
        return np.where(rng.random(len(vector)) < 0.05, rng.choice([np.nan, np.inf, -np.inf, 1e300]), vector)
    return vector * (1 + 10.0 ** rng.uniform(-9, 0) * rng.normal(size=len(vector)))


@pytest.mark.parametrize("factor", [1.0, 1e-4, 1e4])
def test_lies_never_raise_the_bound_above_the_truth(factor: float) -> None:
    rng = np.random.default_rng(7)
    network = scaled_layers(random_relu_network(rng, (2, 4, 4, 2)), [factor, 1 / factor])
    box = Box.exact(-np.ones(2), np.ones(2))
    relaxed = centred(network, box, plain_bounds(network, box.lower, box.upper), 100)
    truth = attained(network, box, (np.arange(2), np.zeros(2)))
    good = good_multipliers(relaxed)
    size = np.abs(relaxed.outputs.rows).sum()
    for vector in good:
        assert truth - 2 * size <= squares_bound(relaxed, relaxed.outputs, vector) <= truth
    for _ in range(400):
        bound = squares_bound(relaxed, relaxed.outputs, lie(good[int(rng.integers(3))], rng))
        assert not np.isnan(bound)
        assert bound <= truth


@pytest.mark.parametrize("vector", [np.zeros(3), np.array([]), np.array([[1.0]])])
def test_multipliers_of_the_wrong_shape_prove_nothing(vector: np.ndarray) -> None:
    network, box = random_question(5)
    relaxed = centred(network, box, plain_bounds(network, box.lower, box.upper), 100)
    assert squares_bound(relaxed, relaxed.outputs, vector) == -np.inf
    weightless = np.zeros(2 + 4 * len(relaxed.relu) + relaxed.variables)
    assert squares_bound(relaxed, relaxed.outputs, weightless) == -np.inf


def scaled_layers(network: Network, factors: list[float]) -> Network:
    """The network with the first layers' values multiplied by these, weights and bias."""
    nodes, left = list(network.nodes), list(factors)
    for k, node in enumerate(nodes):
        if isinstance(node, Affine) and left:
            factor = left.pop(0)
            maps = tuple(Dense(m.to_sparse().toarray() * factor) for m in node.maps)
            nodes[k] = replace(node, maps=maps, bias=node.bias * factor, bias_magnitude=np.abs(node.bias) * factor)
    return replace(network, nodes=tuple(nodes))


@given(SEEDS, st.lists(st.sampled_from([1e-4, 1e-2, 1.0, 1e2, 1e4]), min_size=2, max_size=2))
@settings(max_examples=8, deadline=None)
def test_badly_scaled_layers(seed: int, factors: list[float]) -> None:
    rng = np.random.default_rng(seed)
    network = scaled_layers(random_relu_network(rng, (2, 5, 4, 1)), factors)
    lower, upper = random_box(rng, 2, radius=1.0)
    bounds = plain_bounds(network, lower, upper)
    threshold = float(bounds[-1][1][0]) + 1.0
    (outcome,) = semidefinite_margins(network, Box.exact(lower, upper), bounds, [row(0, threshold)], NEVER)
    points = samples(rng, lower, upper, 500)
    assert outcome.bound <= margin_at(network, points, row(0, threshold))
    assert outcome.bound >= bounds[-1][0][0] - threshold - 1e-9 * abs(threshold)


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_graphs_with_skips_and_convolutions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng, (Relu(),), products=False, depth=4)
    lower, upper = random_box(rng, network.input_size, radius=1.0)
    bounds = plain_bounds(network, lower, upper)
    points = samples(rng, lower, upper, 300)
    conjunctions = [row(1, float(bounds[-1][1][1])), (np.arange(3), bounds[-1][1])]
    for conjunction, outcome in zip(
        conjunctions, semidefinite_margins(network, Box.exact(lower, upper), bounds, conjunctions, NEVER), strict=True
    ):
        assert outcome.finished
        assert outcome.bound <= margin_at(network, points, conjunction)


def test_a_box_of_one_point() -> None:
    network, x = random_relu_network(np.random.default_rng(1), (3, 4, 4, 2)), np.array([0.5, -0.25, 1.0])
    bounds = plain_bounds(network, x, x)
    for conjunction in (row(0, 5.0), (np.arange(2), np.full(2, 5.0))):
        (outcome,) = semidefinite_margins(network, Box.exact(x, x), bounds, [conjunction], NEVER)
        assert outcome.bound <= margin_at(network, x[None], conjunction)
        assert outcome.bound == pytest.approx(margin_at(network, x[None], conjunction), abs=1e-9)


def test_a_single_input_is_nearly_exact() -> None:
    """|x| - 0.3 on [-1, 2]."""
    hidden = Affine((0,), (Dense(np.array([[1.0], [-1.0]])),), np.zeros(2))
    last = Affine((2,), (Dense(np.array([[1.0, 1.0]])),), np.array([-0.3]))
    network = Network((Input(1), hidden, Elementwise((1,), Relu(), 2), last))
    box = Box.exact(np.array([-1.0]), np.array([2.0]))
    bounds = plain_bounds(network, box.lower, box.upper)
    (outcome,) = semidefinite_margins(network, box, bounds, [row(0)], NEVER)
    assert outcome.bound <= -0.3
    assert outcome.bound == pytest.approx(-0.3, abs=1e-3)


def test_decided_relus_need_no_solver() -> None:
    """Half of the relus are active, half dead: the margin is a linear form's, found without rounding to speak of."""
    rng = np.random.default_rng(0)
    hidden = Affine((0,), (dense(rng, 6, 3),), np.array([20.0, 20, 20, -20, -20, -20]))
    network = Network((Input(3), hidden, Elementwise((1,), Relu(), 6), Affine((2,), (dense(rng, 1, 6),), np.zeros(1))))
    box = Box.exact(-np.ones(3), np.ones(3))
    bounds = plain_bounds(network, box.lower, box.upper)
    (outcome,) = semidefinite_margins(network, box, bounds, [row(0, 100.0)], NEVER)
    corners = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
    assert outcome.bound <= margin_at(network, corners, row(0, 100.0))
    assert outcome.bound == pytest.approx(margin_at(network, corners, row(0, 100.0)), abs=1e-9)


def exact_value(network: Network, x: np.ndarray) -> Fraction:
    """The first output in rational arithmetic, with the stored weights as they are."""
    values = [Fraction(float(entry)) for entry in x]
    for node in network.nodes[1:]:
        if isinstance(node, Affine):
            weight = node.maps[0].to_sparse().toarray()
            values = [
                sum((Fraction(float(a)) * v for a, v in zip(row, values, strict=True)), Fraction(float(b)))
                for row, b in zip(weight, node.bias, strict=True)
            ]
        else:
            values = [max(v, Fraction(0)) for v in values]
    return values[0]


@pytest.mark.parametrize("seed", range(8))
def test_rounding_is_taken_off(seed: int) -> None:
    """With all relus active the bound is the exact minimum but for rounding, which must not lift it above."""
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (3, 6, 6, 1))
    nodes = [
        replace(n, bias=n.bias + 30, bias_magnitude=n.bias + 30) if isinstance(n, Affine) else n for n in network.nodes
    ]
    network = replace(network, nodes=tuple(positive(node) for node in nodes))
    box = Box.exact(-rng.random(3), rng.random(3))
    bounds = plain_bounds(network, box.lower, box.upper)
    relaxed = centred(network, box, bounds, 100)
    assert not len(relaxed.relu)
    bound = squares_bound(relaxed, relaxed.outputs, linear_multipliers(relaxed, relaxed.outputs))
    corners = [np.where(np.array(pick), box.lower, box.upper) for pick in product([True, False], repeat=3)]
    least = min(exact_value(network, corner) for corner in corners)
    assert Fraction(bound) <= least
    assert bound == pytest.approx(float(least), rel=1e-11)


def positive(node: Node) -> Node:
    """An affine node with the absolute values of its weights behind the first layer, which keeps later relus active."""
    if isinstance(node, Affine) and node.operands != (0,):
        return replace(node, maps=tuple(m.absolute() for m in node.maps))
    return node


def test_a_dead_network_is_a_constant() -> None:
    network = random_relu_network(np.random.default_rng(2), (3, 4, 2))
    nodes = list(network.nodes)
    nodes[1] = replace(nodes[1], bias=np.full(4, -50.0), bias_magnitude=np.full(4, 50.0))
    network = replace(network, nodes=tuple(nodes))
    box = Box.exact(-np.ones(3), np.ones(3))
    bounds = plain_bounds(network, box.lower, box.upper)
    (outcome,) = semidefinite_margins(network, box, bounds, [(np.arange(2), np.full(2, 3.0))], NEVER)
    constant = (network.nodes[-1].bias - 3.0).max()
    assert outcome.bound <= constant
    assert outcome.bound == pytest.approx(constant, abs=1e-9)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.1])
def test_a_stopped_solve_keeps_what_is_known(seconds: float) -> None:
    rng = np.random.default_rng(4)
    network = random_relu_network(rng, (6, 20, 20, 1))
    box = Box.exact(-np.ones(6), np.ones(6))
    bounds = plain_bounds(network, box.lower, box.upper)
    threshold = float(bounds[-1][1][0])
    (outcome,) = semidefinite_margins(network, box, bounds, [row(0, threshold)], Deadline(seconds))
    assert not outcome.finished
    assert outcome.detail == "the time was up"
    points = samples(rng, box.lower, box.upper, 500)
    assert bounds[-1][0][0] - threshold - 1e-9 <= outcome.bound <= margin_at(network, points, row(0, threshold))


def test_a_proof_ends_the_rounds() -> None:
    """A threshold just below the LP's bound is passed long before the optimum."""
    network, box = random_question(11)
    bounds = plain_bounds(network, box.lower, box.upper)
    (lp,) = relaxed_margins(network, box, bounds, [row(0, 0.0)], NEVER)
    (outcome,) = semidefinite_margins(network, box, bounds, [row(0, lp.bound - 0.1)], NEVER)
    assert outcome.finished
    assert 0 < outcome.bound <= attained(network, box, row(0, lp.bound - 0.1))


def other_networks() -> list[Network]:
    scaling = Affine((0,), (Scaling(np.array([2.0, 3.0])),), np.zeros(2))
    return [
        Network((Input(2), scaling, Elementwise((1,), Sigmoid(), 2))),
        Network((Input(2), scaling, Product((0, 1), 2))),
        random_relu_network(np.random.default_rng(0), (2, 300, 1)),
    ]


@pytest.mark.parametrize(
    ("network", "told"), list(zip(other_networks(), ["sigmoid", "product", "too large"], strict=True))
)
def test_what_it_cannot_take_is_told_in_one_line(network: Network, told: str) -> None:
    lower, upper = -np.ones(2), np.ones(2)
    below = LinearConstraint((), ((0, Fraction(1)),), Fraction(100))  # no bound excludes that the output is below 100
    query = Query((Disjunct(Box.exact(lower, upper), (below,)),), 2, network.output_size)
    task = Task(network, query, Options())
    sdp(task)
    assert len(task.notes) == 1
    assert told in task.notes[0]


@pytest.mark.parametrize("module", ["cvxpy", "scs"])
def test_a_missing_solver_is_told_with_its_remedy(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, box = random_question(5)
    monkeypatch.setitem(sys.modules, module, None)
    bounds = plain_bounds(network, box.lower, box.upper)
    with pytest.raises(UsageError, match="pip install cvxpy scs"):
        semidefinite_margins(network, box, bounds, [row(0)], NEVER)
