"""Models of float16 and bfloat16: read as the real numbers they are, witnesses of their own type, rounding told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import verifier
from verifier.checker.main import check
from verifier.cli.info import facts
from verifier.errors import ModelError, PropertyError
from verifier.evidence.replay import Replay
from verifier.network.graph import Network
from verifier.property.grid import Grid
from verifier.property.query import Query
from verifier.verdict import Status

F16, BF16, F32 = TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.FLOAT
UNITS = {F16: 2.0**-11, BF16: 2.0**-8}
BRAIN = np.dtype(helper.tensor_dtype_to_np_dtype(BF16))
node = helper.make_node


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float16)


def network_of(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    shape: tuple[int, ...],
    kinds: tuple[int, int] = (F16, F16),
) -> Network:
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info("x", kinds[0], shape)],
        [helper.make_tensor_value_info("y", kinds[1], None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    return verifier.load_network(folder / "net.onnx")


DENSE = [node("Gemm", ["x", "w", "b"], ["h"]), node("Relu", ["h"], ["r"]), node("Gemm", ["r", "v", "c"], ["y"])]
WEIGHTS = {"w": draw(2, 6), "b": draw(6, seed=1), "v": draw(6, 2, seed=2), "c": draw(2, seed=3)}


def dense(folder: Path) -> Network:
    return network_of(folder, DENSE, WEIGHTS, (1, 2))


def convolutional(folder: Path) -> Network:
    nodes = [
        node("Conv", ["x", "k", "b"], ["a"], pads=[1, 1, 0, 0], strides=[2, 1]),
        node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["n"], epsilon=1e-3),
        node("LeakyRelu", ["n"], ["r"], alpha=0.125),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2]),
        node("Flatten", ["p"], ["f"]),
        node("Transpose", ["vt"], ["v"]),
        node("MatMul", ["f", "v"], ["m"]),
        node("Softmax", ["m"], ["y"]),
    ]
    names = ("b", "scale", "shift", "mean")
    constants = {name: draw(3, seed=k) for k, name in enumerate(names)}
    constants |= {"k": draw(3, 1, 2, 2), "variance": np.abs(draw(3)), "vt": draw(2, 24, seed=5)}
    return network_of(folder, nodes, constants, (1, 1, 5, 5))


def mixed(folder: Path) -> Network:
    """A float16 layer, a float32 one, and its result in float16 again."""
    nodes = [
        node("MatMul", ["x", "w"], ["h"]),
        node("Cast", ["h"], ["wide"], to=F32),
        node("Tanh", ["wide"], ["t"]),
        node("MatMul", ["t", "v"], ["m"]),
        node("Cast", ["m"], ["y"], to=F16),
    ]
    return network_of(folder, nodes, {"w": draw(2, 6), "v": draw(6, 3, seed=2).astype(np.float32)}, (1, 2))


def stored_in_bfloat16(folder: Path) -> Network:
    """Input, weights and output of bfloat16, computed in float32."""
    nodes = [
        node("Cast", ["x"], ["wide"], to=F32),
        node("Transpose", ["wt"], ["w"]),
        node("Cast", ["w"], ["weights"], to=F32),
        node("MatMul", ["wide", "weights"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("ReduceSum", ["r"], ["s"], keepdims=0),
        node("Cast", ["s"], ["y"], to=BF16),
    ]
    return network_of(folder, nodes, {"wt": draw(4, 2).astype(BRAIN)}, (1, 2), (BF16, BF16))


@pytest.mark.parametrize(
    ("make", "kind"), [(dense, F16), (convolutional, F16), (mixed, F16), (stored_in_bfloat16, BF16)]
)
def test_they_agree_with_the_runtime_up_to_their_rounding(make, kind: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    network = make(tmp_path)
    grid, replay, rng = Grid.of(network.inputs), Replay(network), np.random.default_rng(5)
    assert network.rounds_to == helper.tensor_dtype_to_np_dtype(kind).name
    for _ in range(5):
        x = grid.nearest(rng.uniform(-2, 2, network.input_size))
        wanted, got = replay.run(x), network.forward(x[None].astype(float))[0]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=8 * UNITS[kind] * max(1.0, np.abs(wanted).max()))


def test_constants_are_the_numbers_that_are_stored(tmp_path: Path) -> None:
    network = dense(tmp_path)
    x = np.array([0.25, -0.5])
    hidden = np.maximum(x @ WEIGHTS["w"].astype(float) + WEIGHTS["b"], 0.0)
    assert network.forward(x[None])[0] == pytest.approx(hidden @ WEIGHTS["v"].astype(float) + WEIGHTS["c"], abs=1e-14)
    brain = stored_in_bfloat16(tmp_path)
    exact = np.maximum(draw(4, 2).astype(BRAIN).astype(float) @ x, 0.0).sum()
    assert brain.forward(x[None])[0] == pytest.approx([exact], abs=1e-14)


def asked_query(folder: Path, network: Network, *assertions: str) -> Query:
    names = [f"X_{k}" for k in range(network.input_size)] + [f"Y_{k}" for k in range(network.output_size)]
    text = "".join(f"(declare-const {name} Real)\n" for name in names)
    (folder / "p.vnnlib").write_text(text + "".join(f"(assert {a})\n" for a in assertions))
    return verifier.load_property(folder / "p.vnnlib", network)


def asked(folder: Path, network: Network, *assertions: str) -> verifier.Verdict:
    query = asked_query(folder, network, *assertions)
    return verifier.verify(network, query, options=verifier.Options(timeout=20))


UNIT_BOX = ("(>= X_0 -0.9001)", "(<= X_0 0.9001)", "(>= X_1 0.1)", "(<= X_1 0.3)")


@pytest.mark.parametrize(("make", "name"), [(dense, "float16"), (mixed, "float16"), (stored_in_bfloat16, "bfloat16")])
def test_both_verdicts(make, name: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Against the extremum on a fine grid of points of the type."""
    network = make(tmp_path)
    grid = Grid.of(network.inputs)
    box = np.stack(np.meshgrid(np.linspace(-0.9001, 0.9001, 400), np.linspace(0.1, 0.3, 50)), -1).reshape(-1, 2)
    most = network.forward(box)[:, 0].max()
    assert asked(tmp_path, network, *UNIT_BOX, f"(>= Y_0 {most + 0.02:.6f})").status is Status.UNSAT
    verdict = asked(tmp_path, network, *UNIT_BOX, f"(>= Y_0 {most - 0.02:.6f})")
    assert verdict.status is Status.SAT
    assert verdict.witness is not None
    x = verdict.witness.x
    assert (grid.nearest(x) == x).all()
    assert (np.abs(x[0]) <= 0.9001) & (0.1 <= float(x[1]) <= 0.3)
    assert Replay(network).run(x)[0] == verdict.witness.y[0] >= most - 0.02


