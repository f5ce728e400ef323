"""Constants of networks against sampled difference quotients, and the order that theory promises between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import plain_bounds, random_box, random_dag, random_relu_network, samples
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.errors import UsageError
from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.jacobian import gradient_constants, gradient_network
from verifier.lipschitz.quadratic import certified_constant, quadratic_network
from verifier.lipschitz.semidefinite import semidefinite_constant
from verifier.network.functions import Relu, Sigmoid, Sign, Tanh
from verifier.network.graph import Affine, Elementwise, Input, Network, Product
from verifier.network.linear_maps import Dense, Identity
from verifier.readers.onnx import load_network

NORMS = (1.0, 2.0, math.inf)
ROUNDING = 1 + 1e-9
seeds = st.integers(0, 2**32 - 1)


def bounded(network, lower, upper, _=None):
    last = interval_bounds(network, lower, upper)[-1]
    return last.lower, last.upper


def linearly_bounded(network, lower, upper, _=None):
    intervals = linear_bounds(network, lower, upper)
    return rows_minimum(network, intervals), intervals[-1].upper


def quotients(network, points, rows, norm):
    """Difference quotients of the forms, and of all outputs p-norm to p-norm, over pairs of points."""
    first, second = points[: len(points) // 2], points[len(points) // 2 :]
    near = first + 1e-3 * (second - first)
    worst, of_outputs = np.zeros(len(rows)), 0.0
    for other in (second, near):
        lengths = np.linalg.norm(first - other, ord=norm, axis=1)
        used = lengths > 1e-9
        change = (network.forward(first) - network.forward(other))[used]
        worst = np.maximum(worst, (np.abs(change @ rows.T) / lengths[used, None]).max(axis=0, initial=0.0))
        shares = np.linalg.norm(change, ord=norm, axis=1) / lengths[used]
        of_outputs = max(of_outputs, float(shares.max(initial=0.0)))
    return worst, of_outputs


@given(seeds, st.sampled_from(NORMS), st.booleans())
@settings(max_examples=100, deadline=None)
def test_global_constants_are_above_difference_quotients(seed, norm, products):
    rng = np.random.default_rng(seed)
    network = random_dag(rng, products=products)
    points, rows = 3 * rng.normal(size=(200, network.input_size)), rng.normal(size=(4, network.output_size))
    worst, of_outputs = quotients(network, points, rows, norm)
    constants = LipschitzConstants(network, norm)
    assert (worst <= constants.of_forms(rows) * ROUNDING).all()
    assert of_outputs <= constants.of_outputs() * ROUNDING


@given(seeds, st.sampled_from(NORMS))
@settings(max_examples=100, deadline=None)
def test_local_constants_are_above_difference_quotients(seed, norm):
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    values, rows = plain_bounds(network, lower, upper), rng.normal(size=(4, network.output_size))
    worst, of_outputs = quotients(network, samples(rng, lower, upper, 200), rows, norm)
    constants = LipschitzConstants(network, norm, values)
    assert (worst <= constants.of_forms(rows) * ROUNDING).all()
    assert of_outputs <= constants.of_outputs() * ROUNDING
    gradient = gradient_network(network, absolute_sum=norm == math.inf)
    found = gradient_constants(gradient, norm, gradient.box(values, rows), bounded)
    assert (worst <= found * ROUNDING).all()
    assert (worst <= gradient_constants(gradient, norm, gradient.box(values, rows), linearly_bounded) * ROUNDING).all()


@given(seeds, st.sampled_from(NORMS))
@settings(max_examples=50, deadline=None)
def test_local_constants_are_no_larger_than_global_ones(seed, norm):
    rng = np.random.default_rng(seed)
    network = random_dag(rng, products=False)
    values = plain_bounds(network, *random_box(rng, network.input_size))
    rows = np.eye(network.output_size)
    everywhere, here = LipschitzConstants(network, norm), LipschitzConstants(network, norm, values)
    assert (here.of_forms(rows) <= everywhere.of_forms(rows) * 1.01).all()  # norms are within a little of the true ones


@pytest.mark.parametrize("norm", NORMS)
def test_inactive_relus_vanish(norm):
    weight = np.array([[1.0, 2.0], [1e6, 1e6]])
    nodes = (
        Input(2),
        Affine((0,), (Dense(weight),), np.array([10.0, -1e9])),
        Elementwise((1,), Relu(), 2),
        Affine((2,), (Dense(np.ones((1, 2))),), np.zeros(1)),
    )
    network = Network(nodes)
    values = plain_bounds(network, -np.ones(2), np.ones(2))
    exact = {1.0: 2.0, 2.0: math.sqrt(5), math.inf: 3.0}[norm]
    assert LipschitzConstants(network, norm, values).of_forms(np.ones((1, 1)))[0] == pytest.approx(exact)
    assert LipschitzConstants(network, norm).of_outputs() > 1e5


def test_branches_add_up():
    nodes = (Input(3), Affine((0, 0), (Identity(3), Identity(3)), np.zeros(3)))
    assert LipschitzConstants(Network(nodes), 2.0).of_outputs() == pytest.approx(2.0)
    assert LipschitzConstants(Network(nodes), math.inf).of_forms(np.array([[1.0, -1.0, 0.0]]))[0] == pytest.approx(4.0)


def test_jumps_have_no_constant():
    nodes = (Input(2), Elementwise((0,), Sign(), 2), Affine((1,), (Dense(np.eye(2)),), np.zeros(2)))
    assert LipschitzConstants(Network(nodes), 2.0).of_outputs() == math.inf
    assert LipschitzConstants(Network(nodes), 2.0).of_forms(np.ones((1, 2)))[0] == math.inf


@pytest.mark.parametrize("scale", [1e-150, 1e150])
@pytest.mark.parametrize("norm", NORMS)
def test_extreme_weights(norm, scale):
    rng = np.random.default_rng(0)
    plain = random_relu_network(rng, (3, 4, 2))
    nodes = list(plain.nodes)
    nodes[1] = Affine((0,), (Dense(nodes[1].maps[0].weight * scale),), np.zeros(4))
    rows = np.eye(2)
    expected = LipschitzConstants(plain, norm).of_forms(rows)
    assert LipschitzConstants(Network(tuple(nodes)), norm).of_forms(rows) == pytest.approx(expected * scale, rel=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_products_that_underflow_are_not_zero(norm):
    """1e-200 * 1e-200 is 0 in float64, and yet 1e-100 after the first layer's 1e300."""
    maps = (Dense(np.array([[1e300]])), Dense(np.array([[1e-200]])))
    nodes = (Input(1), *(Affine((k,), (of,), np.zeros(1)) for k, of in enumerate(maps)))
    assert LipschitzConstants(Network(nodes), norm).of_forms(np.array([[1e-200]]))[0] >= 1e-100
    assert LipschitzConstants(Network(nodes), norm).of_forms(np.zeros((1, 1)))[0] == 0.0


