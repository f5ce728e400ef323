"""Works off a run: hands its items to an executor and keeps what comes back. The one writer of the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeAlias

from verifier.batch.isolation import run_isolated
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.ownership import HEARTBEAT
from verifier.batch.plan import Item, Settings
from verifier.batch.store import Store

Finished: TypeAlias = "tuple[Item, Future[Outcome]]"


def work_off(
    store: Store,
    run: int,
    settings: Settings,
    executor: Executor,
    observe: Callable[[Sequence[tuple[Item, Outcome]]], None],
) -> None:
    """Runs what is pending of a run; every result is in the store before it is shown.

    Args:
        observe: is shown the results as they come, and an empty list every few seconds when none does.
    """
    finished: SimpleQueue[Finished] = SimpleQueue()
    left = 0
    for item in store.pending(run):
        future = executor.submit(run_isolated, item.assignment(settings))
        future.add_done_callback(partial(_hand_over, finished, item))
        left += 1
    while left:
        results = [(item, _outcome(item, future)) for item, future in _drained(finished)]
        if results:
            store.record(run, results)
        else:
            store.beat(run)
        observe(results)
        left -= len(results)


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


def _outcome(item: Item, future: Future[Outcome]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    told = f"its worker was lost too often ({type(error).__name__}: {error})"
    return Outcome.failed(Fault.LOST, told, item.method)
