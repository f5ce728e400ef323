"""The orders that theory promises between relaxations, on random networks and the same intermediate bounds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.relaxations import METHODS, check_order, crown_parallel
from benchmarks.semidefinite import case, random_network


def ordered(seed: int, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    question = case(random_network(rng, sizes), rng.normal(size=sizes[0]), float(rng.uniform(0.3, 1.0)))
    with np.errstate(all="ignore"):
        check_order({name: method(question) for name, method in METHODS.items()}, crown_parallel(question))


@pytest.mark.parametrize("seed", range(6))
def test_orders(seed: int) -> None:
    ordered(seed, (3, 4, 3, 1) if seed % 2 else (2, 6, 1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_orders_of_fifty(seed: int) -> None:
    ordered(100 + seed, ((3, 6, 4, 1), (4, 5, 5, 1), (2, 9, 1), (3, 4, 3, 3, 1))[seed % 4])
