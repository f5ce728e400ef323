"""Forward linear bounds contain every value and are inside the interval bounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bounds.containment import check_containment
from verifier.bounds.forward import forward_bounds
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Dense


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_every_node_lies_inside(seed: int) -> None:
    check_containment(forward_bounds, seed)


def test_linear_parts_are_exact_where_intervals_are_not() -> None:
    mix = np.array([[1.0, 1.0], [1.0, -1.0]])
    layers = (
        Input(2),
        Affine((0,), (Dense(mix),), np.full(2, 5.0)),  # always positive: the relus are linear
        Elementwise((1,), Relu(), 2),
        Affine((2,), (Dense(mix),), np.zeros(2)),
    )
    network = Network(layers)
    low, high = -np.ones((1, 2)), np.ones((1, 2))
    found = forward_bounds(network, low, high)[-1]
    np.testing.assert_allclose(found.lower, [[8.0, -2.0]], rtol=1e-9)
    np.testing.assert_allclose(found.upper, [[12.0, 2.0]], rtol=1e-9)