@given(seeds)
@settings(max_examples=50, deadline=None)
def test_the_gradient_network_gives_the_gradient(seed):
    rng = np.random.default_rng(seed)
    network = random_dag(rng, functions=(Sigmoid(), Tanh()))
    row, x, step = rng.normal(size=network.output_size), rng.normal(size=network.input_size), 1e-6
    moved = step * np.eye(network.input_size)
    numeric = (network.forward(x + moved) - network.forward(x - moved)) @ row / (2 * step)
    exact = gradient_network(network).gradients(x[None], row)[0]
    assert exact == pytest.approx(numeric, rel=1e-4, abs=1e-4 * (1 + np.abs(exact).max()))


@given(seeds, st.sampled_from(NORMS), st.booleans())
@settings(max_examples=20, deadline=None)
def test_semidefinite_constants_are_above_difference_quotients(seed, norm, local):
    rng = np.random.default_rng(seed)
    network = random_dag(rng, functions=(Relu(), Tanh()), products=False, depth=3)
    lower, upper = random_box(rng, network.input_size)
    values = plain_bounds(network, lower, upper) if local else None
    row = rng.normal(size=(1, network.output_size))
    worst, _ = quotients(network, samples(rng, lower, upper, 200), row, norm)
    assert worst[0] <= semidefinite_constant(network, row, norm, values) * ROUNDING


