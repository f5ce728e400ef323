"""Files, ports, and the ways in which a model can be unusable: each is one clear line, never a traceback."""

import gzip
import io
import pickle
import random
import re
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.readers.onnx_models import assert_agrees, draw, f32, i64, load, model_of, operator, run
from tests.vnncomp import instances, root
from verifier.errors import ModelError, UsageError, VerifierError
from verifier.readers.onnx import load_network


def _small() -> onnx.ModelProto:
    return operator("Gemm", (1, 3), draw(3, 2), draw(2))


def _fault(model: onnx.ModelProto, folder, pattern: str) -> None:
    with pytest.raises(ModelError, match=pattern) as caught:
        load(model, folder)
    assert "\n" not in str(caught.value)


def test_gzipped_file_under_any_name(tmp_path):
    data = _small().SerializeToString()
    for name in ("model.onnx.gz", "model.onnx"):
        (tmp_path / name).write_bytes(gzip.compress(data))
        network = load_network(str(tmp_path / name))
        assert network.model == data
        assert network.name == name


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        load_network(tmp_path / "none.onnx")
    with pytest.raises(UsageError, match="directory"):
        load_network(tmp_path)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n", "git-LFS pointer.*git lfs pull"),
        (b"this is no model at all", "corrupt|not an ONNX model"),
        (b"\x1f\x8b\x08\x00rubbish", "gzip"),
        (gzip.compress(b"a model" * 100, mtime=0)[:-9], "gzip"),
        (gzip.compress(b"", mtime=0), "empty"),
    ],
)
def test_files_that_are_no_models(tmp_path, content, pattern):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=pattern) as caught:
        load_network(path)
    assert str(path) in str(caught.value)


def test_damaged_files_give_an_error_or_a_network(tmp_path):
    """Truncation and random changes of bytes never escape as anything but a VerifierError."""
    data = _small().SerializeToString()
    path, draws = tmp_path / "model.onnx", random.Random(3)
    outcomes = set()
    for k in range(300):
        damaged = bytearray(data[: draws.randrange(len(data))] if k % 3 == 0 else data)
        for _ in range(draws.randrange(3)):
            damaged[draws.randrange(len(damaged))] = draws.randrange(256) if damaged else 0
        path.write_bytes(bytes(damaged) or b"x")
        try:
            load_network(path)
            outcomes.add("read")
        except VerifierError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_ports_of_several_inputs_and_outputs(tmp_path):
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Relu", ["c"], ["positive"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
    ]
    model = model_of(nodes, {"c": (2, 2), "a": (1, 3), "b": (3,)}, ["difference", "positive", "sum"])
    network = load(model, tmp_path)
    assert [(p.name, p.shape, p.dtype) for p in network.inputs] == [
        ("c", (2, 2), "float32"),
        ("a", (1, 3), "float32"),
        ("b", (3,), "float32"),
    ]
    assert [(p.name, p.shape) for p in network.outputs] == [
        ("difference", (1, 3)),
        ("positive", (2, 2)),
        ("sum", (1, 3)),
    ]
    assert_agrees(model, tmp_path)


