"""The remark on proofs that float32's rounding may break: where it is due, and where it would only annoy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper, save

import verifier
from tests.readers.onnx_models import f32, model_of
from verifier.verdict import Status

SPECS = Path(__file__).resolve().parents[2] / "vnnlib_specs"


def asked(folder: Path, nodes: list, constants: dict[str, np.ndarray], *assertions: str) -> verifier.Verdict:  # type: ignore[type-arg]
    save(model_of(nodes, {"x": (1, 1)}, ["y"], constants), folder / "net.onnx")
    network = verifier.load_network(folder / "net.onnx")
    text = "(declare-const X_0 Real)\n(declare-const Y_0 Real)\n" + "".join(f"(assert {a})\n" for a in assertions)
    (folder / "p.vnnlib").write_text(text)
    query = verifier.load_property(folder / "p.vnnlib", network)
    return verifier.verify(network, query, options=verifier.Options(timeout=20))


@pytest.mark.parametrize(("size", "told"), [(1e8, True), (1.0, False)])
def test_absorbed_inputs_are_told(tmp_path: Path, size: float, told: bool) -> None:
    nodes = [helper.make_node("Add", ["x", "c"], ["s"]), helper.make_node("Sub", ["s", "c"], ["y"])]
    verdict = asked(tmp_path, nodes, {"c": f32([size])}, "(>= X_0 1)", "(<= X_0 3)", "(<= Y_0 0.5)")
    assert verdict.status is Status.UNSAT
    assert ("float32" in verdict.detail) == told


def test_an_extremum_that_is_met_in_any_arithmetic_is_not_told(tmp_path: Path) -> None:
    nodes = [helper.make_node("Mul", ["x", "c"], ["s"]), helper.make_node("Relu", ["s"], ["y"])]
    verdict = asked(tmp_path, nodes, {"c": f32([0.3])}, "(>= X_0 -1)", "(<= X_0 1)", "(<= Y_0 -0.0001)")
    assert (verdict.status, verdict.detail) == (Status.UNSAT, "")


def test_an_ordinary_proof_has_no_remark() -> None:
    network = verifier.load_network(SPECS / "onnx/digits_dense.onnx")
    query = verifier.load_property(SPECS / "vnnlib/digits_dense_robust.vnnlib", network)
    verdict = verifier.verify(network, query)
    assert (verdict.status, verdict.detail) == (Status.UNSAT, "")


@pytest.mark.parametrize(("scale", "told"), [(300.0, True), (3.0, False)])
def test_a_softmax_that_overflows_in_the_runtime_is_told(tmp_path: Path, scale: float, told: bool) -> None:
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["z"]),
        helper.make_node("Exp", ["z"], ["e"]),
        helper.make_node("ReduceSum", ["e", "axes"], ["s"]),
        helper.make_node("Div", ["e", "s"], ["p"]),
        helper.make_node("Gemm", ["p", "first"], ["y"]),
    ]
    constants = {"scale": f32([scale, -scale])[0], "axes": np.array([1]), "first": f32([[1], [0]])[0]}
    verdict = asked(tmp_path, nodes, constants, "(>= X_0 0)", "(<= X_0 1)", "(>= Y_0 1.5)")
    assert verdict.status is Status.UNSAT
    assert ("overflows" in verdict.detail) == told
