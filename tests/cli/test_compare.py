"""`verifier compare` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batch.stores import add_run, item, outcome
from tests.cli.within import within
from verifier.batch.outcome import Outcome
from verifier.batch.records import Result, read_last
from verifier.cli.bench_work import Work
from verifier.errors import UsageError
from verifier.methods.comparison import Answer, Comparison
from verifier.verdict import Status, Verdict

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
MOONS = str(SPECS / "onnx" / "moons.onnx"), str(SPECS / "vnnlib" / "moons_upper.vnnlib")


def verifier(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier.cli.main", "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_query(tmp_path: Path) -> None:
    files = "--json", tmp_path / "c.json", "--picture", tmp_path / "c.svg", "--evidence", tmp_path / "e.json"
    done = verifier(*MOONS, "--methods", "interval,crown,milp,attack", "--timeout", 6, *files)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[:2] for line in done.stdout.splitlines() if line.startswith(" ") and line.strip()]
    said = [["interval", "unknown"], ["crown", "unknown"], ["milp", "unsat"], ["attack", "timeout"]]
    assert [row for row in rows if row[0] in ("interval", "crown", "milp", "attack")] == said
    assert "complete methods: milp" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "unsat: the property is proved; the exact margin is" in done.stdout
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["verdict"] == "unsat"
    assert [a["method"] for a in record["answers"]] == ["interval", "crown", "milp", "attack"]
    milp = record["answers"][2]
    assert milp["complete"]
    assert 0 <= milp["gap"] < 1e-2
    assert record["optimum"] == pytest.approx(milp["reached"])
    assert record["versions"]["numpy"]
    assert len(record["network_sha256"]) == 64
    assert (tmp_path / "c.svg").read_bytes().startswith(b"<?xml")
    assert not (tmp_path / "e.json").exists()


def test_a_ball_around_a_sample(tmp_path: Path) -> None:
    digits, sample = SPECS / "onnx" / "digits_dense.onnx", SPECS / "samples" / "three.csv"
    near = "--around", sample, "--norm", 2, "--epsilon", 0.4, "--clip", "0,1"
    done = verifier(digits, *near, "--methods", "crown,neurons", "--timeout", 20, "--json", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "c.json").read_text())
    assert (record["verdict"], record["property"], record["around"]["norm"]) == ("unsat", None, 2)


def test_instances(tmp_path: Path) -> None:
    arguments = "--instances", SPECS / "truth.csv", "--methods", "crown,auto", "--timeout", 20
    files = "--store", tmp_path / "s.db", "--json", tmp_path / "c.json"
    done = verifier(*arguments, *files)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "c.json").read_text())["methods"]
    assert (record["auto"]["verified"], record["auto"]["falsified"], record["auto"]["wrong"]) == (9, 3, 0)
    assert record["crown"]["proved_by_complete"] == 9
    share = f"{record['crown']['of_those_by_it']}/9"
    assert any("crown" in line and share in line for line in done.stdout.splitlines())
    again = verifier(*arguments, *files, "--resume")
    assert "nothing is left to do" in again.stdout


def test_a_contradiction_is_shouted_and_its_evidence_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = Verdict(Status.UNSAT, "crown", 1.0), Verdict(Status.SAT, "attack", reached=-1.0)

    def lied(*_: object) -> tuple[Comparison, list[Outcome]]:
        answers = tuple(Answer(verdict.method, verdict) for verdict in verdicts)
        return Comparison(answers), [Outcome(verdict) for verdict in verdicts]

    monkeypatch.setattr("verifier.batch.side_by_side.side_by_side", lied)
    evidence = tmp_path / "e.json"
    done = within("compare", *MOONS, "--methods", "crown,attack", "--evidence", str(evidence))
    assert done.exit_code == 4
    assert "CONTRADICTION: crown says unsat, attack says sat" in done.stderr
    record = json.loads(evidence.read_text())
    assert record["contradictions"] == ["crown says unsat, attack says sat"]
    assert [(a["method"], a["verdict"], a.get("reached")) for a in record["answers"]] == [
        ("crown", "unsat", None),
        ("attack", "sat", -1.0),
    ]


def test_files_that_cannot_be_written_hide_no_contradiction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = Verdict(Status.UNSAT, "crown", 1.0), Verdict(Status.SAT, "attack", reached=-1.0)
    (tmp_path / "gone").mkdir()

    def lied(*_: object) -> tuple[Comparison, list[Outcome]]:
        (tmp_path / "gone").rmdir()
        answers = tuple(Answer(verdict.method, verdict) for verdict in verdicts)
        return Comparison(answers), [Outcome(verdict) for verdict in verdicts]

    monkeypatch.setattr("verifier.batch.side_by_side.side_by_side", lied)
    files = "--json", str(tmp_path / "gone" / "c.json"), "--evidence", str(tmp_path / "e.json")
    done = within("compare", *MOONS, "--methods", "crown,attack", *files)
    assert done.exit_code == 4
    assert "CONTRADICTION: crown says unsat" in done.stderr
    assert (tmp_path / "e.json").exists()


def test_instances_that_are_contradicted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lied(self: Work, *_: object) -> list[Result]:
        say = [(item("a", "crown"), outcome("unsat")), (item("a", "milp"), outcome("sat"))]
        add_run(self.store.path, say)
        return read_last(str(self.store.path))[1]

    monkeypatch.setattr(Work, "done", lied)
    files = "--store", str(tmp_path / "s.db"), "--evidence", str(tmp_path / "e.json")
    arguments = "--instances", str(SPECS / "truth.csv"), "--methods", "crown,milp", *files
    done = within("compare", *arguments)
    assert done.exit_code == 4, done.output
    (group,) = json.loads((tmp_path / "e.json").read_text())
    assert [side["verdict"] for side in group] == ["unsat", "sat"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([MOONS[0]], "no network and property are given"),
        ([*MOONS, "--methods", "magic"], "there is no method 'magic'"),
        ([*MOONS, "--methods", ","], "names no method"),
        ([*MOONS, "--picture", "x.jpeg"], "no kind of picture"),
        ([*MOONS, "--solver", "cvxpy:NOBODY"], "NOBODY"),
        ([*MOONS, "--tighten", "sdp"], "tightening by 'sdp'"),
        ([MOONS[0], "nowhere.vnnlib"], "nowhere.vnnlib: no such file"),
        ([*MOONS, "--label", "1"], "no sample to look around"),
        ([*MOONS, "--instances", "x"], "--instances goes with no query"),
    ],
)
def test_mistakes_are_one_error(arguments: list[str], told: str) -> None:
    done = within("compare", *arguments)
    assert isinstance(done.exception, Exception)
    assert told in str(done.exception)
    assert isinstance(done.exception, UsageError) or "VerifierError" in str(type(done.exception).__mro__)
