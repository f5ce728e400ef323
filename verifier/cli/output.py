"""Standard output that cannot turn a verdict into another one.

A closed or full standard output is no reason to fail, and least of all with Python's exit status 1, which says `sat`:
the exit status and the files still tell the verdict.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

from verifier.text import visible

if TYPE_CHECKING:
    from rich.table import Table

UNWATCHED_WIDTH = 80
"""Columns of a table that goes to no terminal."""


def bear_any_text() -> None:
    """Has both streams escape what their encoding lacks, as file names may hold anything."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def plain_table(**settings: Any) -> Table:
    """A table of few lines, so that more fits into 80 columns."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left", caption_justify="left", **settings)


def say_table(table: Table) -> None:
    """Prints a table to standard output, as `say` does a line."""
    from rich.console import Console

    terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(width=None if terminal else UNWATCHED_WIDTH)
    with console.capture() as captured:
        console.print(table)
    _print(captured.get().rstrip("\n"))  # its styles are escape sequences of our own


def say(text: str) -> None:
    """Prints a line to standard output, at once; where that is closed or full, goes on silently."""
    _print(visible(text, lines=True))


def _print(text: str) -> None:
    if sys.stdout is None:
        return
    try:
        print(text, flush=True)
    except OSError:
        # The stream keeps what it could not write and would fail again at exit.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process


def complain(text: str) -> None:
    """Prints a line to standard error; silent where that is closed."""
    if sys.stderr is None:
        return
    try:
        print(visible(text, lines=True), file=sys.stderr, flush=True)
    except OSError:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - lives as long as the process
