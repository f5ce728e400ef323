"""Proofs of whole runs: written beside verdicts, never at their cost; kept, counted and compared."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.batch.report_cases import material
from tests.batch.stores import add_run, item, outcome
from tests.cli.within import within
from verifier.batch.assignment import Assignment
from verifier.batch.isolation import run_isolated
from verifier.batch.job import Job
from verifier.batch.messages import framed, packed, whole
from verifier.batch.outcome import Fault, Outcome
from verifier.batch.plan import OF_PROOFS, Settings, fingerprint
from verifier.batch.proof_record import ProofOrder, ProofRecord, interrupted, proof_name
from verifier.batch.report.page import page
from verifier.batch.report.tables import results_csv, summary_markdown
from verifier.batch.schema import FIRST
from verifier.batch.store import Store
from verifier.batch.warm import BEGUN, Attempt
from verifier.checker.main import check
from verifier.verdict import Status

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"
MOONS = SPECS / "onnx" / "moons.onnx"
HOLDS, FAILS = (SPECS / "vnnlib" / f"moons_{name}.vnnlib" for name in ("upper", "everywhere"))
ACCEPTED = ProofRecord("set/a.npz", 3400, 0.5, "", "accepted", 0.25)
REJECTED = ProofRecord("set/b.npz", 5400, 2.0, "", "rejected", 1.0, "leaf 3 | does not close disjunct 0")
NONE = ProofRecord(seconds=10.0, reason="the time ran out")


def proved(order: ProofOrder, prop: Path = HOLDS, method: str = "auto") -> Outcome:
    return run_isolated(Assignment(Job(MOONS, prop, method, 20.0), 2000, proof=order))


def test_a_proof_is_written_and_checked_beside_the_verdict(tmp_path: Path) -> None:
    order = ProofOrder(tmp_path, "set/proof.npz", 20.0, 100.0, check=True)
    told = proved(order)
    assert (told.verdict.status, told.fault, told.log) == (Status.UNSAT, Fault.NONE, "")
    assert told.proof is not None
    assert (told.proof.path, told.proof.checked) == ("set/proof.npz", "accepted")
    assert told.proof.size == order.path.stat().st_size
    assert told.proof.seconds > 0 < told.proof.check_seconds
    assert told.cpu_seconds > 0
    assert check(MOONS, HOLDS, order.path) == ("accepted", "")


@pytest.mark.parametrize(("prop", "method", "status"), [(FAILS, "auto", "sat"), (HOLDS, "interval", "unknown")])
def test_of_other_verdicts_there_is_none(prop: Path, method: str, status: str, tmp_path: Path) -> None:
    """And the file of an earlier run, which may be about something else, does not stay."""
    order = ProofOrder(tmp_path, "proof.npz", 20.0, 100.0)
    order.path.write_text("of another time")
    told = proved(order, prop, method)
    assert (told.verdict.status.value, told.proof) == (status, None)
    assert not list(tmp_path.iterdir())


def test_no_proof_never_costs_the_verdict(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    late = proved(ProofOrder(tmp_path, "late.npz", 1e-6, 100.0))
    large = proved(ProofOrder(tmp_path, "large.npz", 20.0, 1e-3))
    nowhere = proved(ProofOrder(tmp_path / "file", "proof.npz", 20.0, 100.0))
    for told, why in ((late, "the time ran out"), (large, "more than the 0.001 MB"), (nowhere, "cannot be written")):
        assert told.verdict.status is Status.UNSAT
        assert told.proof is not None
        assert (told.proof.path, why in told.proof.reason) == ("", True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("sent", "fault", "status", "expected"),
    [
        ((), Fault.MEMORY, 9, (Status.ERROR, Fault.MEMORY, None)),
        ((), Fault.NONE, 11, (Status.ERROR, Fault.CRASH, None)),
        ((None,), Fault.MEMORY, 9, (Status.UNSAT, Fault.NONE, "it took more than 2000 MB of memory and was ended")),
        ((None,), Fault.RUNAWAY, 9, (Status.UNSAT, Fault.NONE, "it did not come back at its timeout and was killed")),
        ((None,), Fault.NONE, 11, (Status.UNSAT, Fault.NONE, "its process was ended by SIGSEGV (it wrote nothing)")),
        ((None,), Fault.NONE, 0, (Status.UNSAT, Fault.NONE, "the verdict came at the last moment")),
        ((None, replace(ACCEPTED, checked="")), Fault.RUNAWAY, 9, (Status.UNSAT, Fault.NONE, "")),
        ((None, NONE), Fault.RUNAWAY, 9, (Status.UNSAT, Fault.NONE, "the time ran out")),
    ],
)
def test_a_process_that_ends_at_its_proof_has_its_verdict(
    sent: tuple[ProofRecord | None, ...],
    fault: Fault,
    status: int,
    expected: tuple[Status, Fault, str | None],
    tmp_path: Path,
) -> None:
    """`sent` is what its parent has got: the outcome, then records; the rest of another message is cut off."""
    order = ProofOrder(tmp_path, "proof.npz", 5.0, 100.0, check=True)
    order.path.write_text("not vouched for")
    attempt = Attempt(Assignment(Job(MOONS, HOLDS), 2000, proof=order), None, 0)  # type: ignore[arg-type]
    messages = [packed(outcome("unsat") if record is None else record) for record in sent]
    answer = BEGUN + b"".join(map(framed, messages)) + framed(b"cut off")[:-3]
    told = attempt._judged(fault, status, answer, "")
    reason = None if told.proof is None else told.proof.reason
    assert (told.verdict.status, told.fault, reason) == expected
    if len(sent) == 2 and told.proof is not None and told.proof.path:
        assert (told.proof.checked, told.proof.check_reason) == (
            "error",
            "it did not come back at its timeout and was killed",
        )
    assert order.path.exists() is (len(sent) != 1)


def test_without_an_order_a_crash_is_a_crash() -> None:
    attempt = Attempt(Assignment(Job(MOONS, HOLDS), 2000), None, 0)  # type: ignore[arg-type]
    answer = BEGUN + framed(packed(outcome("unsat")))
    assert attempt._judged(Fault.NONE, 11, answer, "").fault is Fault.CRASH
    assert attempt._judged(Fault.NONE, 0, answer, "").verdict.status is Status.UNSAT


def test_messages_that_were_cut_off_do_not_count() -> None:
    content = framed(b"one") + framed(b"") + framed(b"three")
    assert whole(content) == [b"one", b"", b"three"]
    assert whole(content[:-1]) == [b"one", b""]
    assert whole(content[:5]) == []


def test_a_file_that_nobody_vouches_for_goes(tmp_path: Path) -> None:
    order = ProofOrder(tmp_path, "proof.npz", 1.0, 1.0)
    order.path.write_text("")
    assert interrupted(order, ACCEPTED, "why") is ACCEPTED
    assert order.path.exists()
    assert interrupted(order, None, "why") == ProofRecord(reason="why")
    assert not order.path.exists()


def test_names_are_readable_and_no_two_the_same() -> None:
    network, prop = Path("/a/net.onnx.gz"), Path("/a/prop.vnnlib")
    name = proof_name("set", network, prop, ("1", "2", "auto"))
    assert re.fullmatch(r"set/net_prop-[0-9a-f]{8}\.npz", name)
    others = [
        proof_name("set", network, prop, ("1", "2", "crown")),
        proof_name("set", Path("/b/net.onnx.gz"), prop, ("1", "2", "auto")),
        proof_name("other", network, prop, ("1", "2", "auto")),
    ]
    assert len({name, *others}) == 4
    long = proof_name("../..", Path("n" * 300), prop, ("1",))
    assert all(0 < len(part) <= 255 and part not in (".", "..") for part in long.split("/"))
    assert len(long.split("/")) == 2


def test_what_is_asked_of_proofs_is_part_of_what_a_run_asks() -> None:
    items = [item("a")]
    plain = fingerprint(items, Settings())
    assert fingerprint(items, Settings(proof_size=1.0)) == plain  # says nothing without proofs
    with_proofs = Settings(proofs="/p")
    changes = {"proofs": "/q", "proof_timeout": 3.0, "proof_size": 1.0, "check_proofs": True}
    assert set(changes) == OF_PROOFS
    prints = {fingerprint(items, replace(with_proofs, **{name: value})) for name, value in changes.items()}
    assert len({plain, fingerprint(items, with_proofs), *prints}) == 6


def proof_store(path: Path) -> Path:
    """Two runs of three `unsat`, the second without the first one's proof of `a`."""
    names = ("a", "b", "c")
    for records in ((ACCEPTED, REJECTED, NONE), (NONE, replace(ACCEPTED, path="set/b.npz"), NONE)):
        told = [replace(outcome("unsat"), proof=record) for record in records]
        others = (item("d"), outcome("sat")), (item("e"), None)
        add_run(path, [*zip(map(item, names), told, strict=True), *others])
    return path


