"""What a store holds, read back: runs and their results, as reports and comparisons want them."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from verifier.batch.instances import is_wrong, stem
from verifier.batch.proof_record import REJECTED, ProofRecord
from verifier.batch.store import Store
from verifier.errors import UsageError
from verifier.property.query import Declaration
from verifier.verdict import Status, Witness


@dataclass(frozen=True, eq=False)
class Run:
    """One run of a store.

    Attributes:
        store: the file.
        number: within the store, from 1 on.
        started, finished: ISO 8601 in UTC; finished is "" while something is left to do.
        options: what the user set (`Settings`).
        facts: versions, machine, git revision.
    """

    store: Path
    number: int
    started: str
    finished: str
    options: dict[str, Any]
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        """``store#number``, as users give it."""
        return f"{self.store.name}#{self.number}"

    @cached_property
    def place(self) -> tuple[Path, int]:
        """What tells it from all other runs."""
        return self.store.resolve(), self.number


@dataclass(frozen=True)
class KeptWitness:
    """A witness with what its drawing and its file need.

    Attributes:
        witness: as it was found.
        shapes: of the network's inputs, in its order.
        declarations: the tensors of a VNN-LIB 2.0 property.
    """

    witness: Witness
    shapes: tuple[tuple[int, ...], ...]
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """One instance by one method in one run.

    Attributes:
        run: where it was made.
        benchmark, network, prop, network_hash, property_hash: the instance.
        method, timeout: who was asked, and with how many seconds.
        truth: the known verdict, or "".
        verdict: what was said; None where it is not done yet.
        settled_by: the method, with the stage that decided.
        seconds, cpu_seconds: wall and processor time.
        peak_memory: megabytes.
        bound: proven lower bound of the violation's margin, or None.
        fault: "" or why there is no verdict.
        detail, explanation, history, log, worker, ended: see `Outcome`.
        kept: the witness of a `sat`.
        proof: what became of the proof of an `unsat`; None where none was asked for.
    """

    run: Run
    benchmark: str
    network: Path
    prop: Path
    network_hash: str
    property_hash: str
    method: str
    timeout: float
    truth: str
    verdict: Status | None
    settled_by: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: float = 0.0
    bound: float | None = None
    fault: str = ""
    detail: str = ""
    explanation: tuple[str, ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    log: str = ""
    worker: str = ""
    ended: str = ""
    kept: KeptWitness | None = None
    proof: ProofRecord | None = None

    @property
    def name(self) -> str:
        """``benchmark/network/property``."""
        return f"{self.benchmark}/{stem(self.network)}/{stem(self.prop)}"

    @property
    def key(self) -> tuple[str, str]:
        """The same for the same network and property, wherever their files lie."""
        return self.network_hash, self.property_hash

    @property
    def solved(self) -> bool:
        """Whether it is proved or refuted."""
        return self.verdict in (Status.UNSAT, Status.SAT)

    @property
    def rejected(self) -> bool:
        """Whether a checker rejects its proof: a defect, of whichever side."""
        return self.proof is not None and self.proof.checked == REJECTED

    @property
    def wrong(self) -> bool:
        """Whether it contradicts the known verdict."""
        return is_wrong(self.verdict, self.truth)


def parse_place(text: str) -> tuple[Path, int | None]:
    """A store and a run's number from ``STORE`` or ``STORE#RUN``.

    Raises:
        UsageError: what follows the last ``#`` is no number.
    """
    path, mark, number = text.rpartition("#")
    if not mark or Path(text).is_file():
        return Path(text), None
    if not number.isdecimal():
        raise UsageError(f"{number!r} is no run's number", text, "write STORE or STORE#RUN")
    return Path(path), int(number)


def run_labels(runs: Iterable[Run]) -> dict[tuple[Path, int], str]:
    """For each run's place its name, with the folder where runs of the same name are compared."""
    once = {run.place: run for run in runs}
    count = Counter(run.name for run in once.values())
    return {place: run.name if count[run.name] == 1 else f"{place[0]}#{place[1]}" for place, run in once.items()}


def read_runs(store: Store, number: int | None = None) -> list[Run]:
    """All runs of a store, or the one with that number, in their order.

    Raises:
        UsageError: there is none.
    """
    columns = "id, started, coalesce(finished, ''), options, facts"
    with store.guarded():
        rows = store.connection.execute(f"SELECT {columns} FROM runs ORDER BY id").fetchall()
    runs = [Run(store.path, row[0], row[1], row[2], json.loads(row[3]), json.loads(row[4])) for row in rows]
    chosen = [run for run in runs if number in (None, run.number)]
    if not chosen:
        cause = f"there is no run {number}; it has {len(runs)}" if runs else "there are no runs in it"
        raise UsageError(cause, str(store.path), "give a store with runs, as STORE or STORE#RUN")
    return chosen


def read_results(store: Store, run: Run, whole: bool = True) -> list[Result]:
    """The results of a run, the missing ones among them, in the order of work.

    Args:
        whole: whether explanations, histories and logs are wanted, which are most of a store.
    """
    with store.guarded():
        cursor = store.connection.cursor()
        cursor.row_factory = sqlite3.Row
        told = _TOLD if whole else ", ".join(f"{empty} AS {name}" for name, empty in _UNTOLD.items())
        return [_result(run, row) for row in cursor.execute(_RESULTS.format(told=told), (run.number,))]


def read_places(places: list[str]) -> Iterator[tuple[Run, list[Result]]]:
    """All runs that are named as ``STORE`` or ``STORE#RUN``, with their results.

    Raises:
        UsageError: one does not exist.
    """
    for place in places:
        path, number = parse_place(place)
        with Store(path, create=False) as store:
            for run in read_runs(store, number):
                yield run, read_results(store, run)


def read_last(place: str) -> tuple[Run, list[Result]]:
    """The run that is named as ``STORE#RUN``, or the last one of ``STORE``, with its results but not what they told.

    Raises:
        UsageError: it does not exist.
    """
    path, number = parse_place(place)
    with Store(path, create=False) as store:
        run = read_runs(store, number)[-1]
        return run, read_results(store, run, whole=False)


_UNTOLD = {"explanation": "'[]'", "history": "'[]'", "log": "''"}
_TOLD = ", ".join(f"results.{name}" for name in _UNTOLD)
_RESULTS = """
    SELECT benchmark, network, property, network_hash, property_hash, method, items.timeout, truth, verdict, settled_by,
        results.seconds, cpu_seconds, peak_memory, bound, fault, detail, {told}, worker, ended, x, y, distance, shapes,
        declarations, proofs.path, proofs.bytes, proofs.seconds AS proof_seconds, proofs.reason, proofs.checked,
        proofs.check_seconds, proofs.check_reason
    FROM items JOIN instances ON instances.id = items.instance LEFT JOIN results ON results.item = items.id
        LEFT JOIN witnesses ON witnesses.item = items.id LEFT JOIN proofs ON proofs.item = items.id
    WHERE items.run = ? ORDER BY items.position
"""


def _result(run: Run, row: sqlite3.Row) -> Result:
    asked = run, row["benchmark"], Path(row["network"]), Path(row["property"]), row["network_hash"]
    asked_of = row["property_hash"], row["method"], row["timeout"], row["truth"]
    if row["verdict"] is None:
        return Result(*asked, *asked_of, None)
    return Result(
        *asked,
        *asked_of,
        Status(row["verdict"]),
        row["settled_by"],
        row["seconds"],
        row["cpu_seconds"],
        row["peak_memory"],
        row["bound"],
        row["fault"],
        row["detail"],
        tuple(json.loads(row["explanation"])),
        tuple(json.loads(row["history"])),
        row["log"],
        row["worker"],
        row["ended"],
        _witness(row),
        _proof(row),
    )


def _proof(row: sqlite3.Row) -> ProofRecord | None:
    if row["path"] is None:
        return None
    told = row["path"], row["bytes"], row["proof_seconds"], row["reason"]
    return ProofRecord(*told, row["checked"], row["check_seconds"], row["check_reason"])


def _witness(row: sqlite3.Row) -> KeptWitness | None:
    if row["x"] is None:
        return None
    shapes = tuple(tuple(shape) for shape in json.loads(row["shapes"]))
    double = len(row["x"]) == 8 * sum(math.prod(shape) for shape in shapes)  # a float64 network's, see `store.py`
    x = np.frombuffer(row["x"], "<f8" if double else "<f4")
    witness = Witness(x, np.frombuffer(row["y"], "<f8"), row["distance"])
    tensors = tuple(Declaration(**{**t, "shape": tuple(t["shape"])}) for t in json.loads(row["declarations"]))
    return KeptWitness(witness, shapes, tensors)
