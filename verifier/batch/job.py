"""One question put to one method: what is asked, and how it is decided under a watchdog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.batch.watchdog import Watchdog
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from verifier.methods import Options, Task


@dataclass(frozen=True)
class Job:
    """What was asked for; the fields are those of `verifier verify`.

    Attributes:
        network, prop: the files.
        method: by name.
        timeout: seconds from the start of reading.
        device, seed, witness_tolerance, memory, threads, solver, tighten, tighten_share,
            thorough: see `verifier.Options`.
    """

    network: Path
    prop: Path
    method: str = "auto"
    timeout: float = 300.0
    device: str = "cpu"
    seed: int = 0
    witness_tolerance: float = 0.0
    memory: float = 4000.0
    threads: int = 1
    solver: str = "highs"
    tighten: str = "none"
    tighten_share: float = 0.3
    thorough: bool = False

    def options(self, seconds: float) -> Options:
        """What is set for the method, `seconds` being left."""
        from verifier.methods import Options

        limits = seconds, self.seed, self.device, self.witness_tolerance, self.memory, self.threads
        return Options(*limits, self.solver, self.tighten, self.tighten_share, self.thorough)


def decide(
    job: Job,
    watchdog: Watchdog,
    finish: Callable[[Verdict, Task | None], int],
    watch: Callable[[Task], None] = lambda task: None,
) -> tuple[Verdict, Task]:
    """Reads, decides; meanwhile the watchdog knows what to say when the time is up.

    Args:
        finish: leaves the verdict where it belongs and returns the exit status; called only if the time is up first.
        watch: is shown the task before the work on it begins.

    Raises:
        VerifierError: the files or options cannot be used.
    """
    watchdog.on_timeout(lambda: finish(interrupted(None, job, watchdog.elapsed), None))
    from verifier.methods import Task, method_named, run
    from verifier.readers.onnx import load_network
    from verifier.readers.vnnlib import load_property

    method = method_named(job.method)
    network = load_network(job.network)
    query = load_property(job.prop, network)
    task = Task(network, query, job.options(watchdog.remaining))
    watchdog.on_timeout(lambda: finish(interrupted(task, job, watchdog.elapsed), task))
    watch(task)
    return replace(run(task, method), seconds=watchdog.elapsed), task


def interrupted(task: Task | None, job: Job, seconds: float) -> Verdict:
    """The verdict of a run that is stopped from outside: a witness or bound already found still counts."""
    if task is None:
        return Verdict(Status.TIMEOUT, job.method, seconds=seconds, detail="the time ran out while reading the input")
    verdict = replace(task.verdict(job.method), seconds=seconds)
    return replace(verdict, status=Status.TIMEOUT) if verdict.status is Status.UNKNOWN else verdict
