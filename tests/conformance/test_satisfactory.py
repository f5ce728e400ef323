"""The independent suite for VNN-LIB 2.0 solvers, vnnlib-satisfactory: every case right, and its checks of `supports`.

It is skipped where that package is not installed. The cases are built by the suite, a few kinds are run here in
processes of their own; `vnnlib-satisfactory run --solver verifier-vnnlib` runs all of them, as the slow test does.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from verifier.cli import standard

core = pytest.importorskip("vnntest.core.generator", reason="vnnlib-satisfactory is not installed")


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("satisfactory")
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            manifest: list[dict[str, Any]] = core.generate_all_tests(suite="full")
    finally:
        os.chdir(before)
    for case in manifest:
        case["folder"] = folder / ".vnnlib-satisfactory" / "tests" / case["category"]
    return manifest


def answer(case: dict[str, Any]) -> str:
    """The first word that the command prints, in a process of its own, as it ends with the answer."""
    folder: Path = case["folder"]
    models = [f"--network={name}={folder / model}" for name, model in case["networks"].items()]
    words = ["verify", str(folder / case["vnnlib"]), *models, "--timeout=5"]
    script = "from verifier.cli.standard import main; main()"
    done = subprocess.run([sys.executable, "-P", "-c", script, *words], capture_output=True, text=True, check=False)
    return (done.stdout.split() or [done.stderr])[0]


def test_a_case_of_each_kind(cases: list[dict[str, Any]]) -> None:
    assert len(cases) >= 178
    first = {case["category"]: case for case in reversed(cases)}
    few = [case for kind, case in first.items() if kind.startswith(("network", "hidden", "arithmetic_poly", "softmax"))]
    wrong = [(case["name"], found) for case in few if (found := answer(case)) != case["expected"].lower()]
    assert not wrong


@pytest.mark.slow
def test_every_case(cases: list[dict[str, Any]]) -> None:
    wrong = [(case["name"], found) for case in cases if (found := answer(case)) != case["expected"].lower()]
    assert not wrong


def test_what_is_said_to_be_supported_is_well_formed() -> None:
    compliance = pytest.importorskip("vnntest.core.compliance")
    checks = {
        "--onnx-opset-versions": compliance.validate_opset_versions,
        "--vnnlib-versions": compliance.validate_vnnlib_versions,
        "--serialise-assignments": compliance.validate_serialise_assignments,
    }
    for capability, validate in checks.items():
        stdout = io.StringIO()
        with contextlib.redirect_stdout(stdout):
            assert standard.run(["supports", capability]) == 0
        assert validate(stdout.getvalue()) is None, json.dumps(stdout.getvalue())
