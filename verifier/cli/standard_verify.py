"""`verifier-vnnlib verify`: decide a query, say so as the VNN-LIB 2.0 standard asks, print or write the assignment."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.arguments import TIMEOUT
from verifier.batch.job import Job, decide
from verifier.batch.models import listed
from verifier.batch.watchdog import GRACE, Watchdog
from verifier.cli.options import named_file, number, option, several, whole, word
from verifier.cli.output import complain, say
from verifier.cli.wording import as_options
from verifier.errors import UsageError
from verifier.evidence.assignments import check_folder, write_assignments
from verifier.evidence.result_files import counterexample
from verifier.verdict import Status, Verdict

if TYPE_CHECKING:
    from verifier.methods import Task

WORDS = {Status.SAT: "sat", Status.UNSAT: "unsat", Status.TIMEOUT: "timed-out", Status.UNKNOWN: "unknown"}
START = 0.5
"""Seconds of the time allowed that go by before the clock starts to run."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """The query."""

    query: Path = word(Path, "QUERY", "VNN-LIB query, .vnnlib or .vnnlib.gz.")
    networks: Sequence[tuple[str, Path]] = several(
        named_file,
        "The model of a declared network, once for each that is not equal to another.",
        "NAME=MODEL",
        "--network",
    )
    timeout: float = option(number(0.001), TIMEOUT, "Wall time allowed, in seconds.", "SECONDS")


@dataclass(frozen=True, kw_only=True)
class Output:
    """Output."""

    serialise_assignments: Path | None = option(
        Path,
        None,
        "Write a satisfying assignment to this folder, a serialised TensorProto for each variable.",
        "FOLDER",
    )
    method: str = option(str, "auto", "How to decide, as for `verifier verify`.", "NAME")
    threads: int = option(whole(1), 2, "Processor cores a search works on.")


def verify(query: Query, output: Output) -> int:
    """Decide whether a VNN-LIB 2.0 query can be satisfied.

    Prints sat, unsat, unknown or timed-out, and after sat the assignment, which is replayed in ONNX Runtime. Remarks
    and errors go to standard error. The exit status is 0 where there is an answer, 2 where there is an error.

    Examples:

    verifier-vnnlib verify query.vnnlib --network f=net.onnx --timeout 60

    verifier-vnnlib verify twins.vnnlib --network f=f.onnx --network g=g.onnx --serialise-assignments out
    """
    folder = output.serialise_assignments
    if folder is not None:
        check_folder(folder, "--serialise-assignments")
    seconds = max(0.5 * query.timeout, query.timeout - START - GRACE)
    watchdog = Watchdog(seconds, complain)

    def finish(verdict: Verdict, task: Task | None) -> int:
        _answer(verdict, task, folder)
        return 0

    with watchdog:
        verdict, task = decide(_job(query, output, seconds), watchdog, finish)
        watchdog.claim()
        sys.exit(finish(verdict, task))


def _job(query: Query, output: Output, seconds: float) -> Job:
    if not query.networks:
        raise UsageError("no model", str(query.query), "give --network NAME=MODEL for every declared network")
    return Job(
        listed(query.networks),
        query.query,
        output.method,
        seconds,
        threads=output.threads,
        allow_empty=True,
    )


def _answer(verdict: Verdict, task: Task | None, folder: Path | None) -> None:
    say(WORDS[verdict.status])
    declarations = () if task is None else task.query.declarations
    if verdict.detail:
        complain(as_options(verdict.detail))
    if verdict.witness is None:
        return
    if folder is None:
        say(counterexample(verdict.witness, declarations))
    else:
        write_assignments(folder, verdict.witness, declarations)
