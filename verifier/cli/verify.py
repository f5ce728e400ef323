"""`verifier verify NET PROPERTY`: decide one property, say so, leave the evidence."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from verifier.arguments import TIMEOUT
from verifier.batch.job import Job, decide, question_of
from verifier.batch.models import is_list, listed
from verifier.batch.proving import INTERRUPTED, OUT_OF_TIME, prove
from verifier.batch.watchdog import Watchdog
from verifier.cli.around import Neighbourhood, described
from verifier.cli.live import LiveLine
from verifier.cli.options import flag, named_file, number, option, optional_word, several, whole, word
from verifier.cli.output import complain, say
from verifier.cli.part import Part
from verifier.cli.statuses import EXIT_INTERRUPTED
from verifier.cli.wording import as_options, told
from verifier.errors import UsageError, VerifierError
from verifier.evidence.result_files import (
    check_writable,
    counterexample,
    history_records,
    result_text,
    verdict_json,
    write_whole,
)
from verifier.proving import PROOF_SIZE
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier.methods import Task
    from verifier.property.query import Declaration
    from verifier.verdict import Witness

EXIT_STATUS = {Status.UNSAT: 0, Status.SAT: 1, Status.ERROR: 2, Status.UNKNOWN: 3, Status.TIMEOUT: 3}
RESERVE = 0.9
"""Of the time left, for further counterexamples."""
SHOWN_ENTRIES = 40
"""Counterexamples of more inputs and outputs than this are not printed, only written."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """The question."""

    network: Path = word(Path, "NET", "ONNX model, .onnx or .onnx.gz; left out where --network names the models.")
    prop: Path | None = optional_word(Path, None, "PROPERTY", "VNN-LIB property, .vnnlib or .vnnlib.gz.")
    networks: Sequence[tuple[str, Path]] = several(
        named_file,
        "The model of a network that a VNN-LIB 2.0 property declares, once for each that is not equal to another.",
        "NAME=NET",
        "--network",
    )
    witness_tolerance: float = option(
        number(0), 0.0, "Accept witnesses that miss the property by this much; 0 is exact."
    )
    allow_empty: bool = flag("Answer unsat where bounds cross, so that there is no input at all; otherwise an error.")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How it is decided."""

    method: str = option(
        str, "auto", "auto, interval, crown, dual, alpha, lp, sdp, inputs, neurons, milp or attack.", "NAME"
    )
    timeout: float = option(number(0.001), TIMEOUT, "Wall time allowed, in seconds.", "SECONDS")
    memory: float = option(
        number(1), 4000.0, "Megabytes a search may keep; it narrows before it would take more.", "MB"
    )
    threads: int = option(whole(1), 2, "Processor cores a search works on.")
    device: str = option(str, "cpu", "cpu (NumPy), torch:cpu, or a torch device such as cuda.", "NAME")
    solver: str = option(
        str, "highs", "Of linear and mixed-integer programs, as `verifier solvers` lists them.", "NAME"
    )
    tighten: str = option(str, "none", "Sharpen the bounds of all neurons first: none, lp or milp.", "BY")
    tighten_share: float = option(number(0.001, 1), 0.3, "Part of the time that this may take.")
    seed: int = option(whole(0), 0, "Seed of the attacks' starting points.")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where the answer goes."""

    result: Path | None = option(Path, None, "Write the verdict and counterexample in VNN-COMP's form.")
    json: Path | None = option(Path, None, "Write the verdict with bound, time and witness as JSON.")
    proof: Path | None = option(Path, None, "Write a proof of unsat, or sat's witness, for `verifier check`.")
    proof_size: float = option(number(0.001), PROOF_SIZE, "Give up a proof of more megabytes than this.", "MB")
    all: int = option(whole(1), 1, "Look for up to so many counterexamples that differ, in the time that is left.", "N")
    largest: bool = flag("Find the largest multiple of the boxes that is proved instead, and the smallest refuted.")
    explain: bool = flag("Say what auto chose, and why.")


def verify(question: Question, part: Part, effort: Effort, answer: Answer, near: Neighbourhood) -> int:
    """Decide whether a property of a network holds.

    The first word printed is the verdict: unsat (the property is proved), sat (a counterexample, replayed in ONNX
    Runtime), unknown, timeout or error. Exit status: 0 unsat, 1 sat, 2 wrong input or usage, 3 undecided, 130 ended by
    Ctrl-C. Bounds that cross leave no input and would prove anything: an error, unless --allow-empty.

    Examples:

    verifier verify net.onnx prop.vnnlib --timeout 60 --result out.txt

    verifier verify net.onnx.gz prop.vnnlib.gz --method crown --json out.json

    verifier verify net.onnx prop.vnnlib --explain --memory 2000 --threads 4

    verifier verify net.onnx prop.vnnlib --method milp --solver pulp:CBC

    verifier verify net.onnx prop.vnnlib --method crown --tighten lp --tighten-share 0.9

    verifier verify net.onnx --around image.npy --norm 2 --epsilon 0.5 --clip 0,1

    verifier verify net.onnx prop.vnnlib --output probabilities --batch-index 0

    verifier verify net.onnx prop.vnnlib --proof proof.npz --proof-size 20

    verifier verify twins.vnnlib --network teacher=teacher.onnx --network student=student.onnx

    verifier verify net.onnx --data digits:test --samples 3 --epsilon 8/255
    """
    job = _job(question, part, effort, near)
    if answer.largest:
        return _largest(job, answer)
    watchdog = Watchdog(effort.timeout, complain)
    line = LiveLine(lambda: watchdog.elapsed)
    report = Report(answer.result, answer.json, answer.proof, job, answer.explain, line, watchdog)
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
            report.failed(
                UsageError("out of memory", str(job.network), "use a machine with more, or a smaller network")
            )
        known = verdict

        def without_proof() -> int:
            late = INTERRUPTED if watchdog.interrupted else OUT_OF_TIME
            return report.finish(known if answer.proof is None else replace(known, proof=late), task)

        watchdog.on_timeout(without_proof)
        contents = None
        if answer.all > 1 and verdict.witness is not None:
            report.others.extend(_others(job, task, verdict.witness, answer.all, watchdog.remaining))
        if answer.proof is not None:
            report.line.proving(0)
            proof = prove(job, verdict, task, watchdog.remaining, answer.proof_size, report.line.proving)
            verdict, contents = replace(verdict, proof=proof.note), proof.contents
        watchdog.claim()
        sys.exit(report.finish(verdict, task, contents))  # within, so that a signal does not change the status any more


def _others(job: Job, task: Task, first: Witness, count: int, seconds: float) -> list[Witness]:
    """Counterexamples that differ from the first and from each other, `count` with it at most."""
    from verifier.methods import method_named
    from verifier.methods.several import counterexamples

    options = replace(job.options(max(0.001, RESERVE * seconds)))
    several = counterexamples(*question_of(job), count, method_named(job.method), options, (first,))
    return list(several.witnesses[1:])


def _largest(job: Job, answer: Answer) -> int:
    """Shows and writes how far the property holds; the exit status: 0 somewhere, 3 nowhere as far as is known.

    Raises:
        VerifierError: the files or options cannot be used.
    """
    import json

    from verifier.methods import method_named
    from verifier.ranges.largest import largest

    for path, name in ((answer.result, "--result"), (answer.proof, "--proof")):
        if path is not None:
            raise UsageError("a file of one verdict", name, "give --json with --largest")
    if answer.json is not None:
        check_writable(answer.json, "--json")
    clip = None if job.around is None else job.around.clip
    found = largest(*question_of(job), method_named(job.method), job.options(job.timeout), clip=clip)
    refuted = "refuted nowhere" if math.isinf(found.refuted) else f"refuted at {found.refuted:.6g} times"
    say(f"proved at {found.proved:.6g} times the box, {refuted}, {found.asked} questions, {found.seconds:.2f} s")
    if job.around is not None and found.proved:
        say(f"that is a radius of {found.proved * job.around.epsilon:.6g}")
    if answer.json is not None:
        record = {"network": str(job.network), "property": str(job.asked)} | found.to_dict()
        write_whole(answer.json, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return 0 if found.proved else EXIT_STATUS[Status.UNKNOWN]


def _job(question: Question, part: Part, effort: Effort, near: Neighbourhood) -> Job:
    """What is asked, for a process of any kind.

    Raises:
        UsageError: options contradict each other.
    """
    place = near.asked()
    if question.prop is not None and near.label is not None:
        raise UsageError("a label and a property", "--label", "give one of them")
    if not math.isfinite(effort.timeout):
        raise UsageError(f"a timeout of {effort.timeout} s", "--timeout", "give a number of seconds")
    network, prop = _files(question)
    return Job(
        network,
        prop,
        effort.method,
        effort.timeout,
        effort.device,
        effort.seed,
        question.witness_tolerance,
        effort.memory,
        effort.threads,
        effort.solver,
        effort.tighten,
        effort.tighten_share,
        around=place,
        allow_empty=question.allow_empty,
        outputs=part.output,
        batch_index=part.batch_index,
    )


def _files(question: Question) -> tuple[Path, Path | None]:
    """The model, or a list of models, and the property.

    Raises:
        UsageError: the options contradict each other.
    """
    if not question.networks:
        return question.network, question.prop
    if question.prop is not None or is_list(question.network):
        raise UsageError("NET and --network", str(question.network), "leave out NET: --network names the models")
    return listed(question.networks), question.network


@dataclass(frozen=True)
class Report:
    """Where the answer goes.

    Attributes:
        result: VNN-COMP's result file, or None.
        json: the JSON file, or None.
        proof: the proof's file, or None.
        job: the question, for the JSON file.
        explain: whether to print what a plan chose.
        line: shown on a terminal until the verdict is.
        watchdog: knows whether Ctrl-C ended the run.
        others: counterexamples besides the verdict's own.
    """

    result: Path | None
    json: Path | None
    proof: Path | None
    job: Job
    explain: bool
    line: LiveLine
    watchdog: Watchdog
    others: list[Witness] = field(default_factory=list)

    def check(self) -> None:
        """Finds unwritable paths before any work.

        Raises:
            UsageError: one of the files cannot be written, or is also another of the files.
        """
        taken = {model.resolve(): "NET" for model in self.job.models.values()}
        taken[self.job.asked.resolve()] = "PROPERTY"
        if self.job.around is not None:
            taken[self.job.around.sample.resolve()] = "--around"
        for path, name in ((self.result, "--result"), (self.json, "--json"), (self.proof, "--proof")):
            if path is None:
                continue
            check_writable(path, name)
            other = taken.setdefault(path.resolve(), name)
            if other != name and (path.is_file() or not path.exists()):
                raise UsageError(f"{path} is also {other}", name, "give each its own file")

    def finish(self, verdict: Verdict, task: Task | None, contents: bytes | None = None) -> int:
        """Prints the verdict, writes the files; the exit status.

        `contents` is what the proof's file is to hold, if there is one.

        Raises:
            UsageError: a file cannot be written after all; the other is, and the verdict has been printed.
        """
        self.line.stop()
        declarations = task.query.declarations if task is not None else ()
        vacuous = task is not None and not task.query.disjuncts
        how = "vacuously, nothing is left to ask" if vacuous else f"by {verdict.method}"
        margin = f", {verdict.margin}" if verdict.margin else ""
        say(f"{verdict.status.value}  {how}{margin}, {verdict.seconds:.2f} s")
        if verdict.detail:
            say(as_options(verdict.detail))
        if verdict.proof:
            say(verdict.proof)
        if self.explain and task is not None:
            for line in task.explanation or ["nothing was left to plan: the first attack or bounds decided"]:
                say(line)
        if verdict.witness is not None:
            for witness in (verdict.witness, *self.others):
                self._show(witness, declarations)
        status = EXIT_STATUS[verdict.status]
        if self.watchdog.interrupted and status == EXIT_STATUS[Status.UNKNOWN]:
            say("interrupted: this is what was known")
            status = EXIT_INTERRUPTED
        self._write(verdict, declarations, task, contents)
        return status

    def _write(
        self,
        verdict: Verdict,
        declarations: Sequence[Declaration] = (),
        task: Task | None = None,
        proof: bytes | None = None,
    ) -> None:
        run: dict[str, Any] = (
            {} if task is None else {"explanation": task.explanation, "history": history_records(task.history)}
        )
        if self.others:
            run["other_counterexamples"] = [witness.to_dict() for witness in self.others]
        texts: tuple[tuple[Path | None, Callable[[], str | bytes]], ...] = (
            (None if proof is None else self.proof, lambda: proof or b""),
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
        self._write(Verdict(Status.ERROR, "none", detail=told(error)))
        raise error
