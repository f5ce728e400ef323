"""Softmax that a model writes out is the operator: the same values, a range that no logits leave."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.readers.onnx_models import f32, i64, load, model_of
from verifier.bounds.interval import interval_bounds
from verifier.network.graph import Network, Product
from verifier.network.softmax import softmax_by_differences

EXP = helper.make_node("Exp", ["z"], ["e"])
SUM = helper.make_node("ReduceSum", ["e", "axes"], ["s"])
DIV = helper.make_node("Div", ["e", "s"], ["y"])
DOUBLE = helper.make_node("Mul", ["x", "two"], ["z"])
SHIFTED = [
    helper.make_node("ReduceMax", ["x"], ["m"], axes=[1]),
    helper.make_node("Sub", ["x", "m"], ["z"]),
]
LOGARITHM = [helper.make_node("Log", ["s"], ["l"]), helper.make_node("Sub", ["z", "l"], ["y"])]
RECIPROCAL = [helper.make_node("Reciprocal", ["s"], ["r"]), helper.make_node("Mul", ["r", "e"], ["y"])]
CONSTANTS = {"axes": i64(1), "two": f32(2), "little": f32(0.25)}


def written_out(*nodes, shape=(1, 4)) -> tuple:
    return model_of(nodes, {"x": shape}, ["y"], CONSTANTS)


CASES = {
    "plain": (written_out(DOUBLE, EXP, SUM, DIV), 0, 1),
    "maximum taken off": (written_out(*SHIFTED, EXP, SUM, DIV), 0, 1),
    "by a reciprocal": (written_out(DOUBLE, EXP, SUM, *RECIPROCAL), 0, 1),
    "along another axis": (written_out(DOUBLE, EXP, SUM, DIV, shape=(2, 3, 2)), 0, 1),
    "logarithm": (written_out(DOUBLE, EXP, SUM, *LOGARITHM), -np.inf, 0),
    "logarithm, maximum taken off": (written_out(*SHIFTED, EXP, SUM, *LOGARITHM), -np.inf, 0),
}


def _has_product(network: Network) -> bool:
    return any(isinstance(node, Product) for node in network.nodes)


@pytest.mark.parametrize(("model", "least", "most"), CASES.values(), ids=CASES)
def test_values_stay_and_the_range_holds_for_any_logits(model, least, most, tmp_path) -> None:
    network, plain = load(model, tmp_path), load(model, tmp_path, simplify=False)
    x = np.random.default_rng(0).normal(size=(50, network.input_size)) * 3
    np.testing.assert_allclose(network.forward(x), plain.forward(x), rtol=1e-12, atol=1e-14)
    assert not _has_product(network)
    assert network.may_overflow
    wide = np.full((1, network.input_size), 1e6)
    found = interval_bounds(network, -wide, wide)[-1]
    assert (found.lower >= least).all()
    assert (found.upper <= most + 1e-12).all()


def test_a_leading_logit_has_the_largest_probability(tmp_path) -> None:
    network = load(written_out(DOUBLE, EXP, SUM, DIV), tmp_path)
    found = interval_bounds(network, np.array([[9.0, 0, 0, 0]]), np.array([[10.0, 1, 1, 1]]))[-1]
    assert found.lower[0, 0] > 0.999
    assert (found.upper[0, 1:] < 0.001).all()


@pytest.mark.parametrize(
    "nodes",
    [
        [DOUBLE, EXP, SUM, helper.make_node("Add", ["s", "little"], ["t"]), helper.make_node("Div", ["e", "t"], ["y"])],
        [DOUBLE, EXP, SUM, helper.make_node("Exp", ["x"], ["f"]), helper.make_node("Div", ["f", "s"], ["y"])],
        [DOUBLE, EXP, helper.make_node("ReduceMean", ["e"], ["s"], axes=[1]), DIV],
        [DOUBLE, EXP, SUM, helper.make_node("Log", ["s"], ["l"]), helper.make_node("Sub", ["x", "l"], ["y"])],
    ],
    ids=["another sum", "another numerator", "a mean", "another logit"],
)
def test_what_is_no_softmax_stays(nodes, tmp_path) -> None:
    network = load(written_out(*nodes), tmp_path, simplify=False)
    assert softmax_by_differences(network) is network
