"""The command line of the VNN-LIB 2.0 standard."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.cli.within import within
from verifier.cli import standard
from verifier.cli.supports import CAPABILITIES
from verifier.errors import UsageError
from verifier.version import __version__

QUERY = """(vnnlib-version <2.0>)
(declare-network f
    (declare-input A float32 [1,2]) (declare-hidden H float32 [1,2] "h") (declare-output B float32 [1,2]))
(declare-network g (equal-to f) (declare-input C float32 [1,2]) (declare-output D float32 [1,2]))
(assert (and (>= A[0,0] 0.0) (<= A[0,0] 1.0) (== A[0,1] 0.5)))
(assert (and (== C[0,0] A[0,0]) (>= C[0,1] 0.0) (<= C[0,1] 1.0)))
(assert (>= (- B[0,1] D[0,1]) {}))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """B = 2 relu(A), H = relu(A)."""
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2]) for n in ("a", "b")]
    nodes = [helper.make_node("Relu", ["a"], ["h"]), helper.make_node("Add", ["h", "h"], ["b"])]
    model = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    path = tmp_path / "f.onnx"
    onnx.save(helper.make_model(model, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def command(*words: object) -> subprocess.CompletedProcess[str]:
    script = "from verifier.cli.standard import main; main()"
    words_of = [str(word) for word in words]
    return subprocess.run([sys.executable, "-P", "-c", script, *words_of], capture_output=True, text=True, check=False)


def query(tmp_path: Path, least: float) -> Path:
    path = tmp_path / "q.vnnlib"
    path.write_text(QUERY.format(least))
    return path


def test_verify_prints_the_answer_and_the_assignment(tmp_path: Path, model: Path) -> None:
    done = command("verify", query(tmp_path, 0.9), "--network", f"f={model}", "--timeout", 20)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == "sat"
    heads = ["A float32 [1,2]", "H float32 [1,2]", "B float32 [1,2]", "C float32 [1,2]", "D float32 [1,2]"]
    assert lines[1::3] == heads
    values = [np.array(lines[k : k + 2], float) for k in range(2, len(lines), 3)]
    a, h, b, c, d = values
    np.testing.assert_array_equal([h, b, d], [a, 2 * a, 2 * c])
    assert a[0] == c[0]
    assert b[1] - d[1] >= 0.9
    assert command("verify", query(tmp_path, 1.01), f"--network=f={model}").stdout == "unsat\n"


def test_assignments_are_serialised(tmp_path: Path, model: Path) -> None:
    folder = tmp_path / "deep" / "out"
    done = command("verify", query(tmp_path, 0.5), "--network", f"f={model}", "--serialise-assignments", folder)
    assert done.stdout == "sat\n"
    tensors = {path.stem: onnx.load_tensor(path) for path in folder.iterdir()}
    assert set(tensors) == {"A", "H", "B", "C", "D"}
    found = {name: numpy_helper.to_array(tensor) for name, tensor in tensors.items()}
    assert all(value.shape == (1, 2) and value.dtype == np.float32 for value in found.values())
    np.testing.assert_array_equal(found["B"], 2 * found["A"])


def test_errors_go_to_standard_error(tmp_path: Path, model: Path) -> None:
    done = command("verify", query(tmp_path, 0.5), "--network", f"h={model}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the network f has no model" in done.stderr
    with pytest.raises(UsageError, match="not NAME=FILE"):
        standard.run(["verify", "q", "--network", "f"])
    with pytest.raises(UsageError, match="no such capability"):
        standard.run(["supports", "--everything"])
    with pytest.raises(UsageError, match="no such command"):
        standard.run(["prove"])


def test_what_is_supported(capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str) -> list[str]:
        assert standard.run(words) == 0
        return capsys.readouterr().out.splitlines()

    for capability in CAPABILITIES:
        assert all(said("supports", capability))
    operators = said("supports", "--onnx-operators")
    assert {"Relu", "Conv", "If", "Constant", "Cast"} <= set(operators)
    assert operators == sorted(set(operators))
    assert said("supports", "--multiple-network-theories") == ["SNET", "MENET", "MINET", "MNET"]
    assert "float32" not in said("supports", "--onnx-element-types")
    assert said("--version") == [__version__]
    assert len(said("--name")) == 1


def test_verify_takes_named_models_too(tmp_path: Path, model: Path) -> None:
    asked = query(tmp_path, 1.01)
    for words in ((asked, "--network", f"f={model}"), (f"[('f', '{model}')]", asked), (model, asked)):
        done = within("verify", *words, "--timeout", 20)
        assert done.stdout.startswith("unsat"), done.output
    assert "leave out NET" in str(within("verify", model, asked, "--network", f"f={model}").exception)
    assert "no list of networks" in str(within("verify", "[('f'", asked).exception)
    result = tmp_path / "result.txt"
    within("verify", query(tmp_path, 0.5), "--network", f"f={model}", "--result", result)
    assert result.read_text().startswith("sat\nA float32 [1,2]\n")
