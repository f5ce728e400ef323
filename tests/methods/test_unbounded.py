"""Inputs without bounds: decided where relus of half lines allow, else said so."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import verifier
from verifier.readers.question import ONLY, load_question
from verifier.verdict import Status, Verdict


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Y = relu(X), two entries."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ports[:1], ports[1:])
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def asked(tmp_path: Path, model: Path, assertions: str) -> Verdict:
    path = tmp_path / "p.vnnlib"
    names = "(declare-network f (declare-input X float32 [2]) (declare-output Y float32 [2]))"
    path.write_text(f"(vnnlib-version <2.0>)\n{names}\n{assertions}\n")
    return verifier.verify(*load_question(path, {ONLY: model}), options=verifier.Options(timeout=5.0))


@pytest.mark.parametrize(
    ("assertions", "status"),
    [
        ("(assert (>= X[0] 2.0))(assert (<= Y[0] 1.5))", Status.UNSAT),
        ("(assert (>= X[0] 2.0))(assert (<= Y[0] 2.5))", Status.SAT),
        ("(assert (<= X[0] 2.0))(assert (>= Y[0] 2.1))(assert (>= X[1] 0.0))", Status.UNSAT),
        ("(assert (< Y[0] 0.0))", Status.UNSAT),
        ("(assert (>= Y[0] 5000.0))(assert (<= X[1] 7.0))", Status.SAT),
        ("(assert (or (< Y[0] 0.0) (< Y[1] -1.0)))", Status.UNSAT),
        ("(assert (>= X[0] 3.0))", Status.SAT),
    ],
)
def test_half_lines(tmp_path: Path, model: Path, assertions: str, status: Status) -> None:
    verdict = asked(tmp_path, model, assertions)
    assert verdict.status is status
    if verdict.witness is not None:
        assert verdict.witness.y.tolist() == [max(x, 0.0) for x in verdict.witness.x.tolist()]


def test_what_is_not_excluded_is_said(tmp_path: Path, model: Path) -> None:
    verdict = asked(tmp_path, model, "(assert (> (- Y[0] X[0]) 0.5))(assert (>= X[0] 0.0))")
    assert verdict.status is not Status.SAT
    assert verdict.status is Status.UNSAT or "give them bounds" in verdict.detail
