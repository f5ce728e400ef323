"""A run that is killed at random moments and taken up again ends as one that was never disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import vnncomp
from verifier.batch.records import Result, read_places
from verifier.batch.store import Store

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
REAL = "[rt][le]*/*"
"""The names of 305 real instances: rl_benchmarks, test and tllverifybench."""
WORKERS = "2"


def benchmarks(folder: Path, copies: int) -> Path:
    """A folder of benchmarks, each a copy of our own specs without the two that take half a second."""
    for number in range(copies):
        copy = folder / f"copy_{number}"
        shutil.copytree(SPECS, copy)
        lines = (copy / "instances.csv").read_text().splitlines()
        (copy / "instances.csv").write_text("".join(f"{line}\n" for line in lines if "close" not in line))
    return folder


def command(path: Path, store: Path, *more: str) -> list[str]:
    chosen = ["--only", REAL] if path.is_file() else []
    chosen += ["--methods", "auto", "--workers", WORKERS, "--timeout", "20", "--store", str(store), *more]
    return [sys.executable, "-m", "verifier.cli.main", "bench", str(path), *chosen]


def told(results: list[Result]) -> list[tuple]:
    """What must not depend on when a run was killed."""
    return [(r.name, r.method, r.verdict, r.settled_by, r.bound, r.detail, r.fault) for r in results]


def killed_and_resumed(path: Path, store: Path, kills: int, longest: float) -> int:
    """Runs to the end in spite of kills at random moments; how many there were."""
    generator = random.Random(kills)
    for kill in range(kills):
        process = subprocess.Popen(
            command(path, store, "--resume"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(generator.uniform(0.2, longest))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            continue
        assert process.returncode == 0
        return kill
    subprocess.run(command(path, store, "--resume"), check=True, stdout=subprocess.DEVNULL)
    return kills


def check(path: Path, tmp_path: Path, kills: int, longest: float) -> None:
    whole, broken = tmp_path / "whole.db", tmp_path / "broken.db"
    subprocess.run(command(path, whole), check=True, stdout=subprocess.DEVNULL)
    count = killed_and_resumed(path, broken, kills, longest)
    assert count == kills, "the run was over before it could be killed often enough"
    ((_, expected),) = read_places([str(whole)])
    ((run, results),) = read_places([str(broken)])
    assert told(results) == told(expected)
    assert run.finished
    with Store(broken) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.connection.execute("SELECT count(*), count(DISTINCT item) FROM results").fetchone() == (
            len(expected),
            len(expected),
        )


def test_kills_at_random_moments(tmp_path: Path) -> None:
    check(benchmarks(tmp_path / "all", 6), tmp_path, kills=3, longest=1.3)


@pytest.mark.slow
def test_fifty_kills_of_three_hundred_instances(tmp_path: Path) -> None:
    check(benchmarks(tmp_path / "all", 30), tmp_path, kills=50, longest=1.3)


@pytest.mark.slow
def test_fifty_kills_of_three_hundred_real_instances(tmp_path: Path) -> None:
    check(vnncomp.root() / "index.jsonl", tmp_path, kills=50, longest=1.6)


@pytest.mark.parametrize("seconds", [None, 0.005, 0.02])
def test_an_interrupted_run_ends_its_processes_and_says_how_to_go_on(tmp_path: Path, seconds: float | None) -> None:
    path, store = benchmarks(tmp_path / "all", 20), tmp_path / "s.db"
    process = subprocess.Popen(command(path, store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= int(WORKERS)
    process.send_signal(signal.SIGTERM)
    if seconds is not None:  # a second time
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (130, -signal.SIGINT)
    assert f"--resume goes on with run 1 of {store}" in errors
    assert "Traceback" not in errors
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive
    ((run, results),) = read_places([str(store)])
    assert not run.finished
    assert 5 <= sum(r.verdict is not None for r in results) < 200
    assert all(r.verdict != "error" for r in results)


def test_a_run_under_way_is_not_taken_up_by_another_process(tmp_path: Path) -> None:
    path, store = benchmarks(tmp_path / "all", 8), tmp_path / "s.db"
    first = subprocess.Popen(command(path, store), stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    first.stdout.readline()
    second = subprocess.run(command(path, store, "--resume"), capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "run 1 is under way in process" in second.stderr
    third = subprocess.Popen(command(path, store), stdout=subprocess.PIPE, text=True)  # its own run on the same store
    assert third.stdout is not None
    third.stdout.readline()
    third.kill()
    first.kill()
    third.communicate()
    first.communicate()
    subprocess.run(command(path, store, "--resume"), check=True, stdout=subprocess.DEVNULL)
    places = list(read_places([str(store)]))
    assert [run.number for run, _ in places] == [1, 2]
    assert all(r.verdict is not None for r in places[1][1])
