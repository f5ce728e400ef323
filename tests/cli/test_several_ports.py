"""A model with several inputs and outputs, asked about in both versions of VNN-LIB, from files to result files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.cli.within import within

VERSION_1 = """
(declare-const X_0 Real) (declare-const X_1 Real) (declare-const X_2 Real)
(declare-const Y_0 Real) (declare-const Y_1 Real) (declare-const Y_2 Real)
(assert (and (>= X_0 0) (<= X_0 1) (>= X_1 0) (<= X_1 1) (>= X_2 2) (<= X_2 3)))
(assert (>= Y_2 {least}))
"""

VERSION_2 = """
(vnnlib-version <2.0>)
(declare-network f
  (declare-input A float32 [1,2]) (declare-input B float32 [1,1])
  (declare-output S float32 [1,2]) (declare-output D float32 [1,1]))
(assert (and (>= A[0,0] 0.0) (<= A[0,0] 1.0) (>= A[0,1] 0.0) (<= A[0,1] 1.0) (>= B[0,0] 2.0) (<= B[0,0] 3.0)))
(assert (>= D[0,0] {least}))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """S = A + B and D = relu(A) (1, -1)^T - B, so that D is at most 1 - 2 on the properties' box."""
    weight = onnx.numpy_helper.from_array(np.array([[1], [-1]], np.float32), "W")
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["A", "B"], ["S"]),
            helper.make_node("Relu", ["A"], ["R"]),
            helper.make_node("MatMul", ["R", "W"], ["M"]),
            helper.make_node("Sub", ["M", "B"], ["D"]),
        ],
        "several",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("A", [1, 2]), ("B", [1, 1]))],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("S", [1, 2]), ("D", [1, 1]))],
        [weight],
    )
    path = tmp_path / "several.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return path


@pytest.mark.parametrize("form", [VERSION_1, VERSION_2])
@pytest.mark.parametrize(("least", "exit_code"), [("-1.5", 1), ("-0.9", 0)])
def test_the_verdict_is_that_of_the_formula(model: Path, tmp_path: Path, form: str, least: str, exit_code: int) -> None:
    prop, result = tmp_path / "p.vnnlib", tmp_path / "r.txt"
    prop.write_text(form.format(least=least))
    done = within("verify", str(model), str(prop), "--result", str(result))
    assert done.exit_code == exit_code, done.output
    lines = result.read_text().splitlines()
    if exit_code == 0:
        assert lines == ["unsat"]
        return
    if form is VERSION_1:
        values = [float(line.strip("()").split()[1]) for line in lines[1:]]
    else:
        assert [lines[k] for k in (1, 4, 6, 9)] == [
            *("A float32 [1,2]", "B float32 [1,1]", "S float32 [1,2]", "D float32 [1,1]")
        ]
        values = [float(line) for k, line in enumerate(lines) if k not in (0, 1, 4, 6, 9)]
    a, b, s, d = values[:2], values[2], values[3:5], values[5]
    assert np.float32(a[0]) + np.float32(b) == np.float32(s[0])
    assert d >= -1.5
    assert d == pytest.approx(a[0] - a[1] - b, abs=1e-6)