def test_outputs_that_are_inputs_constants_or_inner_values(tmp_path):
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Exp", ["h"], ["y"])]
    for outputs in (["h", "y"], ["y", "h"], ["h"], ["y", "x"], ["y", "c"], ["y", "y2"]):
        more = [helper.make_node("Identity", ["y"], ["y2"])] if "y2" in outputs else []
        assert_agrees(model_of(nodes + more, {"x": (2, 2)}, outputs, {"c": f32(1, 2)}), tmp_path)
    assert_agrees(model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": (2, 2)}, ["y"]), tmp_path)


def test_weights_as_initialisers_inputs_with_initialisers_and_constants(tmp_path):
    weight = draw(3, 2)
    plain = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (1, 3)}, ["y"], {"w": weight})
    listed = model_of([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": (3, 2), "x": (1, 3)}, ["y"], {"w": weight})
    constant = helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(weight))
    as_node = model_of([constant, helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": (1, 3)}, ["y"])
    x = draw(1, 3, seed=5).astype(np.float64)
    results = []
    for model in (plain, listed, as_node):
        network = load(model, tmp_path)
        assert [p.name for p in network.inputs] == ["x"]
        results.append(network.forward(x))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("batch", ["N", 0, -1, 1])
def test_dynamic_batch_is_one(tmp_path, batch):
    model = operator("Relu", ("N", 3))
    dim = model.graph.input[0].type.tensor_type.shape.dim[0]
    if not isinstance(batch, str):
        dim.dim_value = batch
    network = load(model, tmp_path)
    assert network.inputs[0].shape == (1, 3)
    assert network.outputs[0].shape == (1, 3)
    np.testing.assert_array_equal(run(network, f32(-1, 0, 2)), [0, 0, 2])  # the stored model can be replayed


def test_nodes_out_of_order_are_sorted(tmp_path):
    nodes = [helper.make_node("Relu", ["h"], ["y"]), helper.make_node("Neg", ["x"], ["h"])]
    network = load(model_of(nodes, {"x": (2,)}, ["y"]), tmp_path)
    np.testing.assert_array_equal(network.forward(np.array([[-1.0, 2.0]])), [[1.0, 0.0]])


def test_external_tensors(tmp_path):
    model = operator("MatMul", (1, 30), draw(30, 20))
    path = tmp_path / "model.onnx"
    onnx.save_model(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    network = load_network(path)
    x = draw(30, seed=2)
    np.testing.assert_allclose(network.forward(x[None].astype(np.float64))[0], run(network, x), atol=1e-5)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="external"):
        load_network(path)


def test_local_functions_are_inlined(tmp_path):
    body = [helper.make_node("Relu", ["a"], ["t"]), helper.make_node("Neg", ["t"], ["b"])]
    function = helper.make_function("mine", "NegRelu", ["a"], ["b"], body, [helper.make_opsetid("", 13)])
    model = model_of([helper.make_node("NegRelu", ["x"], ["y"], domain="mine")], {"x": (3,)}, ["y"])
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("mine", 1))
    assert_agrees(model, tmp_path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("op", ["Gemm", "Add", "Mul", "Conv", "MatMul", "BatchNormalization"])
def test_weights_that_are_no_numbers(tmp_path, bad, op):
    shapes = {"Gemm": [(1, 3), (3, 2)], "Conv": [(1, 1, 4), (1, 1, 2)], "MatMul": [(1, 3), (3, 2)]}
    shapes["BatchNormalization"] = [(1, 3), (3,), (3,), (3,), (3,)]
    operand, *weights = shapes.get(op, [(1, 3), (3,)])
    arrays = [np.ones(s, np.float32) for s in weights]
    arrays[-1].flat[-1] = bad
    if op == "BatchNormalization" and np.isposinf(bad):
        arrays[-2].flat[-1] = bad  # an infinite variance alone is a factor of 0
    told = rf"node 'it' \({op}\) of model.onnx: .*(NaN|infini)"
    if op == "Add" and np.isneginf(bad):
        told = "entries of output 'out0' are minus infinity"  # what masks are made of, before Softmax
    _fault(operator(op, operand, *arrays), tmp_path, told)


def test_negative_variance(tmp_path):
    model = operator("BatchNormalization", (1, 2), f32(1, 1), f32(0, 0), f32(0, 0), f32(1, -1))
    _fault(model, tmp_path, "'it'.*NaN")


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        (operator("Gemm", (1, 3), draw(4, 2)), r"'it' \(Gemm\).*3 is not 4"),
        (operator("Gemm", (1, 3), draw(3, 2), draw(5)), r"'it' \(Gemm\)"),
        (operator("Gemm", (3,), draw(3, 2)), r"'it' \(Gemm\).*two matrices"),
        (operator("MatMul", (1, 3), draw(4, 2)), r"'it' \(MatMul\).*3 is not 4"),
        (operator("Add", (1, 3), draw(4)), r"'it' \(Add\).*\(1, 3\), \(4,\)"),
        (operator("Conv", (1, 3, 4, 4), draw(2, 4, 2, 2)), r"'it' \(Conv\).*\(2, 4, 2, 2\)"),
        (operator("Conv", (1, 3, 4), draw(2, 3, 2, 2)), r"'it' \(Conv\)"),
        (operator("Conv", (1, 3, 4, 4), draw(2, 3, 5, 5)), r"'it' \(Conv\).*does not fit"),
        (operator("Conv", (1, 3, 4, 4), draw(2, 3, 2, 2), draw(3)), r"'it' \(Conv\).*bias"),
        (operator("Reshape", (1, 3), i64(2, 2)), r"'it' \(Reshape\)"),
        (operator("Concat", (1, 3), (2, 2), axis=0), r"'it' \(Concat\)"),
        (operator("Gather", (1, 3), i64(3), axis=1), r"'it' \(Gather\)"),
        (operator("Transpose", (1, 3), perm=[0, 0]), r"'it' \(Transpose\)"),
        (operator("BatchNormalization", (1, 3), *[draw(2)] * 4), r"'it' \(BatchNormalization\)"),
        (operator("Div", (1, 3), f32(1, 0, 2)), r"'it' \(Div\).*zero"),
        (
            operator("NonZero", (1, 3)),
            r"'it' \(NonZero\).*operator NonZero \(domain ai.onnx, operator set 13\) is not supp",
        ),
        (operator("NoSuchThing", (1, 3)), r"'it' \(NoSuchThing\).*is not supported"),
        (operator("RandomNormal", shape=[3]), "no inputs"),
        (operator("RandomNormalLike", (1, 3)), "RandomNormalLike.*is not supported"),
        (operator("Resize", (1, 1, 4, 4), None, f32(1, 1, 2, 2), mode="cubic"), r"'it' \(Resize\).*cubic"),
        (operator("Reshape", (1, 3), (2,)), r"'it' \(Reshape\).*constant"),
        (operator("Relu", (1, 3), (1, 3)), r"'it' \(Relu\).*2 operands"),
        (operator("Relu", (1, 3), slope=2.0), r"'it' \(Relu\).*'slope' is unknown"),
        (operator("Flatten", (1, 3), axis=1.5), r"'it' \(Flatten\).*wrong type"),
        (operator("Cast", (1, 3), to=TensorProto.COMPLEX64), r"'it' \(Cast\).*complex64"),
        (operator("Softmax", (1, 3), axis=5), r"'it' \(Softmax\).*axis 5"),
        (operator("MaxPool", (1, 1, 4), outputs=2, kernel_shape=[2]), "'out1'.*MaxPool.*is not supported"),
        (operator("Max", (1, 3), None, (1, 3)), r"'it' \(Max\).*operand 1 is missing"),
        (operator("ReduceSum", (1, 3), keepdims=2), r"'keepdims' is 2"),
        (operator("Squeeze", (1, 3), i64()), r"'it' \(Squeeze\).*empty list of axes"),
        (operator("Pad", (1, 3), i64(0, -2, 0, -2)), r"'it' \(Pad\).*cut more"),
        (operator("Split", (1, 6), opset=18, axis=1, num_outputs=1 << 60), r"'it' \(Split\).*num_outputs"),
        (operator("Add", (1, 3), np.array(["a", "b", "c"], object)), r"'it' \(Add\).*text"),
        (operator("ConvTranspose", (1, 1, 2), draw(1, 1, 2), output_padding=[2]), r"'it' \(ConvTranspose\)"),
        (operator("Relu", (1, 3), opset=6), "operator set 6 is older than 7"),
        (operator("Relu", (1, "width")), r"dynamic dimension 1 \('width'\); fix it"),
        (operator("Relu", (1, 1 << 40)), "entries"),
    ],
)
def test_models_that_cannot_be_read(tmp_path, model, pattern):
    _fault(model, tmp_path, pattern)


def test_unknown_domain_is_named(tmp_path):
    model = model_of([helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")], {"x": (3,)}, ["y"])
    _fault(model, tmp_path, r"node 'y' \(Gelu\).*domain com.microsoft")


def test_training_modes(tmp_path):
    model = operator("Dropout", (1, 3), np.float32(0.5), np.bool_(True))
    _fault(model, tmp_path, "training")
    model = operator("BatchNormalization", (1, 3), *[draw(3)] * 4, opset=15, training_mode=1)
    _fault(model, tmp_path, "training")


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [(TensorProto.COMPLEX64, "type complex64"), (TensorProto.STRING, "type string"), (0, "type undefined")],
)
def test_inputs_of_other_types(tmp_path, kind, pattern):
    model = operator("Identity", (1, 3))
    model.graph.input[0].type.tensor_type.elem_type = kind
    _fault(model, tmp_path, f"input 'in0' has {pattern}")


def test_inputs_without_shape_or_tensor(tmp_path):
    model = operator("Identity", (1, 3))
    model.graph.input[0].type.tensor_type.ClearField("shape")
    _fault(model, tmp_path, "'in0' has no shape")
    model.graph.input[0].CopyFrom(helper.make_tensor_sequence_value_info("in0", TensorProto.FLOAT, None))
    _fault(model, tmp_path, "'in0' is no tensor")


def test_no_inputs_no_outputs_no_graph(tmp_path):
    constant = helper.make_node("Constant", [], ["y"], value_float=1.0)
    _fault(model_of([constant], {}, ["y"]), tmp_path, "no inputs")
    _fault(model_of([helper.make_node("Relu", ["x"], ["y"])], {"x": (3,)}, []), tmp_path, "no outputs")
    _fault(onnx.ModelProto(ir_version=8), tmp_path, "not an ONNX model")


def test_a_constant_has_one_value_and_that_a_number(tmp_path):
    for values in (
        {"value_int": 1, "value_string": "one"},
        {"value_string": "one"},
        {"value_float": 1.0, "value_int": 1},
    ):
        constant = helper.make_node("Constant", [], ["c"], name="c", **values)
        model = model_of([constant, helper.make_node("Mul", ["x", "c"], ["y"])], {"x": (3,)}, ["y"])
        _fault(model, tmp_path, "exactly one numeric value")


def test_names_that_are_made_twice_never_or_in_a_circle(tmp_path):
    def model(*nodes):
        return model_of([helper.make_node(op, ins, outs, name=outs[0]) for op, ins, outs in nodes], {"x": (3,)}, ["y"])

    _fault(model(("Add", ["x", "ghost"], ["y"])), tmp_path, "'ghost', used by node 'y' .*made by no node")
    _fault(model(("Relu", ["x"], ["z"])), tmp_path, "'y', used by the outputs")
    _fault(model(("Relu", ["x"], ["y"]), ("Neg", ["x"], ["y"])), tmp_path, "'y' is made twice")
    _fault(model(("Relu", ["y"], ["x"]), ("Neg", ["x"], ["y"])), tmp_path, "'x' is made twice")
    _fault(model(("Add", ["x", "b"], ["a"]), ("Neg", ["a"], ["b"]), ("Neg", ["a"], ["y"])), tmp_path, "cycle")


def test_sparse_initialisers_are_refused(tmp_path):
    model = _small()
    values = numpy_helper.from_array(f32(1), "w")
    indices = numpy_helper.from_array(i64(0), "i")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3]))
    _fault(model, tmp_path, "sparse initialiser 'w'")


