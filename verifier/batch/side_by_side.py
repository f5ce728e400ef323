"""Several methods on one query, each in a process of its own: none can take the time or the memory of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from verifier.batch.assignment import Assignment
from verifier.batch.isolation import WarmProcesses
from verifier.batch.job import Job
from verifier.batch.outcome import Outcome
from verifier.methods.comparison import Answer, Comparison, shares


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, with the comparison and the outcomes of the methods that had answered."""

    def __init__(self, comparison: Comparison, outcomes: list[Outcome]) -> None:
        super().__init__()
        self.comparison, self.outcomes = comparison, outcomes


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
        Interrupted: Ctrl-C came; it holds what was answered until then.
    """
    outcomes: list[Outcome] = []
    processes = WarmProcesses()
    try:
        for method, seconds in shares(methods, job.timeout):
            observe(method, seconds, None)
            alone = replace(job, method=method, timeout=seconds, thorough=True)
            outcomes.append(processes.run(Assignment(alone, memory)))
            observe(method, seconds, outcomes[-1])
    except KeyboardInterrupt:
        raise Interrupted(_comparison(methods, outcomes), outcomes) from None
    finally:
        processes.stop()
    return _comparison(methods, outcomes), outcomes


def _comparison(methods: Sequence[str], outcomes: Sequence[Outcome]) -> Comparison:
    """Of the first methods, as many as have an outcome."""
    answers = (Answer(m, outcome.verdict, outcome.undecided) for m, outcome in zip(methods, outcomes, strict=False))
    return Comparison(tuple(answers))
