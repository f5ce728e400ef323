"""Linear and mixed-integer programs in HiGHS, with the model handed over whole and no message of the solver ignored.

Q. Huangfu, J. A. J. Hall: Parallelizing the dual revised simplex method, Math. Programming Computation 10 (2018).
A warning counts as a failure: HiGHS warns, among others, where it has changed the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Any, TypeAlias

import highspy
import numpy as np

from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Candidates, Capabilities, DualBound
from verifier.programs.solvers.claims import GAP
from verifier.programs.solvers.outcome import LpOutcome, MilpOutcome, SolveStatus
from verifier.tolerances import SOLVER_FEASIBILITY

LONGEST_LIMIT = 1e7
"""Seconds given to HiGHS for "no limit"."""

SIMPLEX_ENTRIES = 300_000
"""In programs with more entries every objective is an interior point solve of its own. Measured, first objective and
each further one, simplex against interior point: with 39,000 entries (verivital) 0.1 and 0.1 s against 0.7 and 0.6;
162,000 (mnist_fc 256x4) 1.1 and 0.1 s against 0.5 each; 260,000 (256x6) 1.9 and 0.6 s against 1.4 each; 700,000
(sri_resnet) beyond 25 s against 9 each."""

PRESOLVED_ENTRIES = 100_000
"""Mixed-integer programs with more entries are not presolved: on the dense rows of mnist_fc presolve ran for 10 s
without a look at the clock or the callbacks, and removed 7 rows of 4,491."""

ADVICE = "Problem has some excessively small"
"""How HiGHS's remarks on small sides and bounds begin. They advise to rescale and change nothing in the model (entries
small enough to be dropped never reach it: `tolerances.SMALLEST_COEFFICIENT`), so they are no failure."""

DUAL, PRIMAL = 1, 4
"""HiGHS's numbers for the variants of its simplex method."""


Model: TypeAlias = Any
"""A `highspy.Highs`; its type stubs lack some of its methods."""


class LpMethod(Enum):
    """How HiGHS solves a linear program.

    The simplex method goes on from the last optimal basis: after a new objective, which leaves that basis feasible, by
    primal simplex; after new sides by dual simplex. The interior point method stops without crossover: its multipliers
    are a little off, which `safe_bound` forgives, and presolve took longer than the solve. PDLP is a first-order method
    (Applegate et al., arXiv 2106.04756): cheap steps on programs too large for the others, rough multipliers.
    """

    SIMPLEX = "simplex"
    INTERIOR_POINT = "ipx"
    PDLP = "pdlp"


FIRST_ORDER_ACCURACY = 1e-6
"""Relative accuracy asked of PDLP, whose steps for each further digit are many."""


@dataclass(frozen=True)
class Highs:
    """HiGHS as a backend.

    Attributes:
        method: for linear programs; None for what is quicker on programs of their size.
    """

    method: LpMethod | None = None

    @property
    def name(self) -> str:
        """As users give it."""
        kind = {LpMethod.SIMPLEX: ":simplex", LpMethod.INTERIOR_POINT: ":ipm", LpMethod.PDLP: ":pdlp", None: ""}
        return f"highs{kind[self.method]}"

    @property
    def version(self) -> str:
        return version("highspy")

    @property
    def capabilities(self) -> Capabilities:
        """All but cones; only the simplex method has rays."""
        ray = self.method in (None, LpMethod.SIMPLEX)
        return Capabilities(milp=True, multipliers=True, ray=ray, dual_bound=DualBound.ALWAYS, callbacks=True)

    def session(self, program: Program) -> LpSession:
        """See `LpSession`."""
        return LpSession(program, self.method)

    def solve_milp(
        self,
        program: Program,
        deadline: Deadline,
        stop_above: float = np.inf,
        on_candidate: Candidates | None = None,
    ) -> MilpOutcome:
        """See `solve_milp`."""
        return solve_milp(program, deadline, stop_above, on_candidate)


