"""The shell: verdict word, exit status, result files, errors in one line, modules loaded."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest

import verifier
from verifier.property.query import Query

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "vnnlib_specs"
HOLDS = (SPECS / "onnx/digits_dense.onnx", SPECS / "vnnlib/digits_dense_robust.vnnlib")
FAILS = (SPECS / "onnx/moons.onnx", SPECS / "vnnlib/moons_everywhere.vnnlib")


def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verifier.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, **more)  # type: ignore[call-overload]


def parsed(result: str) -> tuple[str, dict[str, float]]:
    word, _, rest = result.partition("\n")
    return word, {name: float(v) for name, v in re.findall(r"\(([XY]_\d+) ([^\s()]+)\)", rest)}


def test_unsat_is_said_first_and_exits_0(tmp_path: Path) -> None:
    done = run("verify", *HOLDS, "--result", tmp_path / "r.txt", "--json", tmp_path / "r.json")
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "unsat", "")
    assert (tmp_path / "r.txt").read_text() == "unsat\n"
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["verdict"] == "unsat"
    assert record["bound"] > 0
    assert record["witness"] is None


def test_sat_exits_1_with_a_counterexample_that_reads_back(tmp_path: Path) -> None:
    done = run("verify", *FAILS, "--result", tmp_path / "r.txt", "--json", tmp_path / "r.json")
    assert (done.returncode, done.stdout.split()[0]) == (1, "sat")
    word, values = parsed((tmp_path / "r.txt").read_text())
    assert word == "sat"
    x = np.array([values["X_0"], values["X_1"]])
    assert (x == x.astype(np.float32)).all()
    y = np.array([values["Y_0"], values["Y_1"]])
    query: Query = verifier.load_property(FAILS[1])
    assert query.violated(x.astype(np.float32), y)
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["witness"]["x"] == x.tolist()
    assert record["witness"]["y"] == y.tolist()


def test_an_incomplete_method_says_unknown_and_exits_3() -> None:
    done = run("verify", *FAILS, "--method", "interval")
    assert (done.returncode, done.stdout.split()[0]) == (3, "unknown")


def test_gz_files_read_as_their_plain_forms(tmp_path: Path) -> None:
    import gzip

    zipped = []
    for path in HOLDS:
        zipped.append(tmp_path / f"{path.name}.gz")
        zipped[-1].write_bytes(gzip.compress(path.read_bytes()))
    assert run("verify", *zipped).returncode == 0


def test_a_timeout_is_kept_and_leaves_a_result(tmp_path: Path) -> None:
    """A network too hard for the method, given less than a second: the answer comes, and it is written."""
    prop = SPECS / "vnnlib/digits_dense_close.vnnlib"
    done = run("verify", HOLDS[0], prop, "--method", "attack", "--timeout", "0.8", "--result", tmp_path / "r.txt")
    assert (done.returncode, done.stdout.split()[0]) == (3, "timeout")
    assert (tmp_path / "r.txt").read_text() == "timeout\n"


def test_the_watchdog_answers_for_a_method_that_hangs(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from verifier.methods import registry\n"
        "registry.unconstrained.judge_unconstrained = lambda task: time.sleep(60)\n"
        "from verifier.cli.main import main\n"
        f"sys.argv = ['verifier', 'verify', {str(HOLDS[0])!r}, {str(HOLDS[1])!r}, '--timeout', '1',"
        f" '--result', {str(tmp_path / 'r.txt')!r}]\n"
        "main()\n"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert time.monotonic() - started < 40  # far below the hang; how close to 1 s is for the benchmarks to say
    assert (done.returncode, done.stdout.split()[0]) == (3, "timeout")
    assert (tmp_path / "r.txt").read_text() == "timeout\n"


def test_a_cold_start_loads_no_heavy_library() -> None:
    script = (
        "import sys\n"
        "sys.argv = ['verifier', *sys.argv[1:]]\n"
        "from verifier.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(' '.join(sorted(sys.modules)), file=sys.stderr)\n"
    )

    def script_modules(*arguments: object) -> set[str]:
        done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True)
        return set(done.stderr.split())

    def modules(*arguments: object) -> set[str]:
        return {name.partition(".")[0] for name in script_modules(*arguments)}

    heavy = {"torch", "cvxpy", "pulp", "highspy", "scipy", "vnnlib", "sklearn"}

    def own(*arguments: object) -> set[str]:
        return {m for m in script_modules(*arguments) if m.startswith("verifier.")}

    bounds_alone = own("verify", *HOLDS)
    for later in (
        "attacks",
        "search",
        "programs.margins",
        "methods.complete",
        "methods.optimised",
        "radii",
        "training",
    ):
        assert not {m for m in bounds_alone if m.startswith(f"verifier.{later}")}, later
    assert not modules("--help") & (heavy | {"numpy", "onnx", "onnxruntime"})
    assert not modules("verify", *HOLDS) & heavy
    assert not modules("verify", *FAILS) & heavy


def nan_model(path: Path) -> Path:
    model = onnx.load(HOLDS[0])
    tensor = model.graph.initializer[0]
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)
    return path


def wrong_shape_model(path: Path) -> Path:
    model = onnx.load(HOLDS[0])
    tensor = model.graph.initializer[0]
    values = onnx.numpy_helper.to_array(tensor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values[:, :-1].copy(), tensor.name))
    onnx.save(model, path)
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def faults(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Everything that can be wrong with the two files, as (network, property)."""
    net, prop = HOLDS
    text = prop.read_text()
    model = net.read_bytes()
    return {
        "truncated model": (written(folder / "a.onnx", model[: len(model) // 2]), prop),
        "corrupt model": (written(folder / "b.onnx", bytes(reversed(model))), prop),
        "empty model": (written(folder / "c.onnx", b""), prop),
        "nan weights": (nan_model(folder / "d.onnx"), prop),
        "wrong shapes": (wrong_shape_model(folder / "e.onnx"), prop),
        "a model that does not run": (unrunnable_model(folder / "f.onnx"), property_of_two(folder / "f.vnnlib")),
        "an index out of range": (unrunnable_model(folder / "g.onnx", label=False), prop),
        "missing model": (folder / "none.onnx", prop),
        "model is a folder": (folder, prop),
        "truncated property": (net, written(folder / "a.vnnlib", text[: len(text) // 2].encode())),
        "malformed property": (net, written(folder / "b.vnnlib", b"(assert (<= X_0 banana))")),
        "binary property": (net, written(folder / "c.vnnlib", bytes(range(256)))),
        "empty property": (net, written(folder / "d.vnnlib", b"")),
        "property of another size": (net, FAILS[1]),
        "missing bounds": (net, written(folder / "e.vnnlib", re.sub(r"\(assert \(<= X_3 .*", "", text).encode())),
        "missing property": (net, folder / "none.vnnlib"),
        "property is a folder": (net, folder),
    }


def unrunnable_model(path: Path, label: bool = True) -> Path:
    """An index that is out of range: in the label, which is not read, or in the scores."""
    info, types = onnx.helper.make_tensor_value_info, onnx.TensorProto
    nodes = [
        onnx.helper.make_node("Relu", ["X"], ["scores"]),
        onnx.helper.make_node("GatherElements", ["X", "i"], ["entry"], axis=1),
        onnx.helper.make_node("ArgMax", ["entry"], ["label"], axis=1),
    ]
    scores, entry = info("scores", types.FLOAT, [1, 2]), info("entry", types.FLOAT, None)
    graph = onnx.helper.make_graph(
        nodes,
        "unrunnable",
        [info("X", types.FLOAT, [1, 2])],
        [scores, info("label", types.INT64, [1, 1])] if label else [entry],
        [onnx.numpy_helper.from_array(np.array([[5]]), "i")],
    )
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def property_of_two(path: Path) -> Path:
    names = "".join(f"(declare-const {name} Real)" for name in ("X_0", "X_1", "Y_0", "Y_1"))
    box = "".join(f"(assert (>= X_{k} 0))(assert (<= X_{k} 1))" for k in range(2))
    return written(path, f"{names}{box}(assert (>= Y_0 2))".encode())


FAULTS = (
    "a model that does not run",
    "an index out of range",
    "truncated model",
    "corrupt model",
    "empty model",
    "nan weights",
    "wrong shapes",
    "missing model",
    "model is a folder",
    "truncated property",
    "malformed property",
    "binary property",
    "empty property",
    "property of another size",
    "missing bounds",
    "missing property",
    "property is a folder",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_is_one_line_and_exit_2(fault: str, tmp_path: Path) -> None:
    done = run("verify", *faults(tmp_path)[fault], "--result", tmp_path / "r.txt")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == "error\n"
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert (tmp_path / "r.txt").read_text() == "error\n"


def test_a_contradictory_property_is_vacuously_unsat(tmp_path: Path) -> None:
    prop = written(tmp_path / "p.vnnlib", HOLDS[1].read_bytes() + b"(assert (>= X_0 2.0))\n(assert (<= X_0 1.0))\n")
    done = run("verify", HOLDS[0], prop)
    assert (done.returncode, done.stdout.split()[0]) == (2, "error")
    assert "--allow-empty" in done.stderr
    done = run("verify", HOLDS[0], prop, "--allow-empty")
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["unsat", "vacuously,"])
    assert "empty" in done.stdout


def test_an_unwritable_result_is_found_before_the_work(tmp_path: Path) -> None:
    for path in (tmp_path / "none" / "r.txt", tmp_path):
        done = run("verify", *HOLDS, "--result", path)
        assert (done.returncode, done.stdout) == (2, "error\n")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert run("verify", *HOLDS, "--result", tmp_path / "r.txt").returncode == 2


@pytest.mark.parametrize(
    "arguments", [("--method", "magic"), ("--timeout", "-1"), ("--timeout", "inf"), ("--seed", "x"), ("--nonsense",)]
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...]) -> None:
    done = run("verify", *HOLDS, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_info_tells_what_the_network_is() -> None:
    done = run("info", HOLDS[0])
    assert done.returncode == 0
    assert "64 entries" in done.stdout
    assert "relu" in done.stdout
    assert "multiplications" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(("files", "status"), [(HOLDS, 0), (FAILS, 1)])
def test_a_full_standard_output_changes_no_verdict(files: tuple[Path, Path], status: int) -> None:
    command = [sys.executable, "-m", "verifier.cli.main", "verify", *map(str, files)]
    with open("/dev/full", "w") as full:
        assert subprocess.run(command, stdout=full, timeout=120, check=False).returncode == status
    assert subprocess.run(" ".join(command) + " >&-", shell=True, timeout=120, check=False).returncode == status


def test_a_terminated_run_leaves_a_result(tmp_path: Path) -> None:
    prop = SPECS / "vnnlib/digits_dense_close.vnnlib"
    command = [sys.executable, "-m", "verifier.cli.main", "verify", HOLDS[0], prop, "--method", "attack"]
    process = subprocess.Popen([*map(str, command), "--result", str(tmp_path / "r.txt")], stdout=subprocess.PIPE)
    time.sleep(8)  # long enough to have begun, even on a busy machine
    process.terminate()
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert output.split()[0] == b"timeout"
    assert (tmp_path / "r.txt").read_text() == "timeout\n"


def test_no_file_is_overwritten_by_another(tmp_path: Path) -> None:
    net = written(tmp_path / "n.onnx", HOLDS[0].read_bytes())
    for arguments in (("--result", net), ("--result", tmp_path / "r", "--json", tmp_path / "r")):
        done = run("verify", net, HOLDS[1], *arguments)
        assert (done.returncode, done.stdout) == (2, "error\n")
    assert net.read_bytes() == HOLDS[0].read_bytes()


def test_links_are_followed_and_devices_kept(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target.txt")
    assert run("verify", *HOLDS, "--result", tmp_path / "link").returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target.txt").read_text() == "unsat\n"
    assert run("verify", *HOLDS, "--result", os.devnull).returncode == 0
    assert not Path(os.devnull).is_file()


def test_names_that_are_too_long_are_found_before_the_work(tmp_path: Path) -> None:
    assert run("verify", *HOLDS, "--result", tmp_path / ("r" * 300)).returncode == 2
    assert run("verify", *HOLDS, "--result", tmp_path / ("r" * 255)).returncode == 0
