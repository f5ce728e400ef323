"""The domain ai.onnx.ml, as scikit-learn's converters use it, against ONNX Runtime; labels and maps as outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.readers.onnx_models import FLOAT, Shape, assert_agrees, draw, f32, i64, load, model_of, run
from verifier import load_network, load_property, verify
from verifier.errors import ModelError, PropertyError, VerifierError
from verifier.evidence.replay import Replay
from verifier.evidence.result_files import counterexample
from verifier.methods import Options
from verifier.network.graph import Product
from verifier.verdict import Witness

ML = "ai.onnx.ml"
OUTPUT = helper.make_tensor_value_info


def with_domain(model: onnx.ModelProto) -> onnx.ModelProto:
    model.opset_import.append(helper.make_opsetid(ML, 1))
    return model


def row_operator(
    op: str, shape: Shape, constants: dict[str, np.ndarray] | None = None, **attributes: Any
) -> onnx.ModelProto:
    node = helper.make_node(op, ["x", *(constants or {})], ["y"], name="it", domain=ML, **attributes)
    return with_domain(model_of([node], {"x": shape}, ["y"], constants))


def classifier(shape: Shape, rows: int, labels: int, transform: str, after: str = "", text: bool = False):
    """LinearClassifier with its label and what it computes, perhaps normalised, perhaps as maps."""
    features = shape[-1]
    names = {"classlabels_strings": [f"c{k}" for k in range(labels)]} if text else {"classlabels_ints": range(labels)}
    nodes = [
        helper.make_node(
            "LinearClassifier",
            ["x"],
            ["label", "scores"],
            name="it",
            domain=ML,
            coefficients=draw(rows * features).tolist(),
            intercepts=draw(rows, seed=1).tolist(),
            post_transform=transform,
            **names,
        )
    ]
    last = "scores"
    if after:
        nodes.append(helper.make_node("Normalizer", [last], ["normal"], domain=ML, norm=after))
        last = "normal"
    model = with_domain(model_of(nodes, {"x": shape}, ["label", last]))
    rows_out = 1 if len(shape) == 1 else shape[0]
    kind = TensorProto.STRING if text else TensorProto.INT64
    model.graph.output[0].CopyFrom(OUTPUT("label", kind, [rows_out]))
    return model


def as_maps(model: onnx.ModelProto, labels: int) -> onnx.ModelProto:
    """The model with its last output made a sequence of maps."""
    scores = model.graph.output.pop().name
    keys = list(range(labels))
    model.graph.node.append(helper.make_node("ZipMap", [scores], ["maps"], domain=ML, classlabels_int64s=keys))
    of_maps = helper.make_sequence_type_proto(
        helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, None))
    )
    model.graph.output.append(helper.make_value_info("maps", of_maps))
    return model


@pytest.mark.parametrize(
    "model",
    [
        row_operator("Scaler", (2, 3), offset=[1.0, -2.0, 0.1], scale=[0.5, 3.0, -1.0]),
        row_operator("Scaler", (2, 3), offset=[0.1], scale=[7.0]),
        row_operator("Scaler", (3,), offset=[1.0, -2.0, 0.1], scale=[0.5, 3.0, -1.0]),
        row_operator("LinearRegressor", (2, 3), coefficients=[1.0, -2.0, 0.1], intercepts=[0.5]),
        row_operator("LinearRegressor", (3,), coefficients=[1.0, -2.0, 0.1]),
        *(
            row_operator(
                *("LinearRegressor", (2, 3)),
                targets=2,
                coefficients=draw(6).tolist(),
                intercepts=[1.0, -0.5],
                post_transform=transform,
            )
            for transform in ("NONE", "LOGISTIC", "SOFTMAX")
        ),
        *(row_operator("Normalizer", shape, norm=n) for shape in ((3, 4), (4,)) for n in ("L1", "L2")),
        row_operator("ArrayFeatureExtractor", (2, 4), {"i": i64(2, 0, 2)}),
        row_operator("ArrayFeatureExtractor", (4,), {"i": i64(1, 3)}),
    ],
)
def test_rows_of_features_agree_with_the_runtime(tmp_path, model):
    assert_agrees(model, tmp_path)


def test_normalizer_by_the_largest_entry(tmp_path):
    assert_agrees(row_operator("Normalizer", (3, 4), norm="MAX"), tmp_path, low=0.5)
    assert_agrees(row_operator("Normalizer", (3, 4), norm="MAX"), tmp_path, low=-2.0, high=-0.5)


@pytest.mark.parametrize("norm", ["L1", "L2", "MAX"])
def test_normalizer_leaves_a_row_without_size_as_it_is(tmp_path, norm):
    network = load(row_operator("Normalizer", (3, 2), norm=norm), tmp_path)
    x = f32(0, 0, 1, 2, 0, 0)
    assert network.forward(x[None].astype(float))[0] == pytest.approx(run(network, x), abs=1e-6)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_nothing_is_proved_where_a_row_may_have_no_size(tmp_path, norm):
    """The entries of (x, x) over its norm add up to at least 1, but for x = 0, where they are 0."""
    node = helper.make_node("Normalizer", ["twice"], ["y"], domain=ML, norm=norm)
    twice = helper.make_node("Concat", ["x", "x"], ["twice"], axis=1)
    network = load(with_domain(model_of([twice, node], {"x": (1, 1)}, ["y"])), tmp_path)
    path = tmp_path / "p.vnnlib"
    declared = "".join(f"(declare-const {name} Real)" for name in ("X_0", "Y_0", "Y_1"))
    for low, proved in (("0", False), ("0.01", True)):
        path.write_text(f"{declared}(assert (>= X_0 {low}))(assert (<= X_0 1))(assert (<= (+ Y_0 Y_1) 0.5))")
        query = load_property(path, network)
        assert verify(network, query, options=Options(timeout=30 if proved else 3)).proved is proved


@pytest.mark.parametrize("after", ["", "L1", "L2", "MAX"])
@pytest.mark.parametrize("transform", ["LOGISTIC", "SOFTMAX"])
def test_linear_classifier_agrees_with_the_runtime(tmp_path, transform, after):
    assert_agrees(classifier((2, 3), 4, 4, transform, after), tmp_path)


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
@pytest.mark.parametrize("text", [False, True])
def test_linear_classifier_of_two_classes(tmp_path, transform, text):
    assert_agrees(classifier((2, 3), 1, 2, transform, text=text), tmp_path)
    assert_agrees(classifier((3,), 2, 2, transform, text=text), tmp_path)


def test_shares_are_normal_already(tmp_path):
    network = load(classifier((1, 3), 4, 4, "SOFTMAX", "L1"), tmp_path)
    assert not any(isinstance(node, Product) for node in network.nodes)


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        (classifier((1, 3), 3, 3, "PROBIT"), "PROBIT is not supported"),
        (classifier((1, 3), 3, 3, "SOFTMAX_ZERO"), "SOFTMAX_ZERO is not supported"),
        (classifier((1, 3), 1, 2, "SOFTMAX"), "SOFTMAX of one score"),
        (classifier((1, 3), 1, 1, "NONE"), "one row of coefficients for 1 labels"),
        (row_operator("LinearRegressor", (1, 2), coefficients=[1.0, 2.0], post_transform="LOGISTIC"), "leaves out"),
        (row_operator("LinearRegressor", (1, 3), coefficients=[1.0, 2.0]), "2 coefficients for 1 rows of 3 features"),
        (row_operator("LinearRegressor", (1, 1), coefficients=[1.0], intercepts=[1.0, 2.0]), "2 intercepts"),
        (row_operator("Scaler", (1, 3), offset=[1.0, 1.0], scale=[1.0, 1.0]), "2 offsets and 2 factors for 3"),
        (row_operator("Scaler", (1, 2), scale=[1.0, 1.0]), "0 offsets"),
        (row_operator("Normalizer", (1, 2, 2), norm="L1"), "no row of features"),
        (row_operator("Normalizer", (1, 2), norm="L3"), "norm 'L3' is unknown"),
        (row_operator("ArrayFeatureExtractor", (1, 2), {"i": i64(2)}), "indices"),
        (row_operator("Imputer", (1, 2)), "Imputer .domain ai.onnx.ml, operator set 1. is not supported"),
    ],
)
def test_what_is_not_supported(tmp_path, model, pattern):
    with pytest.raises(ModelError, match=pattern):
        load(model, tmp_path)


def test_maps_stand_for_the_tensor_under_them(tmp_path):
    model = as_maps(classifier((1, 3), 4, 4, "SOFTMAX", "L1"), 4)
    network = load(model, tmp_path)
    assert network.note == "only output 'maps' is read: 'label' is a label"
    x = draw(3)
    session = onnx_session(model)
    (maps,) = session.run(["maps"], {"x": x[None]})
    assert Replay(network).run(x) == pytest.approx([maps[0][k] for k in range(4)], abs=0)
    assert network.forward(x[None].astype(float))[0] == pytest.approx([maps[0][k] for k in range(4)], abs=1e-6)
    with pytest.raises(ModelError, match="3 numbers and 0 names for 4 classes"):
        load(as_maps(classifier((1, 3), 4, 4, "SOFTMAX"), 3), tmp_path)


def onnx_session(model: onnx.ModelProto):
    import onnxruntime

    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def saved(model: onnx.ModelProto, folder):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def labelled(*, two: bool = False) -> onnx.ModelProto:
    """Scores with a label before and after them, and perhaps a second output of scores."""
    nodes = [
        helper.make_node("ArgMax", ["s"], ["label"], name="top", axis=1, keepdims=0),
        helper.make_node("Gemm", ["x", "w"], ["s"]),
        helper.make_node("ArgMin", ["s"], ["least"], axis=1),
        *([helper.make_node("Relu", ["s"], ["positive"])] if two else []),
    ]
    model = model_of(nodes, {"x": (1, 2)}, ["label", "s", "least", *(["positive"] if two else [])], {"w": draw(2, 3)})
    model.graph.output[0].CopyFrom(OUTPUT("label", TensorProto.INT64, ["n"]))
    model.graph.output[2].CopyFrom(OUTPUT("least", TensorProto.INT64, [1, 1]))
    return model


def test_scores_are_read_without_their_labels(tmp_path):
    network = load(labelled(), tmp_path)
    assert [port.name for port in network.outputs] == ["s"]
    assert network.note == "only output 's' is read: 'label', 'least' are labels"
    assert [(label.name, label.start, label.size) for label in network.labels] == [("label", 0, 1), ("least", 4, 1)]
    x = draw(2)
    assert network.forward(x[None].astype(float))[0] == pytest.approx(Replay(network).run(x), abs=1e-6)


def test_more_than_one_output_of_scores_is_not_chosen_from(tmp_path):
    path = saved(labelled(two=True), tmp_path)
    assert [port.name for port in load_network(path).outputs] == ["label", "s", "least", "positive"]
    assert load_network(path, outputs="positive").outputs[0].name == "positive"


def test_what_blocks_the_scores_is_told_rather_than_the_label(tmp_path):
    model = labelled()
    model.graph.node[1].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match=r"NoSuchOperator .* is not supported; export the model without it$"):
        load(model, tmp_path)


def property_of(folder, outputs: int, assertion: str):
    names = ["X_0", "X_1", *(f"Y_{k}" for k in range(outputs))]
    declared = "".join(f"(declare-const {name} Real)" for name in names)
    box = "".join(f"(assert (>= X_{i} -1))(assert (<= X_{i} 1))" for i in range(2))
    path = folder / "p.vnnlib"
    path.write_text(f"{declared}{box}(assert {assertion})")
    return path


def test_a_property_counts_the_labels_unless_the_scores_are_chosen(tmp_path):
    network = load(labelled(), tmp_path)
    chosen = load_network(tmp_path / "model.onnx", outputs=["s"])
    counted = load_property(property_of(tmp_path, 5, "(<= (+ Y_1 (* 2 Y_3)) Y_2)"), network)
    plain = load_property(property_of(tmp_path, 3, "(<= (+ Y_0 (* 2 Y_2)) Y_1)"), chosen)
    with pytest.raises(PropertyError, match=r"3 outputs, the model 5 with its labels.*outputs=s"):
        load_property(property_of(tmp_path, 3, "(<= Y_0 Y_1)"), network)
    assert [d.rows for d in counted.disjuncts] == [d.rows for d in plain.disjuncts]
    assert counted.output_size == plain.output_size == 3
    witness = Witness(f32(0.5, 0.25), np.array([1.0, 2.0, 3.0]))
    assert counterexample(witness, counted.declarations).split() == [
        *("((X_0", "0.5)", "(X_1", "0.25)", "(Y_1", "1.0)", "(Y_2", "2.0)", "(Y_3", "3.0))")
    ]
    assert not plain.declarations
    for entry in (0, 4):
        with pytest.raises(PropertyError, match=f"Y_{entry} is an entry of the label"):
            load_property(property_of(tmp_path, 5, f"(<= Y_{entry} 1)"), network)
    with pytest.raises(VerifierError, match="declares 4 outputs"):
        load_property(property_of(tmp_path, 4, "(<= Y_1 1)"), network)


def test_a_property_of_version_2_declares_the_scores_alone(tmp_path):
    network = load(labelled(), tmp_path)
    path = tmp_path / "p.vnnlib"
    box = "".join(f"(assert (>= X[0,{i}] -1.0))(assert (<= X[0,{i}] 1.0))" for i in range(2))
    for labels, right in (("", True), ("(declare-output A int64 [1])(declare-output B int64 [1,1])", False)):
        outputs = f"(declare-output Y float32 [1,3]){labels}"
        path.write_text(
            f"(vnnlib-version <2.0>)(declare-network f (declare-input X float32 [1,2]){outputs}){box}"
            "(assert (<= Y[0,0] Y[0,1]))"
        )
        if right:
            assert load_property(path, network).output_size == 3
        else:
            with pytest.raises(PropertyError, match=r"declares 3 output tensors, but only output 's' is read"):
                load_property(path, network)
