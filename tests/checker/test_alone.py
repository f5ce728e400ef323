"""The checker runs where nothing but NumPy and onnx, with what those need, is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.checker.claims import model_file, proof, property_file
from tests.checker.test_witness import witness

ROOT = Path(__file__).resolve().parents[2]
ALONE = """
import sys

ALLOWED = {"numpy", "onnx", "google", "ml_dtypes", "typing_extensions"}  # the last three are onnx's own needs

class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        ours = top == "verifier" and name.split(".")[1:2] in ([], ["checker"], ["version"])
        if not (ours or top in ALLOWED or top in sys.stdlib_module_names or top.startswith("_")):
            raise ModuleNotFoundError(f"{name} is not installed")
        return None

sys.meta_path.insert(0, Nothing())
from verifier.checker.main import main
main()
"""


@pytest.mark.parametrize("claim", ["unsat", "sat"])
def test_the_checker_needs_numpy_and_onnx_alone(claim: str, tmp_path: Path) -> None:
    name = "upper" if claim == "unsat" else "everywhere"
    contents = proof("moons", name) if claim == "unsat" else witness("moons", name)
    (tmp_path / "proof.npz").write_bytes(contents)
    words = model_file("moons"), property_file("moons", name), tmp_path / "proof.npz", "--workers", "2"
    command = [sys.executable, "-c", ALONE, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"accepted {claim}\n", "")


def test_workers_are_at_least_one(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ALONE, "a", "b", "c", "--workers", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "--workers" in done.stderr
