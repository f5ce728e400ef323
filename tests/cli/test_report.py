"""`verifier report`: its files, its exit status, its errors in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.report_cases import rich_store
from tests.batch.stores import add_run, item, outcome
from tests.cli.within import Done, within
from verifier.errors import UsageError

FILES = {"report.html", "results.csv", "summary.md"}


def report(*arguments: object) -> Done:
    return within("report", *map(str, arguments))


def test_it_writes_its_files_and_tells_their_paths(tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a", truth="unsat"), outcome("unsat"))])
    for _ in range(2):  # the second time over what is there
        done = report(tmp_path / "s.db", "--output", tmp_path / "new" / "folder")
        assert done.exit_code == 0
        assert {Path(line) for line in done.stdout.splitlines()} == {tmp_path / "new" / "folder" / f for f in FILES}
        assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == FILES


def test_the_status_tells_contradictions_and_wrong_verdicts(tmp_path: Path) -> None:
    add_run(tmp_path / "a.db", [(item("x"), outcome("unsat"))])
    add_run(tmp_path / "b.db", [(item("x"), outcome("sat"))])
    alone = [report(tmp_path / name, "--output", tmp_path / "out").exit_code for name in ("a.db", "b.db")]
    together = report(tmp_path / "a.db", tmp_path / "b.db", "--output", tmp_path / "out")
    assert (alone, together.exit_code) == ([0, 0], 4)
    assert "CONTRADICTION set/x/x: auto in a.db#1 says unsat, auto in b.db#1 says sat" in together.stderr
    rich = rich_store(tmp_path / "rich.db")
    wrong = report(rich, "--output", tmp_path / "out")
    assert wrong.exit_code == 5
    assert "WRONG set/wrong/wrong by auto in rich.db#2: unsat, known to be sat" in wrong.stderr
    assert report(f"{rich}#1", "--output", tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    ("place", "output", "told"),
    [
        ("missing.db", "out", "no such store"),
        ("s.db#7", "out", "no run 7"),
        ("s.db#x", "out", "no run's number"),
        ("s.db", "s.db", "cannot be made"),
        ("s.db", "taken", "is a folder"),
        ("noise.db", "out", "cannot be used"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(tmp_path: Path, place: str, output: str, told: str) -> None:
    add_run(tmp_path / "s.db", [(item("a"), outcome("unsat"))])
    (tmp_path / "noise.db").write_bytes(b"no database" * 100)
    (tmp_path / "taken" / "summary.md").mkdir(parents=True)
    failed = report(tmp_path / place, "--output", tmp_path / output)
    assert isinstance(failed.exception, UsageError)
    assert told in str(failed.exception)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.rglob("report.html"))


def test_a_store_and_an_output_are_needed(tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a"), outcome("unsat"))])
    assert report("--output", tmp_path / "out").exit_code == 2
    assert report(tmp_path / "s.db").exit_code == 2
