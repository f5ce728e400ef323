"""Zonotopes contain every value, are inside the interval bounds, and agree with backward bounds on parallel lines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds.containment import check_containment
from tests.networks import random_box
from verifier.bounds.backward import BackwardPass
from verifier.bounds.enclosure import Interval
from verifier.bounds.forward import forward_bounds
from verifier.bounds.interval import interval_bounds
from verifier.bounds.zonotope import zonotope_bounds
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Dense
from verifier.relaxations.lines import Policy


@pytest.mark.parametrize("column_values", [1 << 25, 200, 0])
@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_node_lies_inside(column_values: int, seed: int) -> None:
    check_containment(lambda *box: zonotope_bounds(*box, column_values), seed)


def relu_chain(rng: np.random.Generator, depth: int, width: int) -> Network:
    """Affine and relu layers of one width."""
    nodes: list[Node] = [Input(width)]
    for _ in range(depth):
        weight, bias = rng.normal(size=(width, width)) / width**0.5, 0.3 * rng.normal(size=width)
        nodes.append(Affine((len(nodes) - 1,), (Dense(weight),), bias))
        nodes.append(Elementwise((len(nodes) - 1,), Relu(), width))
    nodes.append(Affine((len(nodes) - 1,), (Dense(rng.normal(size=(3, width))),), np.zeros(3)))
    return Network(tuple(nodes))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_backward_rows_with_parallel_lines_bound_the_same(seed: int) -> None:
    """On the same intervals; the zonotope's own are intersected with propagated ones, which its rows do not see."""
    rng = np.random.default_rng(seed)
    network = relu_chain(rng, depth=4, width=6)
    lower, upper = (end[None] for end in random_box(rng, network.input_size, 0.4))
    found = zonotope_bounds(network, lower, upper)
    backward = BackwardPass(network, found, Policy.PARALLEL)
    last = len(network.nodes) - 1
    rows = np.eye(3)[None]
    below, above = backward.minimum(last, rows).bound, -backward.minimum(last, -rows).bound
    assert (found[-1].lower >= below - 1e-9).all()
    assert (found[-1].upper <= above + 1e-9).all()
    propagated = interval_bounds_of_last(network, found)
    np.testing.assert_allclose(found[-1].lower, np.maximum(below, propagated.lower), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[-1].upper, np.minimum(above, propagated.upper), rtol=1e-9, atol=1e-9)


def interval_bounds_of_last(network: Network, intervals: list[Interval]) -> Interval:
    """The last node's interval as it follows from those of its operands."""
    head = Network((Input(network.nodes[-2].size), network.nodes[-1].__class__((0,), *_rest(network))))
    return interval_bounds(head, intervals[-2].lower, intervals[-2].upper)[-1]


def _rest(network: Network) -> tuple[tuple[Dense, ...], np.ndarray]:
    last = network.nodes[-1]
    assert isinstance(last, Affine)
    return last.maps, last.bias


def test_what_cancels_is_exact_where_forward_bounds_are_not() -> None:
    """relu(x) - relu(x): both terms have the same symbol."""
    layers = (
        Input(1),
        Affine((0,), (Dense(np.ones((2, 1))),), np.zeros(2)),
        Elementwise((1,), Relu(), 2),
        Elementwise((1,), Relu(), 2),
        Affine((2, 3), (Dense(np.array([[1.0, 0.0]])), Dense(np.array([[-1.0, 0.0]]))), np.zeros(1)),
        Affine((2,), (Dense(np.array([[1.0, 0.0], [2.0, 0.0]])),), np.zeros(2)),
        Affine((5,), (Dense(np.array([[2.0, -1.0]])),), np.zeros(1)),
    )
    network = Network(layers)
    low, high = -np.ones((1, 1)), np.ones((1, 1))
    found, loose = zonotope_bounds(network, low, high)[-1], forward_bounds(network, low, high)[-1]
    np.testing.assert_allclose((found.lower, found.upper), ([[0.0]], [[0.0]]), atol=1e-12)
    assert loose.upper[0, 0] > 1.0


def test_unbounded_functions_leave_the_propagated_interval() -> None:
    """A value too large to be bounded is no reason for one that does not depend on it."""
    layers = (
        Input(2),
        Affine((0,), (Dense(np.diag([1e200, 1.0])),), np.zeros(2)),
        Elementwise((1,), Relu(), 2),
        Affine((2,), (Dense(np.eye(2)),), np.zeros(2)),
    )
    network = Network(layers)
    with np.errstate(all="ignore"):
        found = zonotope_bounds(network, -np.ones((1, 2)), np.ones((1, 2)))[-1]
    assert found.upper[0, 0] == np.inf
    assert not np.isnan(found.lower).any()
    assert not np.isnan(found.upper).any()
