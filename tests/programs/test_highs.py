"""HiGHS as a backend: statuses, signs of multipliers, warm starts, limits, callbacks, silence."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.programs.exact import optimum, random_program
from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.programs.program import Program
from verifier.programs.safe_bound import safe_bound
from verifier.programs.solvers.highs import LpMethod, LpSession, solve_milp
from verifier.programs.solvers.outcome import SolveStatus

METHODS = list(LpMethod)


def program_of(
    matrix: list[list[float]],
    sides: list[tuple[float, float]],
    cost: list[float],
    bounds: tuple[float, float] = (0.0, 10.0),
    integers: bool = False,
) -> Program:
    from scipy.sparse import csr_array

    n, (low, high) = len(cost), np.array(sides, float).T
    lower, upper = np.full(n, bounds[0]), np.full(n, bounds[1])
    return Program(
        lower,
        upper,
        np.array(cost, float),
        np.full(n, integers),
        csr_array(matrix, dtype=float),
        low,
        high,
        0 * np.ones(len(low)),
    )


def knapsack(rng: np.random.Generator, items: int) -> Program:
    """Hard enough that branch and bound does not end at the root."""
    weights = rng.integers(10, 60, size=(5, items)).astype(float)
    sides = [(-np.inf, float(row.sum() // 3)) for row in weights]
    values = -(weights.mean(axis=0) + rng.integers(0, 10, size=items))
    return program_of(weights.tolist(), sides, values.tolist(), (0.0, 1.0), integers=True)


@pytest.mark.parametrize("method", METHODS)
def test_signs_of_multipliers(method: LpMethod) -> None:
    """A pressing lower side has a positive multiplier, a pressing upper side a negative one, a slack row none."""
    program = program_of([[1, 2], [1, -1], [1, 1]], [(4, np.inf), (-np.inf, -1), (-50, 50)], [1, 0])
    least = replace(program, cost=np.array([1.0, 1.0]))
    outcome = LpSession(program, method).solve(least, Deadline())
    assert outcome.status is SolveStatus.OPTIMAL
    assert outcome.primal == pytest.approx([0, 2], abs=1e-6)
    assert outcome.multipliers == pytest.approx([0.5, 0, 0], abs=1e-6)
    most = replace(program, cost=np.array([-1.0, 0.0]))
    outcome = LpSession(program, method).solve(most, Deadline())
    assert outcome.multipliers == pytest.approx([0, -1, 0], abs=1e-6)
    assert safe_bound(program, most.cost, outcome.multipliers) == pytest.approx(-9.0, abs=1e-6)


def test_an_infeasible_program_has_a_ray_that_proves_it() -> None:
    program = program_of([[1, 1], [1, -1]], [(30, np.inf), (-1, 1)], [1, 1])
    outcome = LpSession(program).solve(program, Deadline())
    assert outcome.status is SolveStatus.INFEASIBLE
    if outcome.multipliers is not None:  # presolve may settle it without a ray
        assert safe_bound(program, np.zeros(2), outcome.multipliers) > 0


def test_an_unbounded_program_has_no_bound() -> None:
    program = program_of([[1, -1]], [(-1, 1)], [-1, -1], (0.0, np.inf))
    outcome = LpSession(program).solve(program, Deadline())
    assert outcome.status is not SolveStatus.OPTIMAL
    assert outcome.multipliers is None or safe_bound(program, program.cost, outcome.multipliers) == -np.inf


@pytest.mark.parametrize("method", METHODS)
def test_degenerate_and_badly_scaled(method: LpMethod) -> None:
    """Ten rows through one vertex; rows of size 1e-6 and 1e6."""
    angles = np.linspace(0.1, 1.4, 10)
    fan = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    fan *= np.logspace(-6, 6, 10)[:, None]
    program = program_of(fan.tolist(), [(float(s), np.inf) for s in fan.sum(axis=1)], [1, 1])
    outcome = LpSession(program, method).solve(program, Deadline())
    assert safe_bound(program, program.cost, outcome.multipliers) == pytest.approx(2.0, rel=1e-6)


@given(st.integers(0, 2**32 - 1), st.sampled_from(METHODS))
@settings(max_examples=25, deadline=None)
def test_warm_equals_cold_equals_exact(seed: int, method: LpMethod) -> None:
    """Objectives, column bounds and row sides change in one session; every solve is as good as a fresh one."""
    rng = np.random.default_rng(seed)
    program = random_program(rng, 2, 4)
    assume(optimum(program) is not None)
    session = LpSession(program, method)
    for change in range(4):
        varied = replace(program, cost=rng.normal(size=2))
        if change == 2:
            varied = replace(varied, lower=program.lower - 0.5, row_lower=program.row_lower - 1)
        least = optimum(varied)
        assert least is not None
        for run in (session, LpSession(program, method)):
            outcome = run.solve(varied, Deadline())
            assert outcome.multipliers is not None
            assert safe_bound(varied, varied.cost, outcome.multipliers) == pytest.approx(float(least), abs=1e-5)


def test_other_rows_are_refused() -> None:
    program = random_program(np.random.default_rng(0), 3, 3)
    with pytest.raises(ValueError, match="rows"):
        LpSession(program).solve(random_program(np.random.default_rng(1), 3, 3), Deadline())


def test_an_expired_deadline_stops_before_the_solve() -> None:
    program = random_program(np.random.default_rng(0), 3, 3)
    assert LpSession(program).solve(program, Deadline(0.0)).status is SolveStatus.STOPPED
    assert solve_milp(program, Deadline(0.0)).dual_bound == -np.inf


def test_time_limits_count_from_each_solve() -> None:
    """The instance's clock runs on; a second solve must not inherit the time spent by the first."""
    program = random_program(np.random.default_rng(3), 3, 3)
    session = LpSession(program)
    for seed in range(50):
        varied = replace(program, cost=np.random.default_rng(seed).normal(size=3))
        assert session.solve(varied, Deadline(10.0)).status is SolveStatus.OPTIMAL


