"""Questions about several networks and hidden tensors: one network of all of them, the same as its models compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import verifier
from verifier.errors import UsageError, VerifierError
from verifier.evidence.replay import Replay
from verifier.methods import Options
from verifier.readers.question import ONLY, load_question
from verifier.runtime import run, session_of
from verifier.verdict import Status

SIZE = 3
DECLARED = "(declare-network {0} {3} (declare-input {1} float32 [1,3]) {4} (declare-output {2} float32 [1,2]))\n"


def write(path: Path, seed: int, shift: float = 0.0, opset: int = 13) -> Path:
    """A relu network of 3 inputs, a hidden tensor `h` of 4 and 2 outputs."""
    rng = np.random.default_rng(seed)
    first, second = rng.normal(size=(SIZE, 4)).astype(np.float32), rng.normal(size=(4, 2)).astype(np.float32) + shift
    stored = [numpy_helper.from_array(a.astype(np.float32), n) for a, n in ((first, "v"), (second, "w"))]
    nodes = [
        helper.make_node("MatMul", ["x", "v"], ["z"]),
        helper.make_node("Relu", ["z"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", SIZE), ("y", 2))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


def box(name: str, low: float = -1.0, high: float = 1.0) -> str:
    return "".join(f"(assert (and (>= {name}[0,{i}] {low}) (<= {name}[0,{i}] {high})))" for i in range(SIZE))


def declared(name: str, x: str, y: str, relation: str = "", hidden: str = "") -> str:
    return DECLARED.format(name, x, y, relation, f'(declare-hidden {hidden} float32 [1,4] "h")' if hidden else "")


def written(path: Path, networks: str, assertions: str) -> Path:
    path.write_text(f"(vnnlib-version <2.0>)\n{networks}{assertions}\n")
    return path


def asked(path: Path, models: dict[str, Path]) -> verifier.Verdict:
    network, query = load_question(path, models)
    return verifier.verify(network, query, options=Options(timeout=20.0))


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    return {"f": write(tmp_path / "f.onnx", 0), "g": write(tmp_path / "g.onnx", 1, opset=17)}


def test_networks_side_by_side_are_what_their_models_compute(tmp_path: Path, models: dict[str, Path]) -> None:
    names = declared("f", "X", "Y", hidden="H") + declared("g", "U", "V", hidden="K")
    network, query = load_question(
        written(tmp_path / "p", names, box("X") + box("U") + "(assert (<= H[0,1] V[0,0]))"), models
    )
    assert [port.name for port in network.inputs] == ["f.x", "g.x"]
    assert [d.name for d in query.declarations] == ["X", "H", "Y", "U", "K", "V"]
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2 * SIZE)).astype(np.float32)
    for row, found in zip(x, network.forward(x.astype(np.float64)), strict=True):
        expected = []
        for model, part in zip(models.values(), np.split(row, 2), strict=True):
            session = session_of(_with_output(model), "test")
            expected += [y.reshape(-1) for y in run(session, ["y", "h"], {"x": part[None]}, "test")]
        np.testing.assert_allclose(found, np.concatenate(expected), atol=1e-5)
        np.testing.assert_array_equal(Replay(network).run(row), np.concatenate(expected))


def _with_output(path: Path) -> bytes:
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name="h"))
    return bytes(model.SerializeToString())


def test_a_network_equal_to_another_needs_no_model(tmp_path: Path, models: dict[str, Path]) -> None:
    names = declared("f", "X", "Y") + declared("g", "U", "V", "(equal-to f)")
    apart = box("X") + "".join(f"(assert (== U[0,{i}] X[0,{i}]))" for i in range(SIZE))
    path = written(tmp_path / "p", names, apart + "(assert (or (> Y[0,0] V[0,0]) (< Y[0,1] V[0,1])))")
    assert asked(path, {"f": models["f"]}).status is Status.UNSAT
    with pytest.raises(UsageError, match="a model for g, which is equal to f"):
        load_question(path, models)
    with pytest.raises(UsageError, match="the network f has no model"):
        load_question(path, {})
    with pytest.raises(UsageError, match="which is not declared"):
        load_question(path, {"f": models["f"], "h": models["g"]})


def test_related_inputs_are_decided_and_witnesses_obey_them(tmp_path: Path, models: dict[str, Path]) -> None:
    names = declared("f", "X", "Y") + declared("g", "U", "V", "(equal-to f)")
    near = box("X") + box("U")
    near += "".join(
        f"(assert (and (<= (- U[0,{i}] X[0,{i}]) 0.1) (>= (- U[0,{i}] X[0,{i}]) -0.1)))" for i in range(SIZE)
    )
    first = np.abs(numpy_helper.to_array(onnx.load(models["f"]).graph.initializer[0])).astype(np.float64)
    second = np.abs(numpy_helper.to_array(onnx.load(models["f"]).graph.initializer[1])).astype(np.float64)
    most = float((0.1 * first.sum(axis=0)) @ second[:, 0])  # the change that no relu can exceed
    far = written(tmp_path / "far", names, near + f"(assert (>= (- V[0,0] Y[0,0]) {most + 0.01:.6f}))")
    assert asked(far, {"f": models["f"]}).status is Status.UNSAT
    verdict = asked(
        written(tmp_path / "near", names, near + "(assert (>= (- V[0,0] Y[0,0]) 0.05))"), {"f": models["f"]}
    )
    assert verdict.status is Status.SAT
    assert verdict.witness is not None
    x, u = np.split(verdict.witness.x.astype(np.float64), 2)
    assert (np.abs(u - x) <= 0.1).all()
    assert verdict.witness.y[2] - verdict.witness.y[0] >= 0.05


def test_hidden_tensors_are_bounded_and_replayed(tmp_path: Path, models: dict[str, Path]) -> None:
    names = declared("f", "X", "Y", hidden="H")
    path = written(tmp_path / "p", names, box("X") + "(assert (< H[0,2] 0.0))")
    assert asked(path, {ONLY: models["f"]}).status is Status.UNSAT
    path = written(tmp_path / "p", names, box("X") + "(assert (> H[0,2] 0.25))(assert (< Y[0,0] H[0,2]))")
    verdict = asked(path, {ONLY: models["f"]})
    assert verdict.status is Status.SAT
    assert verdict.witness is not None
    assert verdict.witness.y[2 + 2] > 0.25
    path.write_text(path.read_text().replace('"h"', '"nothing"'))
    with pytest.raises(VerifierError, match="no tensor is called 'nothing'"):
        load_question(path, {ONLY: models["f"]})


def test_a_shorter_type_allows_its_own_numbers_only(tmp_path: Path, models: dict[str, Path]) -> None:
    names = declared("f", "X", "Y") + declared("g", "U", "V", "(isomorphic-to f)").replace("float32", "float16")
    apart = box("X") + box("U", 0.1, 0.100001) + "(assert (<= V[0,0] 9.0))"
    verdict = asked(written(tmp_path / "p", names, apart), models)
    assert verdict.status is not Status.UNSAT  # an input of 0.1 has a float16 beside it
    assert verdict.witness is None or (verdict.witness.x[3:] == verdict.witness.x[3:].astype(np.float16)).all()


@pytest.mark.parametrize(("least", "status"), [("0.26", Status.UNSAT), ("0.24", Status.SAT)])
def test_booleans_are_tried_one_by_one(tmp_path: Path, least: str, status: Status) -> None:
    """Where(c, x, x x) for two entries that share c = c', x in [0, 0.5] and [0.6, 0.9]."""
    nodes = [helper.make_node("Mul", ["x", "x"], ["s"]), helper.make_node("Where", ["c", "x", "s"], ["y"])]
    ports = [("x", TensorProto.FLOAT), ("c", TensorProto.BOOL), ("y", TensorProto.FLOAT)]
    values = [helper.make_tensor_value_info(name, kind, [2]) for name, kind in ports]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values[:2], values[2:]), opset_imports=[helper.make_opsetid("", 16)], ir_version=8
    )
    onnx.save(model, tmp_path / "w.onnx")
    names = "(declare-network f (declare-input X real [2]) (declare-input C bool [2]) (declare-output Y real [2]))"
    limits = "(assert (and (>= X[0] 0.0) (<= X[0] 0.5) (>= X[1] 0.6) (<= X[1] 0.9)))(assert (== C[0] C[1]))"
    path = written(tmp_path / "p", names, limits + f"(assert (>= Y[0] {least}))(assert (<= Y[1] 0.55))")
    assert asked(path, {ONLY: tmp_path / "w.onnx"}).status is status


