"""The least distance from a point to where some linear form of a network falls to its threshold, as one program.

    minimise t   subject to   t >= ||x - centre||, the network's rows, and   form_j <= threshold_j for some j

Tjeng, Xiao & Tedrake, arXiv 1711.07356, equations 2 to 6, for norms inf and 1; norm 2 by tangents of the lifted squares
(`programs.ball_rows`), added at each solution until its own distance is the bound. Bounds of the network's entries hold
on a ball, so all that the program can say is whether the distance is smaller than the ball's radius. Therefore one more
choice stands beside the forms: to leave the ball, at the price t = radius. So the program always has a solution, and
nothing rests on a solver's word that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.deadline import Deadline
from verifier.errors import SolverError
from verifier.network.graph import Network
from verifier.programs.ball_rows import absolute_columns, entries_of, rows_of_sum, square_columns
from verifier.programs.encode import Bounds, Encoding, NetworkWriter, UnboundedRelaxation, written
from verifier.programs.margins import MOST_TANGENTS, default_solver, on_host, usable
from verifier.programs.program import ColumnBall
from verifier.programs.rows import Entries
from verifier.programs.scaling import scaled
from verifier.programs.solvers.backend import Backend
from verifier.programs.solvers.outcome import SolveStatus
from verifier.property.balls import Ball
from verifier.property.query import Box
from verifier.tolerances import MILP_ABSOLUTE_MARGIN, MILP_RELATIVE_MARGIN, MILP_WIDENING, SOLVER_FEASIBILITY

CONTRADICTED = 1e-9
"""A bound may lie above the distance of a point that is seen to reach a threshold by this share of it: the point is
judged in float64, and the bound has had much more taken off."""

BEYOND = (0.0, 1e-7, 4e-7, 1.6e-6, 6.4e-6, 2.6e-5, 1e-4, 4e-4)
"""How much farther from the centre, as shares of its distance, a solution is looked at: it lies on the boundary, or as
far on this side of it as the program gives way."""

Shown = Callable[[np.ndarray], None]
"""Is shown the input, float64, shape (input_size,), of a solution."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A network on a ball around a point.

    Attributes:
        network: its outputs are the forms.
        box: the ball's inputs; holds the centre. A ball of norm 1 or 2 in it is not looked at.
        bounds: sound on the ball (and in the box), one pair of shape (size,) for each node.
        centre: float64, shape (input_size,).
        radius: of the ball, positive, finite.
        norm: 1, 2 or inf.
    """

    network: Network
    box: Box
    bounds: Bounds
    centre: np.ndarray
    radius: float
    norm: float

    @property
    def largest(self) -> float:
        """What the program's t is at the radius: the radius itself, or in norm 2, where t is a square, 1."""
        return 1.0 if self.norm == 2 else self.radius


@dataclass(frozen=True, eq=False)
class DistanceOutcome:
    """What the program says.

    Attributes:
        bound: proven, up to trust in the solver: nothing nearer than this reaches a threshold. At most the radius.
        finished: whether the solve came to its own end.
        complete: whether the network was described exactly.
        detail: what went wrong, in one line; empty where nothing did.
    """

    bound: float
    finished: bool = False
    complete: bool = False
    detail: str = ""


def least_distance(
    around: Surroundings,
    choices: Sequence[tuple[int, float]],
    deadline: Deadline,
    on_solution: Shown,
    enough: float,
    *,
    solver: Backend | None = None,
) -> DistanceOutcome:
    """A lower bound of the distance to where one of some forms is at most its threshold.

    It is the solver's proven dual bound less the margins of `tolerances`, in units of the radius. It is refused where
    the solver reported any trouble, where it exceeds the radius, which is the cost of a point of the program, or where
    it exceeds the distance of a solution at which a form is seen to be at most its threshold.

    Args:
        around: the network on a ball.
        choices: forms and thresholds, at least one.
        deadline: for all of it.
        on_solution: is shown the inputs of the solver's solutions.
        enough: the bound at which a solver with callbacks may stop.
        solver: None is HiGHS.
    """
    solver = solver or default_solver()
    touching, best, nearest = np.zeros((0, around.box.size)), DistanceOutcome(0.0), around.radius
    for _ in range(1 + MOST_TANGENTS):
        solve = _Solve(around, choices, solver, on_solution)
        try:
            found = solve.run(touching, deadline, enough)
        except (UnboundedRelaxation, SolverError) as error:
            return replace(best, detail=str(error))
        best = replace(found, bound=max(best.bound, found.bound))
        nearest, point = min(nearest, solve.nearest), solve.point
        if best.bound > nearest * (1 + CONTRADICTED):
            told = f"the solver's bound {best.bound:.6g} is wrong: {nearest:.6g} is reached"
            return DistanceOutcome(0.0, complete=best.complete, detail=told)
        if around.norm != 2 or not found.finished or best.bound >= enough or point is None:
            return best
        distance = float(np.linalg.norm(point - around.centre))
        if distance <= best.bound * (1 + 1e-4) or (touching == point).all(axis=1).any():
            return best
        touching = np.concatenate([touching, point[None]])
    return best


