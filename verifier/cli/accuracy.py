"""`verifier accuracy NET`: the robust accuracy on a data set, certified and attacked, side by side."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verifier.cli.around import norm_named, range_given
from verifier.cli.output import complain, say, say_table
from verifier.cli.smoothing import ALPHA, DRAWS, SIGMA, Alpha, Draws, Sigma, smoothing_given
from verifier.cli.statuses import EXIT_CONTRADICTION, EXIT_INTERRUPTED, write_or_exit
from verifier.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.evaluation.evaluate import Accuracy
    from verifier.evaluation.summary import Share

EVIDENCE = Path("crossing.json")


def accuracy(
    network: Annotated[Path, typer.Argument(metavar="NET", help="ONNX model of a classifier, .onnx or .onnx.gz.")],
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE|digits|mnist5k",
            help="Samples with labels: .npz (x, y), .csv (label last), or a known set.",
        ),
    ],
    epsilons: Annotated[str, typer.Option(metavar="E,E..", help="Sizes of perturbations.")],
    samples: Annotated[str, typer.Option(metavar="I,J-K", help="Which, from 0 on; all if not given.")] = "",
    norm: Annotated[str, typer.Option(help="In which sizes are measured: 1, 2 or inf.")] = "inf",
    methods: Annotated[str | None, typer.Option(help="Names, with commas; the usual ones if not given.")] = None,
    clip: Annotated[str, typer.Option(metavar="LOW,HIGH", help="Values that inputs can have at all.")] = "",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for a sample, smoothing apart.")] = 60.0,
    workers: Annotated[int | None, typer.Option(min=1, help="Samples at a time; cores if not given.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="A folder for samples.csv, summary.json, curve.png, and to go on from.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folder's answers.")] = False,
    joint: Annotated[
        bool, typer.Option("--joint", help="Smoothing: all samples' statements together wrong with a chance of alpha.")
    ] = False,
    evidence: Annotated[Path, typer.Option(help="Where both sides of a crossing are written.")] = EVIDENCE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random choice.")] = 0,
    sigma: Sigma = SIGMA,
    draws: Draws = DRAWS,
    alpha: Alpha = ALPHA,
) -> None:
    """The robust accuracy on a data set: for each size of perturbation, what is certified, broken, and neither.

    Attacks break samples, each by an input replayed in ONNX Runtime; certificates and verification methods prove that
    no perturbation of a size changes the class. Randomized smoothing speaks of the smoothed network, and is told apart.
    Exit status: 0, 2 wrong input or usage, 4 a proof and a perturbation contradict each other, 130 interrupted.

    Examples:

    verifier accuracy net.onnx --data digits --samples 0-99 --epsilons 0.02,0.05,0.1 --clip 0,1 --output robust

    verifier accuracy net.onnx --data test.npz --norm 2 --epsilons 0.25,0.5 --methods fmn,cross-lipschitz,smoothing
    """
    from verifier.evaluation.evaluate import evaluate
    from verifier.evaluation.options import USUAL, AccuracyOptions
    from verifier.evaluation.store import NAME, Store
    from verifier.evidence.result_files import check_writable
    from verifier.radii.data import chosen_samples, load_data
    from verifier.readers.onnx import load_network

    names = USUAL if methods is None else [name.strip() for name in methods.split(",") if name.strip()]
    noise = smoothing_given(sigma, draws, alpha, seed)
    limits = range_given(clip) if clip else None
    options = AccuracyOptions(_numbers(epsilons), norm_named(norm), names, limits, timeout, seed, noise, joint)
    check_writable(evidence, "--evidence")
    model = load_network(network)
    found = load_data(data, model.input_size)
    chosen = chosen_samples(samples or f"0-{len(found.x) - 1}", len(found.x))
    if output is not None:
        _make_folder(output)
    elif resume:
        raise UsageError("nothing to go on from", "--resume", "give --output as well")
    opened = None if output is None else lambda asked: Store(output / NAME, asked, resume)
    progress = Progress(len(chosen))
    try:
        with progress:
            done = evaluate(model, found, chosen, options, workers or os.cpu_count() or 1, opened, progress.advance)
    except KeyboardInterrupt:
        kept = "nothing is kept" if output is None else f"{output / NAME} has what is done; --resume goes on"
        complain(f"verifier: interrupted after {progress.done} of {len(chosen)} samples; {kept}")
        sys.exit(EXIT_INTERRUPTED)
    status = _shout(done, evidence)
    say_table(_table(done, f"{network.name}, {len(chosen)} samples of {data}, norm {norm}"))
    if done.summary.abstained:
        told = ", ".join(f"{name} {_shown(share)}" for name, share in done.summary.abstained.items())
        say(f"abstained: {told}; {done.claim}")
    if output is not None:
        write_or_exit(status, partial(_write, output, done, network.name))
    sys.exit(status)


def _numbers(text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise UsageError(f"{text!r} is no list of sizes", "--epsilons", "give numbers: --epsilons 0.05,0.1") from error


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
    from rich.table import Table

    from verifier.attacks.minimal.registry import ATTACKS
    from verifier.radii.smoothed import SMOOTHED

    table = Table(title=title, title_justify="left")
    sizes = done.summary.sizes
    table.add_column("share of the samples")
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

    write_whole(folder / "samples.csv", rows_csv(done.answers, done.asked, done.options))
    summary = record(done.summary, done.asked, done.claim)
    write_whole(folder / "summary.json", json.dumps(summary, indent=1, allow_nan=False) + "\n")
    write_whole(folder / "curve.png", accuracy_picture(done.answers, done.options, title, ".png"))
