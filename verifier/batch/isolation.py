"""Runs jobs in isolation: what an executor's worker does, be it a thread here or a Dask worker elsewhere.

Each thread of an executor keeps one warm process (`warm.py`), which forks itself for every job. It is started with a
fresh interpreter, so that it never inherits the threads, locks and connections of its owner.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import weakref
from multiprocessing.connection import Connection, Pipe

from verifier.batch.outcome import Fault, Outcome
from verifier.batch.warm import READY, Assignment
from verifier.errors import UsageError

START = 120.0
"""Seconds that a warm process may take to load everything."""
TRIES = 2
"""Times that a job is given to a warm process; each time but the last the process was lost with it."""

_SLOT = threading.local()
"""Each thread's warm process. A Dask worker offers its threads nowhere else to keep one."""
_RUNNING: weakref.WeakSet[WarmProcess] = weakref.WeakSet()


def run_isolated(assignment: Assignment) -> Outcome:
    """Runs a job in this thread's warm process; however it ends, the answer is an outcome.

    Raises:
        UsageError: there is no warm process to be had, which says nothing of the job.
    """
    for _ in range(TRIES):
        process = getattr(_SLOT, "process", None)
        if process is None:
            process = _SLOT.process = WarmProcess()
        try:
            return process.run(assignment)
        except (EOFError, OSError):
            _SLOT.process = None
            if process.closed:
                break
            process.close()
    return Outcome.failed(Fault.LOST, "the worker process that ran it was lost", assignment.job.method)


def stop_all() -> None:
    """Ends all warm processes of this process, and what they have under way; for the end of a run cut short."""
    for process in list(_RUNNING):
        process.close()


class WarmProcess:
    """The owner's end of a warm process, which has started.

    Raises:
        UsageError: it does not start.

    Attributes:
        closed: whether it was ended on purpose.
    """

    def __init__(self) -> None:
        self.closed = False
        ours, theirs = Pipe()
        command = [sys.executable, "-m", "verifier.batch.warm", str(theirs.fileno())]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        self._pipe: Connection = ours
        with theirs:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        _RUNNING.add(self)
        self._await_start()

    def _await_start(self) -> None:
        """Waits until the process has loaded what it needs."""
        try:
            started = self._pipe.poll(START) and self._pipe.recv() == READY
        except (EOFError, OSError):
            started = False
        if not started:
            self.close()
            self._process.kill()
            cause = "a worker process does not start"
            raise UsageError(cause, f"{sys.executable} on {socket.gethostname()}", "see what it wrote above")

    @property
    def number(self) -> int:
        """The process's number."""
        return self._process.pid

    def run(self, assignment: Assignment) -> Outcome:
        """Has a job run; waits for its outcome.

        Raises:
            EOFError, OSError: the process was lost.
        """
        self._pipe.send(assignment)
        outcome = self._pipe.recv()
        assert isinstance(outcome, Outcome)
        return outcome

    def close(self) -> None:
        """Has the process end itself and its job; another thread that waits for an outcome gets an `EOFError`."""
        self.closed = True
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._pipe.fileno())) as both_ends:
            both_ends.shutdown(socket.SHUT_RDWR)  # closing would not wake a thread that reads
