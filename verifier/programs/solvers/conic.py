"""Linear relaxations with a ball of norm 2 on some columns: second-order cone programs, by way of CVXPY.

Only the rows' multipliers are taken from the solver; `safe_bound` makes a bound of them, with the ball in it. An
infeasible program is solved again for the least slack that makes it feasible, whose multipliers are the proof.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np

from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Backend
from verifier.programs.solvers.outcome import LpOutcome, SolveStatus

SOLVERS = ("CLARABEL", "ECOS", "SCS")
"""Solvers with second-order cones, the most accurate first."""

LONGEST_LIMIT = 1e6
"""Seconds given to a solver for "no limit"."""


def solver_for(solver: Backend | None) -> str:
    """CVXPY's name of the solver for cones where `solver` is asked for (None: HiGHS); empty where there is none.

    HiGHS, which knows no cones, makes room for the best that is installed; any other is taken at its word.
    """
    if solver is not None and not solver.name.startswith("highs"):
        layer, _, name = solver.name.partition(":")
        return name if layer == "cvxpy" and solver.capabilities.socp else ""
    if find_spec("cvxpy") is None:
        return ""
    import cvxpy

    installed = cvxpy.installed_solvers()
    return next((name for name in SOLVERS if name in installed), "")


class ConicSession:
    """Solves programs with a ball, each from scratch.

    Args:
        solver: CVXPY's name of it.
    """

    def __init__(self, solver: str) -> None:
        self._solver = solver

    def solve(self, program: Program, deadline: Deadline) -> LpOutcome:
        """Minimises the relaxation of `program`; columns are bounded, integrality is ignored.

        Raises:
            SolverError: where CVXPY or the solver gives up without an answer.
        """
        outcome = self._solve(program, deadline, elastic=False)
        if outcome.status is SolveStatus.INFEASIBLE:
            slack = self._solve(program, deadline, elastic=True)
            return LpOutcome(SolveStatus.INFEASIBLE, None, slack.multipliers)
        return outcome

    def _solve(self, program: Program, deadline: Deadline, elastic: bool) -> LpOutcome:
        """The program in units of its columns; with `elastic` the least slack of its rows instead of the objective."""
        import cvxpy as cp

        if deadline.expired:
            return LpOutcome(SolveStatus.STOPPED)
        middle, radius = program.lower / 2 + program.upper / 2, program.upper / 2 - program.lower / 2
        x = cp.Variable(len(middle))
        slack = cp.Variable(nonneg=True) if elastic else None
        rows = _rows(program, middle, radius, x, slack)
        cost = program.cost * radius
        unit = 1.0 if elastic else float(np.abs(cost).max(initial=0.0)) or 1.0
        objective = slack if elastic else (cost / unit) @ x
        constraints = [x >= -1, x <= 1, *_of_ball(program, middle, radius, x), *(row for _, _, row in rows)]
        status = self._run(cp.Problem(cp.Minimize(objective), constraints), deadline)
        primal = None if x.value is None else middle + radius * np.clip(x.value, -1, 1)
        y = np.zeros(len(program.row_lower))
        for index, direction, row in rows:
            if row.dual_value is None:
                return LpOutcome(status, primal)
            y[index] += unit * direction * np.atleast_1d(row.dual_value)
        return LpOutcome(status, primal, y)

    def _run(self, problem: Any, deadline: Deadline) -> SolveStatus:
        import cvxpy as cp

        limit = min(deadline.remaining, LONGEST_LIMIT)
        option = {"CLARABEL": "time_limit", "SCS": "time_limit_secs"}.get(self._solver)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of inaccurate answers: `safe_bound` judges
                problem.solve(solver=self._solver, **({} if option is None else {option: limit}))
        except (cp.SolverError, ValueError) as error:
            raise SolverError(f"{self._solver} gave no answer ({error})", "CVXPY") from error
        known = {
            cp.OPTIMAL: SolveStatus.OPTIMAL,
            cp.INFEASIBLE: SolveStatus.INFEASIBLE,
            cp.INFEASIBLE_INACCURATE: SolveStatus.INFEASIBLE,
            cp.UNBOUNDED: SolveStatus.UNBOUNDED,
            cp.USER_LIMIT: SolveStatus.STOPPED,
        }
        return known.get(problem.status, SolveStatus.FAILED)


def _rows(
    program: Program, middle: np.ndarray, radius: np.ndarray, x: Any, slack: Any
) -> list[tuple[np.ndarray, float, Any]]:
    """The rows as constraints, each with the rows' indices and the sign of its multipliers; x in units of columns."""
    from scipy.sparse import csr_array, diags_array

    rows, shift = csr_array(program.rows @ diags_array(radius)), program.rows @ middle
    equation = (program.row_lower == program.row_upper) & (slack is None)
    made: list[tuple[np.ndarray, float, Any]] = []
    sides = ((1.0, program.row_lower, -1), (-1.0, program.row_upper, 1))
    for direction, side, missing in sides:
        index = np.flatnonzero(~equation & (side != missing * np.inf))
        if len(index):
            value = direction * (rows[index] @ x - (side - shift)[index])
            made.append((index, direction, (value if slack is None else value + slack) >= 0))
    index = np.flatnonzero(equation)
    if len(index):
        made.append((index, -1.0, rows[index] @ x == (program.row_lower - shift)[index]))
    return made


def _of_ball(program: Program, middle: np.ndarray, radius: np.ndarray, x: Any) -> list[Any]:
    """The ball's constraint, in units of its radius."""
    import cvxpy as cp

    if program.ball is None or not len(program.ball.columns) or program.ball.ball.radius == 0:
        return []
    columns, ball = program.ball.columns, program.ball.ball
    gaps = (middle[columns] - ball.centre) / ball.radius
    return [cp.norm(gaps + cp.multiply(radius[columns] / ball.radius, x[columns]), ball.norm) <= 1]
