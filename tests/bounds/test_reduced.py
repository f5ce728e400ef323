"""A reduced network is the same function on its box, and bounds go over in both directions."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks import random_dag, random_relu_network, samples
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.bounds.reduced import reduced
from verifier.network.graph import Affine, Elementwise


def small_box(rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
    centre = rng.normal(size=(1, size))
    return centre - 0.05, centre + 0.05


@pytest.mark.parametrize("seed", range(10))
def test_what_is_left_is_the_same_function_with_the_same_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (4, 12, 10, 3))
    lower, upper = small_box(rng, 4)
    intervals = linear_bounds(network, lower, upper)
    small = reduced(network, intervals)
    assert small.kept, "with so small a box some relus are inactive"
    for k, node in enumerate(network.nodes):
        if isinstance(node, Elementwise):
            inactive = intervals[node.operands[0]].upper[0] <= 0
            assert small.network.nodes[k].size == small.network.nodes[node.operands[0]].size
            np.testing.assert_array_equal(small.kept.get(k, np.arange(node.size)), np.flatnonzero(~inactive))
    x = samples(rng, lower[0], upper[0], 1000)
    np.testing.assert_allclose(small.network.forward(x), network.forward(x), rtol=1e-12, atol=1e-12)
    taken = small.taken(intervals)
    anew = linear_bounds(small.network, lower, upper)
    for one, other in zip(taken, anew, strict=True):
        np.testing.assert_allclose(one.lower, other.lower, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(one.upper, other.upper, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        rows_minimum(small.network, taken), rows_minimum(network, intervals), rtol=1e-9, atol=1e-9
    )
    for one, other in zip(small.restored(taken, intervals), intervals, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)


@pytest.mark.parametrize("seed", range(20))
def test_any_graph_stays_the_same_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng, depth=4)
    lower, upper = small_box(rng, network.input_size)
    small = reduced(network, linear_bounds(network, lower, upper))
    x = samples(rng, lower[0], upper[0], 500)
    np.testing.assert_allclose(small.network.forward(x), network.forward(x), rtol=1e-9, atol=1e-9)
    for node in small.network.nodes:
        assert not isinstance(node, Affine) or node.bias_magnitude.shape == node.bias.shape


def test_a_layer_without_any_active_relu_keeps_one() -> None:
    rng = np.random.default_rng(0)
    network = random_relu_network(rng, (2, 5, 2))
    nodes = list(network.nodes)
    first = nodes[1]
    assert isinstance(first, Affine)
    nodes[1] = Affine(first.operands, first.maps, np.full(5, -100.0))
    network = type(network)(tuple(nodes))
    lower, upper = small_box(rng, 2)
    small = reduced(network, linear_bounds(network, lower, upper))
    assert small.network.nodes[1].size == small.network.nodes[2].size == 1
    x = samples(rng, lower[0], upper[0], 100)
    np.testing.assert_array_equal(small.network.forward(x), network.forward(x))


def test_only_what_is_zero_in_all_boxes_goes() -> None:
    rng = np.random.default_rng(1)
    network = random_relu_network(rng, (3, 12, 8, 2))
    centres = rng.normal(size=(4, 3))
    lower, upper = centres - 0.05, centres + 0.05
    small = reduced(network, linear_bounds(network, lower, upper))
    for n in range(4):
        x = samples(rng, lower[n], upper[n], 200)
        np.testing.assert_allclose(small.network.forward(x), network.forward(x), rtol=1e-12, atol=1e-12)
