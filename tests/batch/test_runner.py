"""How items are handed to an executor, whatever it is."""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.batch.stores import item, outcome
from verifier.batch.executors import Workers, local_executor
from verifier.batch.outcome import Outcome
from verifier.batch.plan import Settings
from verifier.batch.records import read_places
from verifier.batch.runner import work_off
from verifier.batch.store import Store
from verifier.errors import UsageError


class Counting(ThreadPoolExecutor):
    """Counts how many jobs it has at a time; each ends with the same outcome."""

    def __init__(self) -> None:
        super().__init__(1)
        self.held = self.most = 0

    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        self.held += 1
        self.most = max(self.most, self.held)
        return super().submit(self._end_one)

    def _end_one(self) -> Outcome:
        time.sleep(0.005)
        self.held -= 1
        return outcome("unsat")


def begun(store: Store, count: int) -> int:
    return store.begin([item(f"item_{number}") for number in range(count)], Settings(), {})


def test_few_are_handed_over_at_a_time(tmp_path: Path) -> None:
    seen: list[int] = []
    with Store(tmp_path / "s.db") as store, Counting() as executor:
        run = begun(store, 15)
        workers = Workers(executor, 4, lambda: 1)
        work_off(store, run, Settings(), workers, lambda results: seen.append(len(results)))
        assert not store.pending(run)
    assert sum(seen) == 15
    assert 1 < executor.most <= 4


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