class LpSession:
    """One linear relaxation, solved again and again with other objectives and sides.

    Args:
        program: whose rows every program solved here shares; integrality is ignored.
        method: None for what is quicker on programs of this size.
        threads: of the solver.

    Raises:
        SolverError: where HiGHS does not take the program exactly as it is.
    """

    def __init__(self, program: Program, method: LpMethod | None = None, threads: int = 1) -> None:
        self._model, self._rows = _model(program, threads, integer=False), program.rows
        if method is None:
            method = LpMethod.SIMPLEX if program.rows.nnz <= SIMPLEX_ENTRIES else LpMethod.INTERIOR_POINT
        self._method, self._last = method, program
        self._solved = False
        if method is not LpMethod.SIMPLEX:
            _set_options(self._model, solver=method.value, run_crossover="off", presolve="off")
        if method is LpMethod.PDLP:
            _set_options(self._model, pdlp_optimality_tolerance=FIRST_ORDER_ACCURACY)

    def solve(self, program: Program, deadline: Deadline) -> LpOutcome:
        """Minimises the relaxation of `program`, whose `rows` are those of the session; all else may differ.

        Raises:
            SolverError: where HiGHS does not take the change.
        """
        if program.rows is not self._rows:
            raise ValueError("the program's rows are not the session's")
        self._change(program)
        if deadline.expired:
            return LpOutcome(SolveStatus.STOPPED)
        model = self._model
        _set_time_limit(model, deadline)
        status = _status(model, model.run())
        if self._method is LpMethod.PDLP and model.getModelStatus() == highspy.HighsModelStatus.kUnknown:
            status = SolveStatus.STOPPED  # short of the accuracy that it was asked for
        self._solved = status is SolveStatus.OPTIMAL
        solution = model.getSolution()
        primal = np.array(solution.col_value) if solution.value_valid else None
        multipliers = np.array(solution.row_dual) if solution.dual_valid else None
        if status is SolveStatus.INFEASIBLE:
            multipliers = self._ray()
        return LpOutcome(status, primal, multipliers)

    def _change(self, program: Program) -> None:
        """Hands over what differs from the last program."""
        model, last = self._model, self._last
        columns, rows = (np.arange(n, dtype=np.int32) for n in reversed(program.rows.shape))
        same_columns = np.array_equal(program.lower, last.lower) and np.array_equal(program.upper, last.upper)
        same_rows = np.array_equal(program.row_lower, last.row_lower)
        same_rows = same_rows and np.array_equal(program.row_upper, last.row_upper)
        _require_ok(model.changeColsCost(len(columns), columns, program.cost), "an objective")
        if not same_columns:
            _require_ok(model.changeColsBounds(len(columns), columns, program.lower, program.upper), "column bounds")
        if not same_rows:
            _require_ok(model.changeRowsBounds(len(rows), rows, program.row_lower, program.row_upper), "row sides")
        if self._method is LpMethod.SIMPLEX:
            feasible = self._solved and same_columns and same_rows
            _set_options(model, simplex_strategy=PRIMAL if feasible else DUAL)
        self._last = program

    def _ray(self) -> np.ndarray | None:
        _, has_ray, ray = self._model.getDualRay()
        return np.array(ray) if has_ray else None


def solve_milp(
    program: Program,
    deadline: Deadline,
    stop_above: float = np.inf,
    on_candidate: Candidates | None = None,
    threads: int = 1,
) -> MilpOutcome:
    """Minimises a mixed-integer program, until the proven dual bound exceeds `stop_above` or a candidate is accepted.

    Args:
        program: a minimisation.
        deadline: looked at between HiGHS's steps.
        stop_above: the bound that is enough.
        on_candidate: called with each improving solution, shape (n,); True accepts it and ends the solve. What it
            raises ends the solve too, and is raised here.
        threads: of the solver.

    Raises:
        SolverError: where HiGHS does not take the program exactly as it is.
    """
    if deadline.expired:
        return MilpOutcome(SolveStatus.STOPPED)
    watch = _Watch(len(program.cost), deadline, stop_above, on_candidate)
    model = _model(program, threads, integer=True)
    presolve = "choose" if program.rows.nnz <= PRESOLVED_ENTRIES else "off"
    _set_options(model, output_flag=True, presolve=presolve)
    _set_options(model, mip_rel_gap=GAP, mip_abs_gap=GAP, mip_feasibility_tolerance=SOLVER_FEASIBILITY)
    model.cbLogging.subscribe(watch.on_message)
    model.cbMipInterrupt.subscribe(watch.on_interrupt)
    model.cbMipImprovingSolution.subscribe(watch.on_solution)
    _set_time_limit(model, deadline)
    status = _status(model, model.run())
    if watch.raised is not None:
        raise watch.raised
    if watch.accepted is not None:
        return MilpOutcome(status, primal=watch.accepted, accepted=True)
    solution, bound = model.getSolution(), float(model.getInfo().mip_dual_bound)
    primal = np.array(solution.col_value) if solution.value_valid else None
    if watch.warning:
        return MilpOutcome(SolveStatus.FAILED, primal=primal, warning=watch.warning)
    if status not in (SolveStatus.OPTIMAL, SolveStatus.STOPPED) or not np.isfinite(bound):
        bound = -np.inf
    return MilpOutcome(status, bound, primal)