def test_git_lfs_pointer_of_the_competition():
    path = root() / "nn4sys_2023" / "mscn_2048d_dual.onnx"
    if not path.is_file():
        pytest.skip("the file is not in this copy of the instances")
    with pytest.raises(ModelError, match="git-LFS"):
        load_network(path)


@pytest.mark.parametrize(
    "bench", ["test", "acasxu_2023", "tllverifybench_2023", "verivital", "lsnc", "vit_2023", "cgan_2023"]
)
def test_networks_of_the_competition(bench):
    """A network of each benchmark, at points of [0, 1]; benchmarks/readers_agreement.py does all of them."""
    path = next(i.network for i in instances(bench))
    network = load_network(path)
    x = np.random.default_rng(0).uniform(0, 1, network.input_size).astype(np.float32)
    wanted = run(network, x)
    np.testing.assert_allclose(
        network.forward(x[None].astype(np.float64))[0], wanted, atol=1e-4 * max(1, abs(wanted).max())
    )


def test_errors_have_one_line_with_place_and_remedy(tmp_path):
    with pytest.raises(ModelError) as caught:
        load(operator("NonZero", (1, 3)), tmp_path)
    assert re.fullmatch(
        r"node 'it' \(NonZero\) of model.onnx: operator NonZero .* is not supported; .+", str(caught.value)
    )


def zipped_with(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "{}")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (zipped_with("model/data.pkl"), "saved by torch.*torch.onnx.export"),
        (pickle.dumps({"weight": [1.0]}), "is a pickle.*torch.onnx.export"),
        (zipped_with("config.json"), "Keras model.*tf2onnx"),
        (b"\x89HDF\r\n\x1a\n" + bytes(8), "HDF5.*tf2onnx"),
        (b"; a property\n(declare-const X_0 Real)\n", "VNN-LIB property.*network first"),
    ],
)
def test_other_kinds_of_files_are_told_what_they_are(tmp_path, content, told):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=told):
        load_network(path)
