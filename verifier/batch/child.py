"""The life of a process that was forked for one job: it decides, leaves its outcome in a file, and ends."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from typing import IO, TYPE_CHECKING, NoReturn

from verifier.batch.contents import network_hash, property_hash
from verifier.batch.job import decide
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.watchdog import EXIT_DEFECT, Watchdog
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from verifier.batch.warm import Assignment
    from verifier.methods import Task
    from verifier.verdict import Verdict

LARGEST_FILE = 1 << 30
"""Bytes that a job may write to one file: one that writes for ever does not fill the disk."""
_PR_SET_PDEATHSIG = 1
"""Of Linux's prctl(2)."""


def run_child(assignment: Assignment, answer: IO[bytes], log: IO[bytes]) -> NoReturn:
    """Decides; `answer` then holds the packed outcome and the exit status is 0. Anything else is a crash."""
    status = EXIT_DEFECT
    try:
        _settle_in(log)
        _leave(_changed(assignment) or _decided(assignment, answer), answer)
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


def _settle_in(log: IO[bytes]) -> None:
    """Leaves the parent's group, signals and streams."""
    import resource  # which not every system has

    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.setpgid(0, 0)
    _end_with_parent()
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
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
                return Outcome.failed(Fault.INPUT, f"{path}: cannot be read ({error.strerror})", job.method)
            if found != planned:
                return Outcome.failed(Fault.CHANGED, f"{path}: has changed since the run was planned", job.method)
    return None


def _decided(assignment: Assignment, answer: IO[bytes]) -> Outcome:
    job = assignment.job
    watchdog = Watchdog(job.timeout, lambda text: print(text, file=sys.stderr, flush=True))

    def finish(verdict: Verdict, task: Task | None) -> int:
        _leave(Outcome.of(verdict, task), answer)
        return 0

    with watchdog:
        try:
            outcome = Outcome.of(*decide(job, watchdog, finish))
        except VerifierError as error:
            outcome = Outcome.refused(error, job.method, watchdog.elapsed)
        except MemoryError:
            outcome = Outcome.failed(Fault.MEMORY, "out of memory", job.method, watchdog.elapsed)
        except Exception as error:
            _log_exception()
            told = f"a defect of verifier, please report it: {type(error).__name__}: {error}"
            outcome = Outcome.failed(Fault.DEFECT, told, job.method, watchdog.elapsed)
        watchdog.claim()
    return outcome


def _leave(outcome: Outcome, answer: IO[bytes]) -> None:
    answer.write(outcome.packed())
    answer.flush()
