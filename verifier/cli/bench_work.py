"""A run of `verifier bench` from its begin, or from where it was left, to its end."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verifier.cli.output import complain, say
from verifier.cli.statuses import EXIT_INTERRUPTED, judged
from verifier.errors import VerifierError

if TYPE_CHECKING:
    from verifier.batch.outcome import Outcome
    from verifier.batch.plan import Item, Settings
    from verifier.batch.records import Result
    from verifier.batch.store import Store

MEMORY_SHARE = 0.8
"""Part of the machine's memory that its instances may take together."""
LEAVING = 10.0
"""Seconds that an interrupted run has to end what is under way; further interruptions do not disturb it meanwhile."""


def _fair_share(workers: int) -> float:
    """Megabytes of memory for each of the instances that this machine works on at a time."""
    import psutil

    return float(round(psutil.virtual_memory().total * MEMORY_SHARE / workers / 1e6))


@dataclass(frozen=True)
class Work:
    """A run from its begin, or from where it was left, to its end.

    Attributes:
        store: where it is kept.
        settings: what the user set.
        workers: instances at a time, here.
        cluster: where a Dask scheduler is, or None.
    """

    store: Store
    settings: Settings
    workers: int
    cluster: str | None

    def done(self, items: Sequence[Item], resume: bool) -> list[Result]:
        """Works off the run; all its results."""
        from verifier.cli.bench_display import summary_table

        run = self._run(items, resume)
        with _interruptible(), self._left_at_the_end(run):
            self._work_off(run)
        results = self._results(run)
        summary_table(results)
        return results

    def _results(self, run: int) -> list[Result]:
        from verifier.batch.records import read_results, read_runs

        return read_results(self.store, read_runs(self.store, run)[0], whole=False)

    def _run(self, items: Sequence[Item], resume: bool) -> int:
        from verifier.batch.facts import facts

        run = self.store.last_like(items, self.settings) if resume else None
        if run is None:
            run = self.store.begin(items, self.settings, facts() | {"memory_mb": self._memory})
        else:
            self.store.take_up(run)
        return run

    @contextmanager
    def _left_at_the_end(self, run: int) -> Iterator[None]:
        from verifier.batch.store import StoreBusyError

        try:
            yield
        except KeyboardInterrupt:
            self._tell_what_is_wrong(run)
            complain(
                f"verifier: interrupted; the same command with --resume goes on with run {run} of {self.store.path}"
            )
            sys.exit(EXIT_INTERRUPTED)
        except VerifierError:
            self._tell_what_is_wrong(run)
            raise
        finally:
            with contextlib.suppress(StoreBusyError):  # it is known to be left once this process has ended
                self.store.leave(run)

    def _tell_what_is_wrong(self, run: int) -> None:
        """Complains of wrong verdicts so far; silent where it is the store itself that fails."""
        with contextlib.suppress(VerifierError):
            judged(self._results(run))

    @property
    def _memory(self) -> float:
        """Megabytes for each instance; what a cluster's machines have is not known here."""
        from verifier.batch.plan import DEFAULT_MEMORY

        return self.settings.memory or (DEFAULT_MEMORY if self.cluster else _fair_share(self.workers))

    def _work_off(self, run: int) -> None:
        from verifier.batch.executors import cluster_executor, local_executor
        from verifier.batch.progress import Tally
        from verifier.batch.runner import work_off
        from verifier.cli.bench_display import display
        from verifier.cli.bench_workers import WorkerWatch

        tally = Tally(self.workers)
        for result in self._results(run):
            if result.verdict is None:
                tally.expect(result.benchmark)
            else:
                tally.known(result.benchmark, result.verdict, result.truth)
        if tally.total.done == tally.total.total:
            say(f"run {run} of {self.store.path} is finished; nothing is left to do")
            return
        executor = cluster_executor(self.cluster) if self.cluster else local_executor(self.workers)
        with display(tally) as show, executor as team:
            watch = WorkerWatch(team, tally)
            watch.look()

            def observe(results: Sequence[tuple[Item, Outcome]]) -> None:
                show(results)
                watch.look(at_work=bool(results))

            work_off(self.store, run, replace(self.settings, memory=self._memory), team, observe, complain)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does, and either does so once: what follows would cut the cleaning up short."""
    until: float | None = None

    def interrupt(*_: object) -> None:
        nonlocal until
        if until is None or time.monotonic() > until:
            until = time.monotonic() + LEAVING
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():  # all is kept by then: a further signal just ends the process
            signal.signal(number, handler if until is None else signal.SIG_DFL)