@given(seeds, st.sampled_from([2.0, math.inf]))
@settings(max_examples=100, deadline=None)
def test_any_multipliers_give_a_constant(seed, norm):
    rng = np.random.default_rng(seed)
    network = random_dag(rng, functions=(Relu(), Tanh(), Sigmoid()), products=False, depth=4)
    lower, upper = random_box(rng, network.input_size)
    rows = rng.normal(size=(int(rng.integers(1, 3)), network.output_size))
    quadratic = quadratic_network(network, rows, norm, plain_bounds(network, lower, upper), 100)
    points = samples(rng, lower, upper, 200)
    change = (network.forward(points[:100]) - network.forward(points[100:])) @ rows.T
    lengths = np.linalg.norm(points[:100] - points[100:], ord=norm, axis=1)
    true = (np.linalg.norm(change, axis=1)[lengths > 1e-9] / lengths[lengths > 1e-9]).max(initial=0.0)
    for size in (0.0, 1e-3, 1.0, 1e6):
        multipliers = size * rng.normal(size=len(quadratic.low))
        diagonal = size * rng.normal(size=quadratic.neurons.rows.shape[1])
        assert true <= certified_constant(quadratic, norm, multipliers, diagonal) * ROUNDING
    nothing = np.full(len(quadratic.low), np.nan)
    if len(nothing):
        assert certified_constant(quadratic, norm, nothing, np.zeros(quadratic.neurons.rows.shape[1])) == math.inf


def test_semidefinite_constants_are_exact_for_linear_networks_and_tighter_for_others():
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(4, 5))
    network = Network((Input(5), Affine((0,), (Dense(weight),), np.zeros(4))))
    assert semidefinite_constant(network, np.eye(4), 2.0) == pytest.approx(np.linalg.norm(weight, 2), rel=1e-3)
    deep, row = random_relu_network(rng, (5, 12, 12, 3)), np.array([[1.0, -1.0, 0.0]])
    for norm in (2.0, math.inf):
        assert semidefinite_constant(deep, row, norm) < 0.8 * LipschitzConstants(deep, norm).of_forms(row)[0]


def test_what_lipsdp_cannot_take_is_refused():
    nodes = (Input(2), Elementwise((0,), Sign(), 2))
    with pytest.raises(UsageError, match="sign"):
        semidefinite_constant(Network(nodes), np.eye(2), 2.0)
    wide = random_relu_network(np.random.default_rng(0), (200, 100, 2))
    with pytest.raises(UsageError, match="250"):
        semidefinite_constant(wide, np.eye(2), 2.0)


@pytest.mark.parametrize("name", ["digits_dense", "digits_conv"])
@pytest.mark.parametrize("norm", NORMS)
def test_on_digits(name, norm):
    network = load_network(f"vnnlib_specs/onnx/{name}.onnx")
    rng = np.random.default_rng(0)
    rows = np.eye(10)[3:4] - np.eye(10)
    rows = np.delete(rows, 3, axis=0)
    centre = rng.random(64)
    lower, upper = np.maximum(centre - 0.03, 0), np.minimum(centre + 0.03, 1)
    intervals = linear_bounds(network, lower[None], upper[None])
    values = [(i.lower[0], i.upper[0]) for i in intervals]
    worst, of_outputs = quotients(network, samples(rng, lower, upper, 400), rows, norm)
    everywhere, here = LipschitzConstants(network, norm), LipschitzConstants(network, norm, values)
    assert of_outputs <= here.of_outputs() <= everywhere.of_outputs() * ROUNDING
    assert (worst <= here.of_forms(rows)).all()
    gradient = gradient_network(network, absolute_sum=norm == math.inf)
    box = gradient.box(values, rows)
    loose, tight = (gradient_constants(gradient, norm, box, rule) for rule in (bounded, linearly_bounded))
    assert (worst <= tight).all()
    assert (tight <= loose * ROUNDING).all()
    assert (loose <= everywhere.of_forms(rows)).all()


def test_products_have_local_constants_only():
    nodes = (Input(2), Product((0, 0), 2), Affine((1,), (Dense(np.eye(2)),), np.zeros(2)))
    network = Network(nodes)
    assert LipschitzConstants(network, 2.0).of_outputs() == math.inf
    values = plain_bounds(network, np.full(2, -3.0), np.full(2, 2.0))
    assert LipschitzConstants(network, 2.0, values).of_outputs() == pytest.approx(6.0)
    with pytest.raises(UsageError, match="products"):
        semidefinite_constant(network, np.eye(2), 2.0, values)
