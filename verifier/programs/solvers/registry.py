"""Solvers by name, those that are installed, and how the others are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from verifier.deadline import Deadline
from verifier.errors import Argument, SolverError, UsageError
from verifier.programs.program import Program
from verifier.programs.solvers.backend import Backend
from verifier.programs.solvers.outcome import SolveStatus

DEFAULT = "highs"
"""The solver where none is asked for."""

LAYERS = {"cvxpy": "pip install cvxpy", "pulp": "pip install 'pulp<4'"}

CONIC = {
    "CLARABEL": "pip install clarabel",
    "SCS": "pip install scs",
    "OSQP": "pip install osqp",
    "HIGHS": "pip install highspy",
    "SCIP": "pip install pyscipopt",
    "GLPK": "pip install cvxopt",
    "GLPK_MI": "pip install cvxopt",
    "CVXOPT": "pip install cvxopt",
    "ECOS": "pip install ecos",
    "MOSEK": "pip install mosek, with a licence",
    "GUROBI": "pip install gurobipy, with a licence",
}
"""How solvers of CVXPY are installed."""

TRIAL_SECONDS = 20.0
"""Given to a solver that is started for the first time, to show that it works."""


@dataclass(frozen=True)
class Missing:
    """A solver that could be here.

    Attributes:
        name: as users give it.
        install: how to get it.
    """

    name: str
    install: str


def solver_named(name: str) -> Backend:
    """The solver of that name, in any case; other than HiGHS it is tried on a program of one column.

    Raises:
        UsageError: there is none of that name, it is not installed, or it does not work here.
    """
    layer, _, solver = name.strip().partition(":")
    layer = layer.lower()
    if layer == "highs":
        return _highs(name, solver.lower())
    if layer not in LAYERS or not solver:
        raise UsageError(
            f"there is no solver {name!r}",
            Argument("solver"),
            "`verifier solvers` lists them: highs, cvxpy:NAME, pulp:NAME",
        )
    if find_spec(layer) is None:
        raise UsageError(f"{layer} is not installed", f"solver={name}", LAYERS[layer])
    known = _of_cvxpy if layer == "cvxpy" else _of_pulp
    installed, missing = known()
    wanted = f"{layer}:{solver.upper()}"
    backend = next((b for b in installed if b.name == wanted), None)
    if backend is None:
        fix = next((m.install for m in missing if m.name == wanted), "")
        cause = f"{wanted} is not installed" if fix else f"{layer} has no solver {solver!r} that is of use here"
        raise UsageError(cause, f"solver={name}", fix or f"choose one of {', '.join(b.name for b in installed)}")
    _require_working(backend)
    return backend


def installed_solvers() -> list[Backend]:
    """All that are found here, HiGHS first; that they have a licence is not checked."""
    from verifier.programs.solvers.highs import Highs, LpMethod

    ours: list[Backend] = [Highs(), *(Highs(method) for method in LpMethod)]
    return [*ours, *(b for installed, _ in _layers() for b in installed)]


def missing_solvers() -> list[Missing]:
    """Those that we could use and do not find."""
    absent = [Missing(f"{layer}:...", install) for layer, install in LAYERS.items() if find_spec(layer) is None]
    return [*absent, *(m for _, missing in _layers() for m in missing)]


def _layers() -> Iterator[tuple[list[Backend], list[Missing]]]:
    for layer, known in (("cvxpy", _of_cvxpy), ("pulp", _of_pulp)):
        if find_spec(layer) is not None:
            yield known()


def _highs(name: str, method: str) -> Backend:
    from verifier.programs.solvers.highs import Highs, LpMethod

    methods = {"": None, "simplex": LpMethod.SIMPLEX, "ipm": LpMethod.INTERIOR_POINT, "pdlp": LpMethod.PDLP}
    if method not in methods:
        choice = ", ".join(f"highs:{m}" for m in methods if m)
        raise UsageError(f"HiGHS has no method {method!r}", f"solver={name}", f"choose highs, {choice}")
    return Highs(methods[method])


def _of_cvxpy() -> tuple[list[Backend], list[Missing]]:
    import cvxpy

    from verifier.programs.solvers.cvxpy import Cvxpy

    installed = cvxpy.installed_solvers()
    found: list[Backend] = [Cvxpy(name) for name in installed]
    return found, [Missing(f"cvxpy:{name}", how) for name, how in CONIC.items() if name not in installed]


def _of_pulp() -> tuple[list[Backend], list[Missing]]:
    from verifier.programs.solvers.pulp import Pulp
    from verifier.programs.solvers.pulp_solvers import SOLVERS

    here = {name for name, dialect in SOLVERS.items() if dialect.available() is not None}
    found: list[Backend] = [Pulp(name) for name in SOLVERS if name in here]
    return found, [Missing(f"pulp:{name}", d.install) for name, d in SOLVERS.items() if name not in here]


def _require_working(backend: Backend) -> None:
    """Minimises x over x >= 1, so that a licence that is missing shows up before any work.

    Raises:
        UsageError: that does not do.
    """
    from scipy.sparse import csr_array

    one = np.ones(1)
    program = Program(0 * one, 2 * one, one, one < 0, csr_array([[1.0]]), one, np.inf * one, 0 * one)
    try:
        outcome = backend.session(program).solve(program, Deadline(TRIAL_SECONDS))
    except SolverError as error:
        raise UsageError(f"the solver does not work here: {error.cause}", f"solver={backend.name}") from error
    if outcome.status is not SolveStatus.OPTIMAL:
        cause = f"the solver does not work here: min x, x >= 1, ended {outcome.status}"
        raise UsageError(cause, f"solver={backend.name}", "check its installation and licence")
