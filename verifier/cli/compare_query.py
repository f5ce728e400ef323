"""All methods on one query: asked in turn, shown as a table, kept as JSON, a picture, evidence of contradictions."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.cli.around import described
from verifier.cli.output import complain, plain_table, say, say_table
from verifier.cli.statuses import EXIT_CONTRADICTION, EXIT_INTERRUPTED, write_or_exit
from verifier.errors import UsageError
from verifier.evidence.result_files import check_writable, write_whole
from verifier.shown import json_number
from verifier.verdict import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from verifier.batch.job import Job
    from verifier.batch.outcome import Outcome
    from verifier.methods.comparison import Answer, Comparison

MEMORY = 8000.0
"""Megabytes for the processes of one method."""
SMALL = 1e-100
"""A bound below it says that the margin is positive, and no more."""
STYLES = {Status.UNSAT: "green", Status.SAT: "cyan", Status.ERROR: "red"}


@dataclass(frozen=True)
class Files:
    """Where a comparison goes, besides the terminal.

    Attributes:
        json: the whole of it, or None.
        picture: its bounds on a line, or None.
        evidence: both sides of contradictions, where there are any.
    """

    json: Path | None
    picture: Path | None
    evidence: Path


def on_query(job: Job, methods: Sequence[str], files: Files) -> int:
    """Compares the methods on one query; the exit status."""
    from verifier.batch.side_by_side import Interrupted, side_by_side

    if files.picture is not None:
        from verifier.pictures.bounds import check_picture

        check_picture(files.picture, "--picture")
        check_writable(files.picture, "--picture")
    check_writable(files.evidence, "--evidence")
    _require_readable(job)
    interrupted = False
    try:
        comparison, outcomes = side_by_side(job, methods, MEMORY, _observe)
    except Interrupted as end:
        comparison, outcomes, interrupted = end.comparison, end.outcomes, True
    _observe("", 0.0, None)
    say_table(_table(comparison))
    for line in _remarks(comparison):
        say(line)
    if interrupted:
        say(f"interrupted after {len(outcomes)} of {len(methods)} methods")
        if not outcomes:
            return EXIT_INTERRUPTED
    say(_conclusion(comparison))
    text = json.dumps(_record(comparison, outcomes, job), indent=1, allow_nan=False) + "\n"
    status = _shout(comparison, text, files.evidence)  # before any other file, which may fail
    if files.json is not None:
        write_or_exit(status, partial(write_whole, files.json, text))
    if files.picture is not None:
        write_or_exit(status, partial(_draw, comparison, job, files.picture))
    if interrupted:
        return status or EXIT_INTERRUPTED
    if status == 0 and all(answer.verdict.status is Status.ERROR for answer in comparison.answers):
        raise UsageError("no method could work on it", str(job.network), "see the remarks")
    return status


def _shout(comparison: Comparison, text: str, evidence: Path) -> int:
    """Tells every contradiction and keeps both sides' evidence; the exit status."""
    if not comparison.contradictions:
        return 0
    for found in comparison.contradictions:
        complain(f"verifier: CONTRADICTION: {found.told}")
    write_or_exit(EXIT_CONTRADICTION, partial(write_whole, evidence, text))
    complain(f"verifier: one of them is wrong, please report it with {evidence}")
    return EXIT_CONTRADICTION


def _draw(comparison: Comparison, job: Job, path: Path) -> None:
    from verifier.pictures.bounds import bounds_picture
    from verifier.pictures.style import norm_name, range_name

    title, near = f"{job.network.name}, {job.asked.name}", job.around
    if near is not None:
        title += f", {norm_name(near.norm)} at most {float(near.epsilon):g}{range_name(near.clip)}"
    write_whole(path, bounds_picture(comparison, title, path.suffix))


def _require_readable(job: Job) -> None:
    """Says what is wrong with the files once, rather than for each method.

    Raises:
        VerifierError: they cannot be used.
    """
    from verifier.batch.job import question_of

    question_of(job)


