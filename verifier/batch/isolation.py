"""Runs jobs in isolation: what an executor's worker does, be it a thread here or a Dask worker elsewhere.

Each thread of an executor keeps one warm process (`warm.py`), which forks itself for every job. It is started with a
fresh interpreter, so that it never inherits the threads, locks and connections of its owner.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection, Pipe

from verifier.batch.assignment import Assignment
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.processes import started
from verifier.batch.warm import HASHING, LENIENCE, READY
from verifier.batch.watchdog import GRACE
from verifier.errors import UsageError

START = 120.0
"""Seconds that a warm process may take to load everything."""
SLACK = HASHING + GRACE + LENIENCE + 60.0
"""Seconds beyond its assignment's own time after which a warm process that has not answered counts as lost."""
MESSAGE = 60
"""Seconds that a message which has begun may take to be complete, a whole number."""
LONGEST_POLL = 1e5
"""Seconds; the system's own limit is at 24 days."""
CLOSE = 2.0
"""Seconds that warm processes have to end themselves before they are killed."""
TRIES = 2
"""Times that a job is given to a warm process; each time but the last the process was lost with it."""
LOST_IN_A_ROW = 3
"""Jobs given up after each other because their processes were lost, from which on it is the machine's fault."""
PAUSE = 1.0
"""Seconds before a job that the machine refused to run is tried again."""

_OF_THREAD = threading.local()
"""Where each thread has its warm process. A Dask worker offers its threads nowhere else to keep one."""


def run_isolated(assignment: Assignment) -> Outcome:
    """Runs a job in this thread's warm process; however it ends, the answer is an outcome.

    Raises:
        UsageError: there is no warm process to be had, or it cannot run jobs, which says nothing of the job.
    """
    if not hasattr(_OF_THREAD, "processes"):
        join(WarmProcesses())
    processes: WarmProcesses = _OF_THREAD.processes
    return processes.run(assignment)


def join(processes: WarmProcesses) -> None:
    """Makes this thread's warm process one of those, which are stopped together."""
    _OF_THREAD.processes = processes


class WarmProcesses:
    """The warm processes of several threads, one for each; once they are stopped there are no more."""

    def __init__(self) -> None:
        self._of_thread = threading.local()
        self._lock = threading.Lock()
        self._running: set[WarmProcess] = set()
        self._stopped = threading.Event()
        self._lost = 0

    def run(self, assignment: Assignment) -> Outcome:
        """Runs a job in this thread's process, and again where the process was lost or the machine refused.

        Raises:
            UsageError: no process can be started, the machine refuses what a job needs, or all were stopped.
        """
        outcome = Outcome.failed(Fault.LOST, "the worker process that ran it was lost", assignment.job.method)
        for _ in range(TRIES):
            process = self._mine()
            try:
                outcome = process.run(assignment)
            except (EOFError, OSError):
                self._give_up(process)
                continue
            except BaseException:  # its answer may still be in the pipe
                self._give_up(process)
                raise
            if outcome.fault is not Fault.MACHINE:
                self._lost = 0
                return outcome
            self._stopped.wait(PAUSE)
        if self._stopped.is_set():
            raise _stopped()
        if outcome.fault is Fault.MACHINE:
            raise _unable(outcome.verdict.detail)
        with self._lock:
            self._lost += 1
            if self._lost >= LOST_IN_A_ROW:
                raise _unable("worker processes are lost one after the other")
        return outcome

    def stop(self) -> None:
        """Ends all of them, and what they have under way; within twice `CLOSE` seconds."""
        with self._lock:
            self._stopped.set()
            running = list(self._running)
        _close(running, CLOSE)

    def _mine(self) -> WarmProcess:
        process: WarmProcess | None = getattr(self._of_thread, "process", None)
        if process is None:
            with self._lock:  # or one could be started while the others are stopped
                if self._stopped.is_set():
                    raise _stopped()
                process = WarmProcess()
                self._running.add(process)
            try:
                process.await_start()
            except BaseException:
                self._give_up(process)
                raise
            self._of_thread.process = process
        return process

    def _give_up(self, process: WarmProcess) -> None:
        self._of_thread.process = None
        process.close()
        with self._lock:
            self._running.discard(process)


