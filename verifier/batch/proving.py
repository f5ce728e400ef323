"""What becomes of `--proof`: a file's contents beside a verdict, or a line that says why there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from verifier.batch.job import Job
from verifier.proving import PROOF_SIZE, Limits, Made, made
from verifier.verdict import Verdict

if TYPE_CHECKING:
    from verifier.methods import Task

SPARE = 0.5
"""Seconds of the time left that the writing of a proof does not take."""
OUT_OF_TIME = "no proof: the time ran out"
INTERRUPTED = "no proof: interrupted while it was being written"


def prove(
    job: Job,
    verdict: Verdict,
    task: Task | None,
    seconds: float,
    size: float = PROOF_SIZE,
    progress: Callable[[int], None] = lambda cases: None,
) -> Made:
    """The proof of an `unsat`, or the witness of a `sat`; the verdict stays, whatever goes wrong here.

    Args:
        task: what the verdict was found by.
        seconds: left for it, of which `SPARE` stays.
        size: megabytes of the file at most.
        progress: is told of the cases so far.
    """
    if task is not None and task.network.parts:
        return Made(None, reason="proofs are of one network, and the property is about several")
    network = next(iter(job.models.values()))
    if job.prop is None or job.around is not None or job.outputs or job.batch_index is not None:
        return Made(None, reason="proofs are of a whole model and a property file")
    limits = Limits(max(0.001, seconds - SPARE), size, job.memory)
    return made(network, job.prop, verdict, task, limits, progress)
