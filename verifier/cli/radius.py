"""`verifier radius NET`: how far samples are from another class, bounded from both sides by every method."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.arguments import MEASURES, TIMEOUT, limits_written, norm_named
from verifier.cli.around import CHANNELS
from verifier.cli.options import listed, number, option, required, whole, word
from verifier.cli.output import complain, plain_table, say, say_table
from verifier.cli.part import Part
from verifier.cli.smoothing import Noise
from verifier.cli.statuses import EXIT_CONTRADICTION, EXIT_INTERRUPTED, write_or_exit
from verifier.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.network.graph import Network
    from verifier.radii.bracket import Bracket, End
    from verifier.radii.data import LabelledData
    from verifier.radii.measure import RadiusOptions
    from verifier.radii.question import RadiusQuestion

STYLES = {"certified": "green", "certified in real arithmetic": "green", "exact": "green", "attack": "cyan"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """The question."""

    network: Path = word(Path, "NET", "ONNX model of a classifier, .onnx or .onnx.gz.")
    data: str = required(
        str, "Samples: .npy, .npz (x, y), .csv (label last), an image, or a known set: digits, mnist5k.", "DATA"
    )
    samples: str = option(str, "0", "Which, from 0 on.", "I,J-K")
    norm: str = option(str, "inf", "In which distances are measured: 1, 2 or inf; 0 counts changed inputs.", "P")
    clip: str = option(str, "", "Values that inputs can have at all.", "LOW,HIGH")
    channels: str = option(str, "first", CHANNELS, "WHERE")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How it is answered."""

    methods: tuple[str, ...] | None = option(listed, None, "Names, with commas; the usual ones if not given.")
    timeout: float = option(number(0.001), TIMEOUT, "Seconds for a sample.", "SECONDS")
    gap: float = option(number(), 1e-3, "The relative gap up to which a bracket counts as exact.")
    seed: int = option(whole(0), 0, "Seed of every random choice.")
    threads: int = option(whole(1), 2, "Processor cores a search works on.")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where the answer goes."""

    json: Path | None = option(Path, None, "Write everything as JSON.")
    csv: Path | None = option(Path, None, "Write a row a sample as CSV.")
    evidence: Path = option(Path, Path("crossing.json"), "Where both sides of a crossing are written.")
    picture: Path | None = option(Path, None, "Draw a sample's ends on a line, a row a method: .png, .svg or .pdf.")
    regions: Path | None = option(Path, None, "Draw the decision regions around a sample, and both radii.")
    images: Path | None = option(Path, None, "Draw inputs, perturbations and adversarial inputs.")
    shape: str = option(str, "", "Of images, where it is not plain: 1x28x28.", "RxC")


def radius(question: Question, part: Part, effort: Effort, answer: Answer, noise: Noise) -> int:
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
    from verifier.evidence.result_files import check_writable, write_whole
    from verifier.radii.data import chosen_samples, load_data

    p = norm_named(question.norm, MEASURES)
    options = _options(question, effort, noise)
    options.chosen(p)
    for path, name in ((answer.json, "--json"), (answer.csv, "--csv"), (answer.evidence, "--evidence")):
        if path is not None:
            check_writable(path, name)
    model = part.of(question.network)
    if model.note:
        say(model.note)
    found = load_data(question.data, model, question.channels)
    chosen = chosen_samples(question.samples, len(found.x))
    pictures = Pictures(answer.picture, answer.regions, answer.images, answer.shape, effort.seed)
    pictures.check(model, chosen)
    questions = {index: _question(model, found, index, p, options) for index in chosen}
    brackets: dict[int, Bracket] = {}
    try:
        for index, asked in questions.items():
            _measured(index, asked, options, brackets)
    except KeyboardInterrupt:
        _observe("")
        complain(f"verifier: interrupted at sample {index}; this is what was known")
        if index in brackets:
            _show(index, brackets[index])
        interrupted = True
    else:
        interrupted = False
    if len(questions) > 1:
        say_table(_summary(brackets))
    record = _asked(question, effort, noise) | {"methods": options.chosen(p)}
    status = _shout(brackets, record, answer.evidence)
    if answer.json is not None:
        write_or_exit(status, partial(_write, answer.json, brackets, record))
    if answer.csv is not None:
        write_or_exit(status, partial(write_whole, answer.csv, _csv(brackets)))
    if interrupted:
        return status or EXIT_INTERRUPTED
    write_or_exit(status, partial(pictures.write, model, questions, brackets))
    return status


def _options(question: Question, effort: Effort, noise: Noise) -> RadiusOptions:
    """The same for the library.

    Raises:
        UsageError: one of them is wrong.
    """
    from verifier.radii.measure import RadiusOptions

    if not math.isfinite(effort.timeout):
        raise UsageError(f"a timeout of {effort.timeout} s", "--timeout", "give a number of seconds")
    limits = limits_written(question.clip) if question.clip else None
    smoothing = noise.asked(effort.seed)
    return RadiusOptions(limits, effort.methods, effort.timeout, effort.gap, effort.seed, effort.threads, smoothing)


def _asked(question: Question, effort: Effort, noise: Noise) -> dict[str, object]:
    """What was asked, for JSON."""
    limits = limits_written(question.clip) if question.clip else None
    return {
        "network": str(question.network),
        "data": question.data,
        "clip": limits and [repr(end) for end in limits],
        "timeout": effort.timeout,
        "gap": effort.gap,
        "seed": effort.seed,
        "threads": effort.threads,
        "sigma": noise.sigma,
        "draws": noise.draws,
        "alpha": noise.alpha,
    }


def _question(model: Network, data: LabelledData, index: int, norm: float, options: RadiusOptions) -> RadiusQuestion:
    from verifier.radii.question import RadiusQuestion

    return RadiusQuestion(model, data.x[index], data.label(index), norm, options.clip)


def _measured(index: int, question: RadiusQuestion, options: RadiusOptions, known: dict[int, Bracket]) -> None:
    """Measures one sample and shows it; `known` has what is known of it meanwhile."""
    from verifier.radii.measure import measure

    def observe(bracket: Bracket) -> None:
        known[index] = bracket
        _observe(f"sample {index}, {bracket.ends[-1].method}: {bracket.summary}")

    known[index] = measure(question, options, observe, index)
    _observe("")
    _show(index, known[index])


def _show(index: int, bracket: Bracket) -> None:
    say_table(_table(bracket, f"sample {index}, class {bracket.label}, norm {bracket.norm:g}"))
    for end in bracket.ends:
        if end.detail:
            say(f"{end.method}: {end.detail}")
    say(f"sample {index}: {bracket.summary}")


def _summary(brackets: dict[int, Bracket]) -> Table:
    """A row a sample, and the medians."""
    from statistics import median

    table = plain_table(title="all samples")
    for heading in ("sample", "class", "lower", "by", "upper", "by"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "by" else "right")
    for index, bracket in brackets.items():
        low, high = bracket.interval
        by = [end.method if end else "" for end in (bracket.lower, bracket.upper)]
        table.add_row(str(index), str(bracket.label), f"{low:.6g}", by[0], f"{high:.6g}", by[1])
    if brackets:
        low, high = (median(ends) for ends in zip(*(b.interval for b in brackets.values()), strict=True))
        table.add_row("median", "", f"{low:.6g}", "", f"{high:.6g}", "")
    return table


def _csv(brackets: dict[int, Bracket]) -> str:
    """A row a sample, in the columns of the JSON file."""
    import csv
    import io

    from verifier.radii.bracket import bracket_record

    columns = ("label", "predicted", "norm", "lower", "upper", "gap", "exact", "standing", "seconds")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("sample", *columns))
    for index, bracket in brackets.items():
        record = bracket_record(bracket)
        lines.writerow((index, *(record[column] for column in columns)))
    return text.getvalue()


def _observe(text: str) -> None:
    """Shows on a terminal which method has come to its end, and what is known."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r\x1b[2K{text[:79]}", end="", file=sys.stderr, flush=True)


def _table(bracket: Bracket, title: str) -> Table:
    from rich.text import Text

    table = plain_table(title=title)
    for heading, justify in (("method", "left"), ("end", "left"), ("value", "right"), ("standing", "left")):
        table.add_column(heading, justify=justify, no_wrap=heading == "method")  # type: ignore[arg-type]
    table.add_column("seconds", justify="right")
    best = (bracket.lower, bracket.upper)
    for end in bracket.ends:
        bold = "bold" if end in best else ""
        standing = Text(end.standing.value, STYLES.get(end.standing, "yellow"))
        value = Text(_shown(end), bold)
        table.add_row(end.method, end.side.value, value, standing, f"{end.seconds:.2f}")
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