def test_records_come_back_from_the_store(tmp_path: Path) -> None:
    given = material(f"{proof_store(tmp_path / 's.db')}#1")
    assert [result.proof for result in given.results] == [ACCEPTED, REJECTED, NONE, None, None]
    assert [result.seconds for result in given.results[:3]] == [1.0, 1.0, 1.0]


def test_a_store_of_the_time_before_is_read(tmp_path: Path) -> None:
    path = add_run_of_version_1(tmp_path / "old.db")
    (result,) = material(path).results
    assert (result.verdict, result.proof) == (Status.UNSAT, None)
    with Store(path) as store:
        assert store.last_like([item("a")], Settings()) == 1


def add_run_of_version_1(path: Path) -> Path:
    add_run(path, [(item("a"), outcome("unsat"))])
    with sqlite3.connect(path) as store:
        store.execute("DROP TABLE proofs")
        store.execute("PRAGMA user_version = 1")
        options = {name: value for name, value in asdict(Settings()).items() if name not in OF_PROOFS}
        store.execute("UPDATE runs SET options = ?", (json.dumps(options),))
        tables = store.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    store.close()
    assert tables == FIRST.count("CREATE TABLE")
    return path


def test_the_report_counts_proofs(tmp_path: Path) -> None:
    given = material(f"{proof_store(tmp_path / 's.db')}#1")
    text = summary_markdown(given)
    assert "| all | auto | 3 | 2 | 1 | 1 | 0 | 33.3 % | 4.4 | 1.25 | 0.62 |" in text
    assert "| set | auto | 3 | 2 | 1 | 1 | 0 | 33.3 % | 4.4 | 1.25 | 0.62 |" in text
    assert "| the time ran out | 1 |" in text
    assert r"- **REJECTED** proof of set/b/b: auto, leaf 3 \| does not close disjunct 0" in text
    rows = list(csv.DictReader(io.StringIO(results_csv(given))))
    assert [row["proof"] for row in rows] == ["set/a.npz", "set/b.npz", "", "", ""]
    assert [row["checked"] for row in rows] == ["accepted", "rejected", "", "", ""]
    assert rows[0]["proof_bytes"] == "3400"
    shown = page(given, "today")
    assert 'id="proof-sizes"' in shown
    assert "1 proof that the checker rejects" in shown
    assert "proof 3.4 kB, 0.50 s, accepted in 0.25 s set/a.npz" in shown


