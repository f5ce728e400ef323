"""Margins of a property from programs: safe ones from the triangle LP, exact ones from the MILP.

The margin of a conjunction is the minimum over the inputs of the largest of (form - threshold) over its rows. Where a
lower bound on it is positive, no input obeys all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeGuard

import numpy as np
from array_api_compat import is_numpy_array

from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.network.graph import Affine, Network
from verifier.programs.conjunctions import ConjunctionPrograms, Objective, known_margin
from verifier.programs.encode import Bounds, Encoding, UnboundedRelaxation, encode
from verifier.programs.program import Program
from verifier.programs.safe_bound import safe_bound
from verifier.programs.scaling import scaled
from verifier.programs.solvers.backend import Backend, LinearSession
from verifier.programs.solvers.outcome import SolveStatus
from verifier.property.balls import Ball
from verifier.property.query import Box
from verifier.tolerances import MILP_ABSOLUTE_MARGIN, MILP_RELATIVE_MARGIN, MILP_WIDENING, SOLVER_FEASIBILITY

Conjunction = tuple[np.ndarray, np.ndarray]
"""Indices of forms, integers, shape (R,), and their thresholds, float64, shape (R,)."""


MOST_TANGENTS = 200
"""Rounds of a MILP with a ball of norm 2, each with tangents at one more point, at most."""

OUTSIDE = 1e-6
"""How far, relative to the radius, a MILP's point may lie outside the ball before it is worth a tangent: tangents are
kept by the solver up to its tolerance only. No bound rests on it."""


@dataclass(frozen=True, eq=False)
class MarginOutcome:
    """What a program says of one conjunction.

    Attributes:
        bound: a proven lower bound of the margin; positive excludes a violation. -inf where nothing is known.
        point: an input that comes close to the smallest margin, to be tried as a witness; float64, inside the box,
            shape (input_size,); or None.
        complete: whether the program described the network exactly, so that an optimal `point` is a violation or
            there is none, within the solver's tolerance.
        finished: whether the solve came to its own end: an optimum, a proof or an accepted candidate. False where the
            deadline or a failure cut it short.
        detail: why not, in one line; empty where finished.
    """

    bound: float
    point: np.ndarray | None = None
    complete: bool = False
    finished: bool = False
    detail: str = ""


def relaxed_margins(
    network: Network,
    box: Box,
    bounds: Bounds,
    conjunctions: Sequence[Conjunction],
    deadline: Deadline,
    kept: Mapping[int, np.ndarray] | None = None,
    *,
    solver: Backend | None = None,
) -> list[MarginOutcome]:
    """Margins over the triangle relaxation, one outcome per conjunction.

    Bounds are rebuilt from the solver's multipliers (`safe_bound`) and hold in real arithmetic. After the deadline the
    outcomes left hold what `bounds` prove by themselves. Where the box has a ball of norm 2 it is a cone for one of
    CVXPY's solvers; without one it is held by tangents, and the bound made of the multipliers knows the ball.

    Args:
        network: its outputs are the forms.
        box: of inputs.
        bounds: sound on `box`, one pair per node, shape (size,).
        conjunctions: the forms and thresholds of each.
        deadline: for all of them together.
        kept: entries whose bounds are constraints even where the forms do not depend on them (`encode`); where these
            contradict each other, which the solver's ray has to show, the margin is infinite.
        solver: None is HiGHS.
    """
    known = [known_margin(bounds[-1][0], *conjunction) for conjunction in conjunctions]
    solver = solver or default_solver()
    touching = None if _cone_solver(box.ball, solver) else np.zeros((0, box.size))
    try:
        encoding = encode(on_host(network), box, bounds, exact=False, kept=kept, touching=touching)
    except UnboundedRelaxation as error:
        return [MarginOutcome(margin, detail=str(error)) for margin in known]
    programs = ConjunctionPrograms(encoding, *bounds[-1], several=any(len(rows) > 1 for rows, _ in conjunctions))
    minima = _Minima(programs.program, encoding, deadline, solver)
    outcomes = []
    for conjunction, margin in zip(conjunctions, known, strict=True):
        objective = programs.of(*conjunction)
        outcomes.append(MarginOutcome(margin, finished=True) if objective is None else minima.of(objective, margin))
    return outcomes


class _Minima:
    """Minima of the relaxations of one encoding; a single form is minimised once for all its thresholds."""

    def __init__(self, program: Program, encoding: Encoding, deadline: Deadline, solver: Backend) -> None:
        self._program, self._encoding, self._deadline, self._solver = program, encoding, deadline, solver
        self._of_form: dict[int, MarginOutcome] = {}

    @cached_property
    def _session(self) -> LinearSession:
        from verifier.programs.solvers.conic import ConicSession

        within = self._program.ball
        cones = "" if within is None else _cone_solver(within.ball, self._solver)
        return ConicSession(cones) if cones else self._solver.session(self._program)

    def of(self, objective: Objective, known: float) -> MarginOutcome:
        """The margin of one conjunction, at least `known`."""
        if objective.form is None:
            minimum = self._minimum(objective.program)
        else:
            if objective.form not in self._of_form:
                self._of_form[objective.form] = self._minimum(objective.program)
            minimum = self._of_form[objective.form]
        return replace(minimum, bound=max(known, float(np.nextafter(minimum.bound - objective.threshold, -np.inf))))

    def _minimum(self, program: Program) -> MarginOutcome:
        try:
            outcome = self._session.solve(program, self._deadline)
        except SolverError as error:
            return MarginOutcome(-np.inf, detail=str(error))
        bound, point = -np.inf, None
        if outcome.multipliers is not None:
            bound = safe_bound(program, program.cost, outcome.multipliers)
            if safe_bound(program, np.zeros_like(program.cost), outcome.multipliers) > 0:
                bound = np.inf  # nothing at all is feasible
        if usable(outcome.primal, program):
            point = self._encoding.point(outcome.primal)
        finished = outcome.status is SolveStatus.OPTIMAL
        return MarginOutcome(bound, point, False, finished, "" if finished else f"the LP ended {outcome.status}")


def exact_margin(
    network: Network,
    box: Box,
    bounds: Bounds,
    conjunction: Conjunction,
    deadline: Deadline,
    on_candidate: Callable[[np.ndarray], bool] | None = None,
    *,
    solver: Backend | None = None,
) -> MarginOutcome:
    """The margin of one conjunction by mixed-integer programming.

    The bound is the solver's proven dual bound less the margins of `tolerances`; it is refused where the solver
    reported any trouble, or where a point's margin is seen to lie below it. A solver with callbacks stops as soon
    as the bound is positive, or a candidate is accepted. A ball of norm 2 is held by tangents (`programs.ball_rows`);
    while the solution lies outside it, tangents there are added and the program is solved again (outer approximation;
    Duran & Grossmann, Math. Programming 36, 1986).

    Args:
        network: its outputs are the forms.
        box: of inputs.
        bounds: sound on `box`, one pair per node, shape (size,).
        conjunction: the forms and thresholds.
        deadline: solvers look at it between their steps, which can take seconds on thousands of rows.
        on_candidate: called with the inputs, float64, shape (input_size,), of improving solutions; True accepts one.
        solver: None is HiGHS.
    """
    known = known_margin(bounds[-1][0], *conjunction)
    if known > 0:
        return MarginOutcome(known, finished=True)
    accepted = False

    def accepts(point: np.ndarray) -> bool:
        nonlocal accepted
        accepted = accepted or (on_candidate is not None and on_candidate(point))
        return accepted

    exact = _Exact(network, box, bounds, conjunction, deadline, solver or default_solver())
    touching, best = np.zeros((0, box.size)), -np.inf
    while True:
        outcome = exact.round(touching, accepts)
        best = max(best, outcome.bound)  # a round that was cut short may know less than an earlier one
        outcome = replace(outcome, bound=best)
        if accepted or best > 0 or not outcome.finished or _in_ball(box, outcome.point):
            return outcome
        assert outcome.point is not None
        if len(touching) == MOST_TANGENTS or (touching == outcome.point).all(axis=1).any():
            return replace(outcome, complete=False, detail="the MILP's solution lies outside the ball")
        touching = np.concatenate([touching, outcome.point[None]])


def _in_ball(box: Box, point: np.ndarray | None) -> bool:
    """Whether a point lies in the ball, within what the solver may overlook; True where there is no point, or ball."""
    if box.ball is None or point is None:
        return True
    return box.ball.excess(point) <= (OUTSIDE + MILP_WIDENING * box.size) * box.ball.radius


@dataclass(frozen=True, eq=False)
class _Exact:
    """What `exact_margin` is asked."""

    network: Network
    box: Box
    bounds: Bounds
    conjunction: Conjunction
    deadline: Deadline
    solver: Backend

    def round(self, touching: np.ndarray, accepts: Callable[[np.ndarray], bool]) -> MarginOutcome:
        """The margin over the box, its ball of norm 2 held by tangents at some points too, shape (T, input_size)."""
        forms, solver = self.bounds[-1], self.solver
        known = known_margin(forms[0], *self.conjunction)
        try:
            encoding = encode(on_host(self.network), self.box, self.bounds, exact=True, touching=touching)
        except UnboundedRelaxation as error:
            return MarginOutcome(known, detail=str(error))
        several = len(self.conjunction[0]) > 1
        objective = ConjunctionPrograms(encoding, *forms, several=several).of(*self.conjunction)
        if objective is None:
            return MarginOutcome(known, None, encoding.complete, finished=True)
        if not encoding.program.integrality.any() and solver.capabilities.multipliers:
            # All relus are decided: a linear program, with a safe bound.
            outcome = _Minima(objective.program, encoding, self.deadline, solver).of(objective, known)
            accepted = outcome.bound <= 0 and outcome.point is not None and accepts(outcome.point)
            return replace(outcome, complete=encoding.complete, finished=outcome.finished or accepted)
        slack = _milp_slack(forms, self.conjunction)
        try:
            outcome = _MilpMargin(solver, encoding, self.deadline, accepts).of(objective, known, slack)
        except SolverError as error:
            return MarginOutcome(known, None, encoding.complete, detail=str(error))
        attained = _margin_at(self.network, _some_points(self.box, outcome.point), self.conjunction)
        if outcome.bound > known and outcome.bound > attained:
            told = f"the solver's bound {outcome.bound:.6g} is wrong: a point has the margin {attained:.6g}"
            return MarginOutcome(known, outcome.point, encoding.complete, detail=told)
        return outcome


def exact_optimum(
    network: Network,
    box: Box,
    bounds: Bounds,
    conjunction: Conjunction,
    deadline: Deadline,
    on_candidate: Callable[[np.ndarray], bool] | None = None,
    *,
    solver: Backend | None = None,
) -> MarginOutcome:
    """As `exact_margin`, but no sign of the margin ends the solve: it goes on to the optimum.

    The thresholds are raised until no margin can be positive, and the bound by as much.
    """
    rows, thresholds = conjunction
    raised = float(np.max(bounds[-1][1][rows] - thresholds, initial=0.0))
    if not np.isfinite(raised):
        return exact_margin(network, box, bounds, conjunction, deadline, on_candidate, solver=solver)
    above = rows, np.nextafter(thresholds + raised, np.inf)
    outcome = exact_margin(network, box, bounds, above, deadline, on_candidate, solver=solver)
    shift = np.nextafter(np.min(above[1] - thresholds), -np.inf)
    bound = float(np.nextafter(outcome.bound + shift, -np.inf))
    return replace(outcome, bound=max(known_margin(bounds[-1][0], *conjunction), bound))


class _MilpMargin:
    """The margin of one conjunction by a mixed-integer solve; what the solver overlooks is taken off in proportion."""

    def __init__(
        self, solver: Backend, encoding: Encoding, deadline: Deadline, accepts: Callable[[np.ndarray], bool]
    ) -> None:
        self._solver, self._encoding, self._deadline, self._accepts = solver, encoding, deadline, accepts
        self._lenience = max(1.0, solver.capabilities.tolerance / SOLVER_FEASIBILITY)

    def of(self, objective: Objective, known: float, slack: float) -> MarginOutcome:
        """The margin, at least `known`; `slack` is taken off for a solver that keeps `SOLVER_FEASIBILITY`."""
        units = scaled(objective.program, MILP_WIDENING * self._lenience)
        slack = self._lenience * (slack + MILP_RELATIVE_MARGIN * units.cost_unit)
        enough = units.scaled_objective(objective.threshold + slack * 1.001)

        def point_of(x: np.ndarray) -> np.ndarray:
            return self._encoding.point(units.original(x))

        def accepts(x: np.ndarray) -> bool:
            return usable(x, units.program) and self._accepts(point_of(x))

        outcome = self._solver.solve_milp(units.program, self._deadline, enough, accepts)
        bound = units.objective(outcome.dual_bound) - objective.threshold - slack
        bound = known if np.isnan(bound) else max(known, bound)
        point = point_of(outcome.primal) if usable(outcome.primal, units.program) else None
        finished = bound > 0 or outcome.accepted or outcome.status is SolveStatus.OPTIMAL
        detail = "" if finished else f"the MILP {outcome.status} {outcome.warning}".rstrip()
        return MarginOutcome(bound, point, self._encoding.complete, finished, detail)


def usable(primal: np.ndarray | None, program: Program) -> TypeGuard[np.ndarray]:
    """Whether a solver's solution is a vector of numbers of the right length."""
    return primal is not None and primal.shape == program.cost.shape and bool(np.isfinite(primal).all())


