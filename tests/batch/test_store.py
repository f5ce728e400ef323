"""The store: what goes in comes back, nothing twice, versions, owners, and files that are no stores."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.batch.stores import add_run, item, outcome
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.ownership import STALE, Owner
from verifier.batch.plan import Settings
from verifier.batch.records import parse_place, read_places, read_results, read_runs
from verifier.batch.schema import MIGRATIONS, migrate
from verifier.batch.store import Store, StoreBusyError
from verifier.errors import UsageError
from verifier.property.query import Declaration
from verifier.verdict import Status, Verdict, Witness


def test_a_result_comes_back_whole(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=7).astype(np.float32), np.array([1.5, np.inf, -0.0])
    witness = Witness(x, y, 1e-7)
    told = Outcome(
        Verdict(Status.SAT, "auto (quick_attack)", -3.5, witness, 0.25, 'a "detail"'),
        Fault.NONE,
        ("why",),
        ({"seconds": 0.1, "open": 3, "explored": 4, "bound": None},),
        ((1, 7),),
        (Declaration("X", "float32", (1, 7), False, 0),),
        1.25,
        80.0,
        "log\n",
        "here/1",
    )
    add_run(tmp_path / "s.db", [(item("a", truth="unsat"), told), (item("b"), None)])
    ((run, (result, missing)),) = read_places([str(tmp_path / "s.db")])
    assert (result.verdict, result.settled_by, result.bound) == (Status.SAT, "auto (quick_attack)", -3.5)
    assert (result.seconds, result.cpu_seconds, result.peak_memory) == (0.25, 1.25, 80.0)
    assert (result.detail, result.explanation, result.history) == ('a "detail"', ("why",), told.history)
    assert (result.log, result.worker, result.name) == ("log\n", "here/1", "set/a/a")
    assert result.kept is not None
    np.testing.assert_array_equal(result.kept.witness.x, x)
    np.testing.assert_array_equal(result.kept.witness.y, y)
    assert (result.kept.witness.distance, result.kept.shapes) == (1e-7, ((1, 7),))
    assert result.kept.declarations == told.declarations
    assert (result.solved, result.wrong) == (True, True)
    assert (missing.verdict, missing.solved, missing.wrong) == (None, False, False)
    assert run.finished == ""


def test_bounds_without_a_number_are_none(tmp_path: Path) -> None:
    told = replace(outcome("unsat"), verdict=Verdict(Status.UNSAT, "auto", bound=float("inf")))
    add_run(tmp_path / "s.db", [(item("a"), told)])
    ((_, (result,)),) = read_places([str(tmp_path / "s.db")])
    assert result.bound is None


def test_the_first_result_of_an_item_stays(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        run = store.begin([item("a"), item("b")], Settings(), {})
        first, _ = store.pending(run)
        store.record(run, [(first, outcome("unsat"))])
        store.record(run, [(first, outcome("sat"))])
        assert [p.instance.name for p in store.pending(run)] == ["set/b/b"]
        assert [r.verdict for r in read_results(store, read_runs(store, run)[0])] == [Status.UNSAT, None]


def test_results_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path / "s.db") as store:
        run = store.begin([item("a"), item("b")], Settings(), {})
        first, second = store.pending(run)
        with pytest.raises(UsageError, match="store cannot be used"):
            store.record(run, [(first, outcome("unsat")), (replace(second, number=99), outcome("sat"))])
        assert len(store.pending(run)) == 2


def test_runs_that_ask_the_same_are_found(tmp_path: Path) -> None:
    items = [item("a"), item("b")]
    with Store(tmp_path / "s.db") as store:
        assert store.last_like(items, Settings()) is None
        run = store.begin(items, Settings(), {})
        assert store.last_like(items[::-1], Settings(shuffle=True)) == run
        with pytest.raises(UsageError, match="seed was 0, is 3"):
            store.last_like(items, Settings(seed=3))
        with pytest.raises(UsageError, match="have changed"):
            store.last_like(items[:1], Settings())


def test_one_process_at_a_time_works_on_a_run(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store(path) as store:
        run = store.begin([item("a")], Settings(), {})
        with pytest.raises(UsageError, match=f"run 1 is under way in process {os.getpid()} on "):
            store.take_up(run)
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        for owner in (replace(Owner.here(), created=1.0), replace(Owner.here(), process=gone.pid)):
            store.connection.execute("UPDATE runs SET owner = ?", (owner.to_json(),))
            store.take_up(run)  # a process of the same number that was started later is another
        elsewhere = replace(Owner.here(), host="elsewhere").to_json()
        store.connection.execute("UPDATE runs SET owner = ?, heartbeat = ?", (elsewhere, time.time()))
        with pytest.raises(UsageError, match="on elsewhere"):
            store.take_up(run)
        store.connection.execute("UPDATE runs SET heartbeat = heartbeat - ?", (STALE,))
        store.take_up(run)
        store.leave(run)
        store.take_up(run)


def test_a_dead_process_that_nobody_has_waited_for_owns_nothing(tmp_path: Path) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    owner = Owner(socket.gethostname(), zombie.pid, psutil.Process(zombie.pid).create_time())
    assert owner.works(time.time())
    while psutil.Process(zombie.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert not owner.works(time.time())
    zombie.wait()


def test_who_has_lost_a_run_writes_nothing_to_it(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with Store(path) as store, Store(path) as other:
        run = store.begin([item("a")], Settings(), {})
        other.connection.execute("UPDATE runs SET owner = NULL")
        other.take_up(run)
        other.connection.execute("UPDATE runs SET owner = ?", ('{"host": "other", "process": 1, "created": 0}',))
        for write in (lambda: store.beat(run), lambda: store.record(run, [(store.pending(run)[0], outcome("sat"))])):
            with pytest.raises(UsageError, match="another process has taken over run 1"):
                write()
        store.leave(run)
        assert store.connection.execute("SELECT owner FROM runs").fetchone()[0].startswith('{"host": "other"')
        assert len(store.pending(run)) == 1


def test_a_locked_store_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verifier.batch.store.PATIENCE", 0.1)
    path = tmp_path / "s.db"
    with Store(path) as store, Store(path) as other:
        run = store.begin([item("a")], Settings(), {})
        other.connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreBusyError, match="another process keeps the store locked"):
            store.beat(run)
        other.connection.execute("COMMIT")
        store.beat(run)


def test_names_that_mean_something_to_sqlite_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    add_run(Path(":memory:"), [(item("a"), outcome("unsat"))])
    assert [result.name for _, results in read_places([":memory:"]) for result in results] == ["set/a/a"]
    Path("empty.db").touch()
    with pytest.raises(UsageError, match="no such store"):
        Store(Path("empty.db"), create=False)
    assert Path("empty.db").read_bytes() == b""
    with pytest.raises(UsageError, match="cannot be opened"):
        Store(Path("n" * 300))


def test_a_run_is_finished_when_nothing_is_left(tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a"), outcome("unsat")), (item("b"), None)])
    with Store(tmp_path / "s.db") as store:
        assert read_runs(store)[0].finished == ""
        store.take_up(1)
        store.record(1, [(store.pending(1)[0], outcome("unknown"))])
        store.leave(1)
        finished = read_runs(store)[0].finished
        assert finished > read_runs(store)[0].started
        store.leave(1)
        assert read_runs(store)[0].finished == finished


def test_two_writers_share_a_store(tmp_path: Path) -> None:
    path, names = tmp_path / "s.db", [f"i{n}" for n in range(25)]

    def write() -> None:
        with Store(path) as store:
            run = store.begin([item(name) for name in names], Settings(), {})
            for pending in store.pending(run):
                store.record(run, [(pending, outcome("unsat"))])
            store.leave(run)

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    places = list(read_places([str(path)]))
    assert [run.number for run, _ in places] == [1, 2, 3, 4]
    assert all(len(results) == 25 and all(r.solved for r in results) for _, results in places)
    with Store(path) as store:
        assert store.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert store.connection.execute("SELECT count(*) FROM instances").fetchone() == (25,)


def test_an_earlier_version_is_migrated_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add_run(path, [(item("a"), outcome("unsat"))])
    later = (*MIGRATIONS, "ALTER TABLE runs ADD COLUMN label TEXT NOT NULL DEFAULT 'none'; -- of; the run\n")
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, "s.db", later)
    assert connection.execute("SELECT id, label FROM runs").fetchall() == [(1, "none")]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(later),)
    migrate(connection, "s.db", later)
    connection.close()
    with pytest.raises(UsageError, match=f"a store of version {len(later)}, this verifier knows {len(MIGRATIONS)}"):
        Store(path)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add_run(path, [(item("a"), outcome("unsat"))])
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, "s.db", (*MIGRATIONS, "CREATE TABLE more (id); INSERT INTO nowhere VALUES (1);"))
    connection.close()
    ((_, results),) = read_places([str(path)])
    assert len(results) == 1


def test_files_that_are_no_stores(tmp_path: Path) -> None:
    other, text, folder = tmp_path / "other.db", tmp_path / "text.db", tmp_path / "folder"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE things (id)")
    connection.commit()
    connection.close()
    text.write_text("no database at all, but text that is long enough to be taken for one" * 20)
    folder.mkdir()
    for path, told in ((other, "no store of verifier"), (text, "not a database"), (folder, "cannot be opened")):
        with pytest.raises(UsageError, match=told):
            Store(path)
    with pytest.raises(UsageError, match="there is no such store"):
        Store(tmp_path / "missing.db", create=False)
    assert not (tmp_path / "missing.db").exists()


def test_a_damaged_store(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add_run(path, [(item(f"i{n}"), outcome("unsat")) for n in range(200)])
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(UsageError, match="store cannot be used"):
        list(read_places([str(path)]))


def test_places(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    add_run(path, [(item("a"), outcome("unsat"))])
    add_run(path, [(item("a"), outcome("sat"))])
    assert parse_place("s.db#2") == (Path("s.db"), 2)
    assert [run.name for run, _ in read_places([str(path)])] == ["s.db#1", "s.db#2"]
    assert [run.name for run, _ in read_places([f"{path}#2"])] == ["s.db#2"]
    with pytest.raises(UsageError, match="there is no run 3; it has 2"):
        list(read_places([f"{path}#3"]))
    with pytest.raises(UsageError, match="no run's number"):
        list(read_places([f"{path}#last"]))
