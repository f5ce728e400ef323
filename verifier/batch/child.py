"""The life of a process that was forked for one job: it decides, sends its outcome through a pipe, and ends.

Where a proof is wanted it goes on: the outcome has been sent by then, and what becomes of the proof follows, once it is
written and again once it is checked.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from verifier.batch.contents import network_hash, property_hash
from verifier.batch.job import Job, decide
from verifier.batch.messages import framed, packed
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.proof_work import records, used
from verifier.batch.refusals import refusal
from verifier.batch.watchdog import Watchdog
from verifier.errors import EXIT_DEFECT, VerifierError

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.batch.assignment import Assignment
    from verifier.batch.proof_record import ProofRecord
    from verifier.methods import Task
    from verifier.verdict import Verdict

LARGEST_FILE = 1 << 30
"""Bytes that a job may write to one file: one that writes for ever does not fill the disk."""
BEGUN = b"*"
"""What comes before the outcome, once the files have been looked at: the job's own time begins."""
_PR_SET_PDEATHSIG = 1
"""Of Linux's prctl(2)."""


def run_child(assignment: Assignment, answer: int, log: int) -> NoReturn:
    """Decides. Without a proof the outcome counts only where the exit status is 0; anything else is a crash.

    Args:
        answer: where `BEGUN` and the messages are written, a descriptor: the packed outcome, then records of the proof.
        log: what becomes standard output and error, a descriptor.
    """
    status = EXIT_DEFECT
    try:
        _settle_in(log)
        changed = _changed(assignment)
        _write(answer, BEGUN)
        order = assignment.proof
        if order is not None:
            with contextlib.suppress(OSError):  # what cannot be removed is written anew, or that cannot be either
                order.removed()
        outcome, task = (changed, None) if changed else _decided(assignment.job, answer)
        if order is None:
            _send(answer, outcome)
        else:
            _send(answer, replace(outcome, **used()))
            for record in records(order, assignment.job, outcome, task):
                _send(answer, record)
        status = 0
    except BaseException:
        _log_exception()
    finally:  # nothing may escape into the parent's code, of which this process is a copy
        os._exit(status)


def _log_exception() -> None:
    """Writes the exception to the log, if that still takes anything."""
    with contextlib.suppress(Exception):
        traceback.print_exc()
        sys.stderr.flush()


def _settle_in(log: int) -> None:
    """Leaves the parent's group, signals and streams."""
    import resource  # which not every system has

    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    os.setpgid(0, 0)
    _end_with_parent()
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = open(1, "w", 1, "utf-8", "replace", closefd=False)  # noqa: SIM115 - lives on
    sys.stderr = open(2, "w", 1, "utf-8", "replace", closefd=False)  # noqa: SIM115
    faulthandler.enable(sys.stderr)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    size = LARGEST_FILE if allowed == resource.RLIM_INFINITY else min(LARGEST_FILE, allowed)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def _end_with_parent() -> None:
    """Has the system end this process should its parent be killed; Linux only, elsewhere the timeout does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _changed(assignment: Assignment) -> Outcome | None:
    """The outcome where a file is not what the run was planned with."""
    job = assignment.job
    files = (
        (job.network, network_hash, assignment.network_hash),
        (job.prop, property_hash, assignment.property_hash),
    )
    for path, hash_of, planned in files:
        if planned and path is not None:
            try:
                found = hash_of(path)
            except OSError as error:
                fault = Fault.MACHINE if refusal(error) else Fault.INPUT
                return Outcome.failed(fault, f"{path}: cannot be read ({error.strerror})", job.method)
            if found != planned:
                return Outcome.failed(Fault.CHANGED, f"{path}: has changed since the run was planned", job.method)
    return None


def _decided(job: Job, answer: int) -> tuple[Outcome, Task | None]:
    # A signal from outside is no timeout: it ends this process, and that is told as what it is.
    watchdog = Watchdog(job.timeout, lambda text: print(text, file=sys.stderr, flush=True), on_signals=False)

    def finish(verdict: Verdict, task: Task | None) -> int:
        _send(answer, Outcome.of(verdict, task))
        return 0

    try:
        with watchdog:
            decided = _tried(job, watchdog, finish)
            watchdog.claim()
        return decided
    except RuntimeError as error:  # the watchdog's thread cannot be started
        return _failure(error, job, watchdog.elapsed), None


def _tried(job: Job, watchdog: Watchdog, finish: Callable[[Verdict, Task | None], int]) -> tuple[Outcome, Task | None]:
    try:
        verdict, task = decide(job, watchdog, finish)
        return Outcome.of(verdict, task), task
    except Exception as error:
        return _failure(error, job, watchdog.elapsed), None


def _failure(error: Exception, job: Job, seconds: float) -> Outcome:
    """The outcome of a job that ended with an exception."""
    if refused := refusal(error):
        return Outcome.failed(Fault.MACHINE, f"{refused}: {error}", job.method, seconds)
    if isinstance(error, VerifierError):
        return Outcome.refused(error, job.method, seconds)
    if isinstance(error, MemoryError):
        return Outcome.failed(Fault.MEMORY, "out of memory", job.method, seconds)
    _log_exception()
    told = f"a defect of verifier, please report it: {type(error).__name__}: {error}"
    return Outcome.failed(Fault.DEFECT, told, job.method, seconds)


def _send(end: int, told: Outcome | ProofRecord) -> None:
    _write(end, framed(packed(told)))


def _write(end: int, content: bytes) -> None:
    with open(end, "wb", closefd=False) as pipe:
        pipe.write(content)
