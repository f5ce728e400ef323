"""Warm processes: they start in any surroundings, are replaced when lost, and end with their owner."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from verifier.batch import isolation
from verifier.batch.assignment import Assignment
from verifier.batch.isolation import WarmProcess, WarmProcesses, run_isolated
from verifier.batch.job import Job
from verifier.batch.outcome import Fault
from verifier.errors import UsageError
from verifier.verdict import Status

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
MOONS = SPECS / "onnx" / "moons.onnx", SPECS / "vnnlib" / "moons_upper.vnnlib"


def test_the_current_folder_is_not_imported_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('not the real one')")
    (tmp_path / "verifier").mkdir()
    (tmp_path / "verifier" / "__init__.py").write_text("raise ImportError('not the real one')")
    monkeypatch.chdir(tmp_path)
    for path in ("", os.pathsep, str(tmp_path / "verifier")):
        monkeypatch.setenv("PYTHONPATH", path)
        with stopped_at_the_end() as processes:
            assert processes.run(Assignment(Job(*MOONS, "crown"), 2000)).fault is Fault.NONE


@contextlib.contextmanager
def stopped_at_the_end() -> Iterator[WarmProcesses]:
    processes = WarmProcesses()
    try:
        yield processes
    finally:
        processes.stop()


def test_a_worker_that_cannot_start_says_nothing_of_the_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UsageError, match="a worker process does not start"):
        WarmProcesses().run(Assignment(Job(*MOONS), 2000))


def test_a_witness_comes_back_as_it_was_found() -> None:
    job = Job(MOONS[0], SPECS / "vnnlib" / "moons_everywhere.vnnlib")
    outcome = run_isolated(Assignment(job, 2000))
    witness = outcome.verdict.witness
    assert outcome.verdict.status is Status.SAT
    assert witness is not None
    assert (witness.x.dtype, witness.x.shape, outcome.shapes) == (np.float32, (2,), ((1, 2),))
    assert outcome.worker.endswith(f"/{_worker_process()}")
    assert outcome.peak_memory > 10


def _worker_process() -> int:
    return int(run_isolated(Assignment(Job(*MOONS, "crown"), 2000)).worker.rpartition("/")[2])


def test_a_lost_warm_process_is_replaced_and_its_job_repeated() -> None:
    first = _worker_process()
    os.kill(first, signal.SIGKILL)
    assert _worker_process() != first


def started() -> WarmProcess:
    process = WarmProcess()
    process.await_start()
    return process


def gone(process: WarmProcess) -> bool:
    """Whether it has ended and was reaped."""
    return not psutil.pid_exists(process.number)


def test_a_job_ends_with_its_owner() -> None:
    """Closing the owner's end ends the warm process, the job's process and the wait for its outcome."""
    process = started()
    hard = Job(SPECS / "onnx" / "digits_dense.onnx", SPECS / "vnnlib" / "digits_dense_close.vnnlib", "attack", 600.0)
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises((EOFError, OSError)):
            process.run(Assignment(hard, 2000))
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    owner, family = psutil.Process(process.number), []
    while not family:
        time.sleep(0.05)
        family = owner.children()
    process.close()
    assert gone(process)
    assert ended.wait(10)
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_a_process_that_does_not_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "SLACK", 2.0)
    monkeypatch.setattr(isolation, "CLOSE", 0.2)
    job = Job(*MOONS, "crown", timeout=1.0)
    with stopped_at_the_end() as processes:
        first = int(processes.run(Assignment(job, 2000)).worker.rpartition("/")[2])
        os.kill(first, signal.SIGSTOP)
        outcome = processes.run(Assignment(job, 2000))
        assert outcome.fault is Fault.NONE
        assert int(outcome.worker.rpartition("/")[2]) != first
        assert not psutil.pid_exists(first)


def test_closing_ends_a_process_that_hangs() -> None:
    process = started()
    os.kill(process.number, signal.SIGSTOP)
    process.close(0.1)
    assert gone(process)


def test_an_answer_is_taken_for_its_own_job_only() -> None:
    process = started()
    process._pipe.send((7, Assignment(Job(*MOONS), 2000)))  # as if its owner had been disturbed before the answer
    assert process._pipe.poll(30)
    with pytest.raises(OSError, match="another assignment"):
        process.run(Assignment(Job(MOONS[0], SPECS / "vnnlib" / "moons_everywhere.vnnlib"), 2000))
    process.close()


def test_no_process_is_started_after_the_stop() -> None:
    processes = WarmProcesses()
    processes.stop()
    with pytest.raises(UsageError, match="were stopped"):
        processes.run(Assignment(Job(*MOONS), 2000))


def test_a_process_that_is_being_started_is_stopped() -> None:
    processes, failed, before = WarmProcesses(), threading.Event(), set(psutil.Process().children())

    def run() -> None:
        with pytest.raises(UsageError):
            processes.run(Assignment(Job(*MOONS), 2000))
        failed.set()

    threading.Thread(target=run, daemon=True).start()
    while not (children := set(psutil.Process().children()) - before):
        time.sleep(0.005)
    processes.stop()
    assert failed.wait(10)
    assert not [child for child in children if psutil.pid_exists(child.pid)]
