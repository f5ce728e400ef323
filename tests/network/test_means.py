"""Centred means: the same outputs wherever the centre lies, bounds that hold and are tighter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.attention import attention
from tests.networks import random_box
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds, rows_minimum
from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Dense, Selection, Sparse
from verifier.network.means import centred_means
from verifier.network.partitions import partitions_at

seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(2, 4), st.integers(1, 2))
@settings(max_examples=30, deadline=None)
def test_outputs_are_the_same_wherever_the_centre_is(seed: int, tokens: int, depth: int) -> None:
    rng = np.random.default_rng(seed)
    network, x = attention(rng, tokens, depth), rng.normal(size=(20, 3))
    for point in (x[0], 10.0 * x[1]):
        centred = centred_means(network, lambda point=point: point)
        values = centred.nodes[centred.nodes[9].operands[1]]
        assert isinstance(values, Affine)
        assert values.bias.any()
        np.testing.assert_allclose(centred.forward(x), network.forward(x), rtol=1e-9, atol=1e-9)


@given(seeds)
@settings(max_examples=30, deadline=None)
def test_bounds_hold_for_the_network_as_it_was(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = attention(rng, 3, 2)
    lower, upper = random_box(rng, 3, radius=float(rng.choice([0.01, 0.5, 2.0])))
    centred = centred_means(network, lambda: 0.5 * (lower + upper))
    outputs = network.forward(rng.uniform(lower, upper, size=(300, 3)))
    for bound in (interval_bounds, linear_bounds):
        bounds = bound(centred, lower[None], upper[None])
        assert (outputs >= bounds[-1].lower - 1e-12).all()
        assert (outputs <= bounds[-1].upper + 1e-12).all()


def test_bounds_are_tighter() -> None:
    gained = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        network = attention(rng, 3, 2)
        lower, upper = (a[None] for a in random_box(rng, 3, radius=0.2))
        bounds = []
        for one in (network, centred_means(network, lambda lower=lower: lower[0])):
            bounds.append(rows_minimum(one, linear_bounds(one, lower, upper)).sum())
        gained.append(bounds[1] - bounds[0])
    assert np.mean(gained) > 0
    assert np.mean(np.array(gained) > 0) > 0.6


def test_an_incomplete_mean_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    entries = np.array([0, 1, 1, 3, 4, 5, 6, 7, 7])  # the first and the last mean lack a member of their softmax
    network = attention(rng, 3, 1, copies=entries)
    centred, x = centred_means(network, lambda: np.ones(3)), rng.normal(size=(20, 3))
    np.testing.assert_allclose(centred.forward(x), network.forward(x), rtol=1e-9, atol=1e-9)
    changed = [n.bias for n in centred.nodes if isinstance(n, Affine) and n.size == 9 and n.bias.any()][-1]
    assert (changed != 0).tolist() == [False] * 3 + [True] * 3 + [False] * 3


@pytest.mark.parametrize("flaw", ["sum", "difference", "weight"])
def test_what_does_not_add_up_to_one_is_no_partition(flaw: str) -> None:
    network = attention(np.random.default_rng(0), 3, 1)
    nodes = list(network.nodes)
    good = partitions_at(network, 5)
    assert good is not None
    assert good.partition.tolist() == [good.partition[0]] * 3 + [good.partition[3]] * 3 + [good.partition[6]] * 3
    if flaw == "sum":
        sums = np.kron(np.eye(9), np.ones((1, 3)))
        sums[0, 1] = 0.0
        sums[4, 13] = 2.0
        sums[8, 25] = 0.0
        nodes[4] = Affine((3,), (Sparse(sums),), np.zeros(9))
    elif flaw == "difference":
        plus, minus = nodes[2].maps  # type: ignore[union-attr]
        other = np.where(np.arange(27) % 9 == 1, 8, plus.indices)
        nodes[2] = Affine((1, 1), (Selection(other, 9), minus), np.zeros(27))
    else:
        nodes[4] = Affine((3,), (Dense(np.ones((1, 3)), 9),), np.full(9, 0.1))
    found = partitions_at(Network(tuple(nodes)), 5)
    assert found is None
