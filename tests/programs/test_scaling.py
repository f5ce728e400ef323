"""Programs in units of their columns: the same optimum, and no verdict from what a solver overlooks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import plain_bounds, random_relu_network
from verifier.deadline import Deadline
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Dense
from verifier.programs.encode import encode
from verifier.programs.margins import exact_margin
from verifier.programs.scaling import scaled
from verifier.property.query import Box


def relu_network(*layers: tuple[np.ndarray, np.ndarray]) -> Network:
    """A fully connected network of (weight, bias) pairs with a relu between them."""
    nodes: list[Node] = [Input(layers[0][0].shape[1])]
    for k, (weight, bias) in enumerate(layers):
        nodes.append(Affine((len(nodes) - 1,), (Dense(weight),), bias))
        if k < len(layers) - 1:
            nodes.append(Elementwise((len(nodes) - 1,), Relu(), len(bias)))
    return Network(tuple(nodes))


def margin(network: Network, box: Box) -> float:
    conjunction = (np.array([0]), np.array([0.0]))
    return exact_margin(network, box, plain_bounds(network, box.lower, box.upper), conjunction, Deadline(30.0)).bound


def test_a_box_as_narrow_as_a_solvers_tolerance() -> None:
    """The least value is -2/3, at 1e-9; on the unscaled program HiGHS claimed a bound of 0."""
    big = 1e9
    network = relu_network(
        (np.array([[1.0], [1.0], [-1.0]]), np.array([-1e-9 / 3, 0.0, 2e-9 / 3])),
        (np.array([[-2 * big, big, -big], [big, 1.0, 1.0]]), np.zeros(2)),
        (np.array([[1.0, -1.0]]), np.zeros(1)),
    )
    box = Box.exact(np.zeros(1), np.array([1e-9]))
    assert margin(network, box) <= network.forward(np.array([[1e-9]]))[0, 0] < -0.66


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_scales_of_layers_and_boxes_do_not_matter(seed: int) -> None:
    """Layers scaled up and down by up to 1e8 and narrow boxes far from 0: the bound stays below sampled values."""
    rng = np.random.default_rng(seed)
    factor = 10.0 ** rng.integers(-8, 9)
    width, place = 10.0 ** rng.integers(-6, 1), rng.choice([0.0, 1e3])
    first, second = rng.normal(size=(5, 2)), rng.normal(size=(4, 5))
    lower = place + rng.normal(size=2)
    box = Box.exact(lower, lower + width)
    bias = width * rng.normal(size=5) - first @ (lower + width / 2)
    network = relu_network(
        (first * factor, bias * factor),
        (second / factor / width, rng.normal(size=4)),
        (rng.normal(size=(1, 4)), np.zeros(1)),
    )
    points = np.clip(lower + width * rng.random((5000, 2)), box.lower, box.upper)
    sampled = network.forward(points).min()
    assert margin(network, box) <= sampled + 1e-6 * (1 + abs(sampled))


def test_the_units_are_undone() -> None:
    rng = np.random.default_rng(0)
    network = random_relu_network(rng, (3, 6, 2))
    box = Box.exact(np.array([5.0, -1.0, 0.0]), np.array([5.5, 1.0, 0.0]))
    program = encode(network, box, plain_bounds(network, box.lower, box.upper), exact=True).program
    units = scaled(program)
    inside = np.where(units.program.integrality, 0.0, rng.uniform(-0.4, 0.4, size=program.lower.shape))
    assert (units.program.lower <= inside).all()
    assert (units.original(units.program.lower) <= program.lower).all()
    assert (units.original(units.program.upper) >= program.upper).all()
    assert units.objective(units.scaled_objective(1.25)) == pytest.approx(1.25)
    largest = np.abs(units.program.rows).max(axis=1).toarray().ravel()
    assert ((largest > 0.5) & (largest <= 1.0)).all()
    moved = program.rows @ (units.original(inside) - units.middle)
    ratio = (units.program.rows @ inside)[np.abs(moved) > 1e-6] / moved[np.abs(moved) > 1e-6]
    np.testing.assert_allclose(np.log2(ratio), np.round(np.log2(ratio)), atol=1e-6)
