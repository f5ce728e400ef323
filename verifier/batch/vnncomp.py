"""Results in VNN-COMP's layout, for its scorer and for comparison with the results it publishes.

In the folder: ``results.csv``, a row ``category,onnx,vnnlib,prepare_seconds,result,run_seconds`` for each instance and
no heading, and for each `sat` the counterexample ``<benchmark>/<network>_<property>.counterexample.gz``. This is what
the competition's harness leaves of a tool, and what its scorer looks for (github.com/VNN-COMP/vnncomp2026_results,
SCORING; since 2023 with the year before the benchmark's folder, ``2026_acasxu_2023``). As there, paths are those of
the unzipped files, and rows are in the order of work. Nothing is prepared; the seconds are without a program's start.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from verifier.batch.file_names import make_folder, safe_name
from verifier.batch.instances import stem
from verifier.batch.records import Result
from verifier.errors import UsageError
from verifier.evidence.result_files import counterexample, write_whole
from verifier.text import cell
from verifier.verdict import Status

TABLE = "results.csv"
ENDING = ".counterexample.gz"


def write_vnncomp(results: Sequence[Result], folder: Path) -> None:
    """Writes the results that are there; where there are several methods, each into a folder of its own within.

    Files are written whole or not at all, the table last, and the same results give the same bytes. A counterexample
    that an earlier writing left for an instance that has none now is removed.

    Args:
        results: of one run.
        folder: made where it does not exist.

    Raises:
        UsageError: they are of several runs, names collide, or the folder cannot be written.
    """
    if len({(result.run.store, result.run.number) for result in results}) > 1:
        raise UsageError("results of several runs", str(folder), "write each run into a folder of its own")
    methods = list(dict.fromkeys(result.method for result in results))
    for method in methods:
        within = folder / method if len(methods) > 1 else folder
        check_vnncomp(within, [(r.benchmark, r.network, r.prop) for r in results if r.method == method])
        _write([r for r in results if r.method == method and r.verdict is not None], within)


def check_vnncomp(folder: Path, instances: Iterable[tuple[str, Path, Path]]) -> None:
    """Finds out before the work whether it can be written; makes the folder.

    Args:
        instances: benchmark, network and property of each, once.

    Raises:
        UsageError: two counterexamples would have the same name, or the folder cannot be written.
    """
    taken: dict[Path, tuple[str, Path, Path]] = {}
    for instance in instances:
        other = taken.setdefault(counterexample_path(*instance), instance)
        if other != instance:
            cause = f"{instance[2]} and {other[2]} would have the same counterexample {counterexample_path(*instance)}"
            raise UsageError(cause, "--vnncomp", "leave one of them out with --only")
    make_folder(folder)


def counterexample_path(benchmark: str, network: Path, prop: Path) -> Path:
    """Where the counterexample of an instance is, within the folder.

    The competition keeps safenlp's two sets apart by a word before the name.
    """
    kind = next((f"{word}_" for word in ("medical", "ruarobot") if word in str(prop)), "")
    name = f"{kind if benchmark.startswith('safenlp') else ''}{stem(network)}_{stem(prop)}"
    return Path(safe_name(benchmark, ""), safe_name(name, ENDING))


def _write(results: Sequence[Result], folder: Path) -> None:
    for result in results:
        path = folder / counterexample_path(result.benchmark, result.network, result.prop)
        if result.verdict is Status.SAT and result.kept is not None:
            make_folder(path.parent)
            text = counterexample(result.kept.witness, result.kept.declarations) + "\n"
            write_whole(path, gzip.compress(text.encode(), mtime=0))
        else:
            _remove(path)
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(map(cell, _row(result)) for result in results)
    write_whole(folder / TABLE, table.getvalue())


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot be removed ({error.strerror})", str(path), "see to it") from error


def _row(result: Result) -> Iterator[str]:
    yield result.benchmark
    for path in (result.network, result.prop):
        yield str(path).removesuffix(".gz")
    yield "0.000000"
    yield str(result.verdict)
    yield f"{result.seconds:.6f}"
