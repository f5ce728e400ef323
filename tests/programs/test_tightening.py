"""Bounds of single entries by programs: sound, no looser than before, the exact ones exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_box, random_dag, random_relu_network
from tests.programs.patterns import exact_minimum
from verifier.bounds.linear import linear_bounds
from verifier.deadline import Deadline
from verifier.network.graph import Network, Port
from verifier.programs.tightening import EntryPrograms
from verifier.property.query import Box


def bounds_of(network: Network, lower: np.ndarray, upper: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(i.lower[0], i.upper[0]) for i in linear_bounds(network, lower[None], upper[None])]


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.booleans())
def test_no_value_escapes_and_nothing_gets_looser(seed: int, exact: bool) -> None:
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    lower, upper = random_box(rng, network.input_size)
    known = bounds_of(network, lower, upper)
    node = int(rng.integers(1, len(network.nodes)))
    entries = np.flatnonzero(rng.random(network.nodes[node].size) < 0.7)
    if not len(entries):
        return
    programs = EntryPrograms(network, Box.exact(lower, upper), known, node, exact, Deadline(10.0))
    low, high = programs.bounds_of(entries)
    assert (low >= known[node][0][entries]).all()
    assert (high <= known[node][1][entries]).all()
    points = rng.choice([0.0, 0.3, 1.0], size=(200, network.input_size)) * (upper - lower) + lower
    values = network.values(points)[node][:, entries]
    room = 1e-9 * (1 + np.abs(values))
    assert (values >= low - room).all()
    assert (values <= high + room).all()


@pytest.mark.parametrize("seed", range(8))
def test_exact_bounds_are_those_of_enumeration(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, (2, 4, 3, 1))
    lower, upper = random_box(rng, 2, 1.0)
    known = bounds_of(network, lower, upper)
    node = len(network.nodes) - 3  # what the second layer of relus works on
    box, entries = Box.exact(lower, upper), np.arange(3)
    relaxed, exact = (
        EntryPrograms(network, box, known, node, kind, Deadline(20.0)).bounds_of(entries) for kind in (False, True)
    )
    part = replace(network, nodes=network.nodes[: node + 1], outputs=(Port("z", (3,)),))
    for entry in entries:
        least = exact_minimum(part, lower, upper, np.array([entry]), np.zeros(1))
        assert exact[0][entry] <= least + 1e-9
        assert exact[0][entry] == pytest.approx(least, abs=1e-4)
        assert relaxed[0][entry] <= exact[0][entry] + 1e-4
        assert relaxed[1][entry] >= exact[1][entry] - 1e-4


def test_an_expired_deadline_leaves_what_is_known() -> None:
    rng = np.random.default_rng(3)
    network = random_relu_network(rng, (3, 8, 8, 1))
    lower, upper = random_box(rng, 3, 1.0)
    known, node, entries = bounds_of(network, lower, upper), 3, np.arange(8)
    for exact in (False, True):
        programs = EntryPrograms(network, Box.exact(lower, upper), known, node, exact, Deadline(0.0))
        for found, before in zip(programs.bounds_of(entries), known[node], strict=True):
            assert (found == before[entries]).all()
