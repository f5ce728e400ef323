"""What solvers report, and what is made of it: limits are no optima, contradictions no bounds, text no surprise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.programs.test_highs import knapsack, program_of
from verifier.deadline import Deadline
from verifier.programs.solvers.claims import concluded, feasible, objective_at_optimum
from verifier.programs.solvers.digits import rounded, with_digits
from verifier.programs.solvers.outcome import SolveStatus
from verifier.programs.solvers.pulp_solvers import SOLVERS, Ended

pulp = pytest.importorskip("pulp")
OPTIMAL, STOPPED = SolveStatus.OPTIMAL, SolveStatus.STOPPED


def problem(status: int, sol_status: int, value: float) -> SimpleNamespace:
    """What a dialect looks at of a problem with one integer column."""
    column = SimpleNamespace(cat="Integer")
    objective = SimpleNamespace(value=lambda: value)
    return SimpleNamespace(
        status=status, sol_status=sol_status, objective=objective, variables=lambda: [column], constraints={}
    )


@pytest.mark.parametrize(
    ("head", "ended"),
    [
        ("s mip 3 4 o -12.5", Ended(OPTIMAL, None, -12.5)),
        ("s mip 3 4 f -12.5", Ended(STOPPED, None, -12.5)),
        ("s mip 3 4 u 0", Ended(STOPPED, None, 0.0)),
        ("s mip 3 4 n 0", Ended(SolveStatus.INFEASIBLE, None, 0.0)),
    ],
)
def test_glpk_says_itself_whether_it_is_optimal(head: str, ended: Ended, tmp_path: Path) -> None:
    """PuLP calls all but the last of these optimal."""
    (tmp_path / "program-pulp.sol").write_text(f"c Problem:\n{head}\ni 1 3\n")
    assert SOLVERS["GLPK"].ended(problem(1, 1, -12.5), tmp_path) == ended


def test_an_unfinished_glpk_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "program-pulp.sol").write_text("c Problem:\n")
    assert SOLVERS["GLPK"].ended(problem(1, 1, 0.0), tmp_path).status is SolveStatus.FAILED


def test_cbc_says_itself_whether_it_is_optimal(tmp_path: Path) -> None:
    log, cbc = tmp_path / "log", SOLVERS["CBC"]
    log.write_text("Result - Stopped on time limit\n\nObjective value: -5.0\nLower bound:    -7.125\nGap: 0.4\n")
    ended = cbc.ended(problem(1, 2, -5.0), tmp_path)
    assert ended.status is STOPPED
    assert ended.bound == pytest.approx(-7.125, abs=2e-3)
    assert ended.bound < -7.1255
    log.write_text("Result - Optimal solution found (within gap tolerance)\n\nObjective value: -5.0\n")
    assert cbc.ended(problem(1, 1, -5.0), tmp_path) == Ended(OPTIMAL, None, -5.0 - 1e-5)
    log.write_text("Result - Optimal solution found\n ... \nResult - Stopped on node limit\n")
    assert cbc.ended(problem(1, 1, -5.0), tmp_path) == Ended(STOPPED)
    log.write_text("it crashed")
    assert cbc.ended(problem(1, 1, -5.0), tmp_path) == Ended(STOPPED)


def test_scip_is_asked_to_be_exact() -> None:
    pytest.importorskip("pyscipopt")
    from verifier.programs.solvers.pulp import Pulp, _Model

    program = knapsack(np.random.default_rng(0), 6)
    model = _Model.of(program, integer=True)
    model.set(program)
    model.run(Pulp("SCIP").dialect, Deadline(20.0))
    assert model.problem.solverModel.getParam("numerics/feastol") == 1e-9
    assert model.problem.solverModel.getParam("numerics/dualfeastol") == 1e-9


def test_a_bound_above_the_solvers_own_solution_is_refused() -> None:
    program = program_of([[1, 1]], [(1, np.inf)], [1, 1], integers=True)
    x = np.array([1.0, 0.0])
    assert concluded(program, OPTIMAL, 1.0, x, None).dual_bound == 1.0
    refused = concluded(program, OPTIMAL, 1.1, x, None)
    assert (refused.status, refused.dual_bound) == (SolveStatus.FAILED, -np.inf)
    assert "attains" in refused.warning
    assert concluded(program, OPTIMAL, 1.1, np.array([0.0, 0.0]), None).dual_bound == 1.1  # that is no solution
    assert concluded(program, OPTIMAL, np.nan, x, None).dual_bound == -np.inf
    assert concluded(program, OPTIMAL, 1e20, x, None).dual_bound == -np.inf
    for status in (SolveStatus.FAILED, SolveStatus.INFEASIBLE, SolveStatus.UNBOUNDED):
        assert concluded(program, status, 0.5, x, None).dual_bound == -np.inf


def test_an_objective_is_a_bound_only_of_a_solution() -> None:
    program = program_of([[1, 1]], [(1, np.inf)], [1, 1], integers=True)
    assert objective_at_optimum(program, np.array([1.0, 0.0]), 1.0) == pytest.approx(1.0, abs=1e-5)
    assert objective_at_optimum(program, np.array([1.0, 0.0]), 7.0) <= 1.0  # the solution's own value is less
    assert objective_at_optimum(program, np.array([1.0, 0.0]), 0.5) <= 0.5
    for x in (None, np.array([0.5, 0.5]), np.array([0.0, 0.0]), np.array([np.nan, 1.0]), np.array([1.0])):
        assert objective_at_optimum(program, x, 1.0) == -np.inf


@given(st.integers(0, 2**32 - 1), st.sampled_from([12, 13, 4]))
@settings(max_examples=60, deadline=None)
def test_text_cuts_nothing_off(seed: int, digits: int) -> None:
    """Every point of the program is one of the program as text, and costs no less than that says, less what is lost."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, size=6)
    x[:2] = np.round(x[:2])
    matrix = rng.normal(size=(4, 6)) * 10.0 ** rng.uniform(-6, 0, size=(4, 6))
    activity = matrix @ x
    program = replace(
        program_of(matrix.tolist(), [(a - 1e-15, a + 1e-15) for a in activity], rng.normal(size=6).tolist()),
        lower=np.minimum(x, rng.uniform(-1, 1, size=6)),
        upper=np.maximum(x, rng.uniform(-1, 1, size=6)),
        integrality=np.array([True, True, False, False, False, False]),
    )
    text, lost = with_digits(program, digits)
    for stored in (text.rows.data, text.cost, text.row_lower, text.row_upper):
        np.testing.assert_array_equal(stored, rounded(stored, digits))
    reached = text.rows @ x
    assert (reached >= text.row_lower - 1e-13).all()
    assert (reached <= text.row_upper + 1e-13).all()
    assert (x >= text.lower).all()
    assert (x <= text.upper).all()
    assert text.cost @ x - lost <= program.cost @ x + 1e-14


def test_equations_stay_equations() -> None:
    program = program_of([[1 / 3, 1]], [(0.1, 0.1)], [1, 1], (-1.0, 1.0))
    text, _ = with_digits(program, 12)
    assert text.row_lower == text.row_upper


def test_feasibility_sees_every_kind_of_miss() -> None:
    program = program_of([[1, 1]], [(1, 2)], [1, 1], (0.0, 1.5), integers=True)
    assert feasible(program, np.array([1.0, 1.0]))
    for x in ([0.0, 0.0], [2.0, 1.0], [-1.0, 2.0], [0.5, 0.5], [1.0, np.nan], [1.0]):
        assert not feasible(program, np.array(x))
