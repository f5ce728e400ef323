"""Witnesses: rounding into the box, exact judgement, tolerance only where asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from verifier.evidence.replay import Replay, rounded_into
from verifier.evidence.result_files import counterexample, shown
from verifier.network.graph import Network
from verifier.property.query import Box, Declaration, Disjunct, LinearConstraint
from verifier.readers.onnx.load import load_network
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