def test_both_verdicts_of_a_convolutional_network(tmp_path: Path) -> None:
    network = convolutional(tmp_path)
    small = [f"({side} X_{k} {sign}0.3)" for k in range(25) for side, sign in ((">=", "-"), ("<=", ""))]
    middle = network.forward(np.zeros((1, 25)))[0, 0]
    assert asked(tmp_path, network, *small, "(>= Y_0 0.999)").status is Status.UNSAT
    verdict = asked(tmp_path, network, *small, f"(>= Y_0 {middle + 0.01:.6f})")
    assert verdict.witness is not None
    x = verdict.witness.x
    assert (x == x.astype(np.float16)).all()
    assert np.abs(x).max() <= 0.3
    assert Replay(network).run(x)[0] == verdict.witness.y[0] >= middle + 0.01


def test_an_input_fixed_to_a_decimal_is_the_nearest_float16(tmp_path: Path) -> None:
    fixed = ("(>= X_0 0.1)", "(<= X_0 0.1)", "(>= X_1 0)", "(<= X_1 1)")
    verdict = asked(tmp_path, dense(tmp_path), *fixed, "(>= Y_0 -100)")
    assert verdict.witness is not None
    assert verdict.witness.x[0] == np.float16(0.1)
    assert "fixed to a number" in verdict.detail


@pytest.mark.parametrize(("size", "told"), [(2048, True), (1, False)])
def test_rounding_that_exceeds_a_margin_is_told(size: int, told: bool, tmp_path: Path) -> None:
    nodes = [node("Add", ["x", "c"], ["s"]), node("Sub", ["s", "c"], ["y"])]
    network = network_of(tmp_path, nodes, {"c": np.array([size], np.float16)}, (1, 1))
    verdict = asked(tmp_path, network, "(>= X_0 0.7)", "(<= X_0 0.9)", "(<= Y_0 0.5)")
    assert verdict.status is Status.UNSAT
    assert ("float16's own rounding" in verdict.detail) == told


def test_overflow_of_float16_is_told(tmp_path: Path) -> None:
    nodes = [node("Mul", ["x", "c"], ["s"]), node("Sigmoid", ["s"], ["y"])]
    constants = {"c": np.array([60000], np.float16)}
    inside = network_of(tmp_path, nodes, constants, (1, 1))
    verdict = asked(tmp_path, inside, "(>= X_0 2)", "(<= X_0 3)", "(<= Y_0 0.5)")
    assert verdict.status is Status.UNSAT
    assert "more than a float16 can be" in verdict.detail
    at_the_end = network_of(tmp_path, [node("Mul", ["x", "c"], ["y"])], constants, (1, 1))
    verdict = asked(tmp_path, at_the_end, "(>= X_0 2)", "(<= X_0 3)", "(<= Y_0 0.5)")
    assert verdict.status is Status.UNSAT
    assert "as float16 overflows" in verdict.detail


