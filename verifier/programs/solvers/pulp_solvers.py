"""The solvers behind PuLP: how each is asked to be exact, and what its own report says of the end.

PuLP's statuses do not do: GLPK's "INTEGER NON-OPTIMAL" and CBC's "Stopped" with a solution read as "Optimal" there, and
bounds are not read at all.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from verifier.programs.solvers.claims import GAP
from verifier.programs.solvers.outcome import SolveStatus
from verifier.tolerances import SOLVER_FEASIBILITY

INCREMENT = 1e-5
"""By how much CBC wants a solution to be better than the last (CbcModel's cutoff increment), so how far the last one
may be from the optimum."""

PRINTED = 1e-3
"""CBC prints its lower bound with three decimals."""

SHORTENED = 1e-6
"""A reserve, relative, for how it prints large ones."""


@dataclass(frozen=True)
class Ended:
    """How a solve ended, by the solver's own report.

    Attributes:
        status: OPTIMAL only where that was proven.
        bound: the reported lower bound of the optimum; None where the solver reports none.
        objective: its value of the objective.
    """

    status: SolveStatus
    bound: float | None = None
    objective: float = np.nan


@dataclass(frozen=True)
class Dialect:
    """A solver.

    Attributes:
        title: for messages.
        interfaces: PuLP's names of it, the first that is available is taken.
        settings: how an interface is made, from its name, seconds and the folder.
        ended: reads the end of a solve from the problem and the folder.
        install: how to get it.
        version: of the solver; empty where it does not tell.
        multipliers: whether linear programs come with multipliers.
        reports_bound: whether it reports a bound when cut short.
        digits: of the file that numbers pass through; None where they do not.
        tolerance: feasibility it works with.
        keeps_files: whether its report is read from files that PuLP would remove.
    """

    title: str
    interfaces: tuple[str, ...]
    settings: Callable[[str, float, Path], dict[str, Any]]
    ended: Callable[[Any, Path], Ended]
    install: str
    version: Callable[[], str]
    multipliers: bool = True
    reports_bound: bool = True
    digits: int | None = None
    tolerance: float = SOLVER_FEASIBILITY
    keeps_files: bool = False

    def available(self) -> str | None:
        """PuLP's name of the interface that works here."""
        import pulp

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what PuLP 4 is going to name otherwise
            made = ((name, pulp.getSolver(name, msg=False)) for name in self.interfaces)
            return next((name for name, solver in made if solver.available()), None)

    def made(self, seconds: float, folder: Path) -> Any:
        """An interface that works in `folder`, for so many seconds."""
        import pulp

        name = self.available() or self.interfaces[0]
        solver = pulp.getSolver(name, **{"msg": False, "timeLimit": seconds} | self.settings(name, seconds, folder))
        solver.tmpDir = str(folder)
        return solver

    def problem_name(self, folder: Path) -> str:
        """Files that are to be kept are named after the problem."""
        return str(folder / "program") if self.keeps_files else "program"


def _status(problem: Any) -> SolveStatus:
    """PuLP's status, of interfaces that tell an optimum from a solution found within a limit."""
    import pulp

    if problem.sol_status == pulp.LpSolutionOptimal:
        return SolveStatus.OPTIMAL
    known = {
        pulp.LpStatusInfeasible: SolveStatus.INFEASIBLE,
        pulp.LpStatusUnbounded: SolveStatus.UNBOUNDED,
        pulp.LpStatusOptimal: SolveStatus.STOPPED,
        pulp.LpStatusNotSolved: SolveStatus.STOPPED,
    }
    return known.get(problem.status, SolveStatus.FAILED)


def _value(problem: Any) -> float:
    value = None if problem.objective is None else problem.objective.value()
    return np.nan if value is None else float(value)


def _package(name: str) -> Callable[[], str]:
    def told() -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return ""

    return told


def _asked(arguments: list[str], pattern: str) -> str:
    """The version that a program prints."""
    try:
        run = subprocess.run(arguments, capture_output=True, text=True, timeout=5, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(pattern, run.stdout)
    return found.group(1) if found else ""


def _cbc_version() -> str:
    import pulp

    path = pulp.apis.coin_api.pulp_cbc_path
    path = path if shutil.which(path) else "cbc"
    return _asked([path, "-quit"], r"Version:\s*(\S+)")


def _cbc_settings(name: str, seconds: float, folder: Path) -> dict[str, Any]:
    exact = [f"primalT {SOLVER_FEASIBILITY}", f"dualT {SOLVER_FEASIBILITY}"]
    limits = {"gapRel": GAP, "gapAbs": GAP, "threads": 1, "timeMode": "elapsed"}
    return {**limits, "options": exact, "logPath": str(folder / "log")}


def _cbc_ended(problem: Any, folder: Path) -> Ended:
    """From the last summary of CBC's log, "Result - ..."; "Optimal ... (within gap tolerance)" is the gap asked for."""
    report = (folder / "log").read_text(errors="replace").rpartition("Result - ")[2]
    objective, status = _value(problem), _status(problem)
    bound = re.search(r"^Lower bound:\s*(\S+)\s*$", report, re.MULTILINE)
    if status is SolveStatus.OPTIMAL:
        if not report.startswith("Optimal solution found"):
            return Ended(status if not _has_integers(problem) else SolveStatus.STOPPED)
        return Ended(status, objective=objective - INCREMENT)
    if bound is None:
        return Ended(status)
    value = float(bound.group(1))
    return Ended(status, value - PRINTED - INCREMENT - SHORTENED * abs(value), objective)


def _has_integers(problem: Any) -> bool:
    return any(variable.cat != "Continuous" for variable in problem.variables())


def _highs_ended(problem: Any, folder: Path) -> Ended:
    bound = float(problem.solverModel.getInfo().mip_dual_bound) if _has_integers(problem) else None
    return Ended(_status(problem), bound, _value(problem))


def _scip_ended(problem: Any, folder: Path) -> Ended:
    return Ended(_status(problem), float(problem.solverModel.getDualbound()), _value(problem))


def _glpk_ended(problem: Any, folder: Path) -> Ended:
    """From GLPK's solution file: "s bas ROWS COLUMNS PRIMAL DUAL VALUE" or "s mip ROWS COLUMNS STATUS VALUE".

    Rows have lines "i NUMBER STATUS VALUE MULTIPLIER" after a linear program; PuLP reads no multipliers.
    """
    text = (folder / "program-pulp.sol").read_text(errors="replace")
    head = re.search(r"^s (bas|mip) \d+ \d+ (.+)$", text, re.MULTILINE)
    if head is None:
        return Ended(SolveStatus.FAILED)
    *states, value = head.group(2).split()
    if head.group(1) == "mip":
        known = {"o": SolveStatus.OPTIMAL, "f": SolveStatus.STOPPED, "n": SolveStatus.INFEASIBLE}
        return Ended(known.get(states[0], SolveStatus.STOPPED), objective=float(value))
    lines = re.findall(r"^i (\d+) \S+ \S+ (\S+)$", text, re.MULTILINE)
    for (_, multiplier), row in zip(lines, problem.constraints.values(), strict=True):
        row.pi = float(multiplier)
    if "n" in states:
        return Ended(SolveStatus.INFEASIBLE if states[0] == "n" else SolveStatus.UNBOUNDED)
    return Ended(SolveStatus.OPTIMAL if states == ["f", "f"] else SolveStatus.STOPPED, objective=float(value))


def _model_bound(read: Callable[[Any], float]) -> Callable[[Any, Path], Ended]:
    """Of interfaces that keep the solver's own model."""

    def ended(problem: Any, folder: Path) -> Ended:
        bound = float(read(problem.solverModel)) if _has_integers(problem) else None
        return Ended(_status(problem), bound, _value(problem))

    return ended


SOLVERS: Mapping[str, Dialect] = MappingProxyType(
    {
        "CBC": Dialect(
            "CBC",
            ("PULP_CBC_CMD", "COIN_CMD"),
            _cbc_settings,
            _cbc_ended,
            "pip install pulp (it brings CBC), or your system's coinor-cbc",
            _cbc_version,
            digits=13,
        ),
        "HIGHS": Dialect(
            "HiGHS",
            ("HiGHS",),
            lambda name, seconds, folder: {
                "gapRel": GAP,
                "gapAbs": GAP,
                "threads": 1,
                "mip_feasibility_tolerance": SOLVER_FEASIBILITY,
                "primal_feasibility_tolerance": SOLVER_FEASIBILITY,
                "dual_feasibility_tolerance": SOLVER_FEASIBILITY,
            },
            _highs_ended,
            "pip install highspy",
            _package("highspy"),
        ),
        "SCIP": Dialect(
            "SCIP",
            ("SCIP_PY",),
            lambda name, seconds, folder: {  # its gap is 0
                "options": [f"numerics/{tol}={SOLVER_FEASIBILITY}" for tol in ("feastol", "dualfeastol")],
            },
            _scip_ended,
            "pip install pyscipopt",
            _package("pyscipopt"),
            multipliers=False,
        ),
        "GLPK": Dialect(
            "GLPK",
            ("GLPK_CMD",),
            lambda name, seconds, folder: {"keepFiles": True, "timeLimit": max(1, int(seconds))},
            _glpk_ended,
            "your system's glpk-utils (Debian), glpk (Homebrew, conda)",
            lambda: _asked(["glpsol", "--version"], r"\s(\d+\.\d+)"),
            reports_bound=False,
            digits=12,
            tolerance=1e-7,
            keeps_files=True,
        ),
        "GUROBI": Dialect(
            "Gurobi",
            ("GUROBI",),
            lambda name, seconds, folder: {"gapRel": GAP, "FeasibilityTol": SOLVER_FEASIBILITY},
            _model_bound(lambda model: model.ObjBound),
            "pip install gurobipy, with a licence",
            _package("gurobipy"),
        ),
        "CPLEX": Dialect(
            "CPLEX",
            ("CPLEX_PY",),
            lambda name, seconds, folder: {"gapRel": GAP},
            _model_bound(lambda model: model.solution.MIP.get_best_objective()),
            "pip install cplex, with a licence",
            _package("cplex"),
            tolerance=1e-6,
        ),
    }
)
"""Gurobi and CPLEX follow PuLP's sources and their manuals; they were not at hand to be tried."""
