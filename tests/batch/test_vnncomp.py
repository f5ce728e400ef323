"""Results in VNN-COMP's layout: what its scorer reads back, and what is refused."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import verifier
from verifier.batch.instances import Instance
from verifier.batch.outcome import Outcome
from verifier.batch.plan import Item, Settings
from verifier.batch.records import Result, read_places
from verifier.batch.store import Store
from verifier.batch.vnncomp import counterexample_path, write_vnncomp
from verifier.errors import UsageError
from verifier.evidence.result_files import LONGEST_NAME
from verifier.property.query import Declaration
from verifier.verdict import Status, Verdict, Witness

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "vnnlib_specs"


def bench(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier.cli.main", "bench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)


def rows_of(folder: Path) -> list[list[str]]:
    return list(csv.reader((folder / "results.csv").read_text().splitlines()))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results_of(store: Path) -> list[Result]:
    [(_, results)] = read_places([str(store)])
    return results


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four instances, one of them of zipped files, and one that no method decides in its time."""
    folder = tmp_path_factory.mktemp("benchmarks") / "specs 1"
    for source in ("onnx", "vnnlib"):
        shutil.copytree(SPECS / source, folder / source)
    for path in (folder / "onnx/moons.onnx", folder / "vnnlib/moons_everywhere.vnnlib"):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    (folder / "vnnlib/broken.vnnlib").write_text("(assert")
    (folder / "instances.csv").write_text(
        "onnx/digits_dense.onnx,vnnlib/digits_dense_robust.vnnlib,60\n"
        "onnx/moons.onnx.gz,vnnlib/moons_everywhere.vnnlib.gz,60\n"
        "onnx/digits_conv.onnx,vnnlib/digits_conv_wide.vnnlib,60\n"
        "onnx/moons.onnx,vnnlib/broken.vnnlib,60\n"
    )
    return folder


