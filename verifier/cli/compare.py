"""`verifier compare NET PROPERTY`: all methods on one query; with --instances, on whole benchmarks."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier.batch.job import Job
from verifier.cli.around import Clip, Epsilon, Label, Norm, Sample, neighbourhood
from verifier.errors import UsageError
from verifier.evidence.result_files import check_writable

EVIDENCE = Path("contradiction.json")
TIMEOUT = 120.0
"""Seconds for a comparison."""


def compare(
    network: Annotated[Path | None, typer.Argument(metavar="NET", help="ONNX model, .onnx or .onnx.gz.")] = None,
    prop: Annotated[Path | None, typer.Argument(metavar="PROPERTY", help="VNN-LIB property.")] = None,
    instances: Annotated[
        Path | None, typer.Option(metavar="LIST", help="Compare on whole benchmarks instead: what `bench` takes.")
    ] = None,
    methods: Annotated[str | None, typer.Option(help="Names, with commas, in their order; all if not given.")] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            help="Seconds for all methods together, 120 if not given; with --instances for each, or the list's.",
        ),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the comparison as JSON.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the bounds on a line, a row a method: .png, .svg or .pdf.")
    ] = None,
    evidence: Annotated[Path, typer.Option(help="Where both sides of a contradiction are written.")] = EVIDENCE,
    store: Annotated[Path, typer.Option(help="With --instances: the SQLite file that keeps everything.")] = Path(
        "compared.db"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="With --instances: go on where it was left.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="With --instances: at a time; cores if not given.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the attacks' starting points.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores a method works on.")] = 2,
    solver: Annotated[
        str, typer.Option(help="Of linear and mixed-integer programs, as `verifier solvers` lists them.")
    ] = "highs",
    around: Sample = None,
    epsilon: Epsilon = None,
    norm: Norm = "inf",
    clip: Clip = "",
    label: Label = None,
    tighten: Annotated[str, typer.Option(help="Sharpen all neurons' bounds first: none, lp or milp.")] = "none",
) -> None:
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
    from verifier.batch.plan import Settings
    from verifier.cli.compare_instances import Place, on_instances
    from verifier.cli.compare_query import Files, on_query
    from verifier.methods import check_solver, method_named
    from verifier.methods.comparison import all_methods

    names = [name.strip() for name in methods.split(",") if name.strip()] if methods is not None else all_methods()
    chosen = tuple(dict.fromkeys(method_named(name).name for name in names))
    if not chosen:
        raise UsageError(f"{methods!r} names no method", "--methods", "give names with commas, e.g. crown,milp")
    if timeout is not None and not math.isfinite(timeout):
        raise UsageError(f"a timeout of {timeout} s", "--timeout", "give a number of seconds")
    check_solver(solver, chosen)
    if json is not None:
        check_writable(json, "--json")
    if instances is not None:
        check_writable(evidence, "--evidence")
        if network is not None or picture is not None or tighten != "none" or around is not None:
            cause = "--instances goes with no query, --picture, --tighten or --around"
            raise UsageError(cause, "compare", "leave those out")
        settings = Settings(chosen, timeout, None, threads, "cpu", seed, solver=solver)
        sys.exit(
            on_instances(instances, settings, Place(store, resume, workers or os.cpu_count() or 1, evidence), json)
        )
    place = neighbourhood(around, epsilon, norm, clip, label)
    if network is None or (prop is None and place is None):
        fix = "give NET PROPERTY, NET --around SAMPLE, or --instances LIST"
        raise UsageError("no network and property are given", "compare", fix)
    limit = timeout or TIMEOUT
    if prop is not None and label is not None:
        raise UsageError("a label and a property", "--label", "give one of them")
    job = Job(network, prop, timeout=limit, seed=seed, threads=threads, solver=solver, tighten=tighten, around=place)
    job.options(limit)  # says what is wrong with them
    sys.exit(on_query(job, chosen, Files(json, picture, evidence)))
