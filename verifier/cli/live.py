"""A line on the terminal that says how a run goes; nothing at all where standard error is no terminal.

A thread of its own draws it, from what the methods leave here: no method waits for a terminal, and the watchdog can
wipe the line before it says its verdict. A run that is over within `PATIENCE` draws nothing, nor loads Rich.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from verifier.methods import Task
    from verifier.verdict import Progress

PATIENCE = 0.5
"""Seconds before the line is drawn for the first time."""
INTERVAL = 0.25
"""Seconds between two drawings."""
HELD_UP = 0.3
"""Seconds to wait at the end for a terminal that takes nothing: the verdict does not wait for it."""


class LiveLine:
    """Shows stage, time, open domains and worst bound until it is stopped.

    Args:
        elapsed: tells the seconds since the start.
        stage: what it begins with.
    """

    def __init__(self, elapsed: Callable[[], float], stage: str = "reading") -> None:
        self._elapsed = elapsed
        self._task: Task | None = None
        self._stage = stage
        self._progress: Progress | None = None
        self._cases: int | None = None
        self._over, self._wiped = threading.Event(), threading.Event()

    def start(self) -> None:
        """Begins to draw, if standard error is a terminal."""
        if sys.stderr is not None and sys.stderr.isatty():
            threading.Thread(target=self._run, name="live line", daemon=True).start()
        else:
            self._wiped.set()

    def watch(self, task: Task) -> None:
        """Follows a task from now on."""
        self._task = task
        task.on_stage, task.on_progress = self._entered, self._advanced

    def stop(self) -> None:
        """Wipes the line; nothing is drawn any more. To be called before anything else is printed."""
        self._over.set()
        self._wiped.wait(HELD_UP)

    def text(self) -> str:
        """The line as it stands."""
        parts = [f"{self._elapsed():6.1f} s  {self._stage}"]
        if self._cases is not None:
            parts.append(f"{self._cases} cases")
        elif self._progress is not None:
            parts.append(described(self._progress))
        elif self._task is not None:
            parts.append(f"{int(self._task.open.sum())} disjuncts open")
        return ", ".join(parts)

    def proving(self, cases: int) -> None:
        """Tells of a proof that is being written."""
        self._stage = "writing the proof"
        self.cases(cases)

    def cases(self, count: int) -> None:
        """Tells of a number of cases, of a tree that only grows."""
        self._cases = count

    def _entered(self, stage: str) -> None:
        self._stage, self._progress = stage, None

    def _advanced(self, progress: Progress) -> None:
        self._progress = progress

    def _run(self) -> None:
        try:
            if not self._over.wait(PATIENCE):
                self._draw()
        except (OSError, ImportError):  # the terminal has gone, or Rich is not installed
            pass
        finally:
            self._wiped.set()

    def _draw(self) -> None:
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        if not console.is_terminal or console.is_dumb_terminal:
            return
        while not self._over.is_set():
            _wipe(console)
            console.print(self.text(), end="", markup=False, no_wrap=True, overflow="ellipsis")
            self._over.wait(INTERVAL)
        _wipe(console)


def described(progress: Progress) -> str:
    """The state of a search in a few words."""
    bound = f"worst bound {progress.bound:.4g}" if math.isfinite(progress.bound) else "no bound yet"
    return f"{progress.open} domains open, {progress.explored} explored, {bound}"


def _wipe(console: Console) -> None:
    from rich.control import Control, ControlType

    console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