@pytest.fixture(scope="module")
def written(benchmark: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The store of a run, and what it wrote for VNN-COMP."""
    folder = tmp_path_factory.mktemp("written")
    done = bench(benchmark, "--store", folder / "s.db", "--vnncomp", folder / "out", "--workers", 2)
    assert done.returncode == 0, done.stderr
    return folder / "s.db", folder / "out"


def test_each_instance_has_a_row_as_the_harness_writes_it(benchmark: Path, written: tuple[Path, Path]) -> None:
    store, out = written
    rows = rows_of(out)
    results = results_of(store)
    assert [len(row) for row in rows] == [6] * 4
    assert {row[0] for row in rows} == {"specs 1"}
    assert [row[4] for row in rows] == [str(result.verdict) for result in results]
    assert [rows[i][4] for i in (0, 1, 3)] == ["unsat", "sat", "error"]
    for row, result in zip(rows, results, strict=True):
        assert row[1:3] == [str(result.network).removesuffix(".gz"), str(result.prop).removesuffix(".gz")]
        assert float(row[3]) == 0
        assert float(row[5]) == pytest.approx(result.seconds, abs=1e-6)


def test_each_counterexample_is_found_and_violates_in_onnx_runtime(written: tuple[Path, Path]) -> None:
    _, out = written
    refuted = [row for row in rows_of(out) if row[4] == "sat"]
    assert refuted
    expected = {f"{row[0]}/{Path(row[1]).stem}_{Path(row[2]).stem}.counterexample.gz" for row in refuted}
    assert set(contents(out)) == expected | {"results.csv"}
    for _, network, prop, *_ in refuted:
        text = gzip.decompress(
            (out / "specs 1" / f"{Path(network).stem}_{Path(prop).stem}.counterexample.gz").read_bytes()
        )
        pairs = re.findall(r"\(([XY])_(\d+) ([^\s()]+)\)", text.decode())
        assert text.decode() == "(" + "\n".join(f"({kind}_{i} {value})" for kind, i, value in pairs) + ")\n"
        x, y = ([float(value) for kind, _, value in pairs if kind == which] for which in "XY")
        session = onnxruntime.InferenceSession(network)
        port = session.get_inputs()[0]
        shape = [size if isinstance(size, int) else 1 for size in port.shape]
        found = session.run(None, {port.name: np.array(x, np.float32).reshape(shape)})[0].ravel()
        assert np.array(x, np.float32).astype(float).tolist() == x
        np.testing.assert_allclose(found, y, rtol=1e-5, atol=1e-5)
        assert verifier.load_property(prop).violated(np.array(x, np.float32), found.astype(float))


def test_written_again_after_a_resumption_it_is_the_same(benchmark: Path, written: tuple[Path, Path]) -> None:
    store, out = written
    before = contents(out)
    stale = out / counterexample_path("specs 1", Path("digits_dense.onnx"), Path("digits_dense_robust.vnnlib"))
    stale.write_bytes(b"of an earlier run")
    done = bench(benchmark, "--store", store, "--vnncomp", out, "--workers", 2, "--resume")
    assert done.returncode == 0, done.stderr
    assert contents(out) == before


def test_several_methods_have_a_folder_each(benchmark: Path, written: tuple[Path, Path], tmp_path: Path) -> None:
    methods = ["--methods", "interval,attack", "--only", "*/moons/moons_everywhere"]
    done = bench(benchmark, *methods, "--store", tmp_path / "s.db", "--vnncomp", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert [row[4] for row in rows_of(tmp_path / "out/interval")] == ["unknown"]
    assert [row[4] for row in rows_of(tmp_path / "out/attack")] == ["sat"]
    assert [path for path in contents(tmp_path / "out") if path.endswith(".gz")] == [
        "attack/specs 1/moons_moons_everywhere.counterexample.gz"
    ]


def test_several_runs_are_refused(written: tuple[Path, Path], tmp_path: Path) -> None:
    store = tmp_path / "twice.db"
    shutil.copy(written[0], store)
    with pytest.raises(UsageError, match="several runs"):
        write_vnncomp(results_of(written[0]) + results_of(store), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_equal_names_are_refused_before_the_work(tmp_path: Path) -> None:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        shutil.copy(SPECS / "onnx/moons.onnx", tmp_path / folder)
        shutil.copy(SPECS / "vnnlib/moons_upper.vnnlib", tmp_path / folder)
    (tmp_path / "instances.csv").write_text("".join(f"{f}/moons.onnx,{f}/moons_upper.vnnlib,9\n" for f in "ab"))
    done = bench(tmp_path, "--store", tmp_path / "s.db", "--vnncomp", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "error\n")
    assert "moons_moons_upper.counterexample.gz" in done.stderr
    assert not (tmp_path / "s.db").exists()


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(benchmark: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    done = bench(benchmark, "--store", tmp_path / "s.db", "--vnncomp", tmp_path / "out/results")
    assert (done.returncode, done.stdout) == (2, "error\n")
    assert not (tmp_path / "s.db").exists()


def test_what_is_not_done_yet_has_no_row_and_version_2_its_own_form(tmp_path: Path) -> None:
    instances = [Instance("b", tmp_path / f"n{i}.onnx", tmp_path / "p.vnnlib") for i in range(2)]
    declarations = Declaration("X", "real", (1, 2), False, 0), Declaration("Y", "real", (1,), True, 0)
    witness = Witness(np.array([0.1, -2.0], np.float32), np.array([3.0]), 0.0)
    outcome = Outcome(Verdict(Status.SAT, "auto", witness=witness), declarations=declarations)
    with Store(tmp_path / "s.db") as store:
        run = store.begin(
            [Item(instance, "auto", 1.0, str(i), "p") for i, instance in enumerate(instances)], Settings(), {}
        )
        store.record(run, [(store.pending(run)[0], outcome)])
    write_vnncomp(results_of(tmp_path / "s.db"), tmp_path / "out")
    assert [row[1] for row in rows_of(tmp_path / "out")] == [str(tmp_path / "n0.onnx")]
    text = gzip.decompress((tmp_path / "out/b/n0_p.counterexample.gz").read_bytes()).decode()
    assert text == "X real [1,2]\n0.10000000149011612\n-2.0\nY real [1]\n3.0\n"


@pytest.mark.parametrize("benchmark", ["..", ".", "", "../../etc", "a/b", "/etc", ".ssh"])
def test_no_name_leads_out_of_the_folder(benchmark: str) -> None:
    path = counterexample_path(benchmark, Path("n.onnx.gz"), Path("p.vnnlib.gz"))
    assert (len(path.parts), path.name) == (2, "n_p.counterexample.gz")
    assert not path.parts[0].startswith((".", "/"))


def test_long_names_are_cut_and_stay_apart() -> None:
    paths = [counterexample_path("b", Path("n" * 200 + ".onnx"), Path("ü" * 100 + end + ".vnnlib")) for end in "xy"]
    assert paths[0] != paths[1]
    for path in paths:
        assert len(path.name.encode()) <= LONGEST_NAME
        assert path.name.endswith(".counterexample.gz")


def test_the_two_sets_of_safenlp_are_kept_apart() -> None:
    network, prop = Path("onnx/medical/net.onnx"), "vnnlib/{}/p_0.vnnlib"
    names = [counterexample_path("safenlp_2024", network, Path(prop.format(s))).name for s in ("medical", "ruarobot")]
    assert names == ["medical_net_p_0.counterexample.gz", "ruarobot_net_p_0.counterexample.gz"]
