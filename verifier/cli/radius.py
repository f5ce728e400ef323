"""`verifier radius NET`: how far samples are from another class, bounded from both sides by every method."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verifier.cli.around import MEASURES, norm_named, range_given
from verifier.cli.output import complain, say, say_table
from verifier.cli.smoothing import ALPHA, DRAWS, SIGMA, Alpha, Draws, Sigma, smoothing_given
from verifier.cli.statuses import EXIT_CONTRADICTION, write_or_exit
from verifier.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.network.graph import Network
    from verifier.radii.bracket import Bracket, End
    from verifier.radii.data import LabelledData
    from verifier.radii.measure import RadiusOptions
    from verifier.radii.question import RadiusQuestion

EVIDENCE = Path("crossing.json")
STYLES = {"certified": "green", "certified in real arithmetic": "green", "exact": "green", "attack": "cyan"}


def radius(
    network: Annotated[Path, typer.Argument(metavar="NET", help="ONNX model of a classifier, .onnx or .onnx.gz.")],
    data: Annotated[
        str,
        typer.Option(
            metavar="FILE|digits|mnist5k",
            help="Samples: .npz (x, y), .csv (label last), or a known set.",
        ),
    ],
    samples: Annotated[str, typer.Option(metavar="I,J-K", help="Which, from 0 on.")] = "0",
    norm: Annotated[
        str, typer.Option(help="In which distances are measured: 1, 2 or inf; 0 counts changed inputs.")
    ] = "inf",
    methods: Annotated[str | None, typer.Option(help="Names, with commas; the usual ones if not given.")] = None,
    clip: Annotated[str, typer.Option(metavar="LOW,HIGH", help="Values that inputs can have at all.")] = "",
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds for a sample.")] = 60.0,
    gap: Annotated[float, typer.Option(help="The relative gap up to which a bracket counts as exact.")] = 1e-3,
    json: Annotated[Path | None, typer.Option(help="Write everything as JSON.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw a sample's ends on a line, a row a method: .png, .svg or .pdf.")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="Draw the decision regions around a sample, and both radii.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Draw inputs, perturbations and adversarial inputs.")] = None,
    shape: Annotated[str, typer.Option(metavar="RxC", help="Of images, where it is not plain: 1x28x28.")] = "",
    evidence: Annotated[Path, typer.Option(help="Where both sides of a crossing are written.")] = EVIDENCE,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random choice.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores a search works on.")] = 2,
    sigma: Sigma = SIGMA,
    draws: Draws = DRAWS,
    alpha: Alpha = ALPHA,
) -> None:
    """Bracket the minimal adversarial perturbation of samples: the distance to where another class leads.

    Attacks bound it from above, each by an input replayed in ONNX Runtime. Lipschitz constants bound it from below, and
    verification methods, asked about one distance after another, do as well; a complete one narrows the bracket down to
    the value. Every end says what it rests on. Labels are the data's, else the network's own classes.
    Exit status: 0, 2 wrong input or usage, 4 a proved end lies above a witness's distance; both are written then.

    Examples:

    verifier radius net.onnx --data digits --samples 0-9 --norm 2 --clip 0,1

    verifier radius net.onnx --data digits:test --samples 0 --regions regions.png --images images.png

    verifier radius net.onnx --data samples.npz --samples 3 --norm inf --methods fmn,crown,milp --json out.json
    """
    from verifier.cli.radius_pictures import Pictures
    from verifier.evidence.result_files import check_writable
    from verifier.radii.data import chosen_samples, load_data
    from verifier.radii.measure import RadiusOptions
    from verifier.readers.onnx import load_network

    p = norm_named(norm, MEASURES)
    if not math.isfinite(timeout):
        raise UsageError(f"a timeout of {timeout} s", "--timeout", "give a number of seconds")
    names = None if methods is None else [name.strip() for name in methods.split(",") if name.strip()]
    noise = smoothing_given(sigma, draws, alpha, seed)
    options = RadiusOptions(range_given(clip) if clip else None, names, timeout, gap, seed, threads, noise)
    options.chosen(p)
    for path, option in ((json, "--json"), (evidence, "--evidence")):
        if path is not None:
            check_writable(path, option)
    model = load_network(network)
    found = load_data(data, model.input_size)
    chosen = chosen_samples(samples, len(found.x))
    pictures = Pictures(picture, regions, images, shape, seed)
    pictures.check(model, chosen)
    questions = {index: _question(model, found, index, p, options) for index in chosen}
    brackets = {index: _measured(index, question, options) for index, question in questions.items()}
    asked: dict[str, object] = {
        "network": str(network),
        "data": data,
        "clip": options.clip and [repr(end) for end in options.clip],
    }
    asked |= {"timeout": timeout, "gap": gap, "seed": seed, "threads": threads, "methods": options.chosen(p)}
    asked |= {"sigma": sigma, "draws": draws, "alpha": alpha}
    status = _shout(brackets, asked, evidence)
    if json is not None:
        write_or_exit(status, partial(_write, json, brackets, asked))
    write_or_exit(status, partial(pictures.write, model, questions, brackets))
    sys.exit(status)


def _question(model: Network, data: LabelledData, index: int, norm: float, options: RadiusOptions) -> RadiusQuestion:
    from verifier.radii.question import RadiusQuestion

    return RadiusQuestion(model, data.x[index], data.label(index), norm, options.clip)


def _measured(index: int, question: RadiusQuestion, options: RadiusOptions) -> Bracket:
    """Measures one sample and shows it."""
    from verifier.radii.measure import measure

    def observe(known: Bracket) -> None:
        _observe(f"sample {index}, {known.ends[-1].method}: {known.summary}")

    bracket = measure(question, options, observe, index)
    _observe("")
    say_table(_table(bracket, f"sample {index}, class {bracket.label}, norm {bracket.norm:g}"))
    say(f"sample {index}: {bracket.summary}")
    return bracket


def _observe(text: str) -> None:
    """Shows on a terminal which method has come to its end, and what is known."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[2K{text[:79]}", end="", file=sys.stderr, flush=True)


