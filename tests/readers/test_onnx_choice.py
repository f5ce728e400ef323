"""Chosen outputs, rows of a fixed batch, and models that the runtime refuses or reads otherwise than the standard."""

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.readers.onnx_models import assert_agrees, draw, f32, i64, model_of, operator
from verifier.errors import ModelError, UsageError, VerifierError
from verifier.evidence.replay import Replay
from verifier.readers.onnx import load_network
from verifier.readers.vnnlib import load_property
from verifier.runtime import run, session_of


def _saved(model: onnx.ModelProto, folder):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_nodes_that_the_chosen_outputs_do_not_need_are_not_read(tmp_path):
    nodes = [helper.make_node("NonZero", ["x"], ["label"]), helper.make_node("Relu", ["x"], ["scores"])]
    model = model_of(nodes, {"x": (1, 3)}, ["scores", "label"])
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    path = _saved(model, tmp_path)
    with pytest.raises(ModelError, match=r"NonZero.*read outputs=scores alone"):
        load_network(path, outputs=("label",))
    network = load_network(path, outputs=("scores",))
    x = f32(-1, 2, 3)
    assert np.array_equal(network.forward(x[None].astype(float))[0], Replay(network).run(x))
    with pytest.raises(UsageError, match="the outputs are scores, label"):
        load_network(path, outputs=("score",))


def test_labels_beside_scores_are_read_where_they_are_named(tmp_path):
    nodes = [helper.make_node("ArgMax", ["x"], ["label"], axis=1), helper.make_node("Relu", ["x"], ["scores"])]
    model = model_of(nodes, {"x": (1, 3)}, ["scores", "label"])
    model.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    path = _saved(model, tmp_path)
    assert load_network(path).output_size == 3
    network = load_network(path, outputs=("label", "scores"))
    assert network.forward(f32(-1, 2, 3)[None].astype(float))[0].tolist() == [2, 0, 2, 3]


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
        (operator("Slice", (1, 4), i64(3), i64(2**63 - 1), i64(1), i64(-1)), "INT_MAX"),
        (operator("Slice", (1, 4), i64(0, 1), i64(2, 3), i64(1, -1)), "twice"),
        (operator("GatherElements", (1, 3), np.array([[5]]), axis=1), "index 5 is outside"),
    ],
)
def test_operators_that_the_runtime_computes_otherwise(tmp_path, model, pattern):
    with pytest.raises(ModelError, match=pattern):
        load_network(_saved(model, tmp_path))


def _twice() -> onnx.ModelProto:
    model = operator("LeakyRelu", (1, 2), alpha=0.5)
    model.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.25))
    return model


def _declared_otherwise() -> onnx.ModelProto:
    model = operator("Add", (1, 2), draw(2))
    model.graph.input.append(helper.make_tensor_value_info("in1", onnx.TensorProto.FLOAT, [3]))
    return model


SAME = {"auto_pad": "SAME_UPPER", "dilations": [1, 2]}


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        (_twice(), "node 'it' .* attribute 'alpha' is given twice"),
        (_declared_otherwise(), "initialiser 'in1' has another shape"),
        (operator("Clip", (1, 2), opset=7, min=2.0, max=1.0), "node 'it' .* its min 2 is above its max 1"),
        (operator("Conv", (1, 1, 5, 5), draw(1, 1, 1, 2), **SAME), "node 'it' .* SAME_UPPER with dilations"),
        (operator("Conv", (1, 1, 5, 5), draw(1, 1, 1, 1), **SAME), "node 'it' .* SAME_UPPER with dilations"),
    ],
)
def test_models_that_the_runtime_refuses(tmp_path, model, pattern):
    with pytest.raises(ModelError, match=pattern):
        load_network(_saved(model, tmp_path))
    feed = {
        value.name: np.zeros([d.dim_value for d in value.type.tensor_type.shape.dim], np.float32)
        for value in model.graph.input
    }
    with pytest.raises(ModelError, match="ONNX Runtime"):
        run(session_of(model.SerializeToString(), "it"), [value.name for value in model.graph.output], feed, "it")


def _branching(shape: tuple[int, ...], condition: str = "is one") -> onnx.ModelProto:
    """Negates where the last axis has one entry, or where another condition holds; otherwise leaves x alone."""
    branches = {
        name: helper.make_graph(
            [helper.make_node(op, ["x"], [name])],
            name,
            [],
            [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)],
        )
        for name, op in (("negated", "Neg"), ("same", "Identity"))
    }
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "last"], ["size"]),
        helper.make_node("Equal", ["size", "one"], ["is one"]),
        helper.make_node(
            "If", [condition], ["z"], name="it", then_branch=branches["negated"], else_branch=branches["same"]
        ),
        helper.make_node("Relu", ["z"], ["y"]),
    ]
    constants = {"last": i64(-1), "one": i64(1)}
    return model_of(nodes, {"x": shape}, ["y"], constants)


@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 3)])
def test_a_branch_that_shapes_decide(tmp_path, shape):
    assert_agrees(_branching(shape), tmp_path)


def test_a_branch_that_the_input_decides(tmp_path):
    with pytest.raises(ModelError, match=r"node 'it' .* its condition depends on the network's inputs"):
        load_network(_saved(_branching((1, 1), "x"), tmp_path))


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
