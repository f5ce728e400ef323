"""A process that has everything loaded, and forks itself for each job it is given.

Loading the libraries takes most of a second, a fork 10 to 20 ms. The forked process is an instance's own: it may crash,
hang or fill the memory, and this one, which does nothing but wait and look at clock and memory, ends it, keeps the
reason and goes on. When its owner goes away, it ends what it had under way, and itself.

It is started as ``python -m verifier.batch.warm FD`` with one end of a pipe, and talks in pickled objects: `READY` out
once, then a number with an `Assignment` in, the same number with an `Outcome` out. It runs no threads of its own, so
that forks are safe.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Any

from verifier.batch.assignment import Assignment
from verifier.batch.child import BEGUN, run_child
from verifier.batch.messages import unpacked, whole
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.proof_record import ProofOrder, ProofRecord, interrupted
from verifier.batch.streams import Stream
from verifier.batch.watchdog import GRACE
from verifier.programs.solvers.registry import LAYERS
from verifier.verdict import Status

HASHING = 600.0
"""Seconds that a job's process may take to see whether its files are what they were, before the job begins."""
LENIENCE = 2.0
"""Seconds that a job has beyond its timeout and the watchdog's grace before its process is killed."""
TICK = 0.05
"""Seconds between two looks at a job's clock and memory."""
LOG = 2000
"""Bytes that are kept of the begin and of the end of what a job wrote."""
READY = "ready"
"""What a warm process says first."""
MEGABYTE = 1e6


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
            number, assignment = owner.recv()
        except (EOFError, ConnectionError):  # the owner is gone; anything else is told on standard error
            return
        _load_layer(assignment.job.solver)
        if assignment.proof is not None:
            _load_proofs()
        outcome = Attempt(assignment, owner, wake).outcome()
        if outcome is None:
            return
        try:
            owner.send((number, outcome))
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