def _observe(method: str, seconds: float, outcome: Outcome | None) -> None:
    """Shows on a terminal which method is at work."""
    if sys.stderr is None or not sys.stderr.isatty():
        return
    told = "" if outcome is not None or not method else f"{method}, up to {seconds:.0f} s"
    print(f"\r\x1b[2K{told}", end="", file=sys.stderr, flush=True)


def _table(comparison: Comparison) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column("method", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for heading in ("lower bound", "gap", "reached", "open neurons", "seconds"):
        table.add_column(heading, justify="right")
    for answer in comparison.answers:
        verdict = answer.verdict
        table.add_row(
            answer.method,
            Text(verdict.status, STYLES.get(verdict.status, "yellow")),
            _shown(verdict.bound),
            _shown(comparison.gap(answer)),
            _shown(verdict.reached),
            "" if answer.undecided is None else str(answer.undecided),
            f"{verdict.seconds:.2f}",
        )
    return table


def _remarks(comparison: Comparison) -> list[str]:
    """What does not fit into the table: which methods are complete, and what each has to say."""
    complete = ", ".join(answer.method for answer in comparison.answers if answer.complete)
    said = [f"{answer.method}: {_remark(answer)}" for answer in comparison.answers if _remark(answer)]
    return [*([f"complete methods: {complete}"] if complete else []), *said]


def _shown(value: float | None) -> str:
    if value is None:
        return ""
    return "> 0" if 0 < value < SMALL else f"{value:.4g}"


def _remark(answer: Answer) -> str:
    verdict = answer.verdict
    if verdict.status is Status.TIMEOUT and not verdict.detail:
        return "out of its time"
    return verdict.detail


def _conclusion(comparison: Comparison) -> str:
    if comparison.contradictions:
        return "the answers contradict each other"
    said = {Status.UNSAT: "the property is proved", Status.SAT: "the property is refuted"}
    verdict = comparison.verdict
    told = "nobody could decide" if verdict is None else f"{verdict}: {said[verdict]}"
    if comparison.optimum is not None:
        return f"{told}; the exact margin is {comparison.optimum:.4g}"
    least, most = comparison.bound, comparison.reached
    if math.isinf(least) and math.isinf(most):
        return told
    return f"{told}; the margin lies between {_end(least)} and {_end(most)}"


def _end(value: float) -> str:
    return "0, which it exceeds," if 0 < value < SMALL else f"{value:.6g}"


def _record(comparison: Comparison, outcomes: Sequence[Outcome], job: Job) -> dict[str, Any]:
    """The comparison for JSON: what was asked, of whom, and everything that was answered."""
    from verifier.batch.contents import network_hash, property_hash
    from verifier.batch.facts import facts

    hashes: dict[str, str] = {}
    with contextlib.suppress(OSError):  # the files may be gone by now; the answers still count
        hashes = {"network_sha256": network_hash(job.network), "property_sha256": property_hash(job.asked)}
    answers = [
        {
            "method": answer.method,
            "complete": answer.complete,
            "gap": comparison.gap(answer),
            "undecided": answer.undecided,
            **answer.verdict.to_dict(),
            "fault": str(outcome.fault),
            "explanation": list(outcome.explanation),
            "log": outcome.log,
        }
        for answer, outcome in zip(comparison.answers, outcomes, strict=True)
    ]
    asked: dict[str, Any] = {"network": str(job.network), "property": job.prop and str(job.prop), **hashes}
    if job.around is not None:
        asked["around"] = described(job.around)
    options = {
        "timeout": job.timeout,
        "seed": job.seed,
        "threads": job.threads,
        "solver": job.solver,
        "tighten": job.tighten,
    }
    return {
        "verdict": comparison.verdict,
        "optimum": comparison.optimum,
        "bound": json_number(comparison.bound),
        "reached": json_number(comparison.reached),
        "contradictions": [found.told for found in comparison.contradictions],
        "answers": answers,
        **asked,
        **options,
        **facts(),
    }
