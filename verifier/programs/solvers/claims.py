"""What may be concluded from a mixed-integer solve that we did not watch, and cannot rebuild.

The dual bound of a branch-and-bound tree is the solver's word. It counts only where nothing contradicts it, and an
objective counts as a bound only where the solver says that it is the optimum within the gap it was asked for.
"""

from __future__ import annotations

import numpy as np

from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates
from verifier.programs.solvers.outcome import MilpOutcome, SolveStatus

GAP = 1e-6
"""Absolute and relative gap that mixed-integer solvers are asked for: a tenth of what is taken off anyway."""

OVERLOOKED = 1e-5
"""How far a solution may miss rows, bounds and integers and still be taken for one, in units of the program."""

LARGEST_BOUND = 1e15
"""Bounds beyond this are a solver's infinity."""


def objective_at_optimum(program: Program, primal: np.ndarray | None, objective: float) -> float:
    """A lower bound of the optimum, of a solve that ended with a proven one; -inf where its solution is none.

    Args:
        program: that was solved.
        primal: the solver's solution, shape (n,).
        objective: as the solver gives it; the value of `primal` counts where that is less.
    """
    if primal is None or not feasible(program, primal):
        return -np.inf
    value = min(objective, float(program.cost @ primal))
    return value - GAP * (1.0 + abs(value)) if np.isfinite(value) else -np.inf


def feasible(program: Program, x: np.ndarray) -> bool:
    """Whether `x` obeys the program up to `OVERLOOKED`."""
    if x.shape != program.lower.shape or not np.isfinite(x).all():
        return False
    activity, whole = program.rows @ x, x[program.integrality]
    misses = (
        program.lower - x,
        x - program.upper,
        (program.row_lower - activity) - program.row_error,
        (activity - program.row_upper) - program.row_error,
        np.abs(whole - np.round(whole)),
    )
    return all(float(np.max(miss, initial=0.0)) <= OVERLOOKED for miss in misses)


def concluded(
    program: Program,
    status: SolveStatus,
    bound: float,
    primal: np.ndarray | None,
    on_candidate: Candidates | None,
) -> MilpOutcome:
    """The outcome of a solve without callbacks.

    The bound is refused where it is no number, where the solve ended otherwise than at an optimum or a limit, and where
    the solver's own solution lies below it. The solution, if there is one, is shown to `on_candidate`.
    """
    if primal is not None and (primal.shape != program.lower.shape or not np.isfinite(primal).all()):
        primal = None
    if status not in (SolveStatus.OPTIMAL, SolveStatus.STOPPED) or not abs(bound) < LARGEST_BOUND:
        bound = -np.inf
    if primal is not None and feasible(program, primal):
        value = float(program.cost @ primal)
        if bound > value + OVERLOOKED * (1.0 + abs(value)):
            told = f"its bound {bound:.9g} is above {value:.9g}, which its own solution attains"
            return MilpOutcome(SolveStatus.FAILED, primal=primal, warning=told)
    accepted = primal is not None and on_candidate is not None and on_candidate(primal)
    return MilpOutcome(status, bound, primal, accepted)