def _table(bracket: Bracket, title: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for heading, justify in (("method", "left"), ("end", "left"), ("value", "right"), ("standing", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    table.add_column("seconds", justify="right")
    table.add_column("remark")
    best = (bracket.lower, bracket.upper)
    for end in bracket.ends:
        bold = "bold" if end in best else ""
        standing = Text(end.standing.value, STYLES.get(end.standing, "yellow"))
        value = Text(_shown(end), bold)
        table.add_row(end.method, end.side.value, value, standing, f"{end.seconds:.2f}", Text(end.detail))
    return table


def _shown(end: End) -> str:
    if end.late:
        return "-"
    if math.isinf(end.value):
        return "none found" if end.side.value == "upper" else "any"
    return f"{end.value:.6g}"


def _shout(brackets: dict[int, Bracket], asked: dict[str, object], evidence: Path) -> int:
    """Tells every crossing and keeps both sides; the exit status."""
    crossed = {index: bracket for index, bracket in brackets.items() if bracket.crossings}
    if not crossed:
        return 0
    for index, bracket in crossed.items():
        for crossing in bracket.crossings:
            complain(f"verifier: CROSSING at sample {index}: {crossing.told}")
    write_or_exit(EXIT_CONTRADICTION, partial(_write, evidence, crossed, asked))
    complain(f"verifier: one of them is wrong, please report it with {evidence}")
    return EXIT_CONTRADICTION


def _write(path: Path, brackets: dict[int, Bracket], asked: dict[str, object]) -> None:
    import json

    from verifier.evidence.result_files import write_whole
    from verifier.radii.bracket import bracket_record

    samples = [{"sample": index, **bracket_record(bracket)} for index, bracket in brackets.items()]
    write_whole(path, json.dumps({**asked, "samples": samples}, indent=1, allow_nan=False) + "\n")
