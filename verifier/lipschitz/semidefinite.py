"""Lipschitz constants of small networks by semidefinite programming (LipSDP), solved by SCS through CVXPY.

    minimise ||d_inputs|| + sum(d_neurons)  subject to  diag(d) - N(T) >= 0,  T, d >= 0         (see `quadratic`)

where ||.|| is the largest entry for p = 2 and the sum for p = inf. The solver only proposes T and d; the constant is
rebuilt from them and is certified whatever they are.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from importlib import import_module

import numpy as np

from verifier.deadline import NEVER, Deadline
from verifier.errors import UsageError
from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.quadratic import (
    QuadraticNetwork,
    Rows,
    certified_constant,
    quadratic_form,
    quadratic_network,
)
from verifier.lipschitz.slopes import Values
from verifier.network.graph import Network

MOST_VARIABLES = 250
"""Inputs and open neurons: an iteration of SCS takes 3 ms with 130, and 30 ms with 300."""

MOST_ITERATIONS = 2000
ACCURACY = 1e-5
"""At which SCS ends; the constant does not rest on it."""


def semidefinite_constant(
    network: Network,
    rows: np.ndarray,
    norm: float,
    values: Values | None = None,
    deadline: Deadline = NEVER,
) -> float:
    """At least sup ||C f(x) - C f(y)||_2 / ||x - y||_p, rounding covered; for one row, the constant of that form.

    For p = 1 it is the constant for p = 2, which is no smaller. Never more than products of norms give for one row.

    Args:
        network: affine nodes and functions with bounded slopes.
        rows: C, shape (R, output_size).
        norm: p, one of 1, 2, inf.
        values: where the constant is to hold: bounds of all nodes; everywhere if not given.
        deadline: by which to be done.

    Raises:
        OutOfTimeError: the time is up before the solver could begin.
        UsageError: the network has products or unbounded slopes, or is too large, or CVXPY or SCS is not installed.
    """
    _require_solver()
    network, norm = network.like(np.zeros(0)), max(norm, 2.0)
    quadratic = quadratic_network(network, rows, norm, values, MOST_VARIABLES, deadline)
    found = certified_constant(quadratic, norm, *_proposed(quadratic, norm, deadline))
    if len(rows) == 1:
        found = min(found, float(LipschitzConstants(network, norm, values, deadline).of_forms(rows)[0]))
    return found


def _proposed(quadratic: QuadraticNetwork, norm: float, deadline: Deadline) -> tuple[np.ndarray, np.ndarray]:
    """T and d from the solver, which may be anything."""
    import cvxpy as cp

    deadline.check()
    m, n = len(quadratic.low), quadratic.inputs
    failed = np.full(m, np.nan), np.full(n + m, np.nan)
    reduced = _reduced(quadratic) if norm == 2.0 else quadratic
    size = reduced.inputs + m
    of_inputs = cp.Variable(1 if norm == 2.0 else n, nonneg=True)
    of_neurons, multipliers = cp.Variable(max(1, m), nonneg=True), cp.Variable(max(1, m), nonneg=True)
    widened = of_inputs[0] * np.ones(reduced.inputs) if norm == 2.0 else of_inputs
    constant = quadratic_form(reduced, np.zeros(m))
    diagonal = cp.hstack([widened, of_neurons[:m]])
    columns = np.zeros((size * size, max(1, m)))
    for i, unit in enumerate(np.eye(m)):
        columns[:, i] = (quadratic_form(reduced, unit) - constant).ravel()
    total = cp.diag(diagonal) - constant - cp.reshape(columns @ multipliers, (size, size), order="C")
    problem = cp.Problem(cp.Minimize(cp.sum(of_inputs) + cp.sum(of_neurons)), [(total + total.T) / 2 >> 0])
    deadline.check()
    options = {"eps_abs": ACCURACY, "eps_rel": ACCURACY, "max_iters": MOST_ITERATIONS}
    if np.isfinite(deadline.remaining):
        options["time_limit_secs"] = max(deadline.remaining, 1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the solution may be inaccurate
        try:
            problem.solve(solver=cp.SCS, **options)
        except cp.SolverError:
            return failed
    t, d, e = multipliers.value, of_inputs.value, of_neurons.value
    return failed if t is None or d is None or e is None else (t[:m], np.r_[np.broadcast_to(d, n), e[:m]])


def _reduced(quadratic: QuadraticNetwork) -> QuadraticNetwork:
    """The same on an orthonormal basis of the inputs' part that matters: a smaller matrix for the solver."""
    n = quadratic.inputs
    together = np.concatenate([quadratic.neurons.rows[:, :n], quadratic.forms.rows[:, :n]])
    if not np.isfinite(together).all() or not together.any():
        return quadratic
    _, sizes, basis = np.linalg.svd(together, full_matrices=False)
    basis = basis[sizes > 1e-12 * sizes[0]]

    def turned(rows: Rows) -> Rows:
        moved = np.concatenate([rows.rows[:, :n] @ basis.T, rows.rows[:, n:]], axis=1)
        return Rows(moved, np.zeros_like(moved))

    return replace(quadratic, inputs=len(basis), neurons=turned(quadratic.neurons), forms=turned(quadratic.forms))


def _require_solver() -> None:
    for name in ("cvxpy", "scs"):
        try:
            import_module(name)
        except ImportError as error:
            cause = f"LipSDP needs {name}, which is not installed"
            raise UsageError(cause, fix="pip install cvxpy scs") from error
