"""`verifier bounds NET`: the ranges of outputs, hidden tensors or linear forms over an input set."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.arguments import TIMEOUT
from verifier.cli.around import Neighbourhood, described
from verifier.cli.options import listed, number, option, optional_word, whole, word
from verifier.cli.output import complain, plain_table, say, say_table
from verifier.cli.statuses import EXIT_INTERRUPTED
from verifier.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from verifier.network.graph import Network
    from verifier.property.query import Query
    from verifier.ranges.options import RangeOptions
    from verifier.ranges.question import RangeQuestion
    from verifier.ranges.result import Ranges

MOST_LINES = 100
"""Ranges that are printed at most."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """The question."""

    network: Path = word(Path, "NET", "ONNX model, .onnx or .onnx.gz.")
    prop: Path | None = optional_word(Path, None, "PROPERTY", "VNN-LIB property whose input set is meant.")
    box: Path | None = option(Path, None, "The input set: .npz (lower, upper), .npy, .csv of two rows, or .vnnlib.")
    outputs: tuple[str, ...] = option(listed, (), "Names of tensors, hidden ones too; otherwise all outputs.", "NAMES")
    form: str = option(str, "", "Linear forms of these instead, with semicolons between: 'Y_0 - 2*Y_3; Y_1'.", "FORMS")


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How it is answered."""

    gap: float = option(number(0), 1e-3, "What may be left at an end, as a share of the range.")
    timeout: float = option(number(0.001), TIMEOUT, "Wall time allowed, in seconds, for all ends.", "SECONDS")
    memory: float = option(number(1), 4000.0, "Megabytes a search may keep.", "MB")
    threads: int = option(whole(1), 2, "Processor cores a search works on.")
    seed: int = option(whole(0), 0, "Seed of every random choice.")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where the answer goes."""

    json: Path | None = option(Path, None, "Write everything, with the inputs that reach the ends, as JSON.")
    csv: Path | None = option(Path, None, "Write a row a range as CSV.")
    picture: Path | None = option(Path, None, "Draw the ranges on a line, a row each: .png, .svg or .pdf.")


def bounds(question: Question, effort: Effort, answer: Answer, near: Neighbourhood) -> int:
    """Enclose the ranges of outputs, hidden tensors or linear forms over an input set.

    Of each, the smallest and the largest value are proved from one side and reached by an input from the other. Ends
    are about the network as a function of real numbers, rounding covered on both sides; `runtime` in the JSON file is
    what ONNX Runtime computes from the same inputs in floats. Where the time is up, what is known is told.
    Exit status: 0 all ends are known up to the gap, 2 wrong input or usage, 3 some are not, 130 ended by Ctrl-C.

    Examples:

    verifier bounds net.onnx --box box.npz --csv ranges.csv

    verifier bounds net.onnx prop.vnnlib --form "Y_0 - Y_1; Y_0 + 0.5*Y_2" --gap 1e-4 --timeout 60

    verifier bounds net.onnx --around image.npy --epsilon 8/255 --clip 0,1 --outputs features --picture ranges.png
    """
    from verifier.evidence.result_files import check_writable, write_whole
    from verifier.ranges.bounds import measured
    from verifier.ranges.files import ranges_csv, ranges_json

    for path, name in ((answer.json, "--json"), (answer.csv, "--csv"), (answer.picture, "--picture")):
        if path is not None:
            check_writable(path, name)
    if answer.picture is not None:
        from verifier.pictures.bounds import check_picture

        check_picture(answer.picture, "--picture")
    options = _options(effort)
    asked, shape = _asked(question, near)
    known: list[Ranges] = []
    interrupted = False
    try:
        known.append(measured(asked, options, shape, lambda ranges: _observe(known, ranges)))
    except KeyboardInterrupt:
        interrupted = True
    _wipe()
    if not known:
        complain("verifier: interrupted before anything was known")
        return EXIT_INTERRUPTED
    ranges = known[-1]
    _show(ranges)
    told = _record(question, effort, near)
    if answer.json is not None:
        write_whole(answer.json, ranges_json(ranges, told))
    if answer.csv is not None:
        write_whole(answer.csv, ranges_csv(ranges))
    if answer.picture is not None:
        from verifier.pictures.ranges import ranges_picture

        write_whole(answer.picture, ranges_picture(ranges, f"ranges, {question.network.name}", answer.picture.suffix))
    if interrupted:
        say("interrupted: this is what was known")
        return EXIT_INTERRUPTED
    return 0 if ranges.exact else 3


def _options(effort: Effort) -> RangeOptions:
    from verifier.ranges.options import RangeOptions

    if not math.isfinite(effort.timeout):
        raise UsageError(f"a timeout of {effort.timeout} s", "--timeout", "give a number of seconds")
    return RangeOptions(effort.gap, effort.timeout, effort.seed, effort.threads, effort.memory)


def _asked(question: Question, near: Neighbourhood) -> tuple[RangeQuestion, tuple[int, ...] | None]:
    """The question, and the shape of its answer.

    Raises:
        VerifierError: options contradict each other, or what they name cannot be used.
    """
    from verifier.ranges.asking import forms_of, shape_of, with_tensors
    from verifier.ranges.question import RangeQuestion, parts_of
    from verifier.readers.onnx import load_network

    network = with_tensors(load_network(question.network), question.outputs)
    forms = [form.strip() for form in question.form.split(";") if form.strip()]
    asked = RangeQuestion(network, parts_of(_inputs(question, near, network)), forms_of(network, forms))
    return asked, shape_of(network, forms)


def _inputs(question: Question, near: Neighbourhood, network: Network) -> Query:
    """The input set: of a file, or near a sample, or both.

    Raises:
        VerifierError: there is none, or there are two.
    """
    from verifier.property.robustness import Neighbourhood as Ball
    from verifier.property.robustness import near as within
    from verifier.questions.ask import query_of
    from verifier.questions.conditions import Every
    from verifier.questions.inputs import ball
    from verifier.radii.data import load_one
    from verifier.ranges.files import load_box

    place, file = near.asked(), question.box if question.box is not None else question.prop
    if question.box is not None and question.prop is not None:
        raise UsageError("two input sets", "--box", "give --box or PROPERTY")
    if near.label is not None:
        raise UsageError("a label, where no class is asked about", "--label", "leave it away")
    if place is None:
        if file is None:
            raise UsageError("no input set", "bounds", "give --box FILE, PROPERTY, or --around SAMPLE with --epsilon")
        return load_box(file, network)
    sample, _ = load_one(str(place.sample), place.number, network, place.channels)
    if file is not None:
        found = within(load_box(file, network), Ball(sample, place.epsilon, place.norm, place.clip))
        return found.not_empty()
    inputs = ball(sample, place.epsilon, place.norm, place.clip)
    return query_of(network, inputs, Every(()), str(place.sample))


def _record(question: Question, effort: Effort, near: Neighbourhood) -> dict[str, object]:
    """What was asked, for JSON."""
    place, file = near.asked(), question.box if question.box is not None else question.prop
    return {
        "network": str(question.network),
        "box": None if file is None else str(file),
        "around": None if place is None else described(place),
        "outputs": list(question.outputs),
        "form": question.form,
        "timeout": effort.timeout,
        "seed": effort.seed,
    }


def _show(ranges: Ranges) -> None:
    say_table(_table(ranges))
    if len(ranges.names) > MOST_LINES:
        say(f"{len(ranges.names) - MOST_LINES} more ranges; --csv FILE writes all")
    for note in ranges.notes:
        say(note)
    known = int((ranges.gaps <= ranges.gap).sum())
    worst = f"the largest gap is {float(ranges.gaps.max()):.2g} of a range"
    say(f"{known} of {len(ranges.names)} ranges are known up to {ranges.gap:g}; {worst}; {ranges.seconds:.2f} s")


def _table(ranges: Ranges) -> Table:
    table = plain_table(title="proven ends, and the values that inputs reach")
    for heading in ("", "proved", "reached", "reached", "proved", "gap"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for row in ranges.rows()[:MOST_LINES]:
        ends = ("lower", "reached_lower", "reached_upper", "upper")
        values = ["-" if row[end] is None else f"{row[end]:.6g}" for end in ends]
        table.add_row(row["name"], *values, f"{row['gap']:.1g}")
    return table


def _observe(known: list[Ranges], ranges: Ranges) -> None:
    """Keeps what is known, and shows on a terminal how it goes."""
    known[:] = [ranges]
    if sys.stderr is not None and sys.stderr.isatty():
        done = int((ranges.gaps <= ranges.gap).sum())
        told = f"{ranges.seconds:.0f} s, {done} of {len(ranges.names)} ranges known, gap {float(ranges.gaps.max()):.2g}"
        print(f"\r\x1b[2K{told}", end="", file=sys.stderr, flush=True)


def _wipe() -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print("\r\x1b[2K", end="", file=sys.stderr, flush=True)
