"""The bound from multipliers never exceeds the exact optimum, whatever the multipliers are."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.programs.exact import optimum, random_program
from verifier.deadline import Deadline
from verifier.programs.program import Program
from verifier.programs.safe_bound import safe_bound
from verifier.programs.solvers.highs import LpSession

SEEDS = st.integers(0, 2**32 - 1)


def lies(rng: np.random.Generator, multipliers: np.ndarray) -> list[np.ndarray]:
    """The multipliers as a broken solver might return them."""
    noise = rng.normal(size=multipliers.shape)
    return [
        multipliers,
        -multipliers,
        rng.permutation(multipliers),
        multipliers * (1 + 1e-6 * noise),
        multipliers + noise,
        1e8 * noise,
        np.zeros_like(multipliers),
    ]


@given(SEEDS, st.sampled_from([1.0, 1e3]))
@settings(max_examples=40, deadline=None)
def test_never_above_the_optimum(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    program = random_program(rng, 3, 3, scale)
    error = rng.choice([0.0, 1e-9, 1e-2], size=3)
    least = optimum(replace(program, row_error=error))
    assume(least is not None)
    multipliers = LpSession(program).solve(program, Deadline()).multipliers
    assume(multipliers is not None)
    for y in lies(rng, multipliers):
        bound = safe_bound(replace(program, row_error=error), program.cost, y)
        assert bound == -np.inf or Fraction(bound) <= least


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_close_to_the_optimum_with_a_solvers_multipliers(seed: int) -> None:
    program = random_program(np.random.default_rng(seed), 3, 3)
    least = optimum(program)
    assume(least is not None)
    multipliers = LpSession(program).solve(program, Deadline()).multipliers
    assert safe_bound(program, program.cost, multipliers) == pytest.approx(float(least), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "multipliers",
    [np.zeros(2), np.zeros(4), np.zeros((3, 1)), np.array([0, np.nan, 0]), np.array([0, 0, np.inf]), np.full(3, 1e308)],
)
def test_unusable_multipliers_prove_nothing(multipliers: np.ndarray) -> None:
    program = random_program(np.random.default_rng(0), 3, 3)
    assert safe_bound(program, program.cost, multipliers) == -np.inf


def test_an_unbounded_column_proves_nothing_unless_it_is_idle() -> None:
    program = random_program(np.random.default_rng(1), 3, 3)
    loose = replace(program, lower=np.array([-np.inf, -1, -1]), upper=np.array([np.inf, 1, 1]))
    assert safe_bound(loose, np.array([1.0, 0, 0]), np.zeros(3)) == -np.inf
    assert safe_bound(loose, np.array([0.0, 1, 1]), np.zeros(3)) == pytest.approx(-2.0)


def test_rounding_is_taken_off() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in float64; the bound stays below the exact value of the stored numbers."""
    from scipy.sparse import csr_array

    one = np.ones(3)
    cost = np.array([0.1, 0.2, -0.3])
    program = Program(one, one, cost, np.zeros(3, bool), csr_array((0, 3)), np.zeros(0), np.zeros(0), np.zeros(0))
    exact = sum(Fraction(c) for c in cost.tolist())
    bound = safe_bound(program, cost, np.zeros(0))
    assert exact - Fraction(1, 10**12) < Fraction(bound) <= exact
