"""Weighted sums of quotients are read as one, where the divisor is the sum of the dividends, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from verifier.checker.bounds import Bounder
from verifier.checker.graph import Graph, Product
from verifier.checker.lines import exactly
from verifier.checker.model import read_model
from verifier.checker.rational import rational

ROWS, PARTS = 2, 4


def model(path: Path, total: np.ndarray, mixed: bool) -> Path:
    """Of weights . (a / (total . a)) + bias, for two rows of four dividends a = exp(x) + 1/4."""
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(ROWS * PARTS, 3)) if mixed else rng.normal(size=(PARTS, 3))
    constants = {"quarter": np.array(0.25), "total": total, "weights": weights, "bias": rng.normal(size=3)}
    nodes = [
        helper.make_node("Exp", ["x"], ["e"]),
        helper.make_node("Add", ["e", "quarter"], ["a"]),
        helper.make_node("MatMul", ["a", "total"], ["s"]),
        helper.make_node("Div", ["a", "s"], ["q"]),
        *([helper.make_node("Flatten", ["q"], ["f"], axis=0)] if mixed else []),
        helper.make_node("MatMul", ["f" if mixed else "q", "weights"], ["m"]),
        helper.make_node("Add", ["m", "bias"], ["y"]),
    ]
    ends = [("x", [ROWS, PARTS])], [("y", [1 if mixed else ROWS, 3])]
    graph = helper.make_graph(
        nodes,
        "g",
        *([helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in end] for end in ends),
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def is_one_quotient(graph: Graph) -> bool:
    return all(name.endswith(".sum") for n in graph.nodes if isinstance(n, Product) for name in n.names)


@pytest.mark.parametrize(
    ("divisor", "mixed", "read_as_one"),
    [([1, 1, 1, 1], False, True), ([1, 1, 2, 1], False, False), ([1, 1, 0, 1], False, False), ([1] * 4, True, False)],
)
def test_what_is_read_computes_the_same(divisor: list[int], mixed: bool, read_as_one: bool, tmp_path: Path) -> None:
    path = model(tmp_path / "n.onnx", np.array(divisor, float).reshape(PARTS, 1), mixed)
    graph = read_model(path)
    assert is_one_quotient(graph) == read_as_one
    session = onnxruntime.InferenceSession(path)
    for point in np.random.default_rng(0).normal(size=(20, ROWS, PARTS)).astype(np.float32):
        (computed,) = session.run(None, {"x": point})
        for exact in (False, True):
            bounder = Bounder(rational(graph) if exact else graph, exact)
            x = point.reshape(1, -1).astype(float)
            state = bounder.propagated(*(exactly(x) if exact else x,) * 2)
            low, high = (ends[graph.output].astype(float) for ends in (state.lower, state.upper))
            assert np.allclose((low + high) / 2, computed.ravel(), rtol=1e-4, atol=1e-4)


def test_one_quotient_is_bounded_more_closely(tmp_path: Path) -> None:
    """A weighted mean lies between its least and its greatest weight, of which quotients by themselves know nothing."""
    path = model(tmp_path / "n.onnx", np.ones((PARTS, 1)), mixed=False)
    graph = read_model(path)
    state = Bounder(graph).sharpened(Bounder(graph).propagated(np.full((1, 8), -0.5), np.full((1, 8), 0.5)))
    width = state.upper[graph.output] - state.lower[graph.output]
    points = np.random.default_rng(1).uniform(-0.5, 0.5, (500, 8))
    values = Bounder(graph).propagated(points, points)
    assert (values.lower[graph.output] >= state.lower[graph.output] - 1e-9).all()
    assert (values.upper[graph.output] <= state.upper[graph.output] + 1e-9).all()
    spread = values.upper[graph.output].max(0) - values.lower[graph.output].min(0)
    assert (width < 4 * spread).all()