def test_a_limited_search_keeps_its_proven_bound() -> None:
    program = knapsack(np.random.default_rng(5), 60)
    outcome = solve_milp(program, Deadline(0.5))
    full = float((program.cost * 1.0).sum())
    assert outcome.status in (SolveStatus.STOPPED, SolveStatus.OPTIMAL)
    assert full <= outcome.dual_bound <= 0
    if outcome.primal is not None:
        assert outcome.dual_bound <= program.cost @ outcome.primal + 1e-6


def test_a_milp_is_solved_to_its_optimum() -> None:
    rng = np.random.default_rng(6)
    program = knapsack(rng, 10)
    points = np.array(np.meshgrid(*[[0.0, 1.0]] * 10)).reshape(10, -1).T
    feasible = (points @ program.rows.toarray().T <= program.row_upper).all(axis=1)
    outcome = solve_milp(program, Deadline())
    assert outcome.status is SolveStatus.OPTIMAL
    assert outcome.dual_bound == pytest.approx((points[feasible] @ program.cost).min(), abs=1e-5)


def test_stops_at_a_sufficient_bound() -> None:
    program = knapsack(np.random.default_rng(7), 40)
    enough = 0.99 * float(program.cost.sum())
    outcome = solve_milp(program, Deadline(30.0), stop_above=enough)
    assert outcome.dual_bound > enough


def test_stops_at_an_accepted_candidate() -> None:
    program = knapsack(np.random.default_rng(8), 40)
    seen: list[np.ndarray] = []

    def accepts(x: np.ndarray) -> bool:
        seen.append(x)
        return True

    outcome = solve_milp(program, Deadline(30.0), on_candidate=accepts)
    assert outcome.accepted
    assert len(seen) == 1
    assert outcome.primal is seen[0]
    assert (program.rows @ seen[0] <= program.row_upper + 1e-6).all()


def test_a_failing_callback_is_raised_here() -> None:
    def fails(x: np.ndarray) -> bool:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        solve_milp(knapsack(np.random.default_rng(9), 40), Deadline(30.0), on_candidate=fails)


def test_a_program_that_would_be_changed_is_refused() -> None:
    """HiGHS drops the small coefficient with a warning; that is a failure, not a solve."""
    program = program_of([[1, 1e-12]], [(1, np.inf)], [1, 1])
    with pytest.raises(SolverError, match="HiGHS did not take the program"):
        LpSession(program)
    with pytest.raises(SolverError, match="HiGHS did not take the program"):
        solve_milp(program, Deadline())


def test_a_bound_that_the_solver_doubts_is_refused() -> None:
    """Bounds of 1e8 against a tolerance of 1e-9 are beyond float64; HiGHS says so and still calls its end optimal."""
    program = program_of([[1, 2, 3]], [(-np.inf, 1e8)], [-1, -1, -1], (0.0, 1e8), integers=True)
    outcome = solve_milp(program, Deadline())
    assert outcome.status is SolveStatus.FAILED
    assert outcome.dual_bound == -np.inf
    assert "large" in outcome.warning


def test_nothing_is_printed() -> None:
    script = (
        "import numpy as np; from tests.programs.test_highs import *;"
        "p = knapsack(np.random.default_rng(0), 12); LpSession(p).solve(p, Deadline()); solve_milp(p, Deadline())"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    assert run.stderr == ""
