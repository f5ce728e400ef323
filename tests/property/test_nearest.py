"""Inputs fixed to decimals: the nearest number of the network's type joins the input set, and nothing else does."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

import verifier
from verifier.network.graph import Network
from verifier.property.nearest import box_with_nearest
from verifier.property.query import Box
from verifier.verdict import Status


def negated(folder: Path, kind: int = TensorProto.FLOAT) -> Network:
    """Y = -X, two entries."""
    graph = helper.make_graph(
        [helper.make_node("Neg", ["X"], ["Y"])],
        "negated",
        [helper.make_tensor_value_info("X", kind, [1, 2])],
        [helper.make_tensor_value_info("Y", kind, [1, 2])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), folder / "net.onnx")
    return verifier.load_network(folder / "net.onnx")


def asked(folder: Path, network: Network, *assertions: str, timeout: float = 20.0) -> verifier.Verdict:
    declared = "".join(f"(declare-const {name} Real)\n" for name in ("X_0", "X_1", "Y_0", "Y_1"))
    (folder / "p.vnnlib").write_text(declared + "".join(f"(assert {a})\n" for a in assertions))
    query = verifier.load_property(folder / "p.vnnlib", network)
    return verifier.verify(network, query, options=verifier.Options(timeout=timeout))


FIXED = ("(>= X_0 0.1)", "(<= X_0 0.1)", "(>= X_1 0)", "(<= X_1 1)")


def test_a_witness_uses_the_nearest_float32_and_says_so(tmp_path: Path) -> None:
    verdict = asked(tmp_path, negated(tmp_path), *FIXED, "(<= Y_1 -0.5)")
    assert verdict.status is Status.SAT
    assert verdict.witness is not None
    assert verdict.witness.x[0] == np.float32(0.1)
    assert verdict.witness.distance == 0
    assert "fixed to a number" in verdict.detail


def test_a_float64_network_takes_the_nearest_float64(tmp_path: Path) -> None:
    verdict = asked(tmp_path, negated(tmp_path, TensorProto.DOUBLE), *FIXED, "(<= Y_1 -0.5)")
    assert verdict.status is Status.SAT
    assert verdict.witness is not None
    assert verdict.witness.x[0] == 0.1
    assert verdict.witness.y[0] == -0.1


def test_a_proof_is_for_the_whole_hull(tmp_path: Path) -> None:
    """float32's 0.1 lies above 0.1: what holds of 0.1 alone is not said, and what holds of neither is proved."""
    network = negated(tmp_path)
    above = np.float64(np.float32(0.1))
    assert asked(tmp_path, network, *FIXED, f"(<= Y_0 {-above - 1e-12:.20f})").status is Status.UNSAT
    assert asked(tmp_path, network, *FIXED, f"(<= Y_0 {-above + 1e-12:.20f})").status is Status.SAT
    assert asked(tmp_path, network, *FIXED, f"(<= Y_0 {-0.1 - 1e-10:.20f})").status is not Status.UNSAT


def test_a_float32_written_with_too_few_digits_is_meant(tmp_path: Path) -> None:
    """0.501960813999176 is nearest in float64 to a float32, 0.50196081399917602539..., and still is not that."""
    fixed = ("(>= X_0 0.501960813999176)", "(<= X_0 0.501960813999176)", *FIXED[2:])
    verdict = asked(tmp_path, negated(tmp_path), *fixed, "(<= Y_1 -0.5)")
    assert verdict.witness is not None
    assert verdict.witness.x[0] == np.float32(0.501960813999176)


def test_what_a_strict_bound_excludes_is_not_used(tmp_path: Path) -> None:
    between = "(> X_0 0.5)", "(< X_0 0.5000000001)"
    verdict = asked(tmp_path, negated(tmp_path), *between, *FIXED[2:], "(<= Y_1 -0.5)", timeout=2)
    assert verdict.status is not Status.SAT


@given(st.floats(-1e30, 1e30), st.floats(0, 1e-6), st.booleans())
def test_boxes_hold_the_nearest_and_stay_where_they_hold_one(low: float, width: float, double: bool) -> None:
    box = Box.exact(np.array([low]), np.array([low + width]))
    wide = box_with_nearest(box, np.array([double]))
    assert wide.lower[0] <= box.lower[0] <= box.upper[0] <= wide.upper[0]
    if box.has_float32_point:
        assert wide is box
    elif wide is not box:
        assert wide.has_float32_point
        if double:
            assert (wide.lower[0], wide.upper[0]) == (low, low + width)
        else:
            point = wide.inner_lower[0]
            gap = max(Fraction(float(point)) - Fraction(low + width), Fraction(low) - Fraction(float(point)))
            for other in (np.nextafter(point, np.float32(np.inf)), np.nextafter(point, np.float32(-np.inf))):
                away = Fraction(float(other))
                assert gap <= max(away - Fraction(low + width), Fraction(low) - away) + Fraction(abs(low) * 2.0**-50)


def test_a_ball_stays_exact(tmp_path: Path) -> None:
    network = negated(tmp_path)
    query = verifier.robustness_query(network, np.array([0.1, 0.7]), 1, epsilon=1e-12, norm=2)
    assert verifier.verify(network, query, options=verifier.Options(timeout=1)).witness is None
    query = verifier.robustness_query(network, np.array([0.1, 0.7]), 1, epsilon=0, norm=2)
    assert verifier.verify(network, query).status is Status.SAT


@pytest.mark.parametrize("value", ["1e39", "-1e39"])
def test_beyond_float32_there_is_no_nearest(tmp_path: Path, value: str) -> None:
    fixed = (f"(>= X_0 {value})", f"(<= X_0 {value})", *FIXED[2:])
    assert asked(tmp_path, negated(tmp_path), *fixed, "(<= Y_1 -0.5)", timeout=2).status is not Status.SAT
