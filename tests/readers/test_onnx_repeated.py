"""What a model computes twice is read once, and what only looks alike twice."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.readers.onnx_models import assert_agrees, draw, f32, load, model_of
from verifier.bounds.interval import interval_bounds

TWICE = [
    helper.make_node("Gemm", ["x", "w"], ["p"]),
    helper.make_node("Gemm", ["x", "v"], ["q"]),
    helper.make_node("Tanh", ["p"], ["a"]),
    helper.make_node("Tanh", ["q"], ["b"]),
    helper.make_node("Sub", ["a", "b"], ["y"]),
]


def _twice(w: np.ndarray, v: np.ndarray):
    return model_of(TWICE, {"x": (1, 3)}, ["y"], {"w": w, "v": v})


def test_copies_differ_by_nothing(tmp_path) -> None:
    network = load(_twice(draw(3, 2), draw(3, 2)), tmp_path)
    found = interval_bounds(network, -np.ones((1, 3)), np.ones((1, 3)))[-1]
    assert not found.lower.any()
    assert not found.upper.any()


@pytest.mark.parametrize("changed", [np.nextafter(draw(3, 2), f32(9)), -draw(3, 2)])
def test_other_constants_make_another_node(changed, tmp_path) -> None:
    assert_agrees(_twice(draw(3, 2), changed.astype(np.float32)), tmp_path)


def test_other_attributes_make_another_node(tmp_path) -> None:
    nodes = [
        helper.make_node("LeakyRelu", ["x"], ["a"], alpha=0.5),
        helper.make_node("LeakyRelu", ["x"], ["b"], alpha=0.25),
        helper.make_node("Sub", ["a", "b"], ["y"]),
    ]
    assert_agrees(model_of(nodes, {"x": (1, 3)}, ["y"]), tmp_path)
