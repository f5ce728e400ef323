"""Every linear, conic or mixed-integer solver that CVXPY finds.

S. Diamond, S. Boyd: CVXPY: A Python-embedded modeling language for convex optimization, JMLR 17 (2016). A problem is
compiled once for a session; objectives and sides are its parameters. CVXPY's multipliers of inequalities are not
negative and belong to the Lagrangian cost . x + sum y (g(x) <= 0), those of equations to cost . x + y (A x - b).
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

import numpy as np

from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates, Capabilities, DualBound
from verifier.programs.solvers.claims import GAP, concluded, objective_at_optimum
from verifier.programs.solvers.limits import seconds_allowed
from verifier.programs.solvers.modelled import Modelled
from verifier.programs.solvers.outcome import LpOutcome, MilpOutcome, SolveStatus
from verifier.programs.solvers.sides import Sides
from verifier.tolerances import SOLVER_FEASIBILITY

FIRST_ORDER = 1e-6
"""Accuracy asked of first-order methods."""

DEFAULT_TOLERANCE = 1e-6
"""Feasibility that mixed-integer solvers work with where nothing is known of their options."""

Setting = Callable[[float], dict[str, Any]]
"""Options for a solve of so many seconds at most."""


@dataclass(frozen=True)
class Traits:
    """What CVXPY does not tell of a solver.

    Attributes:
        package: the distribution that holds it.
        linear, integer: options of linear and of mixed-integer solves; None where these are left alone.
        bound: reads the proven bound from the solver's statistics; None where it has none before the optimum.
        gap: whether `integer` sets the gap, so that an optimum is one.
        tolerance: feasibility of mixed-integer solves under these options.
        ray: whether infeasible programs come with multipliers.
    """

    package: str = ""
    linear: Setting = lambda seconds: {}
    integer: Setting | None = None
    bound: Callable[[Any], float] | None = None
    gap: bool = False
    tolerance: float = DEFAULT_TOLERANCE
    ray: bool = False


def _highs(seconds: float) -> dict[str, Any]:
    return {
        "time_limit": seconds,
        "threads": 1,
        "primal_feasibility_tolerance": SOLVER_FEASIBILITY,
        "dual_feasibility_tolerance": SOLVER_FEASIBILITY,
        "mip_feasibility_tolerance": SOLVER_FEASIBILITY,
        "mip_rel_gap": GAP,
        "mip_abs_gap": GAP,
    }


def _scip(seconds: float) -> dict[str, Any]:
    exact = {"numerics/feastol": SOLVER_FEASIBILITY, "numerics/dualfeastol": SOLVER_FEASIBILITY}
    return {"scip_params": {"limits/time": seconds, **exact}}  # its gap is 0


def _glpk(seconds: float) -> dict[str, Any]:
    return {"tm_lim": int(1000 * seconds) + 1, "msg_lev": "GLP_MSG_OFF"}


TRAITS: Mapping[str, Traits] = MappingProxyType(
    {
        "CLARABEL": Traits("clarabel", lambda s: {"time_limit": s}),
        "SCS": Traits("scs", lambda s: {"time_limit_secs": s, "eps_abs": FIRST_ORDER, "eps_rel": FIRST_ORDER}),
        "OSQP": Traits(
            "osqp", lambda s: {"time_limit": s, "eps_abs": FIRST_ORDER, "eps_rel": FIRST_ORDER, "max_iter": 10**6}
        ),
        "HIGHS": Traits(
            "highspy", _highs, _highs, lambda s: s.mip_dual_bound, gap=True, tolerance=SOLVER_FEASIBILITY, ray=True
        ),
        "SCIPY": Traits("scipy", lambda s: {"scipy_options": {"time_limit": s}}),  # HiGHS, its tolerances not to be set
        "SCIP": Traits(
            "pyscipopt", _scip, _scip, lambda s: s["model"].getDualbound(), gap=True, tolerance=SOLVER_FEASIBILITY
        ),
        "GLPK": Traits("cvxopt", lambda s: {"glpk": _glpk(s)}),
        "GLPK_MI": Traits("cvxopt", _glpk, _glpk, gap=True, tolerance=1e-7),  # its gap is 0
        "CVXOPT": Traits("cvxopt"),
        "ECOS": Traits("ecos"),
        "MOSEK": Traits("mosek", lambda s: {"mosek_params": {"MSK_DPAR_OPTIMIZER_MAX_TIME": s}}),
        "GUROBI": Traits(
            "gurobipy",
            lambda s: {"TimeLimit": s},
            lambda s: {"TimeLimit": s, "MIPGap": GAP, "MIPGapAbs": GAP, "FeasibilityTol": SOLVER_FEASIBILITY},
            lambda model: model.ObjBound,
            gap=True,
            tolerance=SOLVER_FEASIBILITY,
        ),
    }
)
"""Those that were tried, and some that follow their manuals. Any other is used for the multipliers of linear
programs, which are never trusted, and not for mixed-integer programs."""

WITHOUT_MULTIPLIERS = frozenset({"GLPK_MI", "CBC", "ECOS_BB"})


@dataclass(frozen=True)
class Cvxpy(Modelled["_Compiled"]):
    """A solver behind CVXPY.

    Attributes:
        solver: CVXPY's name of it, ``"CLARABEL"``.
    """

    solver: str

    @property
    def name(self) -> str:
        """As users give it."""
        return f"cvxpy:{self.solver}"

    @property
    def version(self) -> str:
        """Of the package that holds the solver."""
        try:
            return version(self.traits.package) if self.traits.package else ""
        except PackageNotFoundError:
            return ""

    @property
    def traits(self) -> Traits:
        return TRAITS.get(self.solver, Traits())

    @cached_property
    def capabilities(self) -> Capabilities:
        """By CVXPY's own tables."""
        from cvxpy.reductions.solvers.defines import SOLVER_MAP_CONIC, SOLVER_MAP_QP

        classes = [m[self.solver] for m in (SOLVER_MAP_CONIC, SOLVER_MAP_QP) if self.solver in m]
        cones = {cone.__name__ for c in classes for cone in c.SUPPORTED_CONSTRAINTS}
        milp = self.traits.integer is not None and any(c.MIP_CAPABLE for c in classes)
        bound = DualBound.ALWAYS if self.traits.bound else DualBound.AT_OPTIMUM if self.traits.gap else DualBound.NEVER
        return Capabilities(
            milp=milp,
            multipliers=self.solver not in WITHOUT_MULTIPLIERS,
            ray=self.traits.ray,
            dual_bound=bound if milp else DualBound.NEVER,
            socp="SOC" in cones,
            sdp="PSD" in cones or "SvecPSD" in cones,
            tolerance=self.traits.tolerance,
        )

    def linear_model(self, program: Program) -> _Compiled:
        """See `Modelled`."""
        return _Compiled.of(program, integer=False)

    def solve_linear(self, model: _Compiled, program: Program, deadline: Deadline) -> LpOutcome:
        """See `Modelled`."""
        status = model.run(self.solver, self.traits.linear(seconds_allowed(deadline)))
        if status is SolveStatus.FAILED:  # what CVXPY holds then are the last solve's values
            return LpOutcome(status)
        return LpOutcome(status, model.primal(), model.multipliers(len(program.row_lower)))

    def _solve_integer(self, program: Program, deadline: Deadline, on_candidate: Candidates | None) -> MilpOutcome:
        """The proven bound is the solver's own where it tells one."""
        if self.traits.integer is None:
            raise SolverError(f"{self.name} solves no mixed-integer programs", "--solver")
        compiled = _Compiled.of(program, integer=True)
        compiled.set(program)
        status = compiled.run(self.solver, self.traits.integer(seconds_allowed(deadline)))
        if status is SolveStatus.FAILED:
            return MilpOutcome(status)
        primal = compiled.primal()
        return concluded(program, status, self._bound(compiled, program, status, primal), primal, on_candidate)

    def _bound(self, compiled: _Compiled, program: Program, status: SolveStatus, primal: np.ndarray | None) -> float:
        statistics = getattr(compiled.problem.solver_stats, "extra_stats", None)
        if self.traits.bound is not None:
            return -np.inf if statistics is None else float(self.traits.bound(statistics))
        if status is SolveStatus.OPTIMAL and self.traits.gap:
            return objective_at_optimum(program, primal, float(compiled.problem.value))
        return -np.inf