class WarmProcess:
    """The owner's end of a warm process.

    Raises:
        UsageError: it does not start.
    """

    def __init__(self) -> None:
        self._sent = 0
        try:
            self._pipe, theirs = Pipe()
            with theirs:
                self._process = started("verifier.batch.warm", theirs)
            _limit_messages(self._pipe)
        except OSError as error:
            raise _unable(f"a worker process does not start: {error.strerror}") from error

    def await_start(self) -> None:
        """Waits until the process has loaded what it needs.

        Raises:
            UsageError: it does not come to that.
        """
        try:
            started = self._pipe.poll(START) and self._pipe.recv() == READY
        except (EOFError, OSError):
            started = False
        if not started:
            self.close(0.0)
            cause = "a worker process does not start"
            raise UsageError(cause, f"{sys.executable} on {socket.gethostname()}", "see what it wrote above")

    @property
    def number(self) -> int:
        """The process's number."""
        return self._process.pid

    def run(self, assignment: Assignment) -> Outcome:
        """Has a job run; waits for its outcome, but not for ever. After an exception it is of no more use.

        Raises:
            EOFError, OSError: the process was lost, does not answer, or answers something else.
        """
        self._sent += 1
        self._pipe.send((self._sent, assignment))
        self._await_answer(assignment.longest + SLACK)
        number, outcome = self._pipe.recv()
        if number != self._sent:
            raise OSError("an answer to another assignment")
        assert isinstance(outcome, Outcome)
        return outcome

    def _await_answer(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if self._pipe.poll(max(0.0, min(left, LONGEST_POLL))):
                return
            if left <= 0:  # having looked once more: this process may have been stopped meanwhile
                raise TimeoutError("a warm process does not answer")

    def hang_up(self) -> None:
        """Has the process end itself and its job; another thread that waits for an outcome gets an `EOFError`."""
        with contextlib.suppress(OSError), _socket_of(self._pipe) as both_ends:
            both_ends.shutdown(socket.SHUT_RDWR)  # closing would not wake a thread that reads

    def close(self, patience: float = CLOSE) -> None:
        """Ends the process with its job: kills it where it does not end itself within some seconds."""
        _close([self], patience)

    def kill(self) -> None:
        """Kills the process; the system does so to its job then (`child.py`)."""
        self._process.kill()

    def has_ended(self, end: float) -> bool:
        """Waits for the process until a moment of the monotonic clock; whether it has ended, and is reaped."""
        try:
            self._process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True


def _close(processes: Sequence[WarmProcess], patience: float) -> None:
    """Ends all processes, together."""
    for process in processes:
        process.hang_up()
    for seconds in (patience, CLOSE):
        end = time.monotonic() + seconds
        left = [process for process in processes if not process.has_ended(end)]
        for process in left:
            process.kill()
        if not left:
            return


def _socket_of(pipe: Connection) -> socket.socket:
    """The pipe, which is a socket, as one; another descriptor, to be closed."""
    return socket.socket(fileno=os.dup(pipe.fileno()))


def _limit_messages(pipe: Connection) -> None:
    """Bounds the time that a read or write may take: the other process may be stopped in the middle of a message."""
    with _socket_of(pipe) as both_ends:
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            both_ends.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", MESSAGE, 0))


def _unable(why: str) -> UsageError:
    fix = "free what is used up; the same command with --resume goes on"
    return UsageError(f"the workers cannot run jobs ({why})", socket.gethostname(), fix)


def _stopped() -> UsageError:
    return UsageError("the workers were stopped", "bench", "the same command with --resume goes on")
