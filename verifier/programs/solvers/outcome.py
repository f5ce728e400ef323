"""What a solver backend says of a program, whichever backend it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class SolveStatus(StrEnum):
    """How a solve ended. Nothing is concluded from the word alone."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    STOPPED = "stopped"  # by a limit or by a callback
    FAILED = "failed"


@dataclass(frozen=True, eq=False)
class LpOutcome:
    """The end of a linear program.

    Attributes:
        status: as the solver has it.
        primal: the columns' values, float64, shape (n,), or None. Not necessarily feasible.
        multipliers: the rows' multipliers, float64, shape (m,), positive where a row's lower side presses; for an
            infeasible program a ray that proves it (`safe_bound` of a zero cost is positive); or None.
            To be judged by `safe_bound`, never trusted.
    """

    status: SolveStatus
    primal: np.ndarray | None = None
    multipliers: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class MilpOutcome:
    """The end of a mixed-integer program.

    Attributes:
        status: as the solver has it; STOPPED also where a callback was satisfied.
        dual_bound: the solver's proven lower bound of the optimum, -inf where there is none or where the solver
            reported any trouble. The solver's tolerances are not taken off.
        primal: the best solution, float64, shape (n,), or None.
        accepted: whether a candidate was accepted; it is `primal` then.
        warning: what the solver complained of, empty where it did not; the status is FAILED then.
    """

    status: SolveStatus
    dual_bound: float = -np.inf
    primal: np.ndarray | None = None
    accepted: bool = False
    warning: str = ""
