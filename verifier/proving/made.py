"""From a verdict to the contents of a file that shows why, or to a line that says why there is none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.deadline import Deadline
from verifier.proving.budget import Budget
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from verifier.methods import Task

MEGABYTE = 1_000_000
PROOF_SIZE = 100.0
"""Megabytes that a proof's file may have where nobody says."""
SOLVERS = re.compile(r"\b(?:milp|sdp)\b")
"""Methods whose word rests on a solver's: what proves them is another search."""


@dataclass(frozen=True)
class Limits:
    """What the writing of a proof may take.

    Attributes:
        seconds: wall time.
        size: megabytes of the file.
        memory: megabytes that the process may grow by.
    """

    seconds: float
    size: float = PROOF_SIZE
    memory: float = float("inf")


@dataclass(frozen=True)
class Made:
    """What became of a verdict's proof.

    Attributes:
        contents: what its file is to hold; None where there is none.
        seconds: what the writing took.
        reason: why there is none, in words; or a remark on the one there is.
        kind: what the file is: a proof, or a sat's witness.
    """

    contents: bytes | None
    seconds: float = 0.0
    reason: str = ""
    kind: str = "proof"

    @property
    def note(self) -> str:
        """A line that tells of it."""
        if self.contents is None:
            return f"no proof: {self.reason}"
        told = f"{self.kind}: {len(self.contents) / 1000:.1f} kB, {self.seconds:.2f} s"
        return f"{told}; {self.reason}" if self.reason else told


def made(
    network: Path,
    prop: Path,
    verdict: Verdict,
    task: Task | None,
    limits: Limits,
    progress: Callable[[int], None] = lambda cases: None,
) -> Made:
    """The proof of an `unsat`, or the witness of a `sat`; the verdict stays, whatever goes wrong here.

    Args:
        network, prop: the files that the verdict is about, each as a whole.
        task: what the verdict was found by, for the choices that its searches have kept; None where there is none.
        progress: is told of the cases so far.
    """
    spent = Deadline()
    try:
        if verdict.status is Status.SAT:
            from verifier.proving.witness import contents_of

            found = contents_of(network, prop, verdict)
            kind, remark = "witness", ""
        elif verdict.status is Status.UNSAT:
            found = _proof(network, prop, task, limits, progress)
            kind, remark = "proof", _remark(verdict)
        else:
            return Made(None, reason=f"there is none of {verdict.status.value}")
        if len(found) > limits.size * MEGABYTE:
            reason = f"it would have {len(found) / MEGABYTE:.3g} MB, more than the {limits.size:g} MB allowed"
            return Made(None, spent.elapsed, reason)
        return Made(found, spent.elapsed, remark, kind)
    except Exception as error:
        return Made(None, spent.elapsed, _told(error))


def _proof(network: Path, prop: Path, task: Task | None, limits: Limits, progress: Callable[[int], None]) -> bytes:
    from verifier.proofs.write import proof_of

    budget = Budget(limits.seconds, limits.memory)
    if task is None or task.query.change is not None:  # cuts of coordinates are none of inputs
        return proof_of(network, prop, budget, progress=progress)
    return proof_of(network, prop, budget, task.trails, progress, task.options.threads)


def _remark(verdict: Verdict) -> str:
    """What a user should know of a proof: where a solver's word was believed, this is not that word."""
    solver = SOLVERS.search(verdict.method)
    return f"by our own search, not by the word of {solver.group()}'s solver" if solver else ""


def _told(error: Exception) -> str:
    """Why there is no proof."""
    from verifier.checker.graph import Unreadable
    from verifier.proofs.draft import GivenUp
    from verifier.proving.witness import NoWitness

    if isinstance(error, MemoryError | RecursionError):
        return "out of memory" if isinstance(error, MemoryError) else "its cases are nested too deep"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if isinstance(error, Unreadable):
        return f"the checker does not know all of it ({' '.join(str(error).split())})"
    if isinstance(error, GivenUp | NoWitness):
        return " ".join(str(error).split())
    return f"a defect of verifier, please report it: {type(error).__name__}: {' '.join(str(error).split())}"
