"""Mixed-integer solvers that PuLP finds: CBC, HiGHS, SCIP, GLPK, Gurobi, CPLEX.

S. Mitchell, M. O'Sullivan, I. Dunning: PuLP: A Linear Programming Toolkit for Python (2011). Its multipliers (`pi`)
are derivatives of the optimum by the side, so positive where a lower side presses. Its word "Optimal" is not used as a
proof where it may mean a solution found within a limit: see `pulp_solvers`, which knows each solver's own report.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates, Capabilities, DualBound
from verifier.programs.solvers.claims import concluded, objective_at_optimum
from verifier.programs.solvers.digits import with_digits
from verifier.programs.solvers.limits import seconds_allowed
from verifier.programs.solvers.modelled import Modelled
from verifier.programs.solvers.outcome import LpOutcome, MilpOutcome, SolveStatus
from verifier.programs.solvers.pulp_solvers import SOLVERS, Dialect, Ended
from verifier.programs.solvers.scratch import Scratch
from verifier.programs.solvers.sides import Sides


@dataclass(frozen=True)
class Pulp(Modelled["_Model"]):
    """A solver behind PuLP.

    Attributes:
        solver: its name, a key of `pulp_solvers.SOLVERS`.
    """

    solver: str

    @property
    def name(self) -> str:
        """As users give it."""
        return f"pulp:{self.solver}"

    @property
    def dialect(self) -> Dialect:
        return SOLVERS[self.solver]

    @property
    def version(self) -> str:
        """Of the solver, not of PuLP."""
        return self.dialect.version()

    @property
    def capabilities(self) -> Capabilities:
        dialect = self.dialect
        return Capabilities(
            milp=True,
            multipliers=dialect.multipliers,
            dual_bound=DualBound.ALWAYS if dialect.reports_bound else DualBound.AT_OPTIMUM,
            tolerance=dialect.tolerance,
        )

    def linear_model(self, program: Program) -> _Model:
        """See `Modelled`."""
        return _Model.of(program, integer=False)

    def solve_linear(self, model: _Model, program: Program, deadline: Deadline) -> LpOutcome:
        """See `Modelled`."""
        ended = model.run(self.dialect, deadline)
        solved = ended.status in (SolveStatus.OPTIMAL, SolveStatus.STOPPED)
        multipliers = model.multipliers(len(program.row_lower)) if self.dialect.multipliers else None
        return LpOutcome(ended.status, model.primal() if solved else None, multipliers)

    def _solve_integer(self, program: Program, deadline: Deadline, on_candidate: Candidates | None) -> MilpOutcome:
        """The proven bound is what the solver's own report tells."""
        read, off = (program, 0.0) if self.dialect.digits is None else with_digits(program, self.dialect.digits)
        model = _Model.of(read, integer=True)
        model.set(read)
        ended = model.run(self.dialect, deadline)
        primal = model.primal()
        bound = ended.bound
        if bound is None:
            proven = ended.status is SolveStatus.OPTIMAL
            bound = objective_at_optimum(read, primal, ended.objective) if proven else -np.inf
        return concluded(program, ended.status, bound - off, primal, on_candidate)