@pytest.mark.parametrize(("total", "status"), [(3, Status.SAT), (21, Status.UNSAT)])
def test_integer_inputs_are_whole_numbers(tmp_path: Path, total: int, status: Status) -> None:
    """Y = 2 X of two int8 entries between 0 and 10 that add up to `total`, the first in [0.5, 1.5] as a real number."""
    nodes = [helper.make_node("Cast", ["x"], ["c"], to=TensorProto.FLOAT), helper.make_node("Add", ["c", "c"], ["y"])]
    ports = [helper.make_tensor_value_info(n, k, [2]) for n, k in (("x", TensorProto.INT8), ("y", TensorProto.FLOAT))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "i.onnx")
    names = "(declare-network f (declare-input X int8 [2]) (declare-output Y float32 [2]))"
    limits = f"(assert (and (>= X[0] 0) (<= X[0] 10) (>= X[1] 0) (<= X[1] 10)))(assert (== (+ X[0] X[1]) {total}))"
    path = written(tmp_path / "p", names, limits + "(assert (and (> Y[0] 1.0) (< Y[0] 3.0)))")
    verdict = asked(path, {ONLY: tmp_path / "i.onnx"})
    assert verdict.status is status
    assert verdict.witness is None or verdict.witness.x.tolist() == [1, 2]
    path = written(tmp_path / "p", names, limits + "(assert (and (> Y[0] 2.5) (< Y[0] 3.5)))")
    assert asked(path, {ONLY: tmp_path / "i.onnx"}).status is Status.UNSAT


@pytest.mark.parametrize(("most", "status"), [(0.3, Status.SAT), (-0.01, Status.UNSAT)])
def test_an_equation_between_inputs_is_met_exactly(tmp_path: Path, most: float, status: Status) -> None:
    """Y = relu(2 X_0 + X_1 - X_2) with X_0 + X_1 = X_2 + 1/4 is relu(X_0 + 1/4)."""
    weights = numpy_helper.from_array(np.array([[2.0], [1.0], [-1.0]], np.float32), "w")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, s]) for n, s in (("x", SIZE), ("y", 1))]
    graph = helper.make_graph(nodes, "g", ports[:1], ports[1:], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "e.onnx")
    names = "(declare-network f (declare-input X real [1,3]) (declare-output Y real [1,1]))"
    limits = box("X", 0.0) + "(assert (== (+ X[0,0] X[0,1]) (+ X[0,2] 0.25)))"
    path = written(tmp_path / "p", names, limits + f"(assert (<= (- Y[0,0] 0.25) {most}))")
    verdict = asked(path, {ONLY: tmp_path / "e.onnx"})
    assert verdict.status is status
    if verdict.witness is not None:
        x = verdict.witness.x.astype(np.float64)
        assert x[0] + x[1] == x[2] + 0.25