class _Watch:
    """What the callbacks of a mixed-integer solve see and decide. An exception must not reach HiGHS's own frames."""

    def __init__(self, size: int, deadline: Deadline, stop_above: float, on_candidate: Candidates | None) -> None:
        self._size, self._deadline, self._stop_above, self._on_candidate = size, deadline, stop_above, on_candidate
        self.warning = ""
        self.accepted: np.ndarray | None = None
        self.raised: BaseException | None = None

    def on_message(self, event: highspy.HighsCallbackEvent) -> None:
        serious = event.data_out.log_type in (highspy.HighsLogType.kWarning, highspy.HighsLogType.kError)
        if serious and ADVICE not in str(event.message):
            self.warning = self.warning or " ".join(str(event.message).split())

    def on_interrupt(self, event: highspy.HighsCallbackEvent) -> None:
        done = self.accepted is not None or self.raised is not None
        enough = event.data_out.mip_dual_bound > self._stop_above
        if (done or enough or self._deadline.expired) and event.data_in is not None:
            event.data_in.user_interrupt = True

    def on_solution(self, event: highspy.HighsCallbackEvent) -> None:
        if self._on_candidate is None or self.accepted is not None or self.raised is not None:
            return
        solution = np.array(event.data_out.mip_solution, dtype=np.float64)
        if solution.shape != (self._size,) or not np.isfinite(solution).all():
            return
        try:
            if self._on_candidate(solution):
                self.accepted = solution
        except BaseException as error:
            self.raised = error


class _QuietHighs(highspy.Highs):
    """HiGHS 1.16 prints its banner from the constructor's `enableCallbacks`; standard output is not its to write on."""

    def enableCallbacks(self) -> None:
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()


@contextmanager
def quiet() -> Iterator[None]:
    """While other libraries make instances of HiGHS, they get silent ones."""
    loud = highspy.Highs
    highspy.Highs = _QuietHighs  # type: ignore[misc]
    try:
        yield
    finally:
        highspy.Highs = loud  # type: ignore[misc]


def _model(program: Program, threads: int, integer: bool) -> Model:
    """The program in a new instance of HiGHS."""
    model = _QuietHighs()
    _set_options(
        model,
        output_flag=False,
        log_to_console=False,
        threads=threads,
        random_seed=0,
        primal_feasibility_tolerance=SOLVER_FEASIBILITY,
        dual_feasibility_tolerance=SOLVER_FEASIBILITY,
    )
    rows = program.rows
    status = model.passModel(
        *(rows.shape[1], rows.shape[0], rows.nnz),
        *(int(highspy.MatrixFormat.kRowwise), int(highspy.ObjSense.kMinimize), 0.0),
        *(program.cost, program.lower, program.upper, program.row_lower, program.row_upper),
        *(rows.indptr.astype(np.int32), rows.indices.astype(np.int32), rows.data),
        (program.integrality if integer else np.zeros(rows.shape[1])).astype(np.int32),
    )
    _require_ok(status, "the program")
    return model


def _set_options(model: Model, **options: Any) -> None:
    for name, value in options.items():
        _require_ok(model.setOptionValue(name, value), f"option {name}={value}")


def _set_time_limit(model: Model, deadline: Deadline) -> None:
    # HiGHS's clock runs on from solve to solve of one instance.
    _set_options(model, time_limit=model.getRunTime() + min(deadline.remaining, LONGEST_LIMIT))


def _require_ok(status: highspy.HighsStatus, what: str) -> None:
    if status != highspy.HighsStatus.kOk:
        raise SolverError(f"HiGHS did not take {what} as it is ({status.name})", fix="this is a defect: report it")


def _status(model: Model, run: highspy.HighsStatus) -> SolveStatus:
    ended: Any = highspy.HighsModelStatus
    status = model.getModelStatus()
    if status in (ended.kTimeLimit, ended.kInterrupt, ended.kHighsInterrupt, ended.kIterationLimit):
        return SolveStatus.STOPPED  # these come with a warning, which says no more than that
    if run != highspy.HighsStatus.kOk:
        return SolveStatus.FAILED
    known = {
        ended.kOptimal: SolveStatus.OPTIMAL,
        ended.kInfeasible: SolveStatus.INFEASIBLE,
        ended.kUnbounded: SolveStatus.UNBOUNDED,
    }
    return known.get(status, SolveStatus.FAILED)
