"""A changed proof is accepted in doubles only where rational numbers accept it as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.checker.claims import claim, proof, read, said, with_array
from verifier.checker.lines import relu_lines
from verifier.checker.proof import ARRAYS, RAGGED, Proof

COUNT = 25
"""Mutations of each proof."""


@pytest.mark.parametrize(("network", "prop"), [("moons", "upper"), ("moons", "bounded")])
def test_no_mutation_passes_that_is_no_proof(network: str, prop: str, tmp_path: Path) -> None:
    good, rng = read(proof(network, prop), tmp_path), np.random.default_rng(7)
    passed = 0
    for _ in range(COUNT):
        changed = mutated(good, rng)
        if said(claim(network, prop), changed) == "":
            passed += 1
            assert said(claim(network, prop), changed, exact=True) == ""
    assert passed < COUNT


def mutated(good: Proof, rng: np.random.Generator) -> Proof:
    """One entry of one array changed."""
    names = [name for name in ARRAYS if good[name].size and name not in RAGGED]
    name = names[rng.integers(len(names))]
    array = good[name].copy()
    at = tuple(int(rng.integers(n)) for n in array.shape)
    if array.dtype.kind == "b":
        array[at] = not array[at]
    elif array.dtype.kind == "f":
        array[at] = [-array[at], array[at] * 1.5, array[at] + 1e-3, 0.0, rng.normal()][rng.integers(5)]
    else:
        array[at] = rng.integers(-1, max(2, int(array.max()) + 2)) % 256
    return with_array(good, name, array)


def test_a_slope_above_one_is_no_line_below_a_relu() -> None:
    beyond = relu_lines(np.array([[-1.0]]), np.array([[2.0]]), (np.array([[1.5]]),), 2.0**-53)
    assert beyond.below[0][0, 0] == 1.0