class _Solve:
    """One program, solved once.

    Attributes:
        point: the input of the solver's last solution.
        nearest: the least distance of those at, or right beyond, which a form is at most its threshold.
    """

    def __init__(
        self, around: Surroundings, choices: Sequence[tuple[int, float]], solver: Backend, on_solution: Shown
    ) -> None:
        self._around, self._choices, self._solver, self._on_solution = around, choices, solver, on_solution
        self._lenience = max(1.0, solver.capabilities.tolerance / SOLVER_FEASIBILITY)
        self.point: np.ndarray | None = None
        self.nearest = math.inf

    def run(self, touching: np.ndarray, deadline: Deadline, enough: float) -> DistanceOutcome:
        encoding, cost = distance_encoding(self._around, self._choices, touching)
        units = scaled(replace(encoding.program, cost=cost), MILP_WIDENING * self._lenience)
        slack = self._lenience * (MILP_ABSOLUTE_MARGIN * self._around.largest + MILP_RELATIVE_MARGIN * units.cost_unit)

        def shown(x: np.ndarray | None) -> bool:
            if usable(x, units.program):
                used = encoding.inputs.column >= 0
                self.point = np.where(used, encoding.point(units.original(x)), self._around.centre)
                self.nearest = min(self.nearest, self._reached(self.point))
                self._on_solution(self.point)
            return False

        stop = units.scaled_objective(self._of_distance(enough) + slack * 1.001)
        outcome = self._solver.solve_milp(units.program, deadline, stop, shown)
        shown(outcome.primal)
        bound = self._distance(units.objective(outcome.dual_bound) - slack)
        finished = bound >= enough or outcome.status is SolveStatus.OPTIMAL
        detail = "" if finished else f"the MILP {outcome.status} {outcome.warning}".rstrip()
        return DistanceOutcome(bound, finished, encoding.complete, detail)

    def _reached(self, point: np.ndarray) -> float:
        """How far it is, on the way to a point and right beyond it, to where a form is at most its threshold."""
        around = self._around
        points = right_beyond(point, around.centre, around.box)
        forms = on_host(around.network).forward(points)
        reaches = np.any([forms[:, form] <= threshold for form, threshold in self._choices], axis=0)
        distances = np.linalg.norm(points - around.centre, around.norm, axis=1)
        return float(distances[reaches].min(initial=math.inf))

    def _distance(self, t: float) -> float:
        """What a bound on t says of the distance, rounded down."""
        if not t > 0:  # NaN too
            return 0.0
        return t if self._around.norm != 2 else self._around.radius * math.sqrt(t) * (1 - 2.0**-50)

    def _of_distance(self, distance: float) -> float:
        return distance if self._around.norm != 2 else (distance / self._around.radius) ** 2


def right_beyond(point: np.ndarray, centre: np.ndarray, box: Box) -> np.ndarray:
    """A point, and others farther from the centre by shares of `BEYOND`, in the box; (len(BEYOND), input_size)."""
    return np.clip(point + np.array(BEYOND)[:, None] * (point - centre), box.lower, box.upper)


def distance_encoding(
    around: Surroundings, choices: Sequence[tuple[int, float]], touching: np.ndarray
) -> tuple[Encoding, np.ndarray]:
    """The program, and the objective: the distance (norm 2: its square in units of the radius's).

    Args:
        around: the network on a ball.
        choices: forms and thresholds.
        touching: for norm 2, points at which tangents touch, shape (T, input_size).

    Raises:
        UnboundedRelaxation: a needed entry has no finite bounds.
    """
    writer = written(on_host(around.network), around.box, around.bounds, exact=True)
    builder, inputs, outputs = writer.builder, writer.entries[0], writer.entries[-1]
    live = np.flatnonzero(inputs.column >= 0)
    t = _distance_column(writer, around, live, touching[:, live])
    one, zero = np.ones(1), np.zeros(1)
    leaves = entries_of(builder.columns(zero, one, integral=True))
    builder.rows_of_terms([(one, t), (-around.largest * one, leaves)], 0.0, np.inf)
    terms = [(one, leaves)]
    for form, threshold in choices:
        chosen = entries_of(builder.columns(zero, one, integral=True))
        above = np.nextafter(around.bounds[-1][1][[form]] - threshold, np.inf)  # 1: at most the threshold; 0: any value
        builder.rows_of_terms([(one, outputs[np.array([form])]), (above, chosen)], -np.inf, threshold + above)
        terms.append((one, chosen))
    builder.rows_of_terms(terms, 1.0, np.inf)
    program = builder.finish()
    cost = np.zeros(program.rows.shape[1])
    cost[t.column] = 1.0
    return Encoding(program, inputs, outputs, around.box, complete=not writer.relaxed), cost


def _distance_column(writer: NetworkWriter, around: Surroundings, live: np.ndarray, touching: np.ndarray) -> Entries:
    """A column from 0 to `Surroundings.largest` that is at least the distance (norm 2: its square in units of that)."""
    builder, columns, one = writer.builder, writer.entries[0].column[live], np.ones(1)
    t = entries_of(builder.columns(np.zeros(1), np.array([around.largest])))
    centre = around.centre[live]
    if around.norm == math.inf:
        x, ones = entries_of(columns), np.ones(len(live))
        all_t = entries_of(np.repeat(t.column, len(live)))
        builder.rows_of_terms([(ones, all_t), (-ones, x)], -centre, np.inf)
        builder.rows_of_terms([(ones, all_t), (ones, x)], centre, np.inf)
        return t
    within = ColumnBall(columns, Ball(centre, around.radius, int(around.norm)))
    parts = absolute_columns(builder, within) if around.norm == 1 else square_columns(builder, within, touching)
    rows_of_sum(builder, parts, [(-one, t)], 0.0)
    return t
