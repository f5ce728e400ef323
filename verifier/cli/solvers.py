"""`verifier solvers`: which solvers are here, what each can do, and how to get others."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.options import option

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.programs.solvers.backend import Backend


@dataclass(frozen=True, kw_only=True)
class Output:
    """Output."""

    json: Path | None = option(Path, None, "Also write the table as JSON.")


def solvers(output: Output) -> int:
    """List the solvers of linear and mixed-integer programs that are installed, and others that could be.

    Any of their names goes with --solver. Multipliers are what a linear program's bound is rebuilt from; a dual bound
    is what proves by a mixed-integer program. SOCP and SDP are cones, used through CVXPY.

    Examples:

    verifier solvers

    verifier verify net.onnx prop.vnnlib --method milp --solver pulp:CBC
    """
    from rich.console import Console

    from verifier.evidence.result_files import check_writable, write_whole
    from verifier.programs.solvers.registry import installed_solvers, missing_solvers

    if output.json is not None:
        check_writable(output.json, "--json")
    here, absent = installed_solvers(), missing_solvers()
    console = Console()
    console.print(_table(here))
    if absent:
        console.print("Not installed:")
        for missing in absent:
            console.print(f"  {missing.name:<16} {missing.install}", markup=False, highlight=False, soft_wrap=True)
    if output.json is not None:
        found = {"installed": [record(b) for b in here], "missing": {m.name: m.install for m in absent}}
        write_whole(output.json, json.dumps(found, indent=2) + "\n")
    return 0


def _table(backends: list[Backend]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table

    table = Table(
        Column("name", no_wrap=True),
        "version",
        "LP",
        "multipliers",
        "MILP",
        "dual bound",
        "SOCP",
        "SDP",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for backend in backends:
        can = backend.capabilities
        bound = can.dual_bound.value if can.milp else "-"
        table.add_row(
            backend.name,
            backend.version,
            *("yes" if known else "-" for known in (can.lp, can.multipliers, can.milp)),
            bound,
            *("yes" if known else "-" for known in (can.socp, can.sdp)),
        )
    return table


def record(backend: Backend) -> dict[str, object]:
    """A solver as JSON has it."""
    from dataclasses import asdict

    return {"name": backend.name, "version": backend.version, **asdict(backend.capabilities)}
