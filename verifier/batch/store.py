"""The store: runs, what they ask, and what came of it, in one SQLite file.

One process writes a run, in transactions that are whole or not at all, so that it may be killed at any moment; an
item's result has its item for a key, so that nothing is in it twice. Several runs may share a store.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verifier.batch.instances import Instance
from verifier.batch.outcome import Outcome
from verifier.batch.ownership import Owner
from verifier.batch.plan import Item, Settings, fingerprint
from verifier.batch.schema import migrate
from verifier.errors import UsageError

PATIENCE = 20.0
"""Seconds to wait for another process that writes to the same store, before the user is told."""


class StoreBusyError(UsageError):
    """Another process keeps the store to itself."""


class Store:
    """An open store; a context that closes it.

    Args:
        path: of the file.
        create: whether to make it where it does not exist.

    Raises:
        UsageError: it cannot be opened, is no store, or one of a later version.
    """

    def __init__(self, path: Path, create: bool = True) -> None:
        self.path = path
        self._owner: str | None = None
        try:
            empty = not path.is_file() or path.stat().st_size == 0
        except OSError as error:
            raise UsageError(f"cannot be opened ({error.strerror})", str(path), "choose another place") from error
        if not create and empty:
            raise UsageError("there is no such store", str(path), "give the file that 'verifier bench --store' wrote")
        try:  # a name such as :memory: is a file's like any other
            self.connection = sqlite3.connect(path.absolute(), timeout=PATIENCE, isolation_level=None)
        except sqlite3.Error as error:
            raise UsageError(f"cannot be opened ({error})", str(path), "choose a writable place") from error
        try:
            with self.guarded():
                self.connection.execute("PRAGMA foreign_keys = ON")
                migrate(self.connection, str(path))
        except BaseException:
            self.connection.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Tells a user what SQLite finds wrong with the file.

        Raises:
            StoreBusyError: another process keeps it locked.
            UsageError: it is damaged, full or no database.
        """
        try:
            yield
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                cause = "another process keeps the store locked"
                raise StoreBusyError(cause, str(self.path), "find it and end it; --resume goes on") from error
            raise UsageError(
                f"the store cannot be used ({error})", str(self.path), "see to the file or disk"
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self.guarded():
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:  # SQLite itself ends it where the disk is full
                    self.connection.execute("ROLLBACK")
                raise

    def begin(self, items: Sequence[Item], settings: Settings, facts: Mapping[str, Any]) -> int:
        """Makes a new run, owned by this process, with all its items; its number."""
        with self._transaction() as store:
            row = now(), fingerprint(items, settings), json.dumps(asdict(settings)), json.dumps(facts)
            run = _inserted(store, "INSERT INTO runs (started, plan, options, facts) VALUES (?, ?, ?, ?)", row)
            for position, item in enumerate(items):
                known = item.instance.truth, item.timeout
                place = run, position, _instance_number(store, item), item.method, *known
                columns = "(run, position, instance, method, truth, timeout)"
                store.execute(f"INSERT INTO items {columns} VALUES (?, ?, ?, ?, ?, ?)", place)
            self._own(store, run)
        return run

    def last_like(self, items: Sequence[Item], settings: Settings) -> int | None:
        """The number of the last run that asks the same; None where there are no runs at all.

        Raises:
            UsageError: there are runs, but none that asks the same.
        """
        with self.guarded():
            find = "SELECT id FROM runs WHERE plan = ? ORDER BY id DESC LIMIT 1"
            row = self.connection.execute(find, (fingerprint(items, settings),)).fetchone()
            some = self.connection.execute("SELECT options FROM runs ORDER BY id DESC LIMIT 1").fetchone()
        if row is None and some is not None:
            plain, today = (json.loads(json.dumps(asdict(each))) for each in (Settings(), settings))
            then = plain | json.loads(some[0])  # an earlier version did not know all of them
            differ = [
                f"{name} was {then.get(name)}, is {today[name]}" for name in today if today[name] != then.get(name)
            ]
            cause = "; ".join(differ) or "the instances or their files have changed"
            raise UsageError(f"no run asks the same ({cause})", str(self.path), "resume with the options of then")
        return None if row is None else int(row[0])

    def take_up(self, run: int) -> None:
        """Makes this process the owner of a run.

        Raises:
            UsageError: another process is at work on it.
        """
        with self._transaction() as store:
            owner, heartbeat = store.execute("SELECT owner, heartbeat FROM runs WHERE id = ?", (run,)).fetchone()
            if owner is not None and Owner.from_json(owner).works(heartbeat):
                cause = f"run {run} is under way in {Owner.from_json(owner)}"
                raise UsageError(cause, str(self.path), "wait for its end, or end it first")
            self._own(store, run)

    def _own(self, store: sqlite3.Connection, run: int) -> None:
        self._owner = Owner.here().to_json()
        store.execute("UPDATE runs SET owner = ?, heartbeat = ? WHERE id = ?", (self._owner, time.time(), run))

    def beat(self, run: int) -> None:
        """Gives a sign of life.

        Raises:
            UsageError: the run has another owner by now.
        """
        with self._transaction() as store:
            self._beat(store, run)

    def _beat(self, store: sqlite3.Connection, run: int) -> None:
        update = "UPDATE runs SET heartbeat = ? WHERE id = ? AND owner = ?"
        if not store.execute(update, (time.time(), run, self._owner)).rowcount:
            raise UsageError(f"another process has taken over run {run}", str(self.path), "leave it to that one")

    def leave(self, run: int) -> None:
        """Gives up ownership; a run without anything left to do is finished. Nothing where another one owns it."""
        with self._transaction() as store:
            left = store.execute(f"SELECT count(*) FROM ({_PENDING})", (run,)).fetchone()[0]
            finished = None if left else now()
            update = "UPDATE runs SET owner = NULL, finished = coalesce(finished, ?) WHERE id = ? AND owner = ?"
            store.execute(update, (finished, run, self._owner))

    def pending(self, run: int) -> list[Item]:
        """The items without a result, in the order of work."""
        with self.guarded():
            return [_item(row) for row in self.connection.execute(_PENDING, (run,))]

    def record(self, run: int, outcomes: Iterable[tuple[Item, Outcome]]) -> None:
        """Keeps results, together; where an item has one already, that one stays.

        Raises:
            UsageError: the run has another owner by now.
        """
        with self._transaction() as store:
            self._beat(store, run)
            for item, outcome in outcomes:
                _keep(store, item.number, outcome)


_PENDING = """
    SELECT items.id, benchmark, network, property, items.timeout, truth, method, network_hash, property_hash
    FROM items JOIN instances ON instances.id = items.instance LEFT JOIN results ON results.item = items.id
    WHERE run = ? AND results.item IS NULL ORDER BY position
"""


def _item(row: Sequence[Any]) -> Item:
    number, benchmark, network, prop, timeout, truth, method, network_hash, property_hash = row
    instance = Instance(benchmark, Path(network), Path(prop), timeout, truth)
    return Item(instance, method, timeout, network_hash, property_hash, number)


def _instance_number(store: sqlite3.Connection, item: Item) -> int:
    of = item.instance
    row = of.benchmark, str(of.network), str(of.prop), item.network_hash, item.property_hash
    columns = "benchmark", "network", "property", "network_hash", "property_hash"
    found = store.execute(f"SELECT id FROM instances WHERE {' AND '.join(f'{c} = ?' for c in columns)}", row).fetchone()
    if found:
        return int(found[0])
    return _inserted(store, f"INSERT INTO instances ({', '.join(columns)}) VALUES (?, ?, ?, ?, ?)", row)


def _inserted(store: sqlite3.Connection, statement: str, row: Sequence[Any]) -> int:
    number = store.execute(statement, row).lastrowid
    assert number is not None
    return number


def _keep(store: sqlite3.Connection, item: int, outcome: Outcome) -> None:
    verdict = outcome.verdict
    bound = verdict.bound if verdict.bound is not None and math.isfinite(verdict.bound) else None
    row = {
        "item": item,
        "verdict": verdict.status.value,
        "settled_by": verdict.method,
        "seconds": verdict.seconds,
        "cpu_seconds": outcome.cpu_seconds,
        "peak_memory": outcome.peak_memory,
        "bound": bound,
        "fault": outcome.fault.value,
        "detail": verdict.detail,
        "explanation": json.dumps(outcome.explanation),
        "history": json.dumps(outcome.history),
        "log": outcome.log,
        "worker": outcome.worker,
        "ended": now(),
    }
    names = f"({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    kept = store.execute(f"INSERT INTO results {names} ON CONFLICT (item) DO NOTHING", tuple(row.values())).rowcount
    if kept and verdict.witness is not None:
        kind = "<f8" if verdict.witness.x.dtype.itemsize == 8 else "<f4"
        x, y = verdict.witness.x.astype(kind).tobytes(), verdict.witness.y.astype("<f8").tobytes()
        declared = json.dumps([asdict(tensor) for tensor in outcome.declarations])
        rest = verdict.witness.distance, json.dumps(outcome.shapes), declared
        columns = "(item, x, y, distance, shapes, declarations)"
        store.execute(f"INSERT INTO witnesses {columns} VALUES (?, ?, ?, ?, ?, ?)", (item, x, y, *rest))
    if kept and (proof := outcome.proof) is not None:
        told = proof.path, proof.size, proof.seconds, proof.reason
        checked = proof.checked, proof.check_seconds, proof.check_reason
        columns = "(item, path, bytes, seconds, reason, checked, check_seconds, check_reason)"
        store.execute(f"INSERT INTO proofs {columns} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (item, *told, *checked))


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
