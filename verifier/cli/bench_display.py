"""What `verifier bench` shows: a live table on a terminal, a line for each result elsewhere, a summary at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from verifier.cli.output import say
from verifier.verdict import Status

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.batch.outcome import Outcome
    from verifier.batch.plan import Item
    from verifier.batch.progress import Count, Tally
    from verifier.batch.records import Result

Observer: TypeAlias = "Callable[[Sequence[tuple[Item, Outcome]]], None]"

WORDS = {
    Status.UNSAT: "verified",
    Status.SAT: "falsified",
    Status.UNKNOWN: "unknown",
    Status.TIMEOUT: "timeout",
    Status.ERROR: "error",
}
STYLES = {Status.UNSAT: "green", Status.SAT: "cyan", Status.UNKNOWN: "yellow", Status.TIMEOUT: "yellow"}


@contextmanager
def display(tally: Tally) -> Iterator[Observer]:
    """Shows results as they come, and counts them."""
    if sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live

        started, console = time.monotonic(), Console(stderr=True)
        with Live(get_renderable=lambda: counts_table(tally, started), console=console, refresh_per_second=4):
            yield tally.record
    else:
        yield _Lines(tally)


def counts_table(tally: Tally, started: float) -> Table:
    """The counts by benchmark, with the time gone by and left."""
    from rich.text import Text

    left = tally.seconds_left
    told = f"{duration(time.monotonic() - started)} gone, " + ("" if left is None else f"about {duration(left)} left")
    table = _empty_table(told)
    for benchmark, count in tally.counts.items():
        table.add_row(Text(benchmark), *_cells(count))
    if len(tally.counts) > 1:
        table.add_section()
        table.add_row("all", *_cells(tally.total))
    return table


def _empty_table(caption: str) -> Table:
    from rich.table import Table

    table = Table(caption=caption, caption_justify="left")
    table.add_column("benchmark")
    for heading in ("done", *WORDS.values(), "wrong"):
        table.add_column(heading, justify="right")
    return table


def _cells(count: Count) -> list[str]:
    cells = [f"{count.done}/{count.total}"]
    for verdict in WORDS:
        number = str(count.of[verdict] or "")
        style = STYLES.get(verdict, "red")
        cells.append(f"[{style}]{number}[/]" if number else "")
    return [*cells, f"[bold red]{count.wrong}[/]" if count.wrong else ""]


class _Lines:
    """A line for each result."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __call__(self, results: Sequence[tuple[Item, Outcome]]) -> None:
        for item, outcome in results:
            self._tally.record([(item, outcome)])
            total, verdict = self._tally.total, outcome.verdict
            told = f"[{total.done}/{total.total}] {item.instance.name}  {item.method}  {verdict.status}"
            reason = f"  {verdict.detail}" if verdict.status is Status.ERROR else ""
            say(f"{told}  {verdict.seconds:.2f} s{reason}")


def summary_table(results: Sequence[Result]) -> None:
    """Prints what was solved, by benchmark and method."""
    from rich.console import Console
    from rich.text import Text

    from verifier.batch.progress import Count

    counts: dict[str, Count] = {}
    many = len({result.method for result in results}) > 1
    for result in results:
        count = counts.setdefault(f"{result.benchmark} {result.method}" if many else result.benchmark, Count())
        count.total += 1
        if result.verdict is not None:
            count.add(result.verdict, result.truth)
    table = _empty_table("")
    together = Count()
    for row, count in counts.items():
        table.add_row(Text(row), *_cells(count))
        together += count
    if len(counts) > 1:
        table.add_section()
        table.add_row("all", *_cells(together))
    console = Console(width=None if sys.stdout is not None and sys.stdout.isatty() else 120)
    with console.capture() as captured:
        console.print(table)
    say(captured.get().rstrip("\n"))  # which bears a closed output: what is wrong is told after it


def duration(seconds: float) -> str:
    """Hours, minutes and seconds in short: ``1:02:03``, or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
