"""What every solver has to offer: sessions of linear programs, mixed-integer programs, its capabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np

from verifier.deadline import Deadline
from verifier.programs.program import Program
from verifier.programs.solvers.outcome import LpOutcome, MilpOutcome
from verifier.tolerances import SOLVER_FEASIBILITY

Candidates = Callable[[np.ndarray], bool]
"""Is shown a solution, float64, shape (n,); True accepts it."""


class DualBound(StrEnum):
    """When a solver has a proven lower bound of a mixed-integer program's optimum."""

    NEVER = "never"
    AT_OPTIMUM = "at optimum"  # its objective, less the gap it was asked for
    ALWAYS = "always"  # also where it was cut short


@dataclass(frozen=True)
class Capabilities:
    """What a solver can do for us.

    Attributes:
        lp, milp: linear and mixed-integer linear programs.
        multipliers: whether linear programs come with multipliers of their rows; without them a linear program proves
            nothing, and only its minimiser is of use.
        ray: whether infeasible linear programs may come with multipliers that prove it.
        dual_bound: when a mixed-integer program comes with a proven bound.
        callbacks: whether a mixed-integer solve can be ended by a sufficient bound or an accepted candidate; otherwise
            it goes on to its optimum or its time.
        socp, sdp: second-order cones, semidefinite matrices; of use through CVXPY only.
        tolerance: the feasibility that mixed-integer solves are asked for, or else work with.
    """

    lp: bool = True
    milp: bool = False
    multipliers: bool = False
    ray: bool = False
    dual_bound: DualBound = DualBound.NEVER
    callbacks: bool = False
    socp: bool = False
    sdp: bool = False
    tolerance: float = SOLVER_FEASIBILITY


class LinearSession(Protocol):
    """One linear relaxation, solved again and again with other objectives, sides and bounds of columns."""

    def solve(self, program: Program, deadline: Deadline) -> LpOutcome:
        """Minimises the relaxation of `program`, whose `rows` are those of the session; all else may differ.

        Raises:
            SolverError: the solver does not take the program, or broke down.
        """
        ...


class Backend(Protocol):
    """A solver."""

    @property
    def name(self) -> str:
        """As users give it, ``"highs"`` or ``"pulp:CBC"``."""
        ...

    @property
    def version(self) -> str:
        """Of the solver itself; empty where it does not tell."""
        ...

    @property
    def capabilities(self) -> Capabilities: ...

    def session(self, program: Program) -> LinearSession:
        """A session for programs with the rows of `program`.

        Raises:
            SolverError: the solver does not take the program.
        """
        ...

    def solve_milp(
        self,
        program: Program,
        deadline: Deadline,
        stop_above: float = np.inf,
        on_candidate: Candidates | None = None,
    ) -> MilpOutcome:
        """Minimises a mixed-integer program; the solve may end once its bound exceeds `stop_above`.

        Args:
            program: a minimisation, in units of its columns (`programs.scaling`), which are bounded.
            deadline: kept as well as the solver keeps limits.
            stop_above: the bound that is enough, where the solver can be told.
            on_candidate: called with improving solutions, or with the last one only.

        Raises:
            SolverError: the solver does not take the program, or broke down.
        """
        ...
