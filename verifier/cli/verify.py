"""`verifier verify NET PROPERTY`: decide one property, say so, leave the evidence."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from verifier.batch.job import Job, decide
from verifier.batch.watchdog import Watchdog
from verifier.cli.around import Clip, Epsilon, Label, Norm, Sample, described, neighbourhood
from verifier.cli.live import LiveLine
from verifier.cli.output import complain, say
from verifier.errors import UsageError, VerifierError
from verifier.evidence.result_files import (
    check_writable,
    counterexample,
    history_records,
    result_text,
    verdict_json,
    write_whole,
)
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verifier.methods import Task
    from verifier.property.query import Declaration
    from verifier.verdict import Witness

EXIT_STATUS = {Status.UNSAT: 0, Status.SAT: 1, Status.ERROR: 2, Status.UNKNOWN: 3, Status.TIMEOUT: 3}
SHOWN_ENTRIES = 40
"""Counterexamples of more inputs and outputs than this are not printed, only written."""


def verify(
    network: Annotated[Path, typer.Argument(metavar="NET", help="ONNX model, .onnx or .onnx.gz.")],
    prop: Annotated[
        Path | None, typer.Argument(metavar="[PROPERTY]", help="VNN-LIB property, .vnnlib or .vnnlib.gz.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="auto, interval, crown, dual, alpha, lp, sdp, inputs, neurons, milp or attack.")
    ] = "auto",
    timeout: Annotated[float, typer.Option(min=0.001, help="Wall time allowed, in seconds.")] = 300.0,
    result: Annotated[
        Path | None, typer.Option(help="Write the verdict and counterexample in VNN-COMP's form.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the verdict with bound, time and witness as JSON.")] = None,
    device: Annotated[str, typer.Option(help="cpu (NumPy), torch:cpu, or a torch device such as cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the attacks' starting points.")] = 0,
    witness_tolerance: Annotated[
        float, typer.Option(min=0.0, help="Accept witnesses that miss the property by this much; 0 is exact.")
    ] = 0.0,
    memory: Annotated[
        float, typer.Option(min=1.0, help="Megabytes a search may keep; it narrows before it would take more.")
    ] = 4000.0,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores a search works on.")] = 2,
    solver: Annotated[
        str, typer.Option(help="Of linear and mixed-integer programs, as `verifier solvers` lists them.")
    ] = "highs",
    tighten: Annotated[str, typer.Option(help="Sharpen the bounds of all neurons first: none, lp or milp.")] = "none",
    tighten_share: Annotated[
        float, typer.Option(min=0.001, max=1.0, help="Part of the time that this may take.")
    ] = 0.3,
    explain: Annotated[bool, typer.Option("--explain", help="Say what auto chose, and why.")] = False,
    around: Sample = None,
    epsilon: Epsilon = None,
    norm: Norm = "inf",
    clip: Clip = "",
    label: Label = None,
) -> None:
    """Decide whether a property of a network holds.

    The first word printed is the verdict: unsat (the property is proved), sat (a counterexample, replayed in ONNX
    Runtime), unknown, timeout or error. Exit status: 0 unsat, 1 sat, 2 wrong input or usage, 3 undecided.

    Examples:

    verifier verify net.onnx prop.vnnlib --timeout 60 --result out.txt

    verifier verify net.onnx.gz prop.vnnlib.gz --method crown --json out.json

    verifier verify net.onnx prop.vnnlib --explain --memory 2000 --threads 4

    verifier verify net.onnx prop.vnnlib --method milp --solver pulp:CBC

    verifier verify net.onnx prop.vnnlib --method crown --tighten lp --tighten-share 0.9

    verifier verify net.onnx --around image.npy --norm 2 --epsilon 0.5 --clip 0,1
    """
    place = neighbourhood(around, epsilon, norm, clip, label)
    if prop is not None and label is not None:
        raise UsageError("a label and a property", "--label", "give one of them")
    limits = timeout, device, seed, witness_tolerance, memory, threads, solver, tighten, tighten_share
    job = Job(network, prop, method, *limits, around=place)
    if not math.isfinite(timeout):
        raise UsageError(f"a timeout of {timeout} s", "--timeout", "give a number of seconds")
    watchdog = Watchdog(timeout, complain)
    report = Report(result, json, job, explain, LiveLine(lambda: watchdog.elapsed))
    report.check()
    with watchdog:
        report.line.start()
        try:
            verdict, task = decide(job, watchdog, report.finish, report.line.watch)
        except VerifierError as error:
            watchdog.claim()
            report.failed(error)
        except MemoryError:
            watchdog.claim()
            report.failed(UsageError("out of memory", str(network), "use a machine with more, or a smaller network"))
        watchdog.claim()
    sys.exit(report.finish(verdict, task))


@dataclass(frozen=True)
class Report:
    """Where the answer goes.

    Attributes:
        result: VNN-COMP's result file, or None.
        json: the JSON file, or None.
        job: the question, for the JSON file.
        explain: whether to print what a plan chose.
        line: shown on a terminal until the verdict is.
    """

    result: Path | None
    json: Path | None
    job: Job
    explain: bool
    line: LiveLine

    def check(self) -> None:
        """Finds unwritable paths before any work.

        Raises:
            UsageError: one of the files cannot be written, or is also another of the files.
        """
        taken = {self.job.network.resolve(): "NET", self.job.asked.resolve(): "PROPERTY"}
        if self.job.around is not None:
            taken[self.job.around.sample.resolve()] = "--around"
        for path, option in ((self.result, "--result"), (self.json, "--json")):
            if path is None:
                continue
            check_writable(path, option)
            other = taken.setdefault(path.resolve(), option)
            if other != option and (path.is_file() or not path.exists()):
                raise UsageError(f"{path} is also {other}", option, "give each its own file")

    def finish(self, verdict: Verdict, task: Task | None) -> int:
        """Prints the verdict, writes the files; the exit status.

        Raises:
            UsageError: a file cannot be written after all; the other is, and the verdict has been printed.
        """
        self.line.stop()
        declarations = task.query.declarations if task is not None else ()
        bound = "" if verdict.bound is None else f", margin at least {verdict.bound:.6g}"
        say(f"{verdict.status.value}  by {verdict.method}{bound}, {verdict.seconds:.2f} s")
        if verdict.detail:
            say(verdict.detail)
        if self.explain and task is not None:
            for line in task.explanation or ["nothing was left to plan: the first attack or bounds decided"]:
                say(line)
        if verdict.witness is not None:
            self._show(verdict.witness, declarations)
        self._write(verdict, declarations, task)
        return EXIT_STATUS[verdict.status]

    def _write(self, verdict: Verdict, declarations: Sequence[Declaration] = (), task: Task | None = None) -> None:
        run = {} if task is None else {"explanation": task.explanation, "history": history_records(task.history)}
        texts = (
            (self.result, lambda: result_text(verdict.status, verdict.witness, declarations)),
            (self.json, lambda: verdict_json(verdict, self._asked() | run)),
        )
        faults = []
        for path, text in texts:
            if path is not None:
                try:
                    write_whole(path, text())
                except UsageError as fault:
                    faults.append(fault)
        if faults:
            raise faults[0]

    def _show(self, witness: Witness, declarations: Sequence[Declaration]) -> None:
        if len(witness.x) + len(witness.y) <= SHOWN_ENTRIES:
            say(counterexample(witness, declarations))
        elif self.result is None and self.json is None:
            say(f"the counterexample has {len(witness.x)} inputs; --result FILE writes it")

    def _asked(self) -> dict[str, object]:
        job = self.job
        return {
            "network": str(job.network),
            "property": None if job.prop is None else str(job.prop),
            "requested_method": job.method,
            "timeout": job.timeout,
            "device": job.device,
            "seed": job.seed,
            "witness_tolerance": job.witness_tolerance,
            "memory": job.memory,
            "threads": job.threads,
            "solver": job.solver,
            "tighten": job.tighten,
            "tighten_share": job.tighten_share,
        } | ({} if job.around is None else {"around": described(job.around)})

    def failed(self, error: VerifierError) -> NoReturn:
        """Leaves an `error` verdict in the files and lets the error go on to the shell."""
        self.line.stop()
        self._write(Verdict(Status.ERROR, "none", detail=str(error)))
        raise error