@dataclass(frozen=True, eq=False)
class _Kind:
    """The rows with one kind of side, as one constraint.

    Attributes:
        rows: indices, ascending.
        values: reads the sides of all rows from a program.
        sign: from CVXPY's multipliers to ours.
        side: the parameter; None where there are no rows, as for `constraint`.
    """

    rows: np.ndarray
    values: Callable[[Program], np.ndarray]
    sign: float
    side: Any
    constraint: Any

    @classmethod
    def of(cls, activity: Any, rows: np.ndarray, relation: str) -> _Kind:
        """The constraint on `activity`, CVXPY's expression of all rows' left sides in the place of `rows`."""
        import cvxpy

        compare, values, sign = {
            "==": (operator.eq, _row_lower, -1.0),
            ">=": (operator.ge, _row_lower, 1.0),
            "<=": (operator.le, _row_upper, -1.0),
        }[relation]
        if not len(rows):
            return cls(rows, values, sign, None, None)
        side = cvxpy.Parameter(len(rows))
        return cls(rows, values, sign, side, compare(activity, side))

    def multipliers(self) -> np.ndarray | None:
        """Of its rows, positive where a lower side presses; None where the solver gave none."""
        if self.constraint is None:
            return np.zeros(0)
        dual = self.constraint.dual_value
        return None if dual is None else self.sign * np.asarray(dual, np.float64).reshape(-1)


