"""`verifier accuracy NET`: the robust accuracy on a data set, certified and attacked, side by side."""

from __future__ import annotations

import json
import os
from argparse import ArgumentTypeError
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.arguments import TIMEOUT, limits_written, norm_named, number_written
from verifier.cli.around import CHANNELS
from verifier.cli.options import flag, listed, number, option, required, whole, word
from verifier.cli.output import complain, plain_table, say, say_table
from verifier.cli.part import Part
from verifier.cli.smoothing import Noise
from verifier.cli.statuses import EXIT_CONTRADICTION, EXIT_INTERRUPTED, write_or_exit
from verifier.errors import ModelError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.evaluation.evaluate import Accuracy
    from verifier.evaluation.options import AccuracyOptions
    from verifier.evaluation.summary import Share
    from verifier.network.graph import Network


def sizes(text: str) -> list[float]:
    """Reads numbers with commas between them."""
    try:
        return [number_written(word, "epsilons") for word in text.split(",")]
    except UsageError as error:
        raise ArgumentTypeError(f"{text!r} is no list of sizes; give numbers: --epsilons 0.05,0.1") from error


@dataclass(frozen=True, kw_only=True)
class Question:
    """The question."""

    network: Path = word(Path, "NET", "ONNX model of a classifier, .onnx or .onnx.gz.")
    data: str = required(
        str, "Samples with labels: .npz (x, y), .csv (label last), or a known set: digits, mnist5k.", "DATA"
    )
    epsilons: list[float] = required(sizes, "Sizes of perturbations.", "E,E..")
    samples: str = option(str, "", "Which, from 0 on; all if not given.", "I,J-K")
    norm: str = option(str, "inf", "In which sizes are measured: 1, 2 or inf.", "P")
    clip: str = option(str, "", "Values that inputs can have at all.", "LOW,HIGH")
    channels: str = option(str, "first", CHANNELS, "WHERE")
    model_output: tuple[str, ...] = option(listed, (), "Names of outputs, where the model has others too.", "NAMES")
    batch_index: int | None = option(whole(0), None, "The row of a fixed batch, where rows do not mix.", "ROW")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How it is answered."""

    methods: tuple[str, ...] | None = option(listed, None, "Names, with commas; the usual ones if not given.")
    timeout: float = option(number(0.001), TIMEOUT, "Seconds for a sample, smoothing apart.", "SECONDS")
    workers: int | None = option(whole(1), None, "Samples at a time; cores if not given.")
    joint: bool = flag("Smoothing: all samples' statements together wrong with a chance of alpha.")
    seed: int = option(whole(0), 0, "Seed of every random choice.")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where the answer goes."""

    output: Path | None = option(
        Path, None, "A folder for samples.csv, summary.json, curve.png, and to go on from.", "DIR"
    )
    resume: bool = flag("Go on with the folder's answers.")
    evidence: Path = option(Path, Path("crossing.json"), "Where both sides of a crossing are written.")


def accuracy(question: Question, effort: Effort, answer: Answer, noise: Noise) -> int:
    """The robust accuracy on a data set: for each size of perturbation, what is certified, broken, and neither.

    Attacks break samples, each by an input replayed in ONNX Runtime; certificates and verification methods prove that
    no perturbation of a size changes the class. Randomized smoothing speaks of the smoothed network, and is told apart.
    Exit status: 0, 2 wrong input or usage, 4 a proof and a perturbation contradict each other, 130 interrupted.

    Examples:

    verifier accuracy net.onnx --data digits --samples 0-99 --epsilons 0.02,0.05,0.1 --clip 0,1 --output robust

    verifier accuracy net.onnx --data test.npz --norm 2 --epsilons 0.25,0.5 --methods fmn,cross-lipschitz,smoothing
    """
    from verifier.evaluation.evaluate import evaluate
    from verifier.evaluation.store import NAME, Store
    from verifier.evidence.result_files import check_writable
    from verifier.radii.data import chosen_samples, load_data

    options = _options(question, effort, noise)
    check_writable(answer.evidence, "--evidence")
    model = _model(question)
    if model.note:
        say(model.note)
    found = load_data(question.data, model, question.channels)
    chosen = chosen_samples(question.samples or f"0-{len(found.x) - 1}", len(found.x))
    output, resume = answer.output, answer.resume
    if output is not None:
        _make_folder(output)
    elif resume:
        raise UsageError("nothing to go on from", "--resume", "give --output as well")
    opened = None if output is None else lambda asked: Store(output / NAME, asked, resume)
    progress = Progress(len(chosen))
    try:
        with progress:
            workers = effort.workers or os.cpu_count() or 1
            done = evaluate(model, found, chosen, options, workers, opened, progress.advance)
    except KeyboardInterrupt:
        kept = "nothing is kept" if output is None else f"{output / NAME} has what is done; --resume goes on"
        complain(f"verifier: interrupted after {progress.done} of {len(chosen)} samples; {kept}")
        return EXIT_INTERRUPTED
    status = _shout(done, answer.evidence)
    _tell(done, f"{question.network.name}, {len(chosen)} samples of {question.data}, norm {question.norm}")
    if output is not None:
        write_or_exit(status, partial(_write, output, done, question.network.name))
    return status