def test_without_proofs_the_report_is_silent_about_them(tmp_path: Path) -> None:
    add_run(tmp_path / "s.db", [(item("a"), outcome("unsat"))])
    given = material(tmp_path / "s.db")
    assert "Proofs" not in summary_markdown(given)
    assert 'id="proof-sizes"' not in page(given, "today")


def test_two_runs_are_compared_by_their_proofs(tmp_path: Path) -> None:
    store = proof_store(tmp_path / "s.db")
    done = within("compare-runs", f"{store}#1", f"{store}#2", "--json", tmp_path / "c.json")
    assert done.exit_code == 4  # a proof is rejected
    assert "REJECTED proof of set/b/b" in done.stderr
    assert re.search(r"proofs in A\W+2 of 3, 1 accepted", done.stdout)
    assert re.search(r"proofs in B\W+1 of 3, 1 accepted", done.stdout)
    assert "proofs gained  set/b/b" in done.stdout
    assert "proofs lost  set/a/a" in done.stdout
    assert max(map(len, done.stdout.splitlines()[2:12])) <= 80
    record = json.loads((tmp_path / "c.json").read_text())
    assert record["proofs_gained"][0]["proofs"][0]["checked"] == "rejected"


def test_a_bench_writes_and_checks_proofs(tmp_path: Path) -> None:
    asked = ("bench", SPECS, "--only", "*/moons_[ue]*", "--workers", 1, "--store", tmp_path / "s.db")
    done = within(*asked, "--proofs", tmp_path / "proofs", "--check-proofs")
    assert done.exit_code == 0, done.output
    assert re.search(r"moons_upper  auto  unsat  \S+ s  proof \d\.\d kB, \S+ s, accepted in \S+ s\n", done.stdout)
    assert "proofs: 1 of 1 unsat, 1 accepted, 0 rejected, median " in done.stdout
    (file,) = (tmp_path / "proofs").rglob("*.npz")
    assert check(MOONS, HOLDS, file) == ("accepted", "")
    again = within(*asked, "--resume")
    assert again.exception is not None
    assert f"proofs was {tmp_path / 'proofs'}, is None" in str(again.exception)
    done = within(*asked, "--proofs", tmp_path / "proofs", "--check-proofs", "--resume")
    assert "nothing is left to do" in done.stdout


def test_options_of_proofs_want_a_folder(tmp_path: Path) -> None:
    for option in (("--check-proofs",), ("--proof-timeout", 3), ("--proof-size", 3)):
        done = within("bench", SPECS, "--store", tmp_path / "s.db", *option)
        assert done.exception is not None
        assert "give --proofs DIR as well" in str(done.exception)
    (tmp_path / "file").write_text("")
    done = within("bench", SPECS, "--store", tmp_path / "s.db", "--proofs", tmp_path / "file")
    assert "cannot be made" in str(done.exception)