def _row_lower(program: Program) -> np.ndarray:
    return program.row_lower


def _row_upper(program: Program) -> np.ndarray:
    return program.row_upper


@dataclass(frozen=True, eq=False)
class _Compiled:
    """A program as a problem of CVXPY, with its objective and sides as parameters."""

    sides: Sides
    lower: np.ndarray
    upper: np.ndarray
    problem: Any
    variable: Any
    cost: Any
    kinds: tuple[_Kind, ...]

    @classmethod
    def of(cls, program: Program, integer: bool) -> _Compiled:
        """The sides and bounds that exist are those of `program`.

        Raises:
            SolverError: bounds of a column cross, which CVXPY refuses.
        """
        import cvxpy

        if (program.lower > program.upper).any():
            raise SolverError("bounds that cross", "CVXPY")
        sides, size = Sides.of(program), len(program.cost)
        integers = np.flatnonzero(program.integrality) if integer else np.zeros(0, np.int64)
        x = cvxpy.Variable(
            size,
            bounds=[program.lower, program.upper],
            integer=(integers.tolist(),) if len(integers) else False,
        )
        cost = cvxpy.Parameter(size)
        relations = ((sides.equal, "=="), (sides.above, ">="), (sides.below, "<="))
        kinds = tuple(_Kind.of(program.rows[rows] @ x, rows, relation) for rows, relation in relations)
        constraints = [kind.constraint for kind in kinds if kind.constraint is not None]
        problem = cvxpy.Problem(cvxpy.Minimize(cost @ x), constraints)
        return cls(sides, program.lower, program.upper, problem, x, cost, kinds)

    def fits(self, program: Program) -> bool:
        """Whether `program` differs in objective and sides only."""
        same = np.array_equal(self.lower, program.lower) and np.array_equal(self.upper, program.upper)
        return same and self.sides.same_as(Sides.of(program))

    def set(self, program: Program) -> None:
        """Hands over objective and sides."""
        self.cost.value = program.cost
        for kind in self.kinds:
            if kind.side is not None:
                kind.side.value = kind.values(program)[kind.rows]

    def run(self, solver: str, options: dict[str, Any]) -> SolveStatus:
        """Solves.

        Raises:
            SolverError: anything was raised meanwhile.
        """
        import cvxpy

        from verifier.programs.solvers.highs import quiet

        try:
            with warnings.catch_warnings(), quiet():
                warnings.simplefilter("ignore")
                self.problem.solve(solver=solver, verbose=False, **options)
        except cvxpy.error.SolverError:
            return SolveStatus.FAILED
        except Exception as error:  # solvers raise what they like
            raise SolverError(f"{solver} broke down ({error})", "CVXPY", "choose another --solver") from error
        known = {
            cvxpy.OPTIMAL: SolveStatus.OPTIMAL,
            cvxpy.INFEASIBLE: SolveStatus.INFEASIBLE,
            cvxpy.UNBOUNDED: SolveStatus.UNBOUNDED,
            cvxpy.OPTIMAL_INACCURATE: SolveStatus.STOPPED,
            cvxpy.USER_LIMIT: SolveStatus.STOPPED,
        }
        return known.get(self.problem.status, SolveStatus.FAILED)

    def primal(self) -> np.ndarray | None:
        """The columns' values, shape (n,)."""
        value = self.variable.value
        return None if value is None else np.asarray(value, np.float64).reshape(-1)

    def multipliers(self, count: int) -> np.ndarray | None:
        """The rows' multipliers, shape (count,), positive where a lower side presses; None where some are missing."""
        equal, above, below = (kind.multipliers() for kind in self.kinds)
        if equal is None or above is None or below is None:
            return None
        return self.sides.multipliers(count, equal, above, below)