def _model(question: Question) -> Network:
    """The network; `--output` is a folder here, so that errors say what the option for outputs is called.

    Raises:
        VerifierError: it cannot be read.
    """
    try:
        return Part(output=question.model_output, batch_index=question.batch_index).of(question.network)
    except ModelError as error:
        raise ModelError(error.cause, error.place, error.fix.replace("outputs=", "model_output=")) from None


def _options(question: Question, effort: Effort, noise: Noise) -> AccuracyOptions:
    """The same for the library.

    Raises:
        UsageError: one of them is wrong.
    """
    from verifier.evaluation.options import USUAL, AccuracyOptions

    names = USUAL if effort.methods is None else effort.methods
    limits = limits_written(question.clip) if question.clip else None
    norm, smoothing = norm_named(question.norm), noise.asked(effort.seed)
    return AccuracyOptions(question.epsilons, norm, names, limits, effort.timeout, effort.seed, smoothing, effort.joint)


def _tell(done: Accuracy, title: str) -> None:
    """Prints what came of it."""
    say_table(_table(done, title))
    if done.summary.abstained:
        told = ", ".join(f"{name} {_shown(share)}" for name, share in done.summary.abstained.items())
        say(f"abstained: {told}; {done.claim}")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be made ({error.strerror})", "--output", "choose another folder") from error


class Progress:
    """Samples done, and the time left, on a terminal; nothing elsewhere."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.done = 0
        console = Console(stderr=True)
        columns = (TextColumn("samples"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        self._task = self._bar.add_task("samples", total=total)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, _: object) -> None:
        """Counts a sample."""
        self.done += 1
        self._bar.advance(self._task)


def _table(done: Accuracy, title: str) -> Table:
    from verifier.attacks.minimal.registry import ATTACKS
    from verifier.radii.smoothed import SMOOTHED

    table = plain_table(title=title, pad_edge=False)
    sizes = done.summary.sizes
    table.add_column("share of the samples", overflow="fold")
    for size in sizes:
        table.add_column(f"{size.epsilon:g}", justify="right")
    table.add_row("classified rightly", *[_shown(done.summary.clean)] * len(sizes))
    attacked = any(name in ATTACKS for name in done.options.methods)
    unbroken = "no attack breaks it" if attacked else "not broken (no attack ran)"
    table.add_row(unbroken, *[_shown(size.unbroken) for size in sizes], style="cyan")
    table.add_row("certified by any method", *[_shown(size.by_any) for size in sizes], style="green")
    table.add_row("neither", *[_shown(size.between) for size in sizes], style="yellow", end_section=True)
    for name in sizes[0].certified:
        what = f"{name}, of the smoothed network" if name in SMOOTHED else name
        late = name in done.summary.late
        table.add_row(what, *["-" if late else _shown(size.certified[name]) for size in sizes])
    return table


def _shown(share: Share) -> str:
    return f"{100 * share.value:.1f} %"


def _shout(done: Accuracy, evidence: Path) -> int:
    """Tells every crossing and keeps both sides; the exit status."""
    from verifier.evaluation.answers import to_record
    from verifier.evidence.result_files import write_whole

    for answers in done.crossings:
        for proof, broken in answers.crossings:
            told = f"{proof.method} proves {proof.certified:.9g}, {broken.method} breaks {broken.broken:.9g}"
            complain(f"verifier: CROSSING at sample {answers.sample}: {told}")
    if not done.crossings:
        return 0
    content = {"asked": done.asked, "samples": [to_record(answers) for answers in done.crossings]}
    write_or_exit(EXIT_CONTRADICTION, lambda: write_whole(evidence, json.dumps(content, indent=1) + "\n"))
    complain(f"verifier: one of them is wrong, please report it with {evidence}")
    return EXIT_CONTRADICTION


def _write(folder: Path, done: Accuracy, title: str) -> None:
    from verifier.evaluation.files import record, rows_csv
    from verifier.evidence.result_files import write_whole
    from verifier.pictures.curves import accuracy_picture
    from verifier.pictures.style import range_name

    write_whole(folder / "samples.csv", rows_csv(done.answers, done.asked, done.options))
    summary = record(done.summary, done.asked, done.claim)
    write_whole(folder / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    drawn = title + range_name(done.options.clip)
    write_whole(folder / "curve.png", accuracy_picture(done.answers, done.options, drawn, ".png"))
