"""`verifier bench` and `verifier compare-runs` as a user runs them."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.batch.stores import add_run, item, outcome
from verifier.batch.progress import Tally
from verifier.batch.records import read_places
from verifier.cli.bench_display import counts_table

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"


def verifier(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def moons(folder: Path, *lines: str, name: str = "instances.csv") -> Path:
    """A benchmark on the smallest of our networks."""
    folder.mkdir()
    shutil.copy(SPECS / "onnx" / "moons.onnx", folder)
    for file in (SPECS / "vnnlib").glob("moons_*"):
        shutil.copy(file, folder)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


def test_plain_lines_and_a_summary(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    done = verifier("bench", SPECS, "--only", "*/moons/*", "--methods", "crown,auto", "--workers", 2, "--store", store)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    results = [line for line in lines if re.match(r"\[\d/8\] vnnlib_specs/moons/moons_\w+  (crown|auto)  \w+  ", line)]
    assert len(results) == 8
    assert re.search(r"vnnlib_specs auto\W+4/4\W+3\W+1\W", done.stdout)
    ((run, kept),) = read_places([str(store)])
    assert {r.name.rpartition("/")[2]: str(r.verdict) for r in kept if r.method == "auto"} == {
        "moons_upper": "unsat",
        "moons_both": "unsat",
        "moons_bounded": "unsat",
        "moons_everywhere": "sat",
    }
    assert run.options["methods"] == ["crown", "auto"]
    assert run.facts["versions"]["numpy"]
    assert run.facts["machine"]["cores"] == os.cpu_count()


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    folder, store = moons(tmp_path / "set", "moons.onnx,moons_upper.vnnlib,20"), tmp_path / "s.db"
    first = verifier("bench", folder, "--store", store, "--resume")
    again = verifier("bench", folder, "--store", store, "--resume")
    assert (first.returncode, again.returncode) == (0, 0)
    assert "run 1 of" in again.stdout
    assert "is finished; nothing is left to do" in again.stdout
    other = verifier("bench", folder, "--store", store, "--resume", "--timeout", 5)
    assert other.returncode == 2
    assert "timeout was None, is 5.0" in other.stderr
    assert len(list(read_places([str(store)]))) == 1


def test_wrong_verdicts_are_counted(tmp_path: Path) -> None:
    lines = "onnx,vnnlib,timeout,truth", "moons.onnx,moons_upper.vnnlib,20,sat", "moons.onnx,moons_both.vnnlib,20,unsat"
    done = verifier("bench", moons(tmp_path / "set", *lines), "--store", tmp_path / "s.db")
    assert done.returncode == 5
    assert "WRONG set/moons/moons_upper by auto: unsat, known to be sat" in done.stderr
    assert "moons_both by" not in done.stderr


def test_json_lines_with_known_verdicts(tmp_path: Path) -> None:
    record = {"bench": "b", "onnx": "moons.onnx", "vnnlib": "moons_everywhere.vnnlib", "timeout": 20, "truth": "unsat"}
    folder = moons(tmp_path / "set", json.dumps(record), name="index.jsonl")
    done = verifier("bench", folder / "index.jsonl", "--store", tmp_path / "s.db")
    assert done.returncode == 5
    assert "WRONG b/moons/moons_everywhere by auto: sat, known to be unsat" in done.stderr


def test_an_interrupted_run_tells_what_is_wrong(tmp_path: Path) -> None:
    folder = moons(tmp_path / "set", "moons.onnx,moons_upper.vnnlib,20,sat", "other.onnx,moons_both.vnnlib,60")
    (folder / "other.onnx").write_bytes((folder / "moons.onnx").read_bytes())
    command = [sys.executable, "-m", "verifier.cli.main", "bench", folder, "--store", tmp_path / "s.db"]
    process = subprocess.Popen([*map(str, command), "--workers", "1"], stdout=PIPE, stderr=PIPE, text=True)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=60)
    assert "unsat" in first
    assert first.endswith("WRONG, known to be sat\n")
    assert "WRONG set/moons/moons_upper by auto: unsat, known to be sat" in complaints
    assert process.returncode in (130, 5)  # it may have been done by then


def test_files_that_cannot_be_written_hide_no_wrong_verdict(tmp_path: Path) -> None:
    folder = moons(tmp_path / "set", "moons.onnx,moons_upper.vnnlib,20,sat")
    for taken in ("results.csv", "set/moons_moons_upper.counterexample.gz"):
        (tmp_path / taken / "out" / taken).mkdir(parents=True)
        out = tmp_path / taken / "out"
        done = verifier("bench", folder, "--store", tmp_path / taken / "s.db", "--vnncomp", out)
        assert done.returncode == 5, done.stderr
        assert "WRONG set/moons/moons_upper by auto" in done.stderr
        assert done.stderr.count("\n") == 2
        assert "Traceback" not in done.stderr


def test_names_that_the_terminal_cannot_write(tmp_path: Path) -> None:
    record = {"bench": "mühle", "onnx": "moons.onnx", "vnnlib": "moons_upper.vnnlib", "timeout": 20}
    folder = moons(tmp_path / "set", json.dumps(record), name="index.jsonl")
    command = [sys.executable, "-m", "verifier.cli.main", "bench", folder / "index.jsonl", "--store"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    store = os.fsencode(tmp_path) + b"/\xff.db"
    done = subprocess.run([*command, store], capture_output=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    page = [sys.executable, "-m", "verifier.cli.main", "report", store, "--output", tmp_path / "out"]
    assert subprocess.run(page, capture_output=True, env=environment, check=False, timeout=120).returncode == 0
    assert rb"m\xfchle/moons/moons_upper" in done.stdout


def test_an_instance_that_cannot_be_read_is_one_error(tmp_path: Path) -> None:
    folder = moons(tmp_path / "set", "broken.onnx,moons_upper.vnnlib,20", "moons.onnx,moons_upper.vnnlib,20")
    (folder / "broken.onnx").write_bytes(b"not a model")
    done = verifier("bench", folder, "--store", tmp_path / "s.db")
    assert done.returncode == 0
    assert re.search(r"set/broken/moons_upper  auto  error  .*broken\.onnx", done.stdout)
    ((_, results),) = read_places([str(tmp_path / "s.db")])
    assert [(r.verdict, r.fault) for r in results] == [("error", "input"), ("unsat", "")]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "nowhere: does not exist"),
        ([str(SPECS), "--methods", "crown,magic"], "there is no method 'magic'"),
        ([str(SPECS), "--only", "nothing"], "none of the 12 instances matches 'nothing'"),
        ([str(SPECS), "--store", "/nowhere/s.db"], "/nowhere/s.db: cannot be opened"),
        ([str(SPECS), "--timeout", "inf"], "--timeout"),
        ([str(SPECS), "--memory", "nan"], "--memory"),
        ([str(SPECS), "--methods", " , "], "names no method"),
        ([str(SPECS), "--device", "torch:nowhere"], "device 'torch:nowhere' is not usable"),
        (["n" * 300], "cannot be read"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], told: str, tmp_path: Path) -> None:
    store = [] if "--store" in arguments else ["--store", str(tmp_path / "s.db")]
    done = verifier("bench", *arguments, *store)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_table_on_a_terminal(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "verifier.cli.main", "bench", str(SPECS), "--only", "*moons*"]
    command += ["--store", str(tmp_path / "s.db")]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=terminal, env=environment, text=True)
    os.close(terminal)
    shown = b""
    while True:
        try:
            chunk = os.read(controller, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not chunk:
            break
        shown += chunk
    output, _ = process.communicate()
    assert process.returncode == 0
    assert b"4/4" in shown
    assert b"verified" in shown
    assert "[1/4]" not in output
    assert "4/4" in output


def test_a_table_higher_than_the_terminal_shows_what_is_under_way() -> None:
    tally = Tally(1)
    for number in range(30):
        tally.known(f"done{number}", "sat", "")
        tally.expect(f"ahead{number}")
    tally.known("active", "unsat", "sat")
    tally.expect("active")
    table = counts_table(tally, 0.0, 4)
    assert [str(cell) for cell in table.columns[0].cells] == [
        "ahead0",
        "ahead1",
        "ahead2",
        "active",
        "and 57 more",
        "all",
    ]
    assert "31/62" in [str(cell) for cell in table.columns[1].cells]


def test_compare_runs(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    add_run(store, [(item("a"), outcome("unsat", 4.0)), (item("b"), outcome("timeout")), (item("c"), outcome("sat"))])
    add_run(store, [(item("a"), outcome("unsat", 1.0)), (item("b"), outcome("sat")), (item("c"), outcome("unknown"))])
    done = verifier("compare-runs", f"{store}#1", f"{store}#2", "--json", tmp_path / "c.json")
    assert done.returncode == 0, done.stderr
    assert "gained  set/b/b  timeout 1.00 s -> sat 1.00 s" in done.stdout
    assert "lost  set/c/c  sat 1.00 s -> unknown 1.00 s" in done.stdout
    assert "faster  set/a/a  unsat 4.00 s -> unsat 1.00 s" in done.stdout
    assert "median ratio of times 0.250" in done.stdout
    record = json.loads((tmp_path / "c.json").read_text())
    assert (record["pairs"], record["median_ratio"]) == (3, 0.25)
    assert [pair["instance"] for pair in record["gained"]] == ["set/b/b"]


def test_compare_runs_that_contradict_each_other(tmp_path: Path) -> None:
    add_run(tmp_path / "a.db", [(item("a"), outcome("unsat"))])
    add_run(tmp_path / "b.db", [(item("a"), outcome("sat"))])
    done = verifier("compare-runs", tmp_path / "a.db", tmp_path / "b.db")
    assert done.returncode == 4
    assert "contradictory  set/a/a  unsat 1.00 s -> sat 1.00 s" in done.stdout


def test_known_verdicts_that_differ_are_no_calm_end(tmp_path: Path) -> None:
    add_run(tmp_path / "a.db", [(item("a", truth="sat"), outcome("sat"))])
    add_run(tmp_path / "b.db", [(item("a", truth="unsat"), outcome("timeout"))])
    done = verifier("compare-runs", tmp_path / "a.db", tmp_path / "b.db")
    assert done.returncode == 4
    assert "known verdicts of set/a/a differ: unsat in b.db#1, another elsewhere" in done.stderr
    told = verifier("report", tmp_path / "a.db", tmp_path / "b.db", "--output", tmp_path / "out")
    assert told.returncode == 4
    assert "KNOWN VERDICTS DIFFER" in (tmp_path / "out" / "summary.md").read_text()
    assert "different verdicts of 1 instance" in (tmp_path / "out" / "report.html").read_text()


def test_compare_runs_of_several_methods(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    add_run(store, [(item("a", "crown"), outcome("unknown")), (item("a", "milp"), outcome("sat"))])
    ambiguous = verifier("compare-runs", store, store)
    assert ambiguous.returncode == 2
    assert "has several methods (crown, milp); choose with --methods" in ambiguous.stderr
    assert verifier("compare-runs", store, store, "--methods", "lp").returncode == 2
    done = verifier("compare-runs", store, store, "--methods", "crown,milp")
    assert "gained  set/a/a  unknown 1.00 s -> sat 1.00 s" in done.stdout
    add_run(tmp_path / "other.db", [(item("z"), outcome("sat"))])
    apart = verifier("compare-runs", store, tmp_path / "other.db", "--methods", "crown,auto")
    assert "no instance in common" in apart.stderr
