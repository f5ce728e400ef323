"""A folder for a solver's files, and an end for its processes, whatever becomes of ours.

Solvers that are programs of their own read and write files, and go on when nobody waits for them any more. A small
shell process waits for the end of a pipe that only this process holds: when the pipe is closed, by us or by our death
of whatever kind, it ends every process that has the folder in its command line, and removes the folder.
"""

from __future__ import annotations

import subprocess
import tempfile
import threading
from pathlib import Path
from types import TracebackType

from verifier.deadline import Deadline

GUARD = """
read -r _
for file in $(grep -Fls -- "$1" /proc/[0-9]*/cmdline); do
  number=${file#/proc/}; number=${number%/cmdline}
  [ "$number" = "$$" ] || kill -9 "$number"
done
rm -rf -- "$1"
"""
"""Without /proc (not on Linux) the solver ends at the time limit it was given."""

LENIENCE = 0.2
"""Seconds past the deadline after which a solver's process is ended from outside."""

LONGEST_WAIT = 1e6
"""Seconds; a limit for "no limit" that every solver and timer takes."""


class Scratch:
    """A context with a folder of its own; processes that work in it are ended soon after the deadline.

    Attributes:
        folder: removed at the end.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="verifier-"))
        self._timer = threading.Timer(min(deadline.remaining + LENIENCE, LONGEST_WAIT), self._end)
        self._timer.daemon = True
        self._lock = threading.Lock()

    def __enter__(self) -> Scratch:
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, "sh", str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what ends our process group must not end the guard
        )
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        self._end()

    def _end(self) -> None:
        with self._lock:
            if self._guard.stdin is not None:
                self._guard.stdin.close()
            self._guard.wait()
