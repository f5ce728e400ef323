"""Witnesses: rounding into the box, exact judgement, tolerance only where asked for."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from verifier.errors import ModelError
from verifier.evidence.replay import Replay, rounded_into
from verifier.evidence.result_files import counterexample, shown
from verifier.network.graph import Network
from verifier.property.query import Box, Declaration, Disjunct, LinearConstraint
from verifier.readers.onnx.load import load_network
from verifier.runtime import session_of
from verifier.verdict import Witness


def doubled(folder) -> Network:  # type: ignore[no-untyped-def]
    """Y = X + X, two entries."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["X", "X"], ["Y"])],
        "doubled",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, 2])],
    )
    path = folder / "doubled.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), path)
    return load_network(path)


def at_most(constant: Fraction, strict: bool = False) -> LinearConstraint:
    return LinearConstraint((), ((0, Fraction(1)),), constant, strict)


def test_a_row_is_judged_exactly(tmp_path) -> None:  # type: ignore[no-untyped-def]
    replay, box = Replay(doubled(tmp_path)), Box.exact(np.zeros(2), np.ones(2))
    x = np.array([0.25, 0.0])
    assert replay.judge(Disjunct(box, (at_most(Fraction(1, 2)),)), x) is not None
    assert replay.judge(Disjunct(box, (at_most(Fraction(1, 2), strict=True),)), x) is None
    assert replay.judge(Disjunct(box, (at_most(Fraction(1, 2) - Fraction(1, 10**30)),)), x) is None


def test_a_box_without_float32_needs_a_tolerance(tmp_path) -> None:  # type: ignore[no-untyped-def]
    network = doubled(tmp_path)
    tenth = np.array([0.1, 0.1])  # float64's 0.1, which no float32 equals
    disjunct = Disjunct(Box.exact(tenth, tenth), (at_most(Fraction(1)),))
    assert not disjunct.box.has_float32_point
    assert Replay(network).judge(disjunct, tenth) is None
    witness = Replay(network, tolerance=1e-6).judge(disjunct, tenth)
    assert witness is not None
    assert 0 < witness.distance < 1e-8
    np.testing.assert_array_equal(witness.y, 2 * witness.x.astype(np.float64))


def replayed(network: Network, node: onnx.NodeProto, *constants: onnx.TensorProto) -> Replay:
    """The network, replayed with a model of another node."""
    graph = helper.make_graph(
        [node],
        "other",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 2])],
        [helper.make_empty_tensor_value_info("Y")],
        list(constants),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return Replay(replace(network, model=model.SerializeToString()))


def test_a_model_that_fails_in_the_runtime_is_one_line(tmp_path) -> None:  # type: ignore[no-untyped-def]
    network, beyond = doubled(tmp_path), numpy_helper.from_array(np.array([[5]]), "i")
    for replay, pattern in (
        (replayed(network, helper.make_node("Concat", ["X", "X"], ["Y"], axis=1)), r"output 'Y' has shape \(1, 4\)"),
        (replayed(network, helper.make_node("GatherElements", ["X", "i"], ["Y"], axis=1), beyond), "cannot run it"),
        (replayed(network, helper.make_node("Relu", ["Z"], ["Y"])), "does not accept the model"),
        (replayed(network, helper.make_node("Cast", ["X"], ["Y"], to=TensorProto.STRING)), "no tensor of numbers"),
        (replayed(network, helper.make_node("SequenceConstruct", ["X"], ["Y"])), "no tensor of numbers"),
        (Replay(replace(network, model=b"no model")), "does not accept the model"),
    ):
        with pytest.raises(ModelError, match=pattern) as caught:
            replay.require_accepted()
        assert "\n" not in str(caught.value)


def test_the_judge_computes_what_the_model_says(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Weights of int8: optimised, the runtime rounds activations to eight bits as well."""
    stored = {
        "q": np.array([[1, -2], [100, 4], [5, 6]], np.int8),
        "scale": np.float32(0.1),
        "zero": np.int8(3),
    }
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["w"]),
            helper.make_node("MatMul", ["X", "w"], ["Y"]),
        ],
        "quantised",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in stored.items()],
    )
    path = tmp_path / "quantised.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    network = load_network(path)
    x = np.array([0.3, -0.77, 1.234], np.float32)
    exact = x.astype(float) @ (stored["q"].astype(float) - 3) * float(stored["scale"])
    assert Replay(network).run(x) == pytest.approx(exact, abs=1e-5)
    assert network.forward(x[None].astype(float))[0] == pytest.approx(exact, abs=1e-5)
    options = session_of(network.model, "it").get_session_options()
    assert options.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


@given(st.floats(-1e30, 1e30), st.floats(0, 1e3), st.floats(0, 1))
def test_rounding_stays_in_the_box(lower: float, width: float, share: float) -> None:
    box = Box.exact(np.array([lower]), np.array([lower + width]))
    point = rounded_into(box, np.array([lower + share * width]))
    assert point.dtype == np.float32
    if box.has_float32_point:
        assert Fraction(lower) <= Fraction(float(point[0])) <= Fraction(lower + width)
        assert box.contains(point)
        assert box.distance(point) == 0.0
    else:
        assert not box.contains(point)
        assert box.distance(point) > 0.0


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_written_numbers_read_back_the_same(value: float) -> None:
    assert float(shown(np.float32(value))) == value


def test_the_two_forms_of_a_counterexample() -> None:
    witness = Witness(np.array([0.5, -1.0, 2.0], np.float32), np.array([3.0]))
    assert counterexample(witness).split() == ["((X_0", "0.5)", "(X_1", "-1.0)", "(X_2", "2.0)", "(Y_0", "3.0))"]
    declared = (
        Declaration("B", "float32", (1, 2), False, 1),
        Declaration("A", "real", (1,), False, 0),
        Declaration("Z", "float32", (1,), True, 0),
    )
    assert counterexample(witness, declared).splitlines() == [
        *("B float32 [1,2]", "-1.0", "2.0"),
        *("A real [1]", "0.5"),
        *("Z float32 [1]", "3.0"),
    ]
