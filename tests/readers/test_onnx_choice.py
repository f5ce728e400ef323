"""Chosen outputs, rows of a fixed batch, and models that the runtime refuses or reads otherwise than the standard."""

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.readers.onnx_models import draw, f32, i64, model_of, operator
from verifier.errors import ModelError, UsageError, VerifierError
from verifier.evidence.replay import Replay
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property


def _saved(model: onnx.ModelProto, folder):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_nodes_that_the_chosen_outputs_do_not_need_are_not_read(tmp_path):
    nodes = [helper.make_node("ArgMax", ["x"], ["label"], axis=1), helper.make_node("Relu", ["x"], ["scores"])]
    model = model_of(nodes, {"x": (1, 3)}, ["scores", "label"])
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    path = _saved(model, tmp_path)
    with pytest.raises(ModelError, match=r"ArgMax.*read outputs=scores alone"):
        load_network(path, outputs=("label",))
    network = load_network(path, outputs=("scores",))
    x = f32(-1, 2, 3)
    assert np.array_equal(network.forward(x[None].astype(float))[0], Replay(network).run(x))
    with pytest.raises(UsageError, match="the outputs are scores, label"):
        load_network(path, outputs=("score",))


def test_one_row_of_a_batch(tmp_path):
    path = _saved(operator("Gemm", (4, 3), draw(3, 2), draw(4, 2)), tmp_path)
    for row in range(4):
        network = load_network(path, batch_index=row)
        x = draw(3, seed=row)
        assert network.input_size == 3
        assert network.forward(x[None].astype(float))[0] == pytest.approx(Replay(network).run(x), abs=1e-6)
    with pytest.raises(UsageError, match="no row 4"):
        load_network(path, batch_index=4)


def test_rows_that_mix_are_refused(tmp_path):
    path = _saved(operator("MatMul", draw(4, 4), (4, 3)), tmp_path)
    with pytest.raises(ModelError, match="depends on other rows"):
        load_network(path, batch_index=0)


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        (operator("MaxPool", (1, 1, 5, 5), kernel_shape=[2, 2], dilations=[2, 2], auto_pad="SAME_UPPER"), "dilations"),
        (operator("AveragePool", (1, 1, 2, 6), kernel_shape=[2, 2], strides=[1, 3], auto_pad="SAME_UPPER"), "negative"),
        (operator("Slice", (1, 4), i64(3), i64(2**31 - 1), i64(1), i64(-1)), "INT_MAX"),
        (operator("Slice", (1, 4), i64(0, 1), i64(2, 3), i64(1, -1)), "twice"),
        (operator("GatherElements", (1, 3), np.array([[5]]), axis=1), "index 5 is outside"),
    ],
)
def test_operators_that_the_runtime_computes_otherwise(tmp_path, model, pattern):
    with pytest.raises(ModelError, match=pattern):
        load_network(_saved(model, tmp_path))


def test_nested_functions_are_counted_before_they_are_unfolded(tmp_path):
    model = model_of([helper.make_node("f30", ["x"], ["y"], domain="my")], {"x": (1, 2)}, ["y"])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("my", 1)]
    model.opset_import.append(opsets[1])
    for k in range(31):
        op, domain = (f"f{k - 1}", "my") if k else ("Relu", "")
        nodes = [helper.make_node(op, [a], [b], domain=domain) for a, b in (("a", "b"), ("b", "c"))]
        model.functions.append(helper.make_function("my", f"f{k}", ["a"], ["c"], nodes, opsets))
    with pytest.raises(ModelError, match="unfold to more than"):
        load_network(_saved(model, tmp_path))
    model.functions[0].node[0].op_type, model.functions[0].node[0].domain = "f30", "my"
    with pytest.raises(ModelError, match="calls itself"):
        load_network(_saved(model, tmp_path))


def test_two_operator_sets_for_one_domain(tmp_path):
    model = operator("Relu", (1, 2))
    model.opset_import.append(helper.make_opsetid("ai.onnx", 11))
    with pytest.raises(ModelError, match="two operator sets"):
        load_network(_saved(model, tmp_path))


def test_a_property_of_one_row_of_a_fixed_batch_is_told_what_to_do(tmp_path):
    path = tmp_path / "batch.onnx"
    onnx.save(operator("Gemm", (8, 2), draw(2, 2)), path)
    text = "(declare-const X_0 Real)(declare-const X_1 Real)(declare-const Y_0 Real)(declare-const Y_1 Real)"
    bounds = "".join(f"(assert (>= X_{i} 0))(assert (<= X_{i} 1))" for i in range(2))
    (tmp_path / "p.vnnlib").write_text(f"{text}{bounds}(assert (>= Y_0 9))")
    with pytest.raises(VerifierError, match=r"batch is fixed to 8: give batch_index=0"):
        load_property(tmp_path / "p.vnnlib", load_network(path))
    assert load_property(tmp_path / "p.vnnlib", load_network(path, batch_index=0)).input_size == 2
