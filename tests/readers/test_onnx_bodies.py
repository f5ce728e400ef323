"""Operators that are read by the standard's own definition, and the survey of nodes that are not read at all."""

import pytest
from onnx import helper

from tests.readers.onnx_models import assert_agrees, draw, i64, load, model_of, operator
from verifier.errors import ModelError
from verifier.readers.onnx.survey import unread_nodes


def test_rotary_embedding(tmp_path):
    caches = draw(3, 2), draw(3, 2, seed=1)
    assert_agrees(operator("RotaryEmbedding", (1, 2, 3, 4), *(c[None] for c in caches), opset=23), tmp_path)
    model = operator("RotaryEmbedding", (1, 3, 8), *(c[None] for c in caches), opset=23, num_heads=2, interleaved=1)
    assert_agrees(model, tmp_path)
    model = operator("RotaryEmbedding", (1, 2, 3, 6), *caches, i64([0, 2, 1]), opset=23, rotary_embedding_dim=4)
    assert_agrees(model, tmp_path)


def test_affine_grid(tmp_path):
    for corners in (0, 1):
        model = operator("AffineGrid", (2, 2, 3), i64(2, 3, 4, 5), opset=20, align_corners=corners)
        assert_agrees(model, tmp_path)


def test_attention(tmp_path):
    assert_agrees(operator("Attention", (1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), opset=23), tmp_path)
    given = {"q_num_heads": 2, "kv_num_heads": 2, "scale": 0.7}
    assert_agrees(operator("Attention", (1, 3, 4), (1, 5, 4), (1, 5, 4), opset=23, **given), tmp_path)


def test_losses(tmp_path):
    for given in ({}, {"reduction": "none"}, {"reduction": "sum", "ignore_index": 1}):
        labels = i64(0, 2, 1)
        assert_agrees(operator("NegativeLogLikelihoodLoss", (3, 4), labels, opset=13, **given), tmp_path)
        assert_agrees(operator("SoftmaxCrossEntropyLoss", (3, 4), labels, opset=13, **given), tmp_path)


def test_an_operator_in_a_definition_that_is_not_read(tmp_path):
    model = operator("Bernoulli", (2, 3), opset=15)
    with pytest.raises(ModelError, match=r"RandomUniformLike .* is not supported, in node"):
        load(model, tmp_path)


def test_every_unread_node_is_found(tmp_path):
    nodes = [
        helper.make_node("Det", ["x"], ["d"], name="first"),
        helper.make_node("Relu", ["d"], ["r"]),
        helper.make_node("Shriek", ["r"], ["h"], name="second"),
        helper.make_node("Pow", ["r", "r"], ["p"], name="third"),
        helper.make_node("Add", ["p", "h"], ["y"]),
        helper.make_node("Det", ["x"], ["unused"], name="not needed"),
    ]
    path = tmp_path / "net.onnx"
    path.write_bytes(model_of(nodes, {"x": (2, 3, 3)}, ["y"]).SerializeToString())
    found = unread_nodes(path)
    assert [(node.op, node.name) for node in found] == [("Det", "first"), ("Shriek", "second"), ("Pow", "third")]
    assert "computed base and a computed exponent" in found[2].cause


def test_a_model_that_is_read_has_no_unread_nodes(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(operator("Relu", (2, 3)).SerializeToString())
    assert unread_nodes(path) == []
