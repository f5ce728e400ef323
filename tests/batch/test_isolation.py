"""A job that crashes, hangs or fills the memory ends alone, with its reason; and so do the processes it leaves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from verifier.batch import child, warm
from verifier.batch.contents import network_hash, property_hash
from verifier.batch.isolation import WarmProcess, run_isolated, stop_all
from verifier.batch.job import Job
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.warm import Assignment, Attempt
from verifier.errors import ModelError, UsageError
from verifier.verdict import Status, Verdict

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
MOONS = SPECS / "onnx" / "moons.onnx", SPECS / "vnnlib" / "moons_upper.vnnlib"


def attempted(monkeypatch: pytest.MonkeyPatch, act: Callable[..., Any], **limits: Any) -> Outcome:
    """The outcome of a job whose decision is `act`, in a fork of this process."""
    monkeypatch.setattr(child, "decide", act)
    memory = limits.pop("memory", 2000.0)
    ours, theirs = Pipe()
    with ours, theirs:
        wake = warm.child_signals()
        outcome = Attempt(Assignment(Job(*MOONS, timeout=limits.pop("timeout", 30.0)), memory), theirs, wake).outcome()
    assert outcome is not None
    return outcome


@pytest.fixture(autouse=True)
def _signals() -> Any:
    before = signal.getsignal(signal.SIGCHLD)
    yield
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, before)


def test_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any) -> None:
        print("solver: about to fail", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGABRT)

    outcome = attempted(monkeypatch, crash)
    assert (outcome.verdict.status, outcome.fault) == (Status.ERROR, Fault.CRASH)
    assert "ended by SIGABRT" in outcome.verdict.detail
    assert "about to fail" in outcome.log


def test_a_job_that_writes_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "LARGEST_FILE", 1_000_000)

    def write(*_: Any) -> None:
        print("first words")
        while True:
            print("x" * 1000, flush=True)

    outcome = attempted(monkeypatch, write)
    assert outcome.verdict.status is Status.ERROR
    assert outcome.log.startswith("first words")
    assert len(outcome.log) < 5000


def test_a_worker_that_cannot_start_says_nothing_of_the_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UsageError, match="a worker process does not start"):
        WarmProcess()


def test_an_exit_without_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = attempted(monkeypatch, lambda *_: os._exit(0))
    assert outcome.fault is Fault.CRASH
    outcome = attempted(monkeypatch, lambda *_: sys.exit(3))
    assert outcome.fault is Fault.CRASH
    assert "status 70" in outcome.verdict.detail


def test_an_exception_is_a_defect_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = attempted(monkeypatch, lambda *_: [][1])
    assert outcome.fault is Fault.DEFECT
    assert "IndexError" in outcome.verdict.detail
    assert "Traceback" in outcome.log


def test_a_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ModelError("is empty", "net.onnx", "export it again")

    outcome = attempted(monkeypatch, refuse)
    assert (outcome.fault, outcome.verdict.detail) == (Fault.INPUT, "net.onnx: is empty; export it again")


def test_too_much_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: Any) -> None:
        kept = []
        for _ in range(100):
            kept.append(np.ones(10_000_000))
            time.sleep(0.02)

    outcome = attempted(monkeypatch, fill, memory=psutil.Process().memory_info().rss / 1e6 + 400)
    assert (outcome.verdict.status, outcome.fault) == (Status.ERROR, Fault.MEMORY)
    assert "MB of memory" in outcome.verdict.detail


def test_a_runaway_that_holds_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "LENIENCE", 0.2)
    outcome = attempted(monkeypatch, lambda *_: re.match("(a+)+b", "a" * 60), timeout=0.1)
    assert (outcome.verdict.status, outcome.fault) == (Status.TIMEOUT, Fault.RUNAWAY)


def test_a_method_that_does_not_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def sleep(job: Job, watchdog: Any, finish: Any) -> None:
        watchdog.on_timeout(lambda: finish(Verdict(Status.TIMEOUT, "sleeper", bound=-2.0), None))
        time.sleep(60)

    outcome = attempted(monkeypatch, sleep, timeout=0.1)
    assert (outcome.verdict.status, outcome.verdict.bound, outcome.fault) == (Status.TIMEOUT, -2.0, Fault.NONE)


def test_processes_that_a_job_leaves_behind_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: Any) -> None:
        left = subprocess.Popen(["sleep", "1000"])
        print("left", left.pid, flush=True)
        os._exit(0)

    outcome = attempted(monkeypatch, leave)
    left = int(outcome.log.split()[1])
    for _ in range(100):
        if not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    pytest.fail(f"process {left} is still there")


def test_files_that_have_changed(tmp_path: Path) -> None:
    hashes = [network_hash(MOONS[0]), property_hash(MOONS[1])]
    assert run_isolated(Assignment(Job(*MOONS, "crown"), 2000, *hashes)).fault is Fault.NONE
    outcome = run_isolated(Assignment(Job(*MOONS, "crown"), 2000, hashes[0], hashes[0]))
    assert (outcome.fault, outcome.verdict.status) == (Fault.CHANGED, Status.ERROR)
    missing = Job(tmp_path / "gone.onnx", MOONS[1])
    assert run_isolated(Assignment(missing, 2000, hashes[0])).fault is Fault.INPUT


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


def test_a_job_ends_with_its_owner() -> None:
    """Closing the owner's end ends the warm process, the job's process and the wait for its outcome."""
    process = WarmProcess()
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
    stop_all()
    assert ended.wait(10)
    _, alive = psutil.wait_procs([owner, *family], timeout=10)
    assert not alive
