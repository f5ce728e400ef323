"""What a job's process does for a proof after its verdict has been sent: writes it, and has it checked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from verifier.batch.job import Job
from verifier.batch.outcome import Outcome
from verifier.batch.proof_record import ERROR, ProofOrder, ProofRecord
from verifier.batch.proving import SPARE, prove
from verifier.errors import UsageError
from verifier.verdict import Status

if TYPE_CHECKING:
    from verifier.methods import Task

LATE = "the time ran out"
"""Why a proof that took too long was not checked to its end."""


class Used(TypedDict):
    """What a process has used so far."""

    cpu_seconds: float
    peak_memory: float


class _TooLong(Exception):
    """A check has had its time."""


def used() -> Used:
    """Processor time and memory up to the verdict: what follows is not the instance's."""
    import resource
    import sys

    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in (own, children))
    kilobyte = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss
    return {"cpu_seconds": seconds, "peak_memory": own.ru_maxrss * kilobyte / 1e6}


def records(order: ProofOrder, job: Job, outcome: Outcome, task: Task | None) -> Iterator[ProofRecord]:
    """Writes the proof of an `unsat` and tells what became of it, then has it checked and tells that; else nothing."""
    if outcome.verdict.status is not Status.UNSAT:
        return
    record = _written(order, job, outcome, task)
    yield record
    if record.path and order.check:
        yield _checked(order, job, record)


def _written(order: ProofOrder, job: Job, outcome: Outcome, task: Task | None) -> ProofRecord:
    from verifier.evidence.result_files import write_whole

    started = time.monotonic()
    proof = prove(job, outcome.verdict, task, order.seconds + SPARE, order.size)
    if proof.contents is None:
        return ProofRecord(seconds=proof.seconds, reason=proof.reason)
    try:
        order.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(order.path, proof.contents)
    except (OSError, UsageError) as error:
        return ProofRecord(seconds=proof.seconds, reason=f"its file cannot be written ({error})")
    return ProofRecord(order.name, len(proof.contents), time.monotonic() - started, proof.reason)


def _checked(order: ProofOrder, job: Job, record: ProofRecord) -> ProofRecord:
    from verifier.checker.main import check

    assert job.prop is not None
    started = time.monotonic()

    def look(leaves: int) -> None:
        if time.monotonic() - started > order.seconds:
            raise _TooLong

    try:
        said, why = check(job.network, job.prop, order.path, progress=look)
    except _TooLong:
        said, why = ERROR, LATE
    except MemoryError:
        said, why = ERROR, "out of memory"
    return replace(record, checked=said, check_seconds=time.monotonic() - started, check_reason=why)
