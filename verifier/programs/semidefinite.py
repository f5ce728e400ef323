"""Margins from the semidefinite relaxation of small relu networks, solved by SCS through CVXPY.

Raghunathan, Steinhardt, Liang, NeurIPS 2018 (arXiv 1811.01057), with the triangle's chord (Batten et al., IJCAI 2021)
and a tighter quadratic for the pre-activations (`centred`). It is solved in its dual form, whose unknowns are the
multipliers: a few hundred of them, where the moment matrix has thousands of entries, and a solve that is stopped leaves
usable ones. For a conjunction of several rows the weights of a convex combination are unknowns too, which is the dual
of the epigraph.

SCS runs in rounds, each from where the last one ended. After a round the bound is rebuilt from the multipliers
(`squares`); the rounds end when it suffices, when it no longer rises, or with the deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from verifier.deadline import Deadline
from verifier.errors import UsageError
from verifier.network.graph import Network
from verifier.programs.centred import CentredNetwork, Forms, NoQuadraticForm, centred
from verifier.programs.conjunctions import known_margin
from verifier.programs.diagonal import least_diagonal
from verifier.programs.encode import Bounds, UnboundedRelaxation
from verifier.programs.margins import Conjunction, MarginOutcome, on_host
from verifier.programs.squares import Multipliers, projected, quadratic, raised, squares_bound
from verifier.property.query import Box
from verifier.tolerances import UNIT_ROUNDOFF

if TYPE_CHECKING:
    from scipy.sparse import csc_array

MOST_VARIABLES = 200
"""Inputs that vary and unstable relus. With 170, an iteration of SCS takes 15 ms; with 270 it takes 100 ms, after 10 s
of setup, in 500 MB."""

ROUNDS = (250, 500, 1000, 2000, 4000)
"""Iterations of SCS in each round."""

LEAST_GAIN = 2e-4
"""A round that raises the bound by less than this, in units of the form's radius, is the last one."""

