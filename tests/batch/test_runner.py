"""How items are handed to an executor, whatever it is."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
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
from verifier.batch.signals import interruptions_held
from verifier.batch.store import Store, StoreBusyError
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
        work_off(store, run, Settings(), workers, lambda results: seen.append(len(results)), print)
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
            work_off(store, run, Settings(), workers, lambda results: None, print)
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
            work_off(store, run, Settings(), Workers(Refusing(), 1, lambda: 1), lambda results: None, print)
        assert len(store.pending(run)) == 1
    assert str(raised.value) == "somewhere: the workers cannot run jobs (no room); free some"


class Locking(Executor):
    """Has every job done at once, and locks the store meanwhile."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN EXCLUSIVE")
        future: Future[Any] = Future()
        future.set_result(outcome("unsat"))
        return future


def test_results_wait_for_a_locked_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.batch.store.PATIENCE", 0.1)
    told: list[str] = []
    with Store(tmp_path / "s.db") as store, Store(tmp_path / "s.db") as other:
        run = begun(store, 2)

        def complain(text: str) -> None:
            told.append(text)
            if len(told) == 2:
                other.connection.execute("COMMIT")

        work_off(store, run, Settings(), Workers(Locking(other.connection), 2, lambda: 1), lambda _: None, complain)
        assert not store.pending(run)
    assert len(told) == 2
    assert "another process keeps the store locked" in told[0]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As at a terminal: a shell's background jobs ignore interruptions."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_waits_for_what_is_being_kept() -> None:
    done = []

    def keep() -> None:
        with interruptions_held():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        keep()
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_is_not_lost_where_what_is_kept_fails() -> None:
    def keep() -> None:
        with interruptions_held():
            signal.raise_signal(signal.SIGINT)
            raise StoreBusyError("locked")

    with pytest.raises(KeyboardInterrupt):
        keep()


class Half(Executor):
    """Does every second job, and cannot do the others."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, *_: object, **__: object) -> Future[Any]:  # type: ignore[override]
        self.count += 1
        future: Future[Any] = Future()
        if self.count % 2:
            future.set_exception(UsageError("no room", "somewhere", "free some"))
        else:
            future.set_result(outcome("unsat"))
        return future


def test_what_has_come_is_kept_where_workers_give_up(tmp_path: Path) -> None:
    seen: list[int] = []
    with Store(tmp_path / "s.db") as store:
        run = begun(store, 4)
        with pytest.raises(UsageError, match="no room"):
            work_off(store, run, Settings(), Workers(Half(), 4, lambda: 1), lambda r: seen.append(len(r)), print)
        assert len(store.pending(run)) == 2
    assert sum(seen) == 2
