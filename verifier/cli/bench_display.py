"""What `verifier bench` shows: a live table on a terminal, a line for each result elsewhere, a summary at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from verifier.cli.output import plain_table, say, say_table
from verifier.verdict import Status

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.batch.outcome import Outcome
    from verifier.batch.plan import Item
    from verifier.batch.progress import Count, Tally
    from verifier.batch.records import Result

Observer: TypeAlias = "Callable[[Sequence[tuple[Item, Outcome]]], None]"

FURNITURE = 9
"""Lines of the live table that are no benchmark's."""
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

        def table() -> Table:
            return counts_table(tally, started, console.height - FURNITURE)

        with Live(get_renderable=table, console=console, refresh_per_second=4):
            yield tally.record
    else:
        yield _Lines(tally)


def counts_table(tally: Tally, started: float, room: int) -> Table:
    """The counts by benchmark, with the time gone by and left; of the benchmarks no more than there is room for."""
    from rich.text import Text

    left = tally.seconds_left
    told = f"{duration(time.monotonic() - started)} gone, " + ("" if left is None else f"about {duration(left)} left")
    table = _empty_table(told)
    shown = _fitting(tally, room)
    for benchmark in shown:
        table.add_row(Text(benchmark), *_cells(tally.counts[benchmark]))
    if len(shown) < len(tally.counts):
        table.add_row(f"and {len(tally.counts) - len(shown)} more", *[""] * (len(WORDS) + 2))
    if len(tally.counts) > 1:
        table.add_section()
        table.add_row("all", *_cells(tally.total))
    return table


def _fitting(tally: Tally, room: int) -> list[str]:
    """The benchmarks to show: those under way first, then those to come, then those done, in their order."""

    def rank(benchmark: str) -> int:
        count = tally.counts[benchmark]
        return 2 if count.done == count.total else int(count.done == 0)

    chosen = set(sorted(tally.counts, key=rank)[: max(1, room)])
    return [benchmark for benchmark in tally.counts if benchmark in chosen]


def _empty_table(caption: str) -> Table:
    table = plain_table(caption=caption)
    table.add_column("benchmark", overflow="fold")
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
        from verifier.batch.instances import is_wrong

        for item, outcome in results:
            self._tally.record([(item, outcome)])
            total, verdict = self._tally.total, outcome.verdict
            told = f"[{total.done}/{total.total}] {item.instance.name}  {item.method}  {verdict.status}"
            reason = f"  {verdict.detail}" if verdict.status is Status.ERROR else ""
            truth = item.instance.truth
            wrong = f"  WRONG, known to be {truth}" if is_wrong(verdict.status, truth) else ""
            proof = f"  {outcome.proof.note}" if outcome.proof is not None else ""
            say(f"{told}  {verdict.seconds:.2f} s{reason}{wrong}{proof}")


def summary_table(results: Sequence[Result]) -> None:
    """Prints what was solved, by benchmark and method."""
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
    say_table(table)
    if any(result.proof is not None for result in results):
        from verifier.batch.report.proofs import proof_score

        say(proof_score(results).told)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds in short: ``1:02:03``, or ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
