"""The processes that stages share their work among."""

from __future__ import annotations

from array_api_compat import is_numpy_array

from verifier.methods.task import Task


def processes(task: Task) -> int:
    """Processes that a search may use: one where arrays live in a library whose own threads no fork would survive."""
    return task.options.threads if is_numpy_array(task.example) else 1


def note_lost(task: Task, processes: int) -> None:
    """Tells the user that processes of a search ended before their time."""
    if processes:
        told = f"{processes} worker processes were ended from outside; their work was done by the others"
        task.notes.append(f"{told}; where memory is short, give less --memory or fewer --threads")
