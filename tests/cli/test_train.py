"""`verifier train` as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_verify import run
from tests.cli.within import within
from tests.training.small import recipe
from verifier.errors import VerifierError
from verifier.evaluation import sample
from verifier.readers.onnx import load_network
from verifier.verdict import Status, Verdict


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(recipe("interval").text)
    return tmp_path / "mine.toml"


def test_trains_resumes_and_verifies(asked: Path, tmp_path: Path) -> None:
    done = run("train", asked, "--output", tmp_path / "net", "--epochs", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| 0.05 |" in done.stdout
    assert (tmp_path / "net/card.md").read_text().strip() in done.stdout
    assert "epochs = 2" in (tmp_path / "net/recipe.toml").read_text()
    assert load_network(tmp_path / "net/model.onnx").input_size == 64
    again = within("train", tmp_path / "net/recipe.toml", "--output", tmp_path / "net", "--resume")
    assert (again.exit_code, again.output) == (0, done.stdout)
    other = within("train", asked, "--output", tmp_path / "net", "--resume")
    assert "of another recipe" in str(other.exception)


def test_list_and_mistakes(asked: Path, tmp_path: Path) -> None:
    listed = within("train", "--list")
    assert listed.exit_code == 0
    assert "digits-interval" in listed.output
    for arguments, told in (
        (["absent"], "--list"),
        (["--resume"], "no recipe"),
        (["digits-standard", "--output", tmp_path / "none", "--resume"], "no checkpoint"),
        (["digits-standard", "--output", asked], "cannot be made"),
    ):
        done = within("train", *arguments)
        assert isinstance(done.exception, VerifierError)
        assert told in str(done.exception)
    asked.write_text(asked.read_text().replace("epochs", "epoch"))
    wrong = run("train", asked)
    assert (wrong.returncode, wrong.stdout) == (2, "error\n")
    assert "unknown key 'epoch'" in wrong.stderr
    assert wrong.stderr.count("\n") == 1


def test_a_contradiction_is_told(asked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lie = Verdict(Status.UNSAT, "a lie", 0.0)
    monkeypatch.setattr(sample, "decide", lambda *_: lie)
    done = within("train", asked, "--output", tmp_path / "net", "--epochs", 20, "--workers", 1)
    assert done.exit_code == 4
    assert "CONTRADICTION at sample" in done.output
