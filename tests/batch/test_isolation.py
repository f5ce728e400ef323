"""A job that crashes, hangs or fills the memory ends alone, with its reason; and so do the processes it leaves."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from verifier.batch import child, isolation, warm
from verifier.batch.assignment import Assignment
from verifier.batch.contents import network_hash, property_hash
from verifier.batch.isolation import WarmProcess, WarmProcesses, run_isolated
from verifier.batch.job import Job
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.warm import Attempt
from verifier.errors import ModelError, UsageError
from verifier.verdict import Status, Verdict

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
MOONS = SPECS / "onnx" / "moons.onnx", SPECS / "vnnlib" / "moons_upper.vnnlib"


def attempted(monkeypatch: pytest.MonkeyPatch, act: Callable[..., Any], **limits: Any) -> Outcome:
    """The outcome of a job whose decision is `act`, in a fork of this process."""
    monkeypatch.setattr(child, "decide", act)
    memory, hashes = limits.pop("memory", 2000.0), limits.pop("hashes", ("", ""))
    ours, theirs = Pipe()
    with ours, theirs:
        job = Job(*MOONS, timeout=limits.pop("timeout", 30.0))
        outcome = Attempt(Assignment(job, memory, *hashes), theirs, warm.child_signals()).outcome()
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


def test_a_job_that_writes_much(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: Any) -> Any:
        print("first words")
        for _ in range(5000):
            print("x" * 1000)
        print("last words")
        return Verdict(Status.UNSAT, "writer"), None

    outcome = attempted(monkeypatch, write)
    assert outcome.verdict.status is Status.UNSAT
    assert outcome.log.startswith("first words")
    assert "\n...\n" in outcome.log
    assert outcome.log.endswith("last words\n")
    assert len(outcome.log) < 5000


def test_a_job_that_fills_a_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(child, "LARGEST_FILE", 1_000_000)

    def write(*_: Any) -> None:
        with (tmp_path / "large").open("wb") as file:
            while True:
                file.write(bytes(10_000))

    assert attempted(monkeypatch, write).verdict.status is Status.ERROR
    assert (tmp_path / "large").stat().st_size == 1_000_000


def test_an_answer_larger_than_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    detail = "a long story " * 100_000
    outcome = attempted(monkeypatch, lambda *_: (Verdict(Status.UNKNOWN, "narrator", detail=detail), None))
    assert outcome.verdict.detail == detail


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_told_to_stop_is_no_timeout(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    def stop(job: Job, watchdog: Any, finish: Any) -> None:
        watchdog.on_timeout(lambda: finish(Verdict(Status.TIMEOUT, "sleeper"), None))
        os.kill(os.getpid(), number)
        time.sleep(60)

    outcome = attempted(monkeypatch, stop)
    assert (outcome.verdict.status, outcome.fault) == (Status.ERROR, Fault.CRASH)
    assert f"was ended by {number.name}" in outcome.verdict.detail


def test_the_time_of_hashing_is_not_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "LENIENCE", 0.2)
    for of_files in ("network_hash", "property_hash"):
        monkeypatch.setattr(child, of_files, lambda path: time.sleep(0.5) or "as planned")
    decided = Verdict(Status.UNSAT, "quick"), None
    outcome = attempted(monkeypatch, lambda *_: decided, timeout=0.5, hashes=("as planned", "as planned"))
    assert (outcome.verdict.status, outcome.fault) == (Status.UNSAT, Fault.NONE)


def test_files_that_are_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm, "HASHING", 0.3)
    monkeypatch.setattr(child, "network_hash", lambda path: time.sleep(60))
    outcome = attempted(monkeypatch, lambda *_: None, hashes=("as planned", "as planned"))
    assert (outcome.verdict.status, outcome.fault) == (Status.ERROR, Fault.INPUT)
    assert "could not be read within 0.3 s" in outcome.verdict.detail


def raising(error: Exception) -> Callable[..., Any]:
    def act(*_: Any, **__: Any) -> Any:
        raise error

    return act


@pytest.mark.parametrize("place", ["os.fork", "os.pipe"])
def test_a_machine_without_processes_or_files(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    with monkeypatch.context() as broken:
        ours, theirs = Pipe()
        attempt = Attempt(Assignment(Job(*MOONS), 2000), theirs, warm.child_signals())
        broken.setattr(place, raising(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))))
        outcome = attempt.outcome()
    ours.close()
    theirs.close()
    assert outcome is not None
    assert outcome.fault is Fault.MACHINE
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def of_a_full_disk() -> Exception:
    error = ModelError("cannot be read", "net.onnx", "")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


@pytest.mark.parametrize(
    "error", [OSError(errno.EMFILE, "Too many open files"), RuntimeError("can't start new thread"), of_a_full_disk()]
)
def test_what_the_machine_refuses_is_not_the_jobs_fault(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    assert attempted(monkeypatch, raising(error)).fault is Fault.MACHINE


def test_no_thread_for_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
    assert attempted(monkeypatch, lambda *_: None).fault is Fault.MACHINE


def test_a_disk_without_room_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    outcome = attempted(monkeypatch, lambda *_: (Verdict(Status.UNSAT, "quick"), None))
    assert outcome.verdict.status is Status.UNSAT


def test_jobs_that_the_machine_refuses_have_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "PAUSE", 0.0)
    refused = Outcome.failed(Fault.MACHINE, "no room on the disk", "auto")
    monkeypatch.setattr(WarmProcess, "run", lambda *_: refused)
    with pytest.raises(UsageError, match=r"the workers cannot run jobs \(no room on the disk\)"):
        run_isolated(Assignment(Job(*MOONS), 2000))


def test_a_job_that_the_machine_refused_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "PAUSE", 0.0)
    decided = Outcome(Verdict(Status.UNSAT, "quick"))
    outcomes = iter([Outcome.failed(Fault.MACHINE, "no room on the disk", "auto"), decided])
    monkeypatch.setattr(WarmProcess, "run", lambda *_: next(outcomes))
    assert run_isolated(Assignment(Job(*MOONS), 2000)) is decided


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = WarmProcesses()
    monkeypatch.setattr(subprocess, "Popen", raising(OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))))
    with pytest.raises(UsageError, match="the workers cannot run jobs"):
        processes.run(Assignment(Job(*MOONS), 2000))


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
