"""The examples in docstrings and in the README do what they say."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "module",
    [
        "verifier",
        "verifier.api",
        "verifier.loading",
        "verifier.deadline",
        "verifier.questions",
        "verifier.ranges.calls",
    ],
)
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the README's commands are run, in its order: our own properties are there."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "vnnlib_specs").symlink_to(ROOT / "vnnlib_specs")
    return folder


@pytest.mark.parametrize(("command", "verdict"), re.findall(r"\$ (verifier (?:verify|check) [^\n]+)\n\s+(\w+)", README))
def test_readme_shell_examples(command: str, verdict: str, folder: Path) -> None:
    arguments = [sys.executable, "-m", "verifier.cli.main", *shlex.split(command)[1:]]
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=folder, timeout=120, env=paths)
    assert done.stdout.split()[0] == verdict


def test_readme_torch_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    """From a torch model to a verdict, then the property written by hand on the same model."""
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.split()[-1] == "True"
    (text,) = re.findall(r"```lisp\n(.*?)```", README, re.DOTALL)
    (tmp_path / "mine.vnnlib").write_text(text)
    arguments = [sys.executable, "-m", "verifier.cli.main", "verify", "model.onnx", "mine.vnnlib"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.stdout.split()[0] == "unsat"


def test_readme_names_nothing_that_is_not_there() -> None:
    """No extras of a package that is not ours, and no files that do not exist."""
    assert "'verifier[" not in README
    named = re.findall(r"(?<![\w/.])((?:docs|vnnlib_specs|benchmarks|vnncomp_scripts)/[\w./-]*\w)", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_theories_are_shown_by_tests_that_exist() -> None:
    from verifier.readers.vnnlib import theories

    table = [line.split("|")[1:-1] for line in (ROOT / "docs/vnnlib.md").read_text().splitlines() if line[:2] == "| "]
    shown = {row[0].strip(): row[3].strip().strip("`") for row in table[1:]}
    sets = (theories.HIDDEN_NODES, theories.MULTIPLE_INPUTS_OUTPUTS, theories.MULTIPLE_NETWORKS)
    for names in (*sets, theories.NODE_COMPARISONS, theories.ARITHMETIC):
        assert set(names) <= set(shown)
    tests = {path.name: path.read_text() for path in (ROOT / "tests").rglob("test_*.py")}
    for told in shown.values():
        file, _, name = told.partition(": ")
        assert f"def {name}(" in tests[file], told
