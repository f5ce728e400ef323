"""Several methods on one query, each in a process of its own: none can take the time or the memory of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from verifier.batch.assignment import Assignment
from verifier.batch.isolation import WarmProcesses
from verifier.batch.job import Job
from verifier.batch.outcome import Outcome
from verifier.methods.comparison import Answer, Comparison, shares


def side_by_side(
    job: Job, methods: Sequence[str], memory: float, observe: Callable[[str, float, Outcome | None], None]
) -> tuple[Comparison, list[Outcome]]:
    """Puts the question to the methods, one after the other.

    Args:
        job: the question; its timeout is for all methods together, its method is not used.
        methods: names.
        memory: megabytes that the processes of one method may hold.
        observe: is told a method's name and seconds before it begins, and again with its outcome.

    Returns:
        The comparison, and the outcome of each method.

    Raises:
        UsageError: this machine cannot run jobs.
    """
    outcomes: list[Outcome] = []
    processes = WarmProcesses()
    try:
        for method, seconds in shares(methods, job.timeout):
            observe(method, seconds, None)
            alone = replace(job, method=method, timeout=seconds, thorough=True)
            outcomes.append(processes.run(Assignment(alone, memory)))
            observe(method, seconds, outcomes[-1])
    finally:
        processes.stop()
    answers = (Answer(m, outcome.verdict, outcome.undecided) for m, outcome in zip(methods, outcomes, strict=True))
    return Comparison(tuple(answers)), outcomes