def test_what_the_runtime_cannot_compute_in_bfloat16_is_one_error(tmp_path: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["y"])]
    network = network_of(tmp_path, nodes, {"w": draw(2, 2).astype(BRAIN)}, (1, 2), (BF16, BF16))
    with pytest.raises(ModelError, match="ONNX Runtime does not accept the model"):
        asked(tmp_path, network, *UNIT_BOX, "(>= Y_0 5)")


def test_a_radius_ends_at_a_float16(tmp_path: Path) -> None:
    network = dense(tmp_path)
    options = verifier.RadiusOptions(timeout=5, methods=["fmn", "crown"])
    bracket = verifier.radius(network, np.array([0.1, 0.2]), options=options)
    assert bracket.upper is not None
    point = bracket.upper.point
    assert point is not None
    assert (point == point.astype(np.float16)).all()
    low, high = bracket.interval
    assert 0 < low <= high < np.inf
    replay = Replay(network)
    assert replay.run(point).argmax() != replay.run(np.array([0.1, 0.2])).argmax()


def test_the_checker_follows_a_proof(tmp_path: Path) -> None:
    network = dense(tmp_path)
    query = asked_query(tmp_path, network, *UNIT_BOX, "(>= Y_0 4)")
    verdict = verifier.verify(network, query, proof=tmp_path / "proof.npz")
    assert verdict.status is Status.UNSAT
    assert check(tmp_path / "net.onnx", tmp_path / "p.vnnlib", tmp_path / "proof.npz") == ("accepted", "")
    query = asked_query(tmp_path, network, *UNIT_BOX, "(>= Y_0 -1)")
    assert verifier.verify(network, query, proof=tmp_path / "witness.npz").status is Status.SAT
    assert check(tmp_path / "net.onnx", tmp_path / "p.vnnlib", tmp_path / "witness.npz") == ("accepted", "")


def test_the_checker_reads_weights_of_bfloat16_and_no_cast_to_it(tmp_path: Path) -> None:
    casts = [node("Cast", ["x"], ["wide"], to=F32), node("Cast", ["w"], ["v"], to=F32)]
    nodes, weights = [*casts, node("MatMul", ["wide", "v"], ["h"])], {"w": draw(2, 2).astype(BRAIN)}
    network = network_of(tmp_path, [*nodes, node("Neg", ["h"], ["y"])], weights, (1, 2), (BF16, F32))
    query = asked_query(tmp_path, network, *UNIT_BOX, "(>= Y_0 3)")
    assert verifier.verify(network, query, proof=tmp_path / "proof.npz").status is Status.UNSAT
    assert check(tmp_path / "net.onnx", tmp_path / "p.vnnlib", tmp_path / "proof.npz") == ("accepted", "")
    rounded = network_of(tmp_path, [*nodes, node("Cast", ["h"], ["y"], to=BF16)], weights, (1, 2), (BF16, BF16))
    query = asked_query(tmp_path, rounded, *UNIT_BOX, "(>= Y_0 3)")
    verdict = verifier.verify(rounded, query, proof=tmp_path / "none.npz")
    assert verdict.status is Status.UNSAT
    assert "rounding" in verdict.proof


def test_types_are_told(tmp_path: Path) -> None:
    told = dict(facts(dense(tmp_path)))
    assert told["input x"] == "1x2 float16, 2 entries"
    assert told["rounds to"].startswith("float16")
    told = dict(facts(stored_in_bfloat16(tmp_path)))
    assert told["output y"] == "scalar bfloat16, 1 entries"


def test_a_typed_property(tmp_path: Path) -> None:
    network = dense(tmp_path)
    text = "(vnnlib-version <2.0>) (declare-network N (declare-input X {} [1,2]) (declare-output Y {} [1,2]))"
    rows = "(assert (and (>= X[0,0] 0.1) (<= X[0,0] 0.1) (>= X[0,1] 0.0) (<= X[0,1] 1.0))) (assert (>= Y[0,0] -9.0))"
    path = tmp_path / "p.vnnlib"
    path.write_text(text.format("float16", "float16") + rows)
    verdict = verifier.verify(network, verifier.load_property(path, network))
    assert verdict.witness is not None
    assert verdict.witness.x[0] == np.float16(0.1)
    path.write_text(text.format("float32", "float16") + rows)
    with pytest.raises(PropertyError, match="input X is float32, the network's x is float16"):
        verifier.load_property(path, network)