def _some_points(box: Box, point: np.ndarray | None) -> np.ndarray:
    """Inputs at which a bound can be seen to be wrong, shape (N, input_size): the middle, and the solver's own."""
    return np.stack([box.middle] if point is None else [box.middle, point])


def _margin_at(network: Network, points: np.ndarray, conjunction: Conjunction) -> float:
    """The least margin at some points; it rests on float64, against which `_milp_slack` is large."""
    rows, thresholds = conjunction
    values = on_host(network).forward(points)[:, rows] - thresholds
    return float(np.min(np.max(values, axis=1)))


def _cone_solver(ball: Ball | None, solver: Backend) -> str:
    """CVXPY's name of the solver that takes a ball of norm 2 as a cone; empty where none does, or there is none."""
    from verifier.programs.solvers.conic import solver_for

    return "" if ball is None or ball.norm != 2 else solver_for(solver)


def default_solver() -> Backend:
    """The solver where none is asked for, loaded only where it is needed."""
    from verifier.programs.solvers.highs import Highs

    return Highs()


def _milp_slack(forms: tuple[np.ndarray, np.ndarray], conjunction: Conjunction) -> float:
    """What is taken off a MILP's dual bound: see `tolerances.MILP_ABSOLUTE_MARGIN`."""
    rows, thresholds = conjunction
    size = np.maximum(np.abs(forms[0][rows]), np.abs(forms[1][rows])) + np.abs(thresholds)
    return MILP_ABSOLUTE_MARGIN + MILP_RELATIVE_MARGIN * float(np.max(size))


def on_host(network: Network) -> Network:
    """The network with NumPy weights."""
    arrays = [node.bias for node in network.nodes if isinstance(node, Affine)]
    return network if all(is_numpy_array(a) for a in arrays) else network.like(np.zeros(0))
