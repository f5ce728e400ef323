"""`verifier bench PATH`: verify whole benchmarks, keep everything in a store."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from verifier.cli.options import flag, listed, number, option, whole, word
from verifier.cli.statuses import judged, write_or_exit
from verifier.errors import UsageError
from verifier.proving import PROOF_SIZE

if TYPE_CHECKING:
    from verifier.batch.plan import Settings


@dataclass(frozen=True, kw_only=True)
class Benchmarks:
    """What is verified."""

    path: Path = word(Path, "PATH", "An instances.csv, a benchmark's folder, or a folder of those.")
    only: str = option(str, "*", "Only names benchmark/network/property like this.", "GLOB")
    shuffle: bool = flag("Draw the order by --seed.")
    seed: int = option(whole(0), 0, "Seed of attacks, and of the order with --shuffle.")
    witness_tolerance: float = option(
        number(0), 0.0, "Accept witnesses that miss the property by this much; 0 is exact."
    )


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How each instance is decided."""

    methods: tuple[str, ...] = option(listed, ("auto",), "Names, with commas: each instance is put to each.")
    timeout: float | None = option(
        number(0.001), None, "Seconds for each instance; its own, or 300, if not given.", "SECONDS"
    )
    memory: float | None = option(
        number(100),
        None,
        "Megabytes for each instance; a worker's share of 4/5 of all if not given, 8000 on a cluster.",
        "MB",
    )
    threads: int = option(whole(1), 1, "Processor cores for each instance.")
    device: str = option(str, "cpu", "cpu (NumPy), torch:cpu, or a torch device such as cuda.", "NAME")
    solver: str = option(
        str, "highs", "Of linear and mixed-integer programs, as `verifier solvers` lists them.", "NAME"
    )


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """What is written down of each unsat."""

    proofs: Path | None = option(Path, None, "Write a proof of each unsat; a cluster has to see the folder.", "DIR")
    proof_timeout: float | None = option(
        number(0.001), None, "Seconds for each; by default as many as the instance has, and at least 60.", "SECONDS"
    )
    proof_size: float = option(number(0.001), PROOF_SIZE, "Give up a proof of more megabytes than this.", "MB")
    check_proofs: bool = flag("Check each as soon as it is written, in as much time again.")


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where it is worked on, and kept."""

    store: Path = option(Path, Path("results.db"), "The SQLite file that keeps everything.")
    resume: bool = flag("Go on with the run that asks the same; begin one if the store is new.")
    workers: int | None = option(whole(1), None, "Instances at a time; as many as there are cores if not given.")
    cluster: str | None = option(str, None, "A Dask scheduler, tcp://host:port, or its scheduler file.", "ADDRESS")
    vnncomp: Path | None = option(Path, None, "Also write results.csv and counterexamples as VNN-COMP does.", "DIR")


def bench(benchmarks: Benchmarks, effort: Effort, proofs: Proofs, course: Course) -> int:
    """Verify whole benchmarks, several instances at a time, each in isolation; nothing is lost.

    A crash, a runaway or too much memory ends one instance, with its reason kept. Killed at any moment, the same
    command with --resume repeats nothing that is finished. Exit status: 0 done, 2 wrong input or usage, 4 methods
    contradict each other or a proof is rejected, 5 verdicts contradict known ones (a column truth, or JSON lines), 130
    interrupted. No proof, nor what it takes, changes a verdict or its time.

    Examples:

    verifier bench benchmarks/acasxu_2023 --workers 4 --timeout 60 --store acasxu.db

    verifier bench benchmarks/acasxu_2023 --workers 4 --timeout 60 --store acasxu.db --resume

    verifier bench benchmarks --methods crown,milp --only 'mnist*' --store compared.db

    verifier bench benchmarks/acasxu_2023 --timeout 60 --proofs proofs --check-proofs --store proved.db

    verifier bench benchmarks --cluster scheduler.json --store cluster.db --vnncomp results
    """
    from verifier.batch.instances import read_instances
    from verifier.batch.plan import planned
    from verifier.batch.store import Store
    from verifier.batch.vnncomp import check_vnncomp, write_vnncomp
    from verifier.cli.bench_work import Work

    settings = with_proofs(_settings(benchmarks, effort, course.cluster), proofs)
    items = planned(read_instances(benchmarks.path, benchmarks.only), settings)
    vnncomp = course.vnncomp
    if vnncomp is not None:
        check_vnncomp(vnncomp, ((i.instance.benchmark, i.instance.network, i.instance.prop) for i in items))
    with Store(course.store) as opened:
        work = Work(opened, settings, course.workers or os.cpu_count() or 1, course.cluster)
        results = work.done(items, course.resume)
    status = judged(results)  # told before anything can go wrong with files
    if vnncomp is not None:
        write_or_exit(status, lambda: write_vnncomp(results, vnncomp))
    return status


def with_proofs(settings: Settings, proofs: Proofs) -> Settings:
    """The settings with what is asked of proofs; makes their folder.

    Raises:
        UsageError: it cannot be made, or options contradict each other.
    """
    folder, plain = proofs.proofs, Proofs()
    if folder is None:
        for name in ("proof_timeout", "proof_size", "check_proofs"):
            if getattr(proofs, name) != getattr(plain, name):
                raise UsageError("there are no proofs", "--" + name.replace("_", "-"), "give --proofs DIR as well")
        return settings
    from verifier.batch.file_names import make_folder

    make_folder(folder)
    return replace(
        settings,
        proofs=str(folder.resolve()),
        proof_timeout=proofs.proof_timeout,
        proof_size=proofs.proof_size,
        check_proofs=proofs.check_proofs,
    )


def _settings(benchmarks: Benchmarks, effort: Effort, cluster: str | None) -> Settings:
    """What a run is told.

    Raises:
        UsageError: it cannot be done so.
    """
    from verifier.batch.plan import Settings
    from verifier.methods import Options, check_solver, example_array, method_named

    chosen = tuple(method_named(name).name for name in effort.methods)
    if not chosen:
        raise UsageError("it names no method", "--methods", "give names with commas, e.g. crown,milp")
    Options(effort.timeout or 1.0, benchmarks.seed, effort.device, benchmarks.witness_tolerance)  # says what is wrong
    if cluster is None:
        example_array(effort.device)  # likewise; a cluster's machines may have others than this one
        check_solver(effort.solver, chosen)
    return Settings(
        chosen,
        effort.timeout,
        effort.memory,
        effort.threads,
        effort.device,
        benchmarks.seed,
        benchmarks.witness_tolerance,
        benchmarks.shuffle,
        benchmarks.only,
        effort.solver,
    )
