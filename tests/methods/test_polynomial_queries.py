"""Queries with products: quadratic distances, Lyapunov functions, products of two networks' outputs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import verifier
from verifier.readers.question import load_question
from verifier.verdict import Status, Verdict


def controller(path: Path, gains: np.ndarray, clip: float) -> Path:
    """Y = clip(gains X) of two inputs, by relus."""
    stored = [
        numpy_helper.from_array(gains.astype(np.float32).reshape(2, 1), "k"),
        numpy_helper.from_array(np.array(clip, np.float32), "c"),
        numpy_helper.from_array(np.array(2 * clip, np.float32), "d"),
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "k"], ["u"]),
        helper.make_node("Add", ["u", "c"], ["v"]),
        helper.make_node("Relu", ["v"], ["w"]),
        helper.make_node("Sub", ["d", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Sub", ["c", "b"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", 2), ("y", 1))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def asked(tmp_path: Path, assertions: str, **models: Path) -> Verdict:
    path = tmp_path / "p.vnnlib"
    names = "".join(
        f"(declare-network {n} (declare-input X{n} real [1,2]) (declare-output Y{n} real [1,1]))" for n in models
    )
    path.write_text(f"(vnnlib-version <2.0>)\n{names}\n{assertions}\n")
    return verifier.verify(*load_question(path, models), options=verifier.Options(timeout=20.0))


def between(element: str, low: float, high: float) -> str:
    return f"(assert (and (>= {element} {low}) (<= {element} {high})))"


@pytest.mark.parametrize(("slack", "status"), [("0.05", Status.UNSAT), ("-0.05", Status.SAT)])
def test_a_quadratic_safe_distance(tmp_path: Path, slack: str, status: Status) -> None:
    """After a step with y <= -1 the gap x_0 - v'^2 / 10 can be no less than 1.9 - 0.9^2 / 10, with v' = x_1 + y / 2.

    On gaps in [1.9, 4] and speeds in [0, 1.4] the controller brakes by clip(-x_1, 1), so that v' <= 0.9.
    """
    model = controller(tmp_path / "f.onnx", np.array([0.0, -1.0]), 1.0)
    speed = "(+ Xf[0,1] (* 0.5 Yf[0,0]))"
    unsafe = f"(assert (<= (- Xf[0,0] (* 0.1 {speed} {speed})) {1.9 - 0.081 - float(slack):.6f}))"
    assert (
        asked(tmp_path, between("Xf[0,0]", 1.9, 4.0) + between("Xf[0,1]", 0.0, 1.4) + unsafe, f=model).status is status
    )


@pytest.mark.parametrize(("factor", "status"), [("1.0", Status.UNSAT), ("0.8", Status.SAT)])
def test_a_lyapunov_function_falls(tmp_path: Path, factor: str, status: Status) -> None:
    """V = x'Px falls with every step x + 0.1 (x_1, y) from outside a small ball, and not below a share of itself."""
    model = controller(tmp_path / "f.onnx", np.array([-1.0, -2.0]), 4.0)
    x, v = "Xf[0,0]", "Xf[0,1]"

    def lyapunov(a: str, b: str) -> str:
        return f"(+ (* 1.5 {a} {a}) (* {a} {b}) (* 1.0 {b} {b}))"

    after = lyapunov(f"(+ {x} (* 0.1 {v}))", f"(+ {v} (* 0.1 Yf[0,0]))")
    rises = f"(assert (> (- {after} (* {factor} {lyapunov(x, v)})) 0.0))"
    outside = f"(assert (>= (+ (* {x} {x}) (* {v} {v})) 0.25))"
    assert asked(tmp_path, between(x, -1.0, 1.0) + between(v, -1.0, 1.0) + outside + rises, f=model).status is status


def test_products_of_outputs_of_several_networks(tmp_path: Path) -> None:
    models = {n: controller(tmp_path / f"{n}.onnx", np.array([1.0, s]), 1.0) for n, s in (("f", 1.0), ("g", -1.0))}
    box = "".join(between(f"X{n}[0,{i}]", 0.0, 0.25) for n in models for i in range(2))
    assert asked(tmp_path, box + "(assert (> (* Yf[0,0] Yg[0,0]) 0.13))", **models).status is Status.UNSAT
    verdict = asked(tmp_path, box + "(assert (> (* Yf[0,0] Yg[0,0]) 0.12))", **models)
    assert verdict.witness is not None
    assert verdict.witness.y[0] * verdict.witness.y[1] > 0.12
