"""How items are handed to an executor, whatever it is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from tests.batch.stores import item, outcome
from verifier.batch.executors import Workers, local_executor
from verifier.batch.outcome import Outcome
from verifier.batch.plan import Item, Settings
from verifier.batch.records import read_places
from verifier.batch.runner import work_off
from verifier.batch.store import Store
from verifier.errors import UsageError


class Slow(Executor):
    """Its jobs end when the runner waits for nothing else; it counts how many it has at a time."""

    def __init__(self) -> None:
        self.held: list[Future[Outcome]] = []
        self.most = 0

    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        self.held.append(future)
        self.most = max(self.most, len(self.held))
        if len(self.held) == 4:
            self.end_one()
        return future

    def end_one(self) -> None:
        self.held.pop(0).set_result(outcome("unsat"))


def begun(store: Store, count: int) -> int:
    return store.begin([item(f"item_{number}") for number in range(count)], Settings(), {})


def test_few_are_handed_over_at_a_time(tmp_path: Path) -> None:
    executor, seen = Slow(), 0

    def observe(results: Sequence[tuple[Item, Outcome]]) -> None:
        nonlocal seen
        seen += len(results)
        if executor.held and seen > 10:  # the last ones: nothing comes after them
            executor.end_one()

    with Store(tmp_path / "s.db") as store:
        run = begun(store, 15)
        work_off(store, run, Settings(), Workers(executor, 4, lambda: 2), observe)
        assert not store.pending(run)
    assert (seen, executor.most) == (15, 4)


def test_the_end_of_local_workers_is_no_result(tmp_path: Path) -> None:
    """What is not done when a run is cut short stays pending."""
    with Store(tmp_path / "s.db") as store:
        run = begun(store, 3)
        with local_executor(1) as workers:
            pass
        with pytest.raises(UsageError, match="the workers cannot run jobs"):
            work_off(store, run, Settings(), workers, lambda results: None)
    ((_, results),) = read_places([str(tmp_path / "s.db")])
    assert {result.verdict for result in results} == {None}


class Refusing(Executor):
    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        future: Future[Any] = Future()
        future.set_exception(UsageError("the workers cannot run jobs (no room)", "somewhere", "free some"))
        return future


def test_what_workers_say_is_passed_on(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        run = begun(store, 1)
        with pytest.raises(UsageError) as raised:
            work_off(store, run, Settings(), Workers(Refusing(), 1, lambda: 1), lambda results: None)
        assert len(store.pending(run)) == 1
    assert str(raised.value) == "somewhere: the workers cannot run jobs (no room); free some"
