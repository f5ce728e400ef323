"""The tables of a store, and how a store of an earlier version becomes one of today's.

The version stands in the file itself (``PRAGMA user_version``), as does the mark that it is a store of ours
(``PRAGMA application_id``). A change of the tables is one more entry of `MIGRATIONS`; none is ever changed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from verifier.errors import UsageError

APPLICATION = 0x76666572
"""``vfer``: marks the file as a store of verifier."""

FIRST = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started TEXT NOT NULL,                -- ISO 8601, UTC
    finished TEXT,                        -- NULL while something is left to do
    plan TEXT NOT NULL,                   -- SHA-256 of all that decides what is asked
    options TEXT NOT NULL,                -- JSON: what the user set
    facts TEXT NOT NULL,                  -- JSON: versions, machine, git revision
    owner TEXT,                           -- JSON: the process that works on it; NULL when none does
    heartbeat REAL                        -- when it last said so, seconds since 1970
);
CREATE TABLE instances (
    id INTEGER PRIMARY KEY,
    benchmark TEXT NOT NULL,
    network TEXT NOT NULL,                -- absolute path
    property TEXT NOT NULL,
    network_hash TEXT NOT NULL,           -- SHA-256
    property_hash TEXT NOT NULL,
    UNIQUE (benchmark, network, property, network_hash, property_hash)
);
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    position INTEGER NOT NULL,            -- the order of work
    instance INTEGER NOT NULL REFERENCES instances,
    method TEXT NOT NULL,
    timeout REAL NOT NULL,                -- seconds
    truth TEXT NOT NULL,                  -- 'sat', 'unsat', or '' where it is not known
    UNIQUE (run, instance, method)
);
CREATE TABLE results (
    item INTEGER PRIMARY KEY REFERENCES items ON DELETE CASCADE,
    verdict TEXT NOT NULL CHECK (verdict IN ('unsat', 'sat', 'unknown', 'timeout', 'error')),
    settled_by TEXT NOT NULL,             -- the method, with the stage that decided
    seconds REAL NOT NULL,                -- wall time, reading included
    cpu_seconds REAL NOT NULL,
    peak_memory REAL NOT NULL,            -- megabytes
    bound REAL,                           -- proven lower bound of the violation's margin
    fault TEXT NOT NULL,                  -- '' or why there is no verdict: input, changed, memory, runaway, crash ...
    detail TEXT NOT NULL,
    explanation TEXT NOT NULL,            -- JSON: lines
    history TEXT NOT NULL,                -- JSON: records of seconds, open, explored, bound
    log TEXT NOT NULL,                    -- what the process wrote, or both ends of it
    worker TEXT NOT NULL,
    ended TEXT NOT NULL                   -- ISO 8601, UTC
);
CREATE TABLE witnesses (
    item INTEGER PRIMARY KEY REFERENCES results ON DELETE CASCADE,
    x BLOB NOT NULL,                      -- float32, or a float64 network's inputs as float64, little-endian
    y BLOB NOT NULL,                      -- float64, little-endian
    distance REAL NOT NULL,               -- outside the input set; 0 is inside
    shapes TEXT NOT NULL,                 -- JSON: of the network's inputs
    declarations TEXT NOT NULL            -- JSON: the tensors of a VNN-LIB 2.0 property
);
"""

PROOFS = """
CREATE TABLE proofs (
    item INTEGER PRIMARY KEY REFERENCES results ON DELETE CASCADE,
    path TEXT NOT NULL,                   -- within the folder of the run's options; '' where there is none
    bytes INTEGER NOT NULL,
    seconds REAL NOT NULL,                -- wall time of the writing, not among the result's
    reason TEXT NOT NULL,                 -- why there is none, or a remark
    checked TEXT NOT NULL CHECK (checked IN ('', 'accepted', 'rejected', 'error')),  -- '' where nobody asked
    check_seconds REAL NOT NULL,
    check_reason TEXT NOT NULL            -- why it was not accepted
);
"""

MIGRATIONS: tuple[str, ...] = (FIRST, PROOFS)
"""Statements that lead from version i to version i + 1."""


def migrate(connection: sqlite3.Connection, name: str, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Brings a store, or an empty file, to the latest version; all of it or nothing.

    Args:
        connection: in autocommit mode.
        name: of the file, for messages.

    Raises:
        UsageError: the file is a database of something else, or of a later version of verifier.
    """
    latest = len(migrations)
    connection.execute("BEGIN")  # what is read belongs together, although another process may be making the store
    try:
        version = _version(connection, name, latest)
    finally:
        connection.execute("COMMIT")
    if version == latest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(_version(connection, name, latest), latest):
            for statement in _statements(migrations[number]):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {latest}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection, name: str, latest: int) -> int:
    """The store's version; 0 for an empty file."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if application != APPLICATION and (
        application or version or connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    ):
        raise UsageError("a database, but no store of verifier", name, "choose another file")
    if version > latest:
        raise UsageError(
            f"a store of version {version}, this verifier knows {latest}", name, "use a later version of verifier"
        )
    return version


def _statements(script: str) -> list[str]:
    """The statements of a script, as `executescript` would commit what is under way."""
    found, rest = [], ""
    for part in script.split(";"):
        rest += part + ";"
        if sqlite3.complete_statement(rest):
            found.append(rest)
            rest = ""
    return [statement for statement in found if statement.strip(" \n;")]
