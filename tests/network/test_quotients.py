"""Centred quotients: the same outputs wherever the centre lies, fewer products, bounds that hold and are tighter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_box
from verifier.bounds.forward import forward_bounds
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.network.functions import Exp, Power, Reciprocal, Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Dense, Identity, LinearMap, Selection
from verifier.network.quotients import centred_quotients
from verifier.tolerances import WEIGHT_ROUNDINGS


def quotient_network(rng: np.random.Generator, weights: np.ndarray, groups: int = 1, swapped: bool = False) -> Network:
    """A skip connection and weights @ (q / sum of the q of its group), q not negative; weights: shape (out, size)."""
    size, inputs = weights.shape[1], int(rng.integers(1, 4))
    group = np.r_[np.arange(groups), rng.integers(0, groups, size - groups)]
    function = (Exp(), Power(2.0), Power(3.0), Relu())[int(rng.integers(4))]
    nodes: list[Node] = [
        Input(inputs),
        Affine((0,), (Dense(0.5 * rng.normal(size=(size, inputs))),), 2.0 + rng.random(size)),
        Elementwise((1,), function, size),
        Affine((2,), (Dense((group == np.arange(groups)[:, None]).astype(float)),), np.full(groups, 0.5)),
        Elementwise((3,), Reciprocal(), groups),
        Affine((4,), (Selection(group, groups),), np.zeros(size)),
        Product((5, 2) if swapped else (2, 5), size),
    ]
    maps = (Dense(weights), Dense(rng.normal(size=(len(weights), inputs))))
    nodes.append(Affine((6, 0), maps, rng.normal(size=len(weights))))
    return Network(tuple(nodes))


def plain_quotient() -> Network:
    """(x1 + 3 x2) / (x1 + x2), as quotients of which the second counts three times."""
    nodes: list[Node] = [
        Input(2),
        Affine((0,), (Dense(np.ones((1, 2))),), np.zeros(1)),
        Elementwise((1,), Reciprocal(), 1),
        Affine((2,), (Selection(np.zeros(2, int), 1),), np.zeros(2)),
        Product((0, 3), 2),
        Affine((4,), (Dense(np.array([[1.0, 3.0]])),), np.zeros(1)),
    ]
    return Network(tuple(nodes))


def products(network: Network) -> int:
    return sum(node.size for node in network.nodes if isinstance(node, Product))


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.booleans())
@settings(max_examples=60)
def test_outputs_are_the_same_wherever_the_centre_is(seed: int, swapped: bool) -> None:
    rng = np.random.default_rng(seed)
    groups = int(rng.integers(1, 3))
    network = quotient_network(rng, 10.0 * rng.normal(size=(2, 5)), groups, swapped)
    x = rng.normal(size=(20, network.input_size))
    for point in (x[0], 100.0 * x[1]):
        centred = centred_quotients(network, lambda point=point: point)
        assert products(centred) == 2 * groups < products(network)
        np.testing.assert_allclose(centred.forward(x), network.forward(x), rtol=1e-9, atol=1e-9)


@given(seeds)
@settings(max_examples=60)
def test_bounds_hold_for_the_network_as_it_was(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = quotient_network(rng, 10.0 * rng.normal(size=(2, 6)), int(rng.integers(1, 3)))
    lower, upper = random_box(rng, network.input_size, radius=float(rng.choice([0.01, 0.5, 2.0])))
    x = lower + (upper - lower) * rng.choice([0.0, 1.0, rng.random()], size=(200, network.input_size))
    y = network.forward(x)
    centred = centred_quotients(network, lambda: x[0])
    box = lower[None, :], upper[None, :]
    slack = 1e-9 * (1.0 + np.abs(y))
    assert (rows_minimum(centred, linear_bounds(centred, *box)) <= y + slack).all()
    for intervals in (interval_bounds(centred, *box), forward_bounds(centred, *box)):
        assert (intervals[-1].lower <= y + slack).all()
        assert (intervals[-1].upper >= y - slack).all()


def test_a_common_growth_of_numerators_and_denominator_cancels() -> None:
    """For q = (2 + x) (1, 2, 3), |x| <= 1, quotients and their weighted sum, 100 / 6, are constant."""
    growth = np.array([[1.0], [2.0], [3.0]])
    nodes: list[Node] = [
        Input(1),
        Affine((0,), (Dense(growth),), 2.0 * growth[:, 0]),
        Affine((1,), (Dense(np.ones((1, 3))),), np.zeros(1)),
        Elementwise((2,), Reciprocal(), 1),
        Affine((3,), (Selection(np.zeros(3, int), 1),), np.zeros(3)),
        Product((1, 4), 3),
        Affine((5,), (Dense(np.array([[10.0, 15.0, 20.0]])),), np.zeros(1)),
    ]
    network = Network(tuple(nodes))
    box = np.array([[-1.0]]), np.array([[1.0]])
    centred = centred_quotients(network, lambda: np.zeros(1))
    lowest = [float(rows_minimum(n, linear_bounds(n, *box))[0, 0]) for n in (network, centred)]
    assert lowest[0] < 14.0
    assert 100 / 6 - 1e-9 < lowest[1] <= 100 / 6


def test_the_weights_are_taken_as_they_are_and_the_centres_are_in_the_magnitude_of_the_bias() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 6))
    network = quotient_network(rng, weights)
    centred = centred_quotients(network, lambda: np.zeros(network.input_size))
    sums = centred.nodes[-4]
    assert isinstance(sums, Affine)
    np.testing.assert_array_equal(sums.maps[0].to_sparse().toarray(), weights)
    centre = -sums.maps[1].to_sparse().toarray()[:, 0]
    before, after = network.nodes[-1], centred.nodes[-1]
    assert isinstance(before, Affine)
    assert isinstance(after, Affine)
    np.testing.assert_allclose(after.bias, before.bias + centre)
    least = (1.0 + 2.0 / WEIGHT_ROUNDINGS) * (np.abs(before.bias) + np.abs(centre))
    np.testing.assert_allclose(after.bias_magnitude, least)


@pytest.mark.parametrize("point", [0.0, np.nan, np.inf])
def test_a_point_where_a_quotient_is_not_defined_is_no_centre(point: float) -> None:
    centred = centred_quotients(plain_quotient(), lambda: np.full(2, point))
    assert products(centred) == 1
    x = np.array([[1.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(centred.forward(x), [[2.0], [2.5]])


def test_a_denominator_that_may_be_zero_gives_no_bound() -> None:
    """Over [-1, 2]^2 the quotient takes every value."""
    centred = centred_quotients(plain_quotient(), lambda: np.ones(2))
    box = np.full((1, 2), -1.0), np.full((1, 2), 2.0)
    assert rows_minimum(centred, linear_bounds(centred, *box))[0, 0] == -np.inf


def _with_last(network: Network, node: Affine) -> Network:
    return replace(network, nodes=(*network.nodes[:-1], node), outputs=())


def _unasked() -> np.ndarray:
    raise AssertionError("the point is asked for though nothing is to be rewritten")


@pytest.mark.parametrize("linear_map", [Identity(5), Dense(np.ones((5, 5)))])
def test_as_many_sums_as_quotients_stay(linear_map: LinearMap) -> None:
    network = quotient_network(np.random.default_rng(0), np.ones((1, 5)))
    network = _with_last(network, Affine((6,), (linear_map,), np.zeros(5)))
    assert centred_quotients(network, _unasked) is network


def test_quotients_that_something_else_needs_stay() -> None:
    network = quotient_network(np.random.default_rng(0), np.ones((1, 5)))
    twice = Affine((6, 6), (Dense(np.ones((1, 5))), Dense(np.ones((1, 5)))), np.zeros(1))
    network = _with_last(network, twice)
    assert centred_quotients(network, _unasked) is network


@pytest.mark.parametrize("part", ["padding", "bias", "function"])
def test_what_is_no_quotient_stays(part: str) -> None:
    network = quotient_network(np.random.default_rng(0), np.ones((1, 5)))
    nodes = list(network.nodes)
    if part == "padding":
        nodes[5] = Affine((4,), (Selection(np.array([0, 0, 0, 0, -1]), 1),), np.zeros(5))
    elif part == "bias":
        nodes[5] = replace(nodes[5], bias=np.ones(5), bias_magnitude=np.ones(5))
    else:
        nodes[4] = Elementwise((3,), Exp(), 1)
    network = replace(network, nodes=tuple(nodes))
    assert centred_quotients(network, _unasked) is network