@dataclass(frozen=True, eq=False)
class _Model:
    """A program as a model of PuLP."""

    sides: Sides
    columns: list[Any]
    rows: tuple[list[Any], list[Any], list[Any]]  # by kind of side
    problem: Any

    @classmethod
    def of(cls, program: Program, integer: bool) -> _Model:
        """Columns and rows of `program`; the rest is set later."""
        import pulp

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PuLP 4 is going to name otherwise
            whole = program.integrality if integer else np.zeros(len(program.cost), bool)
            kinds = [pulp.LpInteger if w else pulp.LpContinuous for w in whole]
            columns = [pulp.LpVariable(f"x{j}", cat=kind) for j, kind in enumerate(kinds)]
            problem = pulp.LpProblem("program", pulp.LpMinimize)
            sides = Sides.of(program)
            senses = (pulp.LpConstraintEQ, pulp.LpConstraintGE, pulp.LpConstraintLE)
            rows: list[list[Any]] = []
            for chosen, sense in zip((sides.equal, sides.above, sides.below), senses, strict=True):
                rows.append([pulp.LpConstraint(_expression(program, i, columns), sense, rhs=0.0) for i in chosen])
                for row in rows[-1]:  # PuLP writes rows in the order of their names
                    problem.addConstraint(row, f"r{len(problem.constraints):09d}")
        return cls(sides, columns, (rows[0], rows[1], rows[2]), problem)

    def fits(self, program: Program) -> bool:
        """Whether the same rows have sides."""
        return self.sides.same_as(Sides.of(program))

    def set(self, program: Program) -> None:
        """Hands over objective, sides and bounds."""
        import pulp

        # PuLP stumbles over columns that nothing mentions.
        mentioned = np.bincount(program.rows.indices, minlength=len(program.cost)) > 0
        terms = np.flatnonzero((program.cost != 0) | ~mentioned)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.problem.objective = pulp.LpAffineExpression([(self.columns[j], float(program.cost[j])) for j in terms])
        chosen = (self.sides.equal, self.sides.above, self.sides.below)
        for rows, kind, values in zip(
            self.rows, chosen, (program.row_lower, program.row_lower, program.row_upper), strict=True
        ):
            for row, side in zip(rows, values[kind].tolist(), strict=True):
                row.changeRHS(side)
        for column, low, high in zip(self.columns, program.lower.tolist(), program.upper.tolist(), strict=True):
            column.lowBound = low if np.isfinite(low) else None
            column.upBound = high if np.isfinite(high) else None

    def run(self, dialect: Dialect, deadline: Deadline) -> Ended:
        """Solves, in a folder of its own, and reads how it ended.

        Raises:
            SolverError: anything was raised meanwhile, and not because the time was up.
        """
        from verifier.programs.solvers.highs import quiet

        self._forget()
        seconds = seconds_allowed(deadline)
        with Scratch(deadline) as scratch, warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            self.problem.name = dialect.problem_name(scratch.folder)
            try:
                self.problem.solve(dialect.made(seconds, scratch.folder))
                return dialect.ended(self.problem, scratch.folder)
            except Exception as error:  # solvers raise what they like, and one that was ended raises too
                if deadline.expired:
                    return Ended(SolveStatus.STOPPED)
                told = f"{dialect.title} broke down ({error})"
                raise SolverError(told, "PuLP", "choose another --solver") from error

    def _forget(self) -> None:
        """No value of an earlier solve is to be taken for one of this."""
        for column in self.columns:
            column.varValue = None
        for rows in self.rows:
            for row in rows:
                row.pi = None

    def primal(self) -> np.ndarray | None:
        """The columns' values, shape (n,)."""
        values = [column.varValue for column in self.columns]
        if all(value is None for value in values):
            return None
        return np.array([_idle(c) if v is None else v for c, v in zip(self.columns, values, strict=True)], np.float64)

    def multipliers(self, count: int) -> np.ndarray | None:
        """The rows' multipliers, shape (count,); None where the solver gave none for some."""
        parts = [[row.pi for row in rows] for rows in self.rows]
        if any(value is None for part in parts for value in part):
            return None
        equal, above, below = (np.array(part, np.float64) for part in parts)
        return self.sides.multipliers(count, equal, above, below)


def _expression(program: Program, row: int, columns: list[Any]) -> Any:
    import pulp

    entries = slice(*program.rows.indptr[row : row + 2])
    indices, values = program.rows.indices[entries].tolist(), program.rows.data[entries].tolist()
    return pulp.LpAffineExpression([(columns[j], value) for j, value in zip(indices, values, strict=True)])


def _idle(column: Any) -> float:
    """A value for a column that the solver gave none, as nothing depends on it."""
    ends = [end for end in (column.lowBound, column.upBound) if end is not None]
    return float(min(ends, key=abs, default=0.0))
