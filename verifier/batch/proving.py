"""What becomes of `--proof`: a file's contents beside an `unsat`, or a line that says why there are none."""

from __future__ import annotations

from verifier.batch.job import Job
from verifier.deadline import Deadline
from verifier.methods import Task
from verifier.verdict import Status, Verdict

SPARE = 0.5
"""Seconds of the time left that the writing of a proof does not take."""
OUT_OF_TIME = "no proof: the time ran out"


def prove(job: Job, verdict: Verdict, task: Task, seconds: float) -> tuple[str, bytes | None]:
    """The proof of a verdict, if it is `unsat`, made in so many seconds: a line that tells of it, and the contents.

    The verdict stays, whatever goes wrong here.
    """
    if verdict.status is not Status.UNSAT:
        return f"no proof: there is none of {verdict.status.value}", None
    if job.prop is None or job.around is not None or job.outputs or job.batch_index is not None:
        return "no proof: proofs are of a whole model and a property file", None
    from verifier.proofs.neurons import GivenUp
    from verifier.proofs.write import proof_of

    deadline = Deadline(max(0.001, seconds - SPARE))
    try:
        contents = proof_of(job.network, job.prop, deadline, task.trails)
    except (GivenUp, MemoryError, RecursionError) as why:
        return f"no proof: {str(why) or type(why).__name__}", None
    return f"proof: {len(contents) / 1000:.1f} kB, {deadline.elapsed:.2f} s", contents
