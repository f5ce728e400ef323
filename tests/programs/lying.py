"""A solver that lies: HiGHS's answers with one or more faults in each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates, Capabilities
from verifier.programs.solvers.highs import Highs
from verifier.programs.solvers.outcome import LpOutcome, MilpOutcome, SolveStatus

Fault = Callable[[np.random.Generator, np.ndarray], np.ndarray | None]
STATUSES = list(SolveStatus)


def _with(value: float) -> Fault:
    def put(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
        wrong = values.copy()
        if len(wrong):
            wrong[rng.integers(len(wrong))] = value
        return wrong

    return put


FAULTS: dict[str, Fault] = {
    "missing": lambda rng, v: None,
    "permuted": lambda rng, v: rng.permutation(v),
    "flipped": lambda rng, v: -v,
    "absolute": lambda rng, v: np.abs(v),
    "scaled": lambda rng, v: v * 10.0 ** rng.uniform(-6, 6),
    "scaled apart": lambda rng, v: v * 10.0 ** rng.uniform(-2, 2, size=v.shape),
    "noisy": lambda rng, v: v + 10.0 ** rng.uniform(-9, 3) * rng.normal(size=v.shape),
    "random": lambda rng, v: rng.normal(size=v.shape) * 10.0 ** rng.uniform(-3, 9),
    "zero": lambda rng, v: np.zeros_like(v),
    "NaN": _with(np.nan),
    "infinite": _with(np.inf),
    "minus infinite": _with(-np.inf),
    "huge": _with(1e300),
    "truncated": lambda rng, v: v[: rng.integers(0, len(v))] if len(v) else v,
    "too long": lambda rng, v: np.r_[v, 1.0],
    "a matrix": lambda rng, v: v[:, None],
    "shifted": lambda rng, v: np.roll(v, 1),
}


@dataclass
class Lying:
    """A backend whose every answer is wrong in some way.

    Attributes:
        rng: draws the faults.
        bound: makes the dual bound of a mixed-integer solve from the true one; None reports none.
        told: how many faults there were.
    """

    rng: np.random.Generator
    bound: Callable[[float], float] | None = None
    told: int = 0
    name: str = "lying"
    version: str = "1"

    @property
    def capabilities(self) -> Capabilities:
        return Highs().capabilities

    def session(self, program: Program) -> LyingSession:
        return LyingSession(self, program)

    def solve_milp(
        self,
        program: Program,
        deadline: Deadline,
        stop_above: float = np.inf,
        on_candidate: Candidates | None = None,
    ) -> MilpOutcome:
        """Any status; candidates that are none are shown, and may be said to be accepted."""
        honest = Highs().solve_milp(program, deadline)
        bound = -np.inf if self.bound is None else self.bound(honest.dual_bound)
        primal = self.fault(honest.primal if honest.primal is not None else np.zeros(len(program.cost)))
        if on_candidate is not None and primal is not None:
            on_candidate(primal)
        return MilpOutcome(self.status(), bound, primal, accepted=bool(self.rng.random() < 0.3))

    def fault(self, values: np.ndarray) -> np.ndarray | None:
        """The values as one of `FAULTS` leaves them."""
        self.told += 1
        return FAULTS[str(self.rng.choice(list(FAULTS)))](self.rng, values)

    def status(self) -> SolveStatus:
        return STATUSES[self.rng.integers(len(STATUSES))]


class LyingSession:
    """Linear programs of a lying backend."""

    def __init__(self, backend: Lying, program: Program) -> None:
        self._backend, self._session = backend, Highs().session(program)

    def solve(self, program: Program, deadline: Deadline) -> LpOutcome:
        """Wrong multipliers always, a wrong status and a wrong minimiser often."""
        backend, honest = self._backend, self._session.solve(program, deadline)
        multipliers = honest.multipliers if honest.multipliers is not None else np.ones(len(program.row_lower))
        outcome = replace(honest, multipliers=backend.fault(multipliers))
        if backend.rng.random() < 0.7:
            outcome = replace(outcome, status=backend.status())
        if outcome.primal is not None and backend.rng.random() < 0.5:
            outcome = replace(outcome, primal=backend.fault(outcome.primal))
        return outcome
