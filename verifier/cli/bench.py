"""`verifier bench PATH`: verify whole benchmarks, keep everything in a store."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from verifier.cli.statuses import judged, write_or_exit
from verifier.errors import UsageError


def bench(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="An instances.csv, a benchmark's folder, or a folder of those.")
    ],
    store: Annotated[Path, typer.Option(help="The SQLite file that keeps everything.")] = Path("results.db"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that asks the same; begin one if the store is new.")
    ] = False,
    methods: Annotated[str, typer.Option(help="Names, with commas: each instance is put to each.")] = "auto",
    timeout: Annotated[
        float | None, typer.Option(min=0.001, help="Seconds for each instance; its own, or 300, if not given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Instances at a time; as many as there are cores if not given.")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option(
            min=100.0,
            help="Megabytes for each instance; a worker's share of 4/5 of all if not given, 8000 on a cluster.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Processor cores for each instance.")] = 1,
    solver: Annotated[
        str, typer.Option(help="Of linear and mixed-integer programs, as `verifier solvers` lists them.")
    ] = "highs",
    only: Annotated[str, typer.Option(metavar="GLOB", help="Only names benchmark/network/property like this.")] = "*",
    shuffle: Annotated[bool, typer.Option("--shuffle", help="Draw the order by --seed.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of attacks, and of the order with --shuffle.")] = 0,
    device: Annotated[str, typer.Option(help="cpu (NumPy), torch:cpu, or a torch device such as cuda.")] = "cpu",
    witness_tolerance: Annotated[
        float, typer.Option(min=0.0, help="Accept witnesses that miss the property by this much; 0 is exact.")
    ] = 0.0,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, tcp://host:port, or its scheduler file.")
    ] = None,
    vnncomp: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Also write results.csv and counterexamples as VNN-COMP does.")
    ] = None,
) -> None:
    """Verify whole benchmarks, several instances at a time, each in isolation; nothing is lost.

    A crash, a runaway or too much memory ends one instance, with its reason kept. Killed at any moment, the same
    command with --resume repeats nothing that is finished. Exit status: 0 done, 2 wrong input or usage, 4 methods
    contradict each other, 5 verdicts contradict known ones (a column truth, or JSON lines), 130 interrupted.

    Examples:

    verifier bench benchmarks/acasxu_2023 --workers 4 --timeout 60 --store acasxu.db

    verifier bench benchmarks/acasxu_2023 --workers 4 --timeout 60 --store acasxu.db --resume

    verifier bench benchmarks --methods crown,milp --only 'mnist*' --store compared.db

    verifier bench benchmarks --cluster scheduler.json --store cluster.db --vnncomp results
    """
    from verifier.batch.instances import read_instances
    from verifier.batch.plan import Settings, planned
    from verifier.batch.store import Store
    from verifier.batch.vnncomp import check_vnncomp, write_vnncomp
    from verifier.cli.bench_work import Work
    from verifier.methods import Options, check_solver, example_array, method_named

    chosen = tuple(method_named(name.strip()).name for name in methods.split(",") if name.strip())
    if not chosen:
        raise UsageError(f"{methods!r} names no method", "--methods", "give names with commas, e.g. crown,milp")
    Options(timeout or 1.0, seed, device, witness_tolerance)  # says what is wrong with them
    if cluster is None:
        example_array(device)  # likewise; a cluster's machines may have others than this one
        check_solver(solver, chosen)
    settings = Settings(chosen, timeout, memory, threads, device, seed, witness_tolerance, shuffle, only, solver)
    items = planned(read_instances(path, only), settings)
    if vnncomp is not None:
        check_vnncomp(vnncomp, ((i.instance.benchmark, i.instance.network, i.instance.prop) for i in items))
    with Store(store) as opened:
        work = Work(opened, settings, workers or os.cpu_count() or 1, cluster)
        results = work.done(items, resume)
    status = judged(results)  # told before anything can go wrong with files
    if vnncomp is not None:
        write_or_exit(status, lambda: write_vnncomp(results, vnncomp))
    sys.exit(status)
