"""A process that has everything loaded, and forks itself for each job it is given.

Loading the libraries takes most of a second, a fork 10 to 20 ms. The forked process is an instance's own: it may crash,
hang or fill the memory, and this one, which does nothing but wait and look at clock and memory, ends it, keeps the
reason and goes on. When its owner goes away, it ends what it had under way, and itself.

It is started as ``python -m verifier.batch.warm FD`` with one end of a pipe, and talks in pickled objects:
`READY` out once, then an `Assignment` in, an `Outcome` out. It runs no threads of its own, so that forks are safe.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import IO, Any

from verifier.batch.child import run_child
from verifier.batch.job import Job
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.watchdog import GRACE
from verifier.programs.solvers.registry import LAYERS

LENIENCE = 2.0
"""Seconds that a job has beyond its timeout and the watchdog's grace before its process is killed."""
TICK = 0.05
"""Seconds between two looks at a job's memory."""
LOG = 2000
"""Bytes that are kept of the begin and of the end of what a job wrote."""
READY = "ready"
"""What a warm process says first."""
MEGABYTE = 1e6


@dataclass(frozen=True)
class Assignment:
    """A job with what its isolation needs.

    Attributes:
        job: what is asked.
        memory: megabytes that its processes may hold together; more ends them.
        network_hash, property_hash: SHA-256 of the files when the run was planned, hexadecimal; "" does not look.
    """

    job: Job
    memory: float
    network_hash: str = ""
    property_hash: str = ""


def main() -> None:
    """Serves the owner of the pipe whose number is the first argument, until it is closed."""
    owner = Connection(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the owner's to answer: it closes the pipe
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    _load()
    wake = child_signals()
    owner.send(READY)
    while True:
        try:
            assignment = owner.recv()
        except (EOFError, OSError):
            return
        _load_layer(assignment.job.solver)
        outcome = Attempt(assignment, owner, wake).outcome()
        if outcome is None:
            return
        try:
            owner.send(outcome)
        except OSError:
            return


def _load() -> None:
    """Imports what most jobs need, before the forks, and takes it out of the garbage collector's sight."""
    import highspy
    import onnxruntime
    import psutil
    import scipy.sparse
    import scipy.special

    import verifier.methods
    import verifier.programs.margins
    import verifier.readers.onnx
    import verifier.readers.vnnlib  # noqa: F401

    del highspy, onnxruntime, psutil, scipy
    gc.collect()
    gc.freeze()


def _load_layer(solver: str) -> None:
    """Imports what a solver needs beyond HiGHS, once for all jobs; where that fails, each job says why."""
    layer = solver.partition(":")[0].lower()
    if layer in LAYERS and layer not in sys.modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(layer)
            gc.freeze()


def child_signals() -> int:
    """A descriptor that becomes readable whenever a child has ended."""
    readable, writable = os.pipe()
    for end in (readable, writable):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return readable


class Attempt:
    """One job in a process of its own, and the eye kept on it."""

    def __init__(self, assignment: Assignment, owner: Connection, wake: int) -> None:
        self._assignment, self._owner, self._wake = assignment, owner, wake
        self._started = time.monotonic()
        self._limit = self._started + assignment.job.timeout + GRACE + LENIENCE

    def outcome(self) -> Outcome | None:
        """Runs the job; None where the owner went away meanwhile."""
        with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as log:
            pid = os.fork()
            if pid == 0:
                run_child(self._assignment, answer, log)
            with contextlib.suppress(OSError):  # the child may have done so itself, or be gone
                os.setpgid(pid, pid)
            try:
                ended = self._watch(pid)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)  # whatever processes it has left behind
            return None if ended is None else self._told(*ended, _content(answer), _ends(log))

    def _watch(self, pid: int) -> tuple[Fault, int, Any] | None:
        """Waits for the end: a fault that we ended it for, its status, its use of resources."""
        fault = Fault.NONE
        while True:
            done, status, usage = os.wait4(pid, os.WNOHANG)
            if done:
                return fault, status, usage
            ready, _, _ = select.select([self._owner.fileno(), self._wake], [], [], TICK)
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            if self._owner.fileno() in ready:
                # It sends nothing while a job is under way: its end of the pipe is closed.
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return None
            if fault is Fault.NONE:
                fault = self._offence(pid)
                if fault is not Fault.NONE:
                    os.kill(pid, signal.SIGKILL)

    def _offence(self, pid: int) -> Fault:
        if time.monotonic() > self._limit:
            return Fault.RUNAWAY
        job = self._assignment.job
        many = job.threads > 1 or job.solver != "highs"  # others may be processes of their own
        return Fault.MEMORY if held(pid, many) > self._assignment.memory * MEGABYTE else Fault.NONE

    def _told(self, fault: Fault, status: int, usage: Any, answer: bytes, log: str) -> Outcome:
        outcome = self._judged(fault, status, answer, log)
        kilobyte = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
        return replace(
            outcome,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_memory=usage.ru_maxrss * kilobyte / MEGABYTE,
            log=log,
            worker=f"{socket.gethostname()}/{os.getpid()}",
        )

    def _judged(self, fault: Fault, status: int, answer: bytes, log: str) -> Outcome:
        method, seconds = self._assignment.job.method, time.monotonic() - self._started
        if fault is Fault.RUNAWAY:
            return Outcome.failed(fault, "it did not come back at its timeout and was killed", method, seconds)
        if fault is Fault.MEMORY:
            told = f"it took more than {self._assignment.memory:g} MB of memory and was ended; give more with --memory"
            return Outcome.failed(fault, told, method, seconds)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0 and answer:
            return Outcome.unpacked(answer)
        own_words = log.partition("Fatal Python error")[0]  # what follows is faulthandler's
        last = next((line for line in reversed(own_words.splitlines()) if line.strip()), "it wrote nothing")
        if os.WIFSIGNALED(status):
            how = f"was ended by {_signal_name(os.WTERMSIG(status))}"
        else:
            how = f"ended with status {os.WEXITSTATUS(status)} and no answer"
        return Outcome.failed(Fault.CRASH, f"its process {how} ({last})", method, seconds)


def _signal_name(number: int) -> str:
    """The signal's name; real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _ends(file: IO[bytes]) -> str:
    """What a job wrote, or the begin and the end of it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size <= 2 * LOG:
        return file.read().decode(errors="replace")
    begin = file.read(LOG).decode(errors="replace")
    file.seek(-LOG, os.SEEK_END)
    return f"{begin}\n...\n{file.read().decode(errors='replace')}"


def held(pid: int, with_children: bool) -> int:
    """Bytes of memory that a process holds, or it and its children together, each shared page once."""
    import psutil

    try:
        process = psutil.Process(pid)
        if not with_children:
            return int(process.memory_info().rss)
        family = [process, *process.children(recursive=True)]
        return sum(_shared_fairly(member) for member in family)
    except psutil.Error:  # it has just ended
        return 0


def _shared_fairly(process: Any) -> int:
    """A process's memory, a page that n processes share counting as 1/n of a page where the system tells that."""
    import psutil

    try:
        info = process.memory_full_info()
        return int(getattr(info, "pss", info.uss))
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main()
