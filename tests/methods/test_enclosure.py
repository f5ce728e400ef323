"""A task's enclosure of a box holds all values, whichever bounds come before the backward ones."""

from __future__ import annotations

import numpy as np
import pytest

from tests.networks import random_box, random_dag, samples
from tests.search.test_neurons import query_of
from verifier.bounds import forward
from verifier.methods import enclosures as enclosures_module
from verifier.methods.task import Task
from verifier.property.query import Box


@pytest.mark.parametrize("forward_values", [0, 20_000])
@pytest.mark.parametrize("forward_inputs", [0, 32])
@pytest.mark.parametrize("seed", range(4))
def test_enclosures_hold_all_values(
    seed: int, forward_inputs: int, forward_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclosures_module, "FORWARD_INPUTS", forward_inputs)
    monkeypatch.setattr(forward, "FORWARD_VALUES", forward_values)
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    box = Box.exact(*random_box(rng, network.input_size, 0.5))
    task = Task(network, query_of(network, box, [(np.array([0]), np.array([-100.0]))]))
    with np.errstate(all="ignore"):
        found = task.enclosures.of(task.query.disjuncts[0].box)
    for value, interval in zip(task.forms.values(samples(rng, box.lower, box.upper, 200)), found, strict=True):
        slack = 1e-11 * (1 + np.abs(value))
        assert (value >= interval.lower[0] - slack).all()
        assert (value <= interval.upper[0] + slack).all()