SCS_ACCURACY = 1e-6
"""Accuracy at which SCS ends by itself; bounds do not rest on it."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """Forms of a conjunction in their own unit: margin = offset + unit * max over rows of `forms`.

    Attributes:
        forms: thresholds taken off, radius about 1.
        offset: float64.
        unit: a power of two.
    """

    forms: Forms
    offset: float
    unit: float

    def margin(self, value: float) -> float:
        """The margin that a bound on the scaled forms proves, rounded down."""
        return float(np.nextafter(self.offset + self.unit * value, -np.inf))


def semidefinite_margins(
    network: Network, box: Box, bounds: Bounds, conjunctions: Sequence[Conjunction], deadline: Deadline
) -> list[MarginOutcome]:
    """Margins over the semidefinite relaxation, one outcome per conjunction.

    Bounds are rebuilt from the solver's multipliers and hold in real arithmetic; what `bounds` prove by themselves is
    the least. Each conjunction may take its share of the time left.

    Args:
        network: its outputs are the forms.
        box: of inputs.
        bounds: sound on `box`, one pair per node, shape (size,).
        conjunctions: the forms and thresholds of each.
        deadline: for all of them together.

    Raises:
        UsageError: CVXPY or SCS is not installed.
    """
    require_solver()
    known = [known_margin(bounds[-1][0], *conjunction) for conjunction in conjunctions]
    try:
        relaxed = centred(on_host(network), box, bounds, MOST_VARIABLES)
    except (NoQuadraticForm, UnboundedRelaxation) as error:
        return [MarginOutcome(margin, detail=str(error)) for margin in known]
    with threadpool_limits(limits=1):  # matrices this small only lose by more threads, a lot on a busy machine
        return _margins(relaxed, conjunctions, known, deadline)


def _margins(
    network: CentredNetwork, conjunctions: Sequence[Conjunction], known: list[float], deadline: Deadline
) -> list[MarginOutcome]:
    """One outcome per conjunction; a single form is bounded once for all its thresholds."""
    wanted: dict[int, float] = {}
    for rows, thresholds in conjunctions:
        if len(rows) == 1:
            wanted[int(rows[0])] = max(wanted.get(int(rows[0]), -np.inf), float(thresholds[0]))
    outcomes, of_form = [], dict[int, MarginOutcome]()
    for count, ((rows, thresholds), margin) in enumerate(zip(conjunctions, known, strict=True)):
        share = deadline.within(deadline.remaining / (len(known) - count))
        if margin > 0 or not len(rows) or not np.isfinite(thresholds).all():
            outcome = MarginOutcome(margin, finished=True)
        elif len(rows) > 1:
            outcome = _margin(network, rows, thresholds, 0.0, share)
        else:
            form = int(rows[0])
            if form not in of_form:
                of_form[form] = _margin(network, rows, np.zeros(1), wanted[form], share)
            bound = float(np.nextafter(of_form[form].bound - thresholds[0], -np.inf))
            outcome = replace(of_form[form], bound=bound)
        outcomes.append(replace(outcome, bound=max(margin, outcome.bound)))
    return outcomes


def require_solver() -> None:
    """Checks that CVXPY and SCS can be imported.

    Raises:
        UsageError: they cannot.
    """
    for name in ("cvxpy", "scs"):
        try:
            import_module(name)
        except ImportError as error:
            cause = f"the semidefinite relaxation needs {name}, which is not installed"
            raise UsageError(cause, "--method sdp", "pip install cvxpy scs") from error


def scaled(forms: Forms, thresholds: np.ndarray) -> Scaled:
    """The forms less their thresholds, moved and scaled to be of size 1 or so."""
    constant = forms.rows[:, 0] - thresholds
    offset = float(constant.max())
    rows = forms.rows.copy()
    rows[:, 0] = constant - offset
    moved = 4 * UNIT_ROUNDOFF * (np.abs(forms.rows[:, 0]) + np.abs(thresholds) + np.abs(offset))
    radius = float(np.abs(rows[:, 1:]).sum(axis=1).max(initial=0.0))
    unit = float(np.ldexp(1.0, np.frexp(radius)[1])) if 1e-200 < radius < 1e200 else 1.0
    return Scaled(Forms(rows / unit, (forms.error + moved) / unit), offset, unit)


def _margin(
    network: CentredNetwork, rows: np.ndarray, thresholds: np.ndarray, enough: float, deadline: Deadline
) -> MarginOutcome:
    """The margin of one conjunction; one above `enough` need not be raised further."""
    question = scaled(network.outputs[rows], thresholds)
    forms = question.forms
    best = squares_bound(network, forms, linear_multipliers(network, forms))
    if not np.isfinite(best):
        return MarginOutcome(-np.inf, detail="the network's numbers are too large for the semidefinite relaxation")
    if not network.variables or (not len(network.relu) and len(rows) == 1):  # then this is the margin itself
        return MarginOutcome(question.margin(best), finished=True)
    solver = DualRounds(network, forms)
    for iterations in ROUNDS:
        if question.margin(best) > enough or deadline.expired:
            break
        vector = solver.run(iterations, 0.9 * deadline.remaining)
        before, best = best, max(best, squares_bound(network, forms, vector))
        if not deadline.expired:
            best = max(best, squares_bound(network, forms, polished(network, forms, vector, deadline)))
        if solver.ended or (iterations > ROUNDS[1] and best < before + LEAST_GAIN):
            return MarginOutcome(question.margin(best), finished=True)
    finished = question.margin(best) > enough or not deadline.expired
    return MarginOutcome(question.margin(best), finished=finished, detail="" if finished else "the time was up")


def linear_multipliers(network: CentredNetwork, forms: Forms) -> np.ndarray:
    """Those that bound the form with the largest minimum over the cube, every relu being anything in its interval."""
    radius = np.abs(forms.rows[:, 1:])
    chosen = int(np.argmax(forms.rows[:, 0] - radius.sum(axis=1)))
    weight = np.zeros(len(forms.error))
    weight[chosen] = 1.0
    return np.concatenate([weight, np.zeros(4 * len(network.relu)), radius[chosen] / 2])


def polished(network: CentredNetwork, forms: Forms, vector: np.ndarray, deadline: Deadline) -> np.ndarray:
    """The multipliers with the diagonal ones that go best with the others."""
    multipliers = projected(vector, network, len(forms.error))
    if multipliers is None:
        return vector
    matrix = quadratic(network, forms, multipliers)
    if not np.isfinite(matrix).all():
        return vector
    try:
        constant, diagonal = raised(matrix, multipliers.square)
    except np.linalg.LinAlgError:
        return vector
    start = np.r_[-constant, diagonal]
    start = start + 1e-3 * max(float(np.abs(start).mean()), 1e-6)  # off the cone's boundary
    best = least_diagonal(matrix, start, deadline)
    return np.r_[vector[: len(vector) - network.variables], best[1:]]


class DualRounds:
    """SCS on the dual of one relaxation. `ended` tells whether it has come to its own end."""

    def __init__(self, network: CentredNetwork, forms: Forms) -> None:
        import cvxpy as cp

        count, m, size = len(forms.error), len(network.relu), 1 + network.variables
        columns = basis(network, forms)
        unknown = cp.Variable(columns.shape[1])  # the multipliers and, last, the constant d_0
        matrix = cp.reshape(columns @ unknown, (size, size), order="C")
        first_square = count + 4 * m
        constraints = [
            matrix >> 0,
            cp.sum(unknown[:count]) == 1,
            unknown[: count + 2 * m] >= 0,
            unknown[count + 3 * m : -1] >= 0,
        ]
        problem = cp.Problem(cp.Maximize(unknown[-1] - cp.sum(unknown[first_square:-1])), constraints)
        self._data, self._chain, _ = problem.get_problem_data(cp.SCS)
        self._last: dict[str, Any] | None = None
        self.ended = False

    def run(self, iterations: int, seconds: float) -> np.ndarray:
        """The multipliers after some more iterations, or fewer where the time is up; they may be anything."""
        options: dict[str, Any] = {
            "max_iters": iterations,
            "eps_abs": SCS_ACCURACY,
            "eps_rel": SCS_ACCURACY,
            "acceleration_lookback": 10,
            "time_limit_secs": max(seconds, 1e-3) if np.isfinite(seconds) else 0.0,
        }
        # CVXPY warm-starts from its cache, but puts only optimal solutions there.
        cache = {} if self._last is None else {self._chain.solver.name(): self._last}
        if self._last is not None:
            options["scale"] = self._last["info"]["scale"]
        solved = self._chain.solver.solve_via_data(self._data, bool(cache), False, options, cache)
        usable = np.isfinite(solved["x"]).all() and np.isfinite(solved["y"]).all() and np.isfinite(solved["s"]).all()
        self.ended = solved["info"]["status"] == "solved" or not usable
        self._last = solved
        return np.asarray(solved["x"], np.float64)[:-1]


def basis(network: CentredNetwork, forms: Forms) -> csc_array:
    """Each unknown's matrix in S (see `squares`) as a column, shape ((1 + n)^2, unknowns); the last is d_0's."""
    from scipy.sparse import coo_array, hstack

    m, n, count = len(network.relu), network.variables, len(forms.error)
    none, empty = np.zeros(count), np.zeros(0)
    without = network.of_relus(np.zeros(0, np.int64))
    matrices = [
        coo_array(quadratic(without, forms, Multipliers(unit, empty, empty, empty, empty, np.zeros(n))))
        for unit in np.eye(count)
    ]
    for sign, chord, complement, product in np.eye(4)[:, :, None]:
        single = Multipliers(none, sign, chord, complement, product, np.zeros(n))
        for j in range(m):
            matrices.append(coo_array(quadratic(network.of_relus(np.array([j])), forms, single)))
    square = (np.ones(n), (np.arange(1, n + 1) * (n + 2), np.arange(n)))
    constant = coo_array(([-1.0], ([0], [0])), shape=((n + 1) ** 2, 1))
    flat = [matrix.reshape((n + 1) ** 2, 1) for matrix in matrices]
    return hstack([*flat, coo_array(square, shape=((n + 1) ** 2, n)), constant], format="csc")
