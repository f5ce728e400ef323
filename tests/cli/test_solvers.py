"""`verifier solvers`, and --solver on the command line and in runs."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import verifier
from verifier.batch.instances import Instance
from verifier.batch.plan import Settings, fingerprint, planned
from verifier.errors import UsageError
from verifier.programs.solvers.registry import installed_solvers, missing_solvers, solver_named

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
CLOSE = SPECS / "onnx" / "digits_conv.onnx", SPECS / "vnnlib" / "digits_conv_close.vnnlib"


def shell(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_table_lists_what_is_here_and_what_is_not(tmp_path: Path) -> None:
    done = shell("solvers", "--json", tmp_path / "s.json")
    assert done.returncode == 0
    told = json.loads((tmp_path / "s.json").read_text())
    assert [s["name"] for s in told["installed"]] == [b.name for b in installed_solvers()]
    assert told["missing"] == {m.name: m.install for m in missing_solvers()}
    highs = told["installed"][0]
    assert highs["name"] == "highs"
    assert highs["version"]
    assert (highs["milp"], highs["multipliers"], highs["dual_bound"]) == (True, True, "always")
    for name in (*(s["name"] for s in told["installed"]), *told["missing"]):
        assert name in done.stdout


@pytest.mark.parametrize("method", ["lp", "milp"])
def test_another_solver_decides_the_same(method: str, tmp_path: Path) -> None:
    pytest.importorskip("pulp")
    verdicts = {
        solver: shell("verify", *CLOSE, "--method", method, "--solver", solver, "--json", tmp_path / "v.json")
        for solver in ("highs", "pulp:HIGHS")
    }
    assert len({(v.returncode, v.stdout.split()[0]) for v in verdicts.values()}) == 1
    assert json.loads((tmp_path / "v.json").read_text())["solver"] == "pulp:HIGHS"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gurobi", "no solver 'gurobi'"),
        ("pulp", "no solver 'pulp'"),
        ("pulp:", "no solver 'pulp:'"),
        ("pulp:CHOCO", "no solver 'CHOCO'"),
        ("cvxpy:NONE", "no solver 'NONE'"),
        ("highs:fast", "no method 'fast'"),
        ("", "no solver ''"),
    ],
)
def test_an_unknown_solver_is_one_clear_line(name: str, told: str) -> None:
    with pytest.raises(UsageError, match="solver") as raised:
        solver_named(name)
    assert told in str(raised.value)
    assert raised.value.fix


def test_a_solver_that_is_not_installed_says_how_to_get_it() -> None:
    missing = [m for m in missing_solvers() if not m.name.endswith(":...")]
    if not missing:
        pytest.skip("every solver is installed")
    with pytest.raises(UsageError, match="not installed") as raised:
        solver_named(missing[0].name)
    assert raised.value.fix == missing[0].install


def test_a_solver_without_a_licence_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pulp = pytest.importorskip("pulp")

    def refuses(self: object, problem: object) -> None:
        raise RuntimeError("no licence found")

    monkeypatch.setattr(pulp.HiGHS, "actualSolve", refuses)
    with pytest.raises(UsageError, match=r"does not work here.*no licence found"):
        solver_named("pulp:HIGHS")


def test_names_are_read_in_any_case() -> None:
    pytest.importorskip("cvxpy")
    assert solver_named("CVXPY:clarabel").name == "cvxpy:CLARABEL"


@pytest.mark.parametrize("command", [("verify", *CLOSE), ("bench", SPECS)])
def test_the_milp_needs_integers(command: tuple[object, ...], tmp_path: Path) -> None:
    pytest.importorskip("cvxpy")
    methods = ("--method", "milp") if command[0] == "verify" else ("--methods", "milp", "--store", tmp_path / "s.db")
    done = shell(*command, *methods, "--solver", "cvxpy:CLARABEL")
    assert done.returncode == 2
    assert "solves no mixed-integer programs" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "s.db").exists()


def test_the_library_takes_a_solver_too() -> None:
    network = verifier.load_network(CLOSE[0])
    query = verifier.load_property(CLOSE[1], network)
    with pytest.raises(UsageError, match="no solver 'none'"):
        verifier.verify(network, query, "crown", verifier.Options(solver="none"))


def test_runs_by_other_solvers_are_other_runs() -> None:
    settings = Settings(methods=("lp",))
    other = replace(settings, solver="highs:ipm")
    items = planned([Instance("specs", *CLOSE)], settings)
    assert items[0].assignment(other).job.solver == "highs:ipm"
    assert fingerprint(items, settings) != fingerprint(items, other)
