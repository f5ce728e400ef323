"""`verifier compare NET PROPERTY`: all methods on one query; with --instances, on whole benchmarks."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.arguments import TIMEOUT
from verifier.batch.job import Job
from verifier.cli.around import Neighbourhood
from verifier.cli.options import flag, listed, number, option, optional_word, whole
from verifier.cli.output import complain
from verifier.cli.part import Part
from verifier.errors import UsageError
from verifier.evidence.result_files import check_writable

if TYPE_CHECKING:
    from verifier.batch.plan import Settings


@dataclass(frozen=True, kw_only=True)
class Question:
    """The question."""

    network: Path | None = optional_word(Path, None, "NET", "ONNX model, .onnx or .onnx.gz.")
    prop: Path | None = optional_word(Path, None, "PROPERTY", "VNN-LIB property.")
    methods: tuple[str, ...] | None = option(listed, None, "Names, with commas, in their order; all if not given.")
    timeout: float | None = option(
        number(0.001),
        None,
        "Seconds for all methods together, 120 if not given; with --instances for each, or the list's.",
        "SECONDS",
    )
    seed: int = option(whole(0), 0, "Seed of the attacks' starting points.")
    threads: int = option(whole(1), 2, "Processor cores a method works on.")
    solver: str = option(
        str, "highs", "Of linear and mixed-integer programs, as `verifier solvers` lists them.", "NAME"
    )
    tighten: str = option(str, "none", "Sharpen all neurons' bounds first: none, lp or milp.", "BY")
    allow_empty: bool = flag("Answer unsat where bounds cross, so that there is no input at all; otherwise an error.")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where the answers go."""

    json: Path | None = option(Path, None, "Write the comparison as JSON.")
    picture: Path | None = option(Path, None, "Draw the bounds on a line, a row a method: .png, .svg or .pdf.")
    evidence: Path = option(Path, Path("contradiction.json"), "Where both sides of a contradiction are written.")


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """Whole benchmarks instead."""

    instances: Path | None = option(Path, None, "Compare on these: what `bench` takes.", "LIST")
    store: Path = option(Path, Path("compared.db"), "The SQLite file that keeps everything.")
    resume: bool = flag("Go on where it was left.")
    workers: int | None = option(whole(1), None, "Instances at a time; cores if not given.")


def compare(question: Question, part: Part, near: Neighbourhood, answer: Answer, benchmarks: Benchmarks) -> int:
    """Ask all methods the same question, and set their answers side by side.

    Every method bounds the margin to a violation from below, as far as it can in its share of the time: how near to
    the exact one is what its completeness, or its incompleteness, is worth. Searches stop once their bound is positive.
    Exit status: 0, 2 wrong input or usage, 4 two answers contradict each other; the evidence of both is written then.

    Examples:

    verifier compare net.onnx prop.vnnlib

    verifier compare net.onnx prop.vnnlib --methods crown,lp,milp --timeout 60 --picture bounds.svg --json out.json

    verifier compare net.onnx --around image.npy --norm 2 --epsilon 0.5 --clip 0,1

    verifier compare --instances benchmarks/acasxu_2023 --methods crown,lp,milp --timeout 10 --store compared.db
    """
    from verifier.cli.compare_instances import Place, on_instances
    from verifier.cli.compare_query import Files, on_query

    chosen = _chosen(question)
    if answer.json is not None:
        check_writable(answer.json, "--json")
    if benchmarks.instances is not None:
        check_writable(answer.evidence, "--evidence")
        settings = _settings(question, near, answer, chosen)
        workers = benchmarks.workers or os.cpu_count() or 1
        place = Place(benchmarks.store, benchmarks.resume, workers, answer.evidence)
        return on_instances(benchmarks.instances, settings, place, answer.json)
    return on_query(_job(question, part, near), chosen, Files(answer.json, answer.picture, answer.evidence))


def _chosen(question: Question) -> tuple[str, ...]:
    """The methods that are asked.

    Raises:
        UsageError: one is unknown, or none is left.
    """
    from verifier.methods import check_solver, method_named
    from verifier.methods.comparison import all_methods

    names = _installed(all_methods()) if question.methods is None else question.methods
    chosen = tuple(dict.fromkeys(method_named(name).name for name in names))
    if not chosen:
        raise UsageError("it names no method", "--methods", "give names with commas, e.g. crown,milp")
    if question.timeout is not None and not math.isfinite(question.timeout):
        raise UsageError(f"a timeout of {question.timeout} s", "--timeout", "give a number of seconds")
    check_solver(question.solver, chosen)
    return chosen


def _installed(names: tuple[str, ...]) -> list[str]:
    """Those of the methods whose packages are here; says in one line which are left out."""
    from importlib.util import find_spec

    absent = [package for package in ("cvxpy", "scs") if find_spec(package) is None]
    if not absent or "sdp" not in names:
        return list(names)
    complain(f"verifier: sdp is left out: {' and '.join(absent)} missing; pip install {' '.join(absent)}")
    return [name for name in names if name != "sdp"]


def _settings(question: Question, near: Neighbourhood, answer: Answer, chosen: tuple[str, ...]) -> Settings:
    """What a run on whole benchmarks is told.

    Raises:
        UsageError: an option belongs to a single query.
    """
    from verifier.batch.plan import Settings

    single = question.network, answer.picture, near.around
    if any(given is not None for given in single) or question.tighten != "none":
        cause = "--instances goes with no query, --picture, --tighten or --around"
        raise UsageError(cause, "compare", "leave those out")
    return Settings(chosen, question.timeout, None, question.threads, "cpu", question.seed, solver=question.solver)


def _job(question: Question, part: Part, near: Neighbourhood) -> Job:
    """What is asked about one query.

    Raises:
        UsageError: something is missing, or options contradict each other.
    """
    place = near.asked()
    if question.network is None or (question.prop is None and place is None):
        fix = "give NET PROPERTY, NET --around SAMPLE, or --instances LIST"
        raise UsageError("no network and property are given", "compare", fix)
    if question.prop is not None and near.label is not None:
        raise UsageError("a label and a property", "--label", "give one of them")
    job = Job(
        question.network,
        question.prop,
        timeout=question.timeout or TIMEOUT,
        seed=question.seed,
        threads=question.threads,
        solver=question.solver,
        tighten=question.tighten,
        around=place,
        allow_empty=question.allow_empty,
        outputs=part.output,
        batch_index=part.batch_index,
    )
    job.options(job.timeout)  # says what is wrong with them
    return job
