"""What any enclosure of all nodes has to keep, on random graphs and boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.networks import random_box, random_dag, samples
from verifier.bounds.enclosure import Interval
from verifier.bounds.interval import interval_bounds
from verifier.network.graph import Network

Bounds = Callable[[Network, np.ndarray, np.ndarray], Sequence[Interval]]


def check_containment(bounds: Bounds, seed: int) -> None:
    """Every node's samples lie inside, for several boxes at once, and no interval is looser than propagation's."""
    rng = np.random.default_rng(seed)
    network = random_dag(rng)
    boxes = [random_box(rng, network.input_size, radius) for radius in (0.0, 1e-9, 0.5, 2.0)]
    lower, upper = (np.stack(ends) for ends in zip(*boxes, strict=True))
    found, loose = bounds(network, lower, upper), interval_bounds(network, lower, upper)
    for n in range(len(boxes)):
        values = network.values(samples(rng, lower[n], upper[n], 60))
        for value, interval, other in zip(values, found, loose, strict=True):
            slack = 1e-11 * (1 + np.abs(value))
            assert (value >= interval.lower[n] - slack).all()
            assert (value <= interval.upper[n] + slack).all()
            assert (interval.lower[n] >= other.lower[n] - 1e-12 * (1 + np.abs(other.lower[n]))).all()
