"""`verifier bench PATH`: verify whole benchmarks, keep everything in a store."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verifier.cli.output import complain, say
from verifier.cli.statuses import EXIT_INTERRUPTED, judged
from verifier.errors import UsageError, VerifierError

if TYPE_CHECKING:
    from verifier.batch.outcome import Outcome
    from verifier.batch.plan import Item, Settings
    from verifier.batch.records import Result
    from verifier.batch.store import Store

MEMORY_SHARE = 0.8
"""Part of the machine's memory that its instances may take together."""
LEAVING = 10.0
"""Seconds that an interrupted run has to end what is under way; further interruptions do not disturb it meanwhile."""


def bench(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="An instances.csv, a benchmark's folder, or a folder of those.")
    ],
    store: Annotated[Path, typer.Option(help="The SQLite file that keeps everything.")] = Path("results.db"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that asks the same; begin one if the store is new.")
    ] = False,
    methods: Annotated[str, typer.Option(help="Names, with commas: each instance is put to each.")] = "auto",
    timeout: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds for each instance; its own, or 300, if not given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Instances at a time; as many as there are cores if not given.")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(
            min=100.0,
            help="Megabytes for each instance; a worker's share of 4/5 of all if not given, 8000 on a cluster.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores for each instance.")] = 1,
    solver: Annotated[
        str, typer.Option(help="Of linear and mixed-integer programs, as `verifier solvers` lists them.")
    ] = "highs",
    only: Annotated[str, typer.Option(metavar="GLOB", help="Only names benchmark/network/property like this.")] = "*",
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Draw the order by --seed.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of attacks, and of the order with --shuffle.")] = 0,
    device: Annotated[str, typer.Option(help="cpu (NumPy), torch:cpu, or a torch device such as cuda.")] = "cpu",
    witness_tolerance: Annotated[
        float, typer.Option(min=0.0, help="Accept witnesses that miss the property by this much; 0 is exact.")
    ] = 0.0,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, tcp://host:port, or its scheduler file.")
    ] = None,
    vnncomp: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write results.csv and counterexamples as VNN-COMP does.")
    ] = None,
) -> None:
    """Verify whole benchmarks, several instances at a time, each in isolation; nothing is lost.

    A crash, a runaway or too much memory ends one instance, with its reason kept. Killed at any moment, the same
    command with --resume repeats nothing that is finished. Exit status: 0 done, 2 wrong input or usage, 4 methods
    contradict each other, 5 verdicts contradict known ones (a column truth, or JSON lines), 130 interrupted.

    Examples:

    verifier bench benchmarks/acasxu_2023 --workers 4 --timeout 60 --store acasxu.db

    verifier bench benchmarks/acasxu_2023 --workers 4 --timeout 60 --store acasxu.db --resume

    verifier bench benchmarks --methods crown,milp --only 'mnist*' --store compared.db

    verifier bench benchmarks --cluster scheduler.json --store cluster.db --vnncomp results
    """
    from verifier.batch.instances import read_instances
    from verifier.batch.plan import Settings, planned
    from verifier.batch.store import Store
    from verifier.batch.vnncomp import check_vnncomp, write_vnncomp
    from verifier.methods import Options, check_solver, example_array, method_named

    chosen = tuple(method_named(name.strip()).name for name in methods.split(",") if name.strip())
    if not chosen:
        raise UsageError(f"{methods!r} names no method", "--methods", "give names with commas, e.g. crown,milp")
    Options(timeout or 1.0, seed, device, witness_tolerance)  # says what is wrong with them
    if cluster is None:
        example_array(device)  # likewise; a cluster's machines may have others than this one
        check_solver(solver, chosen)
    settings = Settings(chosen, timeout, memory, threads, device, seed, witness_tolerance, shuffle, only, solver)
    items = planned(read_instances(path, only), settings)
    if vnncomp is not None:
        check_vnncomp(vnncomp, ((i.instance.benchmark, i.instance.network, i.instance.prop) for i in items))
    with Store(store) as opened:
        work = _Work(opened, settings, workers or os.cpu_count() or 1, cluster)
        results = work.done(items, resume)
    if vnncomp is not None:
        write_vnncomp(results, vnncomp)
    sys.exit(judged(results))


def _fair_share(workers: int) -> float:
    """Megabytes of memory for each of the instances that this machine works on at a time."""
    import psutil

    return float(round(psutil.virtual_memory().total * MEMORY_SHARE / workers / 1e6))


@dataclass(frozen=True)
class _Work:
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
            judged(self._results(run))
            complain(
                f"verifier: interrupted; the same command with --resume goes on with run {run} of {self.store.path}"
            )
            sys.exit(EXIT_INTERRUPTED)
        except VerifierError:
            with contextlib.suppress(VerifierError):  # it may be the store itself that fails
                judged(self._results(run))
            raise
        finally:
            with contextlib.suppress(StoreBusyError):  # it is known to be left once this process has ended
                self.store.leave(run)

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
