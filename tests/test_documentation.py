"""The examples in docstrings and in the README do what they say."""

from __future__ import annotations

import doctest
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("module", ["verifier", "verifier.api", "verifier.deadline"])
def test_docstring_examples(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_readme_library_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(("command", "verdict"), re.findall(r"\$ (verifier verify [^\n]+)\n\s+(\w+)", README))
def test_readme_shell_examples(command: str, verdict: str) -> None:
    arguments = [sys.executable, "-m", "verifier.cli.main", *shlex.split(command)[1:]]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.split()[0] == verdict
