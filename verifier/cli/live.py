"""A line on the terminal that says how a run goes; nothing at all where standard error is no terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verifier.methods import Task
    from verifier.verdict import Progress


@contextmanager
def live_line(task: Task) -> Iterator[None]:
    """Shows the task's stage, time, open domains and worst bound while the block runs."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # 0.1 s, spent only where someone looks

    with Console(stderr=True).status("reading") as status:
        stage = ""

        def on_stage(name: str) -> None:
            nonlocal stage
            stage = name
            status.update(f"{task.deadline.elapsed:5.1f} s  {name}, {int(task.open.sum())} disjuncts open")

        def on_progress(progress: Progress) -> None:
            status.update(f"{progress.seconds:5.1f} s  {stage}, {described(progress)}")

        task.on_stage, task.on_progress = on_stage, on_progress
        yield


def described(progress: Progress) -> str:
    """The state of a search in a few words."""
    bound = f"worst bound {progress.bound:.4g}" if math.isfinite(progress.bound) else "no bound yet"
    return f"{progress.open} domains open, {progress.explored} explored, {bound}"
