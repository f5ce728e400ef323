"""One question put to one method: what is asked, and how it is decided under a watchdog."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.arguments import NORM, TIMEOUT
from verifier.batch.models import is_list, named_models
from verifier.batch.watchdog import Watchdog
from verifier.errors import UsageError
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from verifier.methods import Options, Task
    from verifier.network.graph import Network
    from verifier.property.query import Query


@dataclass(frozen=True)
class Around:
    """A norm ball around a sample.

    Attributes:
        sample: a file of samples, or the name of a data set; see `radii.data.load_data`.
        epsilon: the radius.
        norm: 1, 2 or inf.
        clip: the smallest and the largest value of any input, or None.
        label: the sample's class; None for the data's, or else the network's own.
        number: of the sample, where there are several; as a text, or None.
        channels: where an array has its channels, ``"first"`` or ``"last"``.
    """

    sample: Path
    epsilon: float
    norm: float = NORM
    clip: tuple[float, float] | None = None
    label: int | None = None
    number: str | None = None
    channels: str = "first"


@dataclass(frozen=True)
class Job:
    """What was asked for; the fields are those of `verifier verify`.

    Attributes:
        network, prop: the files; without a property the query is that of `around`. For several networks, or one by its
            declared name, a list of models (`batch.models`).
        method: by name.
        timeout: seconds from the start of reading.
        device, seed, witness_tolerance, memory, threads, solver, tighten, tighten_share,
            thorough: see `verifier.Options`.
        around: where to look, instead of or within the property's input set.
        allow_empty: whether bounds that leave no input are answered `unsat` rather than refused.
        outputs, batch_index: see `verifier.load_network`.
    """

    network: Path
    prop: Path | None
    method: str = "auto"
    timeout: float = TIMEOUT
    device: str = "cpu"
    seed: int = 0
    witness_tolerance: float = 0.0
    memory: float = 4000.0
    threads: int = 1
    solver: str = "highs"
    tighten: str = "none"
    tighten_share: float = 0.3
    thorough: bool = False
    around: Around | None = None
    allow_empty: bool = False
    outputs: tuple[str, ...] = ()
    batch_index: int | None = None

    @property
    def asked(self) -> Path:
        """The file that says what is asked: the property, or else the sample.

        Raises:
            UsageError: neither is given.
        """
        if self.prop is not None:
            return self.prop
        if self.around is None:
            raise UsageError("no property", "verify", "give PROPERTY, or a sample: around=SAMPLE with epsilon=RADIUS")
        return self.around.sample

    @property
    def models(self) -> dict[str, Path]:
        """The models by the names of the networks in the property; `ONLY` is the name of a single file's.

        Raises:
            UsageError: a list of them is none.
        """
        from verifier.readers.question import ONLY

        return dict(named_models(self.network)) or {ONLY: self.network}

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

    method = method_named(job.method)
    network, query = question_of(job)
    task = Task(network, query, job.options(watchdog.remaining))
    watchdog.on_timeout(lambda: finish(interrupted(task, job, watchdog.elapsed), task))
    watch(task)
    return replace(run(task, method), seconds=watchdog.elapsed), task


def question_of(job: Job) -> tuple[Network, Query]:
    """The network and the property's query, that of robustness around a sample, or the former near the latter.

    Raises:
        VerifierError: the files cannot be used.
    """
    if job.around is None:
        from verifier.readers.question import load_question

        return load_question(job.asked, job.models, job.allow_empty, job.outputs, job.batch_index)
    from verifier.readers.onnx import load_network

    if is_list(job.network):
        raise UsageError("a sample to look around has one network", str(job.network), "give one model")
    network = load_network(job.network, outputs=job.outputs, batch_index=job.batch_index)
    return network, _query_around(job, job.around, network)


def _query_around(job: Job, around: Around, network: Network) -> Query:
    from verifier.evidence.replay import own_class
    from verifier.property.query import BY_DATA, BY_LABEL, BY_NETWORK
    from verifier.property.robustness import Neighbourhood, near, robustness_query
    from verifier.radii.data import load_one
    from verifier.readers.vnnlib import load_property

    sample, known = load_one(str(around.sample), around.number, network, around.channels)
    neighbourhood = Neighbourhood(sample, around.epsilon, around.norm, around.clip)
    if job.prop is not None:
        return near(load_property(job.prop, network), neighbourhood).not_empty(job.allow_empty)
    if around.label is not None:
        label, source = around.label, BY_LABEL
    elif known is not None:
        label, source = known, BY_DATA
    else:
        label, source = own_class(network, sample), BY_NETWORK
    sizes = network.input_size, network.output_size
    return robustness_query(sizes, neighbourhood, label, str(around.sample), source)


def interrupted(task: Task | None, job: Job, seconds: float) -> Verdict:
    """The verdict of a run that is stopped from outside: a witness or bound already found still counts."""
    if task is None:
        return Verdict(Status.TIMEOUT, job.method, seconds=seconds, detail="the time ran out while reading the input")
    verdict = replace(task.verdict(job.method), seconds=seconds)
    return replace(verdict, status=Status.TIMEOUT) if verdict.status is Status.UNKNOWN else verdict
