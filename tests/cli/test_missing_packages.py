"""A package that is not installed is one line that names it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_verify import HOLDS, ROOT

BLOCKED = "import sys; sys.modules[sys.argv.pop(1)] = None; from verifier.cli.main import main; main()"


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("torch", ("train", "digits-interval", "--output", "{folder}/out")),
        ("torch", ("verify", *HOLDS, "--device", "torch:cpu")),
        ("rich", ("info", HOLDS[0])),
        ("rich", ("solvers",)),
        (
            "matplotlib",
            ("radius", HOLDS[0], "--data", "digits", "--picture", "{folder}/p.png"),
        ),
        ("vnnlib", ("verify", HOLDS[0], "{folder}/p.vnnlib")),
    ],
)
def test_a_missing_package_is_named_in_one_line(package: str, words: tuple[object, ...], tmp_path: Path) -> None:
    (tmp_path / "p.vnnlib").write_text("(vnnlib-version <2.0>)\n")
    shown = [str(word).replace("{folder}", str(tmp_path)) for word in words]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, package, *shown], capture_output=True, text=True, timeout=120, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (2, "error\n"), done.stderr
    assert f"pip install {package}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
