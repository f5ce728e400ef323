"""Works off a run: hands its items to an executor and keeps what comes back. The one writer of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TypeAlias

from verifier.batch.assignment import Assignment
from verifier.batch.executors import Workers
from verifier.batch.isolation import run_isolated
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.ownership import HEARTBEAT
from verifier.batch.plan import Item, Settings
from verifier.batch.signals import interruptions_held
from verifier.batch.store import Store, StoreBusyError
from verifier.errors import UsageError

Finished: TypeAlias = "tuple[Item, Future[Outcome]]"


def work_off(
    store: Store,
    run: int,
    settings: Settings,
    workers: Workers,
    observe: Callable[[Sequence[tuple[Item, Outcome]]], None],
    complain: Callable[[str], None],
) -> None:
    """Runs what is pending of a run; every result is in the store before it is shown.

    Args:
        observe: is shown the results as they come, and an empty list every few seconds when none does.
        complain: is told while another process keeps the store locked; results wait, and are kept once it is free.

    Raises:
        UsageError: the workers cannot do their work; what is not done stays pending.
    """
    finished: SimpleQueue[Finished] = SimpleQueue()
    pending = iter(store.pending(run))
    under_way = 0
    while True:
        for item in islice(pending, None if workers.ahead is None else workers.ahead - under_way):
            future = _submitted(workers, item.assignment(settings))
            future.add_done_callback(partial(_hand_over, finished, item))
            under_way += 1
        if not under_way:
            return
        results, failure = _outcomes(_drained(finished))
        while not _kept(store, run, results, complain):
            pass
        observe(results)
        if failure is not None:
            raise failure
        under_way -= len(results)


def _kept(store: Store, run: int, results: Sequence[tuple[Item, Outcome]], complain: Callable[[str], None]) -> bool:
    """Keeps results, or gives a sign of life where there are none; whether the store could be had."""
    try:
        with interruptions_held():
            if results:
                store.record(run, results)
            else:
                store.beat(run)
    except StoreBusyError as error:
        complain(f"verifier: waiting: {error}")
        return False
    return True


def _submitted(workers: Workers, assignment: Assignment) -> Future[Outcome]:
    try:
        return workers.executor.submit(run_isolated, assignment)
    except RuntimeError as error:  # no more threads, or the executor was shut down
        fix = "free what is used up; the same command with --resume goes on"
        raise UsageError(f"the workers cannot run jobs ({error})", "bench", fix) from error


def _hand_over(finished: SimpleQueue[Finished], item: Item, future: Future[Outcome]) -> None:
    finished.put((item, future))


def _drained(finished: SimpleQueue[Finished]) -> list[Finished]:
    """All that has come by now; waits for the first, but not for ever."""
    try:
        found = [finished.get(timeout=HEARTBEAT)]
    except Empty:
        return []
    while not finished.empty():
        found.append(finished.get())
    return found


def _outcomes(finished: Sequence[Finished]) -> tuple[list[tuple[Item, Outcome]], UsageError | None]:
    """What came of items, and why there can be no more, if so: what has come is kept all the same."""
    results: list[tuple[Item, Outcome]] = []
    failure: UsageError | None = None
    for item, future in finished:
        try:
            results.append((item, _outcome(item, future)))
        except UsageError as error:
            failure = failure or error
    return results, failure


def _outcome(item: Item, future: Future[Outcome]) -> Outcome:
    """What came of an item; a worker's own exception says nothing of the item, which stays pending.

    Raises:
        UsageError: the workers cannot do their work.
    """
    try:
        error = future.exception()
    except CancelledError as lost:
        fix = "start it again; the same command with --resume goes on"
        raise UsageError("the scheduler of the workers was lost", "--cluster", fix) from lost
    if error is None:
        return future.result()
    if type(error).__name__ == "KilledWorker":  # Dask's, which need not be installed
        return Outcome.failed(Fault.LOST, "the workers that it was given to died, one after the other", item.method)
    if isinstance(error, UsageError):
        raise error
    cause = f"the workers cannot run jobs ({type(error).__name__}: {error})"
    fix = "they need the same verifier and Python as here; the same command with --resume goes on"
    raise UsageError(cause, "bench", fix) from error
