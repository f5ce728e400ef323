"""What becomes of `--proof`: a file beside an `unsat`, or a line that says why there is none."""

from __future__ import annotations

from pathlib import Path

from verifier.batch.job import Job
from verifier.deadline import Deadline
from verifier.evidence.result_files import write_whole
from verifier.verdict import Status, Verdict

SPARE = 0.5
"""Seconds of the time left that the writing of a proof does not take."""


def prove(job: Job, path: Path, verdict: Verdict, seconds: float) -> str:
    """Writes the proof of a verdict, if it is `unsat`, in so many seconds; a line that tells what came of it.

    Raises:
        UsageError: the file cannot be written.
    """
    if verdict.status is not Status.UNSAT:
        return f"no proof: there is none of {verdict.status.value}"
    if job.prop is None or job.around is not None or job.outputs or job.batch_index is not None:
        return "no proof: proofs are of a whole model and a property file"
    from verifier.proofs.neurons import GivenUp
    from verifier.proofs.write import proof_of

    deadline = Deadline(max(0.001, seconds - SPARE))
    try:
        contents = proof_of(job.network, job.prop, deadline)
    except GivenUp as why:
        return f"no proof: {why}"
    write_whole(path, contents)
    return f"proof: {path}, {len(contents) / 1000:.1f} kB, {deadline.elapsed:.2f} s"
