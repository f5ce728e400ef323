"""What solvers behind a modelling layer share: a model of the program that is kept, and when it is made anew."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

import numpy as np

from verifier.deadline import Deadline
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates
from verifier.programs.solvers.outcome import LpOutcome, MilpOutcome
from verifier.programs.solvers.sides import settled


class Model(Protocol):
    """A program as the layer holds it."""

    def fits(self, program: Program) -> bool:
        """Whether `program` differs from the model's only in what `set` hands over."""
        ...

    def set(self, program: Program) -> None:
        """Hands over what may differ."""
        ...


M = TypeVar("M", bound=Model)


class Modelled(ABC, Generic[M]):
    """A solver behind a modelling layer."""

    def session(self, program: Program) -> Session[M]:
        """Its model is made at the first solve."""
        return Session(self, program)

    def solve_milp(
        self,
        program: Program,
        deadline: Deadline,
        stop_above: float = np.inf,
        on_candidate: Candidates | None = None,
    ) -> MilpOutcome:
        """See `Backend.solve_milp`: to the optimum or the deadline, as the layers know no other end.

        Raises:
            SolverError: the solver solves none, or it or the layer broke down.
        """
        known = settled(program, deadline)
        if known is not None:
            return MilpOutcome(known.status)
        return self._solve_integer(program, deadline, on_candidate)

    @abstractmethod
    def linear_model(self, program: Program) -> M:
        """The program's linear relaxation as a model."""

    @abstractmethod
    def solve_linear(self, model: M, program: Program, deadline: Deadline) -> LpOutcome:
        """Solves a model that holds `program`."""

    @abstractmethod
    def _solve_integer(self, program: Program, deadline: Deadline, on_candidate: Candidates | None) -> MilpOutcome:
        """Solves a mixed-integer program that nothing has settled before."""


class Session(Generic[M]):
    """Linear programs over the same rows; the model is made anew where it does not fit.

    Args:
        backend: the solver.
        program: whose rows every program solved here shares.
    """

    def __init__(self, backend: Modelled[M], program: Program) -> None:
        self._backend, self._rows = backend, program.rows
        self._model: M | None = None

    def solve(self, program: Program, deadline: Deadline) -> LpOutcome:
        """See `LinearSession`.

        Raises:
            SolverError: the layer or the solver broke down.
        """
        if program.rows is not self._rows:
            raise ValueError("the program's rows are not the session's")
        known = settled(program, deadline)
        if known is not None:
            return known
        if self._model is None or not self._model.fits(program):
            self._model = self._backend.linear_model(program)
        self._model.set(program)
        return self._backend.solve_linear(self._model, program, deadline)
