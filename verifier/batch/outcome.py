"""What is known of a job after it has ended, however it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from verifier.batch.proof_record import ProofRecord
from verifier.errors import VerifierError
from verifier.evidence.result_files import history_records
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from verifier.methods import Task
    from verifier.property.query import Declaration


class Fault(StrEnum):
    """Why a job has no verdict of its own."""

    NONE = ""
    INPUT = "input"
    """The files or options cannot be used; the detail says why."""
    CHANGED = "changed"
    """A file is no longer what it was when the run was planned."""
    MEMORY = "memory"
    """It took more memory than allowed."""
    RUNAWAY = "runaway"
    """It did not come back at its timeout and was killed."""
    CRASH = "crash"
    """Its process was ended by a signal, or without an answer."""
    DEFECT = "defect"
    """An exception of ours: please report it."""
    LOST = "lost"
    """The worker that had it was lost, more than once."""
    MACHINE = "machine"
    """The machine refuses what any job needs (processes, files, room on a disk): no result, the job is still to do."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """How a job ended.

    Attributes:
        verdict: what the method says; `error`, or `timeout` for a runaway, where there is a fault.
        fault: why there is no verdict.
        explanation: what a plan chose, and why.
        history: how the searches went, as records of seconds, open, explored, bound.
        shapes: of the network's inputs, in its order.
        declarations: the tensors of a VNN-LIB 2.0 property; none for version 1.0.
        cpu_seconds: processor time, user and system, of the job's process and those it waited for.
        peak_memory: the most that its process held, megabytes, libraries included.
        log: what it wrote to its standard output and error; of much, the begin and the end.
        worker: where it ran, ``host/process``.
        undecided: neurons left open by the bounds that a thorough job ended with; None elsewhere.
        proof: what became of the proof of an `unsat`; None where none was asked for, or there is nothing to prove.
    """

    verdict: Verdict
    fault: Fault = Fault.NONE
    explanation: tuple[str, ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()
    declarations: tuple[Declaration, ...] = field(default=())
    cpu_seconds: float = 0.0
    peak_memory: float = 0.0
    log: str = ""
    worker: str = ""
    undecided: int | None = None
    proof: ProofRecord | None = None

    @classmethod
    def of(cls, verdict: Verdict, task: Task | None) -> Outcome:
        """The outcome of a method that came to its end, or to its timeout."""
        if task is None:
            return cls(verdict)
        shapes = tuple(tuple(port.shape) for port in task.network.inputs)
        history = tuple(history_records(task.history))
        declared = tuple(task.query.declarations)
        told = tuple(task.explanation)
        return cls(verdict, Fault.NONE, told, history, shapes, declared, undecided=task.enclosures.undecided)

    @classmethod
    def failed(cls, fault: Fault, detail: str, method: str, seconds: float = 0.0) -> Outcome:
        """The outcome of a job that gave no answer."""
        status = Status.TIMEOUT if fault is Fault.RUNAWAY else Status.ERROR
        return cls(Verdict(status, method, seconds=seconds, detail=" ".join(detail.split())), fault)

    @classmethod
    def refused(cls, error: VerifierError, method: str, seconds: float) -> Outcome:
        """The outcome of a job whose files or options cannot be used."""
        return cls.failed(Fault.INPUT, str(error), method, seconds)