def _load_proofs() -> None:
    """Imports what proofs need, once for all jobs."""
    for module in ("verifier.proofs.write", "verifier.checker.main"):
        if module not in sys.modules:
            importlib.import_module(module)
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
        self._begun = False
        self._sent = 0
        self._started = time.monotonic()
        self._limit = self._started + HASHING

    def outcome(self) -> Outcome | None:
        """Runs the job; None where the owner went away meanwhile."""
        try:
            with Stream() as answer, Stream(LOG) as log:
                return self._run(answer, log)
        except OSError as error:
            return Outcome.failed(Fault.MACHINE, error.strerror or str(error), self._assignment.job.method)

    def _run(self, answer: Stream, log: Stream) -> Outcome | None:
        with _no_signals():  # until the child has done away with the handlers that it was forked with
            pid = os.fork()
            if pid == 0:
                run_child(self._assignment, answer.writing, log.writing)
        answer.only_read()
        log.only_read()
        with contextlib.suppress(OSError):  # the child may have done so itself, or be gone
            os.setpgid(pid, pid)
        try:
            fault = self._watch(pid, answer, log)
        finally:
            _end_group(pid)
            _, status, usage = os.wait4(pid, 0)
        answer.take_rest()
        log.take_rest()
        if fault is None:
            return None
        return self._told(fault, status, usage, answer.content, log.content.decode(errors="replace"))

    def _watch(self, pid: int, answer: Stream, log: Stream) -> Fault | None:
        """Waits until a job has come to its end, or has to; the reason for that, or None where the owner is gone."""
        next_look = time.monotonic() + TICK
        while not _has_ended(pid):
            streams = [stream for stream in (answer, log) if stream.open]
            ready = wait([self._owner, self._wake, *(stream.reading for stream in streams)], TICK)
            if self._owner in ready:
                return None  # it sends nothing while a job is under way: its end of the pipe is closed
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            for stream in streams:
                if stream.reading in ready:
                    stream.take()
            if answer.size and not self._begun:
                self._begin()
            if answer.size and self._assignment.proof is not None:
                self._go_on(len(_messages(answer.content)), self._assignment.proof)
            if time.monotonic() >= next_look:
                if (fault := self._offence(pid)) is not Fault.NONE:
                    return fault
                next_look = time.monotonic() + TICK
        return Fault.NONE

    def _begin(self) -> None:
        """The job's own time begins: its files are what they were."""
        self._begun, self._started = True, time.monotonic()
        self._limit = self._started + self._assignment.job.timeout + GRACE + LENIENCE

    def _go_on(self, sent: int, order: ProofOrder) -> None:
        """The time of the proof begins, or that of its check, as soon as what was before is known."""
        if sent > self._sent:
            self._sent = sent
            self._limit = time.monotonic() + order.seconds + GRACE + LENIENCE

    def _offence(self, pid: int) -> Fault:
        if time.monotonic() > self._limit:
            return Fault.RUNAWAY if self._begun else Fault.INPUT
        job = self._assignment.job
        many = job.threads > 1 or job.solver != "highs"  # others may be processes of their own
        return Fault.MEMORY if held(pid, many) > self._assignment.memory * MEGABYTE else Fault.NONE

    def _told(self, fault: Fault, status: int, usage: Any, answer: bytes, log: str) -> Outcome:
        outcome = self._judged(fault, status, answer, log)
        kilobyte = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
        told = replace(outcome, log=log, worker=f"{socket.gethostname()}/{os.getpid()}")
        if outcome.proof is not None and outcome.cpu_seconds:
            return told  # it has noted what was used before the proof
        seconds, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * kilobyte / MEGABYTE
        return replace(told, cpu_seconds=seconds, peak_memory=peak)

    def _judged(self, fault: Fault, status: int, answer: bytes, log: str) -> Outcome:
        messages = _messages(answer)
        ended = fault is Fault.NONE and os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        order = self._assignment.proof
        if not messages or not (ended or order):
            return self._fault(fault, status, log)
        outcome = unpacked(messages[0], Outcome)
        if order is None or outcome.verdict.status is not Status.UNSAT:
            return outcome if ended else self._fault(fault, status, log)
        record = unpacked(messages[-1], ProofRecord) if len(messages) > 1 else None
        if not ended or record is None:
            record = interrupted(order, record, self._why(fault, status, log))
        return replace(outcome, proof=record)

    def _why(self, fault: Fault, status: int, log: str) -> str:
        """Why the process was ended while it was at the proof."""
        if fault is Fault.RUNAWAY:
            return "it did not come back at its timeout and was killed"
        if fault is Fault.MEMORY:
            return f"it took more than {self._assignment.memory:g} MB of memory and was ended"
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return "the verdict came at the last moment"
        return self._fault(fault, status, log).verdict.detail

    def _fault(self, fault: Fault, status: int, log: str) -> Outcome:
        """The outcome of a job whose process has not come to its own end."""
        method, seconds = self._assignment.job.method, time.monotonic() - self._started
        if fault is Fault.RUNAWAY:
            return Outcome.failed(fault, "it did not come back at its timeout and was killed", method, seconds)
        if fault is Fault.INPUT:
            return Outcome.failed(fault, f"its files could not be read within {HASHING:g} s", method, seconds)
        if fault is Fault.MEMORY:
            told = f"it took more than {self._assignment.memory:g} MB of memory and was ended; give more with --memory"
            return Outcome.failed(fault, told, method, seconds)
        own_words = log.partition("Fatal Python error")[0]  # what follows is faulthandler's
        last = next((line for line in reversed(own_words.splitlines()) if line.strip()), "it wrote nothing")
        if os.WIFSIGNALED(status):
            how = f"was ended by {_signal_name(os.WTERMSIG(status))}"
        else:
            how = f"ended with status {os.WEXITSTATUS(status)} and no answer"
        return Outcome.failed(Fault.CRASH, f"its process {how} ({last})", method, seconds)


def _messages(answer: bytes) -> list[bytes]:
    """What a job's process has sent so far."""
    return whole(answer.removeprefix(BEGUN))


def _signal_name(number: int) -> str:
    """The signal's name; real-time ones have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextlib.contextmanager
def _no_signals() -> Iterator[None]:
    """Puts off SIGTERM and SIGINT."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it is not reaped, so that its number is no other process's or group's yet."""
    if sys.platform != "darwin":
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    import psutil

    return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def _end_group(pid: int) -> None:
    """Kills a child that is not reaped yet, and whatever processes of its group it has left behind."""
    os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


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
