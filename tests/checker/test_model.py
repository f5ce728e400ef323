"""The checker's reading of operators against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from tests.readers.onnx_models import draw, f32, i64, model_of, operator
from verifier.checker.bounds import Bounder
from verifier.checker.graph import Linear, Unreadable
from verifier.checker.lines import exactly
from verifier.checker.model import COMMON, NEWEST, OLDEST, OPERATORS, read_model
from verifier.checker.rational import rational

RNG = np.random.default_rng(0)
FLOAT = onnx.TensorProto.FLOAT


def as_float(op: str, *operands: Any, opset: int = 21, **attributes: Any) -> onnx.ModelProto:
    """A model of one operator whose value is no float, and a cast."""
    model = operator(op, *operands, opset=opset, **attributes)
    model.graph.node[0].output[0] = "made"
    model.graph.node.append(helper.make_node("Cast", ["made"], ["out0"], to=FLOAT))
    return model


def of_truths(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    """Nodes that make t of p, whether x > 0.2, of q, whether x < y, and of x and y, shape (2, 3) each."""
    before = [helper.make_node("Greater", ["x", "c"], ["p"]), helper.make_node("Less", ["x", "y"], ["q"])]
    behind = helper.make_node("Cast", ["t"], ["z"], to=FLOAT)
    constants = {"c": np.float32(0.2), "whole": i64(1, 0, 2), "one": i64(1), "shape": i64(3, 2)}
    constants |= {"scale": np.float32(0.13), "zero": np.int8(-5)}
    return model_of([*before, *nodes, behind], {"x": (2, 3), "y": (2, 3)}, ["z"], constants, opset=21)


def node(op: str, *names: str, **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, names[:-1], names[-1:], **attributes)


BYTES = np.array([[0, 7, 255], [30, 31, 200]], np.uint8)
KERNEL, IMAGE = draw(3, 2, 3, 2), (1, 2, 7, 6)
TWO = f32(2.0, -3.0, 0.7)
MODELS = {
    "Abs": operator("Abs", (2, 3)),
    "Add": operator("Add", (2, 3), draw(3)),
    "Add two": operator("Add", (2, 3), (4, 1, 3)),
    "And": of_truths(node("And", "p", "q", "t")),
    "ArgMax": as_float("ArgMax", (2, 3, 4), axis=1),
    "ArgMax last": as_float("ArgMax", (4, 3), axis=-2, keepdims=0, select_last_index=1),
    "ArgMax and Equal": of_truths(node("ArgMax", "x", "a", axis=0, keepdims=0), node("Equal", "a", "whole", "t")),
    "ArgMin": as_float("ArgMin", (2, 3), axis=1),
    "AveragePool": operator("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 1]),
    "AveragePool padded": operator("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 2, 1]),
    "AveragePool of several": operator("AveragePool", (3, *IMAGE[1:]), kernel_shape=[3, 2], pads=[1, 0, 2, 1]),
    "AveragePool counted": operator("AveragePool", IMAGE, kernel_shape=[3, 2], pads=[1, 0, 2, 1], count_include_pad=1),
    "AveragePool dilated": operator("AveragePool", IMAGE, kernel_shape=[3, 2], dilations=[2, 1], opset=19),
    "AveragePool up": operator("AveragePool", IMAGE, kernel_shape=[3, 3], strides=[3, 2], ceil_mode=1),
    "AveragePool same": operator("AveragePool", IMAGE, kernel_shape=[2, 3], auto_pad="SAME_LOWER", strides=[2, 2]),
    "BatchNormalization": operator("BatchNormalization", IMAGE, draw(2), draw(2), draw(2), f32(0.5, 2.0), epsilon=0.1),
    "Ceil": operator("Ceil", (2, 3)),
    "Cast to truth": of_truths(node("Cast", "x", "t", to=9)),
    "Cast truth": of_truths(node("Cast", "p", "a", to=7), node("Cast", "a", "t", to=9)),
    "Celu": operator("Celu", (2, 3), alpha=0.4),
    "Clip": operator("Clip", (2, 3), np.float32(-0.5), np.float32(0.7)),
    "Clip above": operator("Clip", (2, 3), None, np.float32(-0.2)),
    "Clip far": operator("Clip", (2, 3), np.float32(-3.4e38), np.float32(3.4e38)),
    "Clip at nothing": operator("Clip", (2, 3), np.float32(0.1), np.float32(2e9)),
    "Clip attributes": operator("Clip", (2, 3), opset=9, min=-0.25, max=0.5),
    "Concat": operator("Concat", (2, 3), draw(2, 1), (2, 2), axis=-1),
    "Conv": operator("Conv", IMAGE, KERNEL, draw(3), strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2]),
    "Conv of several": operator("Conv", (3, *IMAGE[1:]), KERNEL, draw(3), pads=[1, 0, 0, 1]),
    "Conv in groups": operator("Conv", IMAGE, draw(4, 1, 3, 2), group=2, kernel_shape=[3, 2]),
    "Conv same": operator("Conv", IMAGE, KERNEL, auto_pad="SAME_UPPER", strides=[2, 3]),
    "Conv same below": operator("Conv", IMAGE, KERNEL, auto_pad="SAME_LOWER", strides=[2, 1]),
    "Conv valid": operator("Conv", IMAGE, KERNEL, auto_pad="VALID"),
    "Conv of one axis": operator("Conv", (1, 2, 7), draw(3, 2, 3), pads=[1, 2]),
    "ConvTranspose": operator(
        "ConvTranspose", (1, 3, 4, 5), KERNEL, draw(2), strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0]
    ),
    "ConvTranspose of several": operator("ConvTranspose", (2, 3, 4, 5), KERNEL, strides=[2, 1]),
    "ConvTranspose in groups": operator("ConvTranspose", (1, 4, 3, 3), draw(4, 2, 2, 2), group=2, dilations=[2, 1]),
    "Cos": operator("Cos", (2, 3)),
    "Concat truths": of_truths(node("Concat", "p", "q", "a", axis=0), node("Not", "a", "t")),
    "DequantizeLinear": of_truths(
        node("QuantizeLinear", "x", "scale", "zero", "a"), node("DequantizeLinear", "a", "scale", "zero", "t")
    ),
    "CumSum": operator("CumSum", (2, 3, 4), np.int64(-2), exclusive=1, reverse=1),
    "CumSum plain": operator("CumSum", (2, 3), np.int64(1)),
    "Div": operator("Div", (2, 3), TWO),
    "Div into": operator("Div", TWO, (2, 3)),
    "Div two": operator("Div", (2, 3), (3,)),
    "Einsum": operator("Einsum", (2, 3), draw(3, 4), equation="ij,jk->ki"),
    "Einsum of one": operator("Einsum", (2, 3, 4), equation="ijk->ki"),
    "Einsum of two": operator("Einsum", (2, 3), (2, 3, 4), equation="bi, bij"),
    "Elu": operator("Elu", (2, 3), alpha=0.6),
    "Erf": operator("Erf", (2, 3)),
    "Exp": operator("Exp", (2, 3)),
    "Expand": operator("Expand", (2, 1), i64(2, 4)),
    "Flatten": operator("Flatten", (2, 3, 4), axis=2),
    "Flatten behind": operator("Flatten", (2, 3, 4), axis=-2),
    "Floor": operator("Floor", (2, 3)),
    "Gather": operator("Gather", (2, 3), i64(2, -3), axis=1),
    "Gather one": operator("Gather", (2, 3), np.int64(1)),
    "Gelu": operator("Gelu", (2, 3), opset=20),
    "GRU": operator(
        "GRU",
        (3, 2, 2),
        draw(2, 9, 2),
        draw(2, 9, 3),
        draw(2, 18),
        None,
        (2, 2, 3),
        hidden_size=3,
        direction="bidirectional",
        outputs=2,
    ),
    "GRU reset late": operator(
        "GRU", (3, 1, 2), draw(1, 9, 2), draw(1, 9, 3), draw(1, 18), hidden_size=3, linear_before_reset=1
    ),
    "Gemm": operator("Gemm", (2, 3), draw(4, 3), draw(4), transB=1),
    "Gemm scaled": operator("Gemm", (3, 2), draw(4, 3), draw(2, 1), transA=1, transB=1, alpha=0.3, beta=-0.7),
    "Gemm without": operator("Gemm", (2, 3), draw(3, 4), draw(4), beta=0.0),
    "Gemm of tensors": operator("Gemm", (2, 3), (3, 4), (4,), alpha=0.3, beta=2.0),
    "Gemm into": operator("Gemm", draw(2, 3), (3, 4), draw(4)),
    "GlobalAveragePool": operator("GlobalAveragePool", IMAGE),
    "GroupNormalization": operator(
        "GroupNormalization", (1, 4, 3), draw(4), draw(4, seed=1), num_groups=2, epsilon=0.1, opset=21
    ),
    "HardSigmoid": operator("HardSigmoid", (2, 3), alpha=0.3, beta=0.4),
    "HardSwish": operator("HardSwish", (2, 3), opset=14),
    "Identity": operator("Identity", (2, 3)),
    "InstanceNormalization": operator("InstanceNormalization", (2, 2, 3), draw(2), draw(2, seed=1), epsilon=0.1),
    "LayerNormalization": operator(
        "LayerNormalization", (2, 3, 4), draw(3, 4), draw(3, 4, seed=1), axis=1, epsilon=0.1, opset=17
    ),
    "LayerNormalization last": operator("LayerNormalization", (2, 3, 4), draw(4), opset=17),
    "LeakyRelu": operator("LeakyRelu", (2, 3), alpha=0.3),
    "LeakyRelu beyond": operator("LeakyRelu", (2, 3), alpha=-1.7),
    "Log": operator("Log", (2, 3)),
    "LogSoftmax": operator("LogSoftmax", (2, 3, 2), axis=1),
    "MatMul": operator("MatMul", (2, 5, 3), draw(3, 4)),
    "MatMul by a vector": operator("MatMul", (2, 5, 3), draw(3)),
    "MatMul of a vector": operator("MatMul", (3,), draw(3, 4)),
    "MatMul into": operator("MatMul", draw(4, 5), (2, 5, 3)),
    "MatMul into a vector": operator("MatMul", draw(4, 5), (5,)),
    "MatMul of a constant vector": operator("MatMul", draw(5), (2, 5, 3)),
    "MatMul of stacks": operator("MatMul", draw(3, 1, 4, 5), (2, 5, 3)),
    "MatMul by stacks": operator("MatMul", (1, 4, 5), draw(3, 5, 2)),
    "MatMul of tensors": operator("MatMul", (3, 1, 2, 5), (2, 5, 4)),
    "MatMul of vectors": operator("MatMul", (5,), (5,)),
    "Max": operator("Max", (2, 3), draw(3), draw(2, 1)),
    "MaxPool": operator("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2]),
    "MaxPool padded": operator("MaxPool", IMAGE, kernel_shape=[3, 2], pads=[1, 0, 2, 1], dilations=[1, 2]),
    "MaxPool of several": operator("MaxPool", (3, *IMAGE[1:]), kernel_shape=[3, 2], pads=[1, 0, 1, 1]),
    "MaxPool up": operator("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[3, 2], ceil_mode=1),
    "MaxPool same": operator("MaxPool", IMAGE, kernel_shape=[2, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "Mean": operator("Mean", (2, 3), draw(3), (2, 1)),
    "Min": operator("Min", (2, 3), draw(3)),
    "Mul": operator("Mul", (2, 3), draw(2, 1)),
    "Mul two": operator("Mul", (2, 3), (2, 1)),
    "Neg": operator("Neg", (2, 3)),
    "PRelu": operator("PRelu", (2, 3), f32(0.3, -0.2, 1.5)),
    "Pad": operator("Pad", (2, 3), i64(1, 0, 0, 2)),
    "Pad with": operator("Pad", (2, 3), i64(1, 0, 0, 2), np.float32(0.7)),
    "Pad some axes": operator("Pad", (2, 3), i64(1, 2), None, i64(-1), opset=18),
    "Pad reflected": operator("Pad", (3, 4), i64(1, 2, 0, 3), mode="reflect"),
    "Pad edge": operator("Pad", (3, 4), i64(1, 2, 0, 5), mode="edge"),
    "Pad wrapped": operator("Pad", (3, 4), i64(1, 2, 0, 3), mode="wrap", opset=19),
    "Pad attributes": operator("Pad", (2, 3), opset=9, pads=[1, 0, 0, 2], value=0.3),
    "Pow": operator("Pow", (2, 3), np.float32(2.0)),
    "Pow 1": operator("Pow", (2, 3), np.float32(1.0)),
    "Pow 3": operator("Pow", (2, 3), np.int64(3)),
    "Pow 6": operator("Pow", (2, 3), f32(6.0, 6.0, 6.0)),
    "Pow root": operator("Pow", (2, 3), np.float32(0.5)),
    "Pow -1": operator("Pow", (2, 3), np.float32(-1.0)),
    "Reciprocal": operator("Reciprocal", (2, 3)),
    "ReduceL2": operator("ReduceL2", (2, 3, 4), axes=[1]),
    "ReduceMax": operator("ReduceMax", (2, 3, 4), axes=[0, -1], keepdims=0),
    "ReduceMean": operator("ReduceMean", (2, 3, 4), axes=[1], keepdims=0),
    "ReduceMean newer": operator("ReduceMean", (2, 3, 4), i64(-1, 0), opset=18),
    "ReduceMin": operator("ReduceMin", (2, 3, 4), axes=[1]),
    "ReduceSum": operator("ReduceSum", (2, 3, 4), i64(0, 2)),
    "ReduceSum all": operator("ReduceSum", (2, 3, 4), keepdims=0),
    "ReduceSumSquare": operator("ReduceSumSquare", (2, 3, 4), axes=[1]),
    "QuantizeLinear": as_float("QuantizeLinear", (2, 3), np.float32(0.13), np.int8(-5)),
    "QuantizeLinear axis": as_float("QuantizeLinear", (2, 3), f32(0.1, 0.7), np.uint8([3, 3]), axis=0),
    "Relu": operator("Relu", (2, 3)),
    "Reshape": operator("Reshape", (2, 3), i64(0, -1, 1)),
    "Selu": operator("Selu", (2, 3), alpha=1.5, gamma=0.8),
    "Sigmoid": operator("Sigmoid", (2, 3)),
    "Sign": operator("Sign", (2, 3)),
    "Sin": operator("Sin", (2, 3)),
    "Slice": operator("Slice", (4, 5), i64(1, -4), i64(3, 2**31 - 1), i64(0, 1), i64(1, 2)),
    "Slice back": operator("Slice", (4, 5), i64(2**31 - 1, -2), i64(-(2**31), -5), i64(-1, 0), i64(-2, -1)),
    "Slice before": operator("Slice", (4, 5), i64(-9), i64(-9), i64(1), i64(-1)),
    "Slice attributes": operator("Slice", (4, 5), opset=9, starts=[1], ends=[-1], axes=[1]),
    "Softmax": operator("Softmax", (2, 3, 2), axis=1),
    "Softmax older": operator("Softmax", (2, 3, 2), opset=11),
    "Softplus": operator("Softplus", (2, 3)),
    "Softsign": operator("Softsign", (2, 3)),
    "Split": operator("Split", (2, 7), i64(2, 4, 1), axis=-1, outputs=3),
    "Split evenly": operator("Split", (6, 2), outputs=3),
    "Split nearly": operator("Split", (7, 2), outputs=3, num_outputs=3, opset=18),
    "Split attributes": operator("Split", (2, 7), axis=1, split=[3, 4], opset=11, outputs=2),
    "Sqrt": operator("Sqrt", (2, 3)),
    "Squeeze": operator("Squeeze", (1, 3, 1), i64(0)),
    "Squeeze all": operator("Squeeze", (1, 3, 1)),
    "Sub": operator("Sub", (2, 3), draw(3)),
    "Sub from": operator("Sub", draw(2, 1), (2, 3)),
    "Sub two": operator("Sub", (2, 1), (2, 3)),
    "Sum": operator("Sum", (2, 3), draw(3), (2, 1)),
    "Tanh": operator("Tanh", (2, 3)),
    "Tile": operator("Tile", (2, 3), i64(1, 2)),
    "Transpose": operator("Transpose", (2, 3, 4), perm=[2, 0, 1]),
    "Unsqueeze": operator("Unsqueeze", (2, 3), i64(1, -1)),
    "Equal": of_truths(node("Round", "x", "a"), node("Floor", "y", "b"), node("Equal", "a", "b", "t")),
    "GreaterOrEqual": as_float("GreaterOrEqual", (2, 3), draw(3)),
    "LSTM": operator(
        "LSTM",
        (3, 2, 2),
        draw(2, 12, 2),
        draw(2, 12, 3),
        draw(2, 24),
        None,
        draw(2, 2, 3),
        (2, 2, 3),
        hidden_size=3,
        direction="bidirectional",
        outputs=3,
    ),
    "LSTM without": operator("LSTM", (3, 1, 2), draw(1, 12, 2), draw(1, 12, 3), hidden_size=3, direction="reverse"),
    "Less": as_float("Less", draw(3), (2, 3)),
    "LessOrEqual": as_float("LessOrEqual", (2, 3), (2, 1)),
    "Not": of_truths(node("Reshape", "p", "shape", "a"), node("Not", "a", "t")),
    "Or": of_truths(node("Or", "p", "q", "t")),
    "RNN": operator("RNN", (3, 2, 2), draw(1, 3, 2), draw(1, 3, 3), draw(1, 6), hidden_size=3, outputs=2),
    "Round": operator("Round", (2, 3)),
    "Xor": of_truths(node("Xor", "p", "q", "t")),
    "Where computed": of_truths(node("Where", "p", "x", "y", "a"), node("Identity", "a", "t")),
    "Where of constants": of_truths(node("Where", "p", "whole", "one", "t")),
    "Where": operator("Where", np.array([True, False, True]), (2, 3), draw(2, 1)),
    "Where one": operator("Where", np.array([[True], [False]]), (2, 3), (3,)),
}
POSITIVE = {"Log", "Pow root", "Pow -1", "Reciprocal", "Sqrt", "Div into", "Div two"}


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_runtime(name: str, tmp_path: Path) -> None:
    compare(MODELS[name], tmp_path, name in POSITIVE)


def compare(model: onnx.ModelProto, folder: Path, positive: bool = False) -> None:
    """At a few points, in ONNX Runtime and by the checker."""
    onnx.save(model, folder / "net.onnx")
    graph = read_model(folder / "net.onnx")
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shapes = {i.name: [d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input}
    for _ in range(5):
        x = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        x = {name: np.abs(a) + np.float32(0.1) for name, a in x.items()} if positive else x
        y = np.concatenate([a.ravel() for a in session.run(None, x)])
        point = np.concatenate([a.ravel() for a in x.values()])[None].astype(float)
        state = Bounder(graph).propagated(point, point)
        low, high = state.lower[graph.output][0], state.upper[graph.output][0]
        assert low.shape == y.shape
        assert (high - low <= 1e-6 * (1 + np.abs(high))).all()
        assert np.abs((low + high) / 2 - y).max() <= 1e-5 * (1 + np.abs(y).max())


@pytest.mark.parametrize("exact", [False, True], ids=["doubles", "fractions"])
@pytest.mark.parametrize("name", [name for name in MODELS if "Conv" not in name and "Pool" not in name])
def test_bounds_hold_values(name: str, exact: bool, tmp_path: Path) -> None:
    onnx.save(MODELS[name], tmp_path / "net.onnx")
    graph = read_model(tmp_path / "net.onnx")
    size = graph.nodes[0].size
    low = RNG.normal(size=(1, size)) * 0.5
    low = np.abs(low) + 0.1 if name in POSITIVE else low
    high = low + RNG.uniform(0, 0.8, (1, size))
    points = RNG.uniform(low, high, (20, size))
    ends = (exactly(low), exactly(high)) if exact else (low, high)
    bounder, plain = Bounder(rational(graph) if exact else graph, exact), Bounder(graph)
    state, values = bounder.sharpened(bounder.propagated(*ends)), plain.propagated(points, points)
    rows = RNG.normal(size=(1, 3, graph.nodes[graph.output].size))
    least = bounder.least(state, graph.output, exactly(rows) if exact else rows)
    assert (least <= plain.by_interval(values, graph.output, -rows) * -1).all()
    for k in range(len(graph.nodes)):
        assert (state.lower[k] <= values.upper[k]).all()
        assert (state.upper[k] >= values.lower[k]).all()


CONSTANTS = {
    "Abs": ([draw(2, 3)], {}),
    "Add": ([draw(2, 3), draw(3, seed=1)], {}),
    "And": ([np.array([True, False]), np.array([[True], [False]])], {}),
    "Cast": ([f32(0.1, 2.0)], {"to": 11}),
    "Cast rounded": ([np.array([0.1, 1e-30])], {"to": 1}),
    "Cast whole": ([i64(3, -4)], {"to": 1}),
    "Ceil": ([f32(-1.5, 0.2)], {}),
    "Clip": ([draw(2, 3), np.float32(-0.1)], {}),
    "Concat": ([draw(2, 3), draw(2, 1)], {"axis": 1}),
    "Constant": ([], {"value_floats": [0.1, 0.2]}),
    "Constant of whole numbers": ([], {"value_ints": [1, 2]}),
    "ConstantOfShape": ([i64(2, 3)], {"value": numpy_helper.from_array(f32(0.1))}),
    "DequantizeLinear": ([BYTES, f32(0.1, 0.2, 0.4), BYTES[0]], {"axis": 1}),
    "Div": ([draw(2, 3), draw(3, seed=1)], {}),
    "Div whole": ([i64(7, 6), i64(2, 3)], {}),
    "Dropout": ([draw(2, 3), np.float32(0.3)], {"seed": 3}),
    "Equal": ([i64(1, 2), i64(1, 3)], {}),
    "Exp": ([draw(2, 3)], {}),
    "Floor": ([f32(-1.5, 0.2)], {}),
    "Greater": ([f32(1.0, 2.0), f32(1.0, 1.5)], {}),
    "GreaterOrEqual": ([f32(1.0, 2.0), f32(1.0, 2.5)], {}),
    "Less": ([f32(1.0, 2.0), f32(1.0, 2.5)], {}),
    "LessOrEqual": ([f32(1.0, 2.0), f32(1.0, 1.5)], {}),
    "MatMul": ([draw(3), draw(2, 3, 4)], {}),
    "Max": ([draw(2, 3), draw(3, seed=1)], {}),
    "Max whole": ([i64(1, 5), i64(3)], {}),
    "Min": ([draw(2, 3), draw(3, seed=1), np.float32(0.2)], {}),
    "Mod": ([i64(7, -7), i64(3, 3)], {}),
    "Mul": ([draw(2, 3), draw(3, seed=1)], {}),
    "Neg": ([i64(7, -7)], {}),
    "Not": ([np.array([True, False])], {}),
    "Or": ([np.array([True, False]), np.array([[True], [False]])], {}),
    "Range": ([np.int64(7), np.int64(-2), np.int64(-3)], {}),
    "Round": ([f32(-1.5, 0.5, 2.5, 0.7)], {}),
    "Shape": ([draw(2, 3, 4)], {"start": -2, "end": 2}),
    "Size": ([draw(2, 3)], {}),
    "Sqrt": ([f32(0.1, 3.0)], {}),
    "Sub": ([draw(2, 3), draw(3, seed=1)], {}),
    "Sum": ([draw(2, 3), draw(3, seed=1)], {}),
    "Where": ([np.array([True, False]), i64(1, 2), i64(3)], {}),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_those_of_the_runtime(name: str, tmp_path: Path) -> None:
    """Of an expression of constants alone, added to the input as numbers."""
    operands, attributes = CONSTANTS[name]
    names = [f"in{k}" for k in range(len(operands))]
    nodes = [
        helper.make_node(name.split()[0], names, ["made"], **attributes),
        helper.make_node("Cast", ["made"], ["number"], to=1),
        helper.make_node("Add", ["x", "number"], ["y"]),
    ]
    compare(model_of(nodes, {"x": (1,)}, ["y"], dict(zip(names, operands, strict=True)), opset=15), tmp_path)


def test_constants_are_rounded_as_the_runtime_rounds(tmp_path: Path) -> None:
    """Bit for bit, of a runtime that does not rewrite the model: 1 / 3 * 7 - 3."""
    nodes = [
        helper.make_node("Div", ["one", "three"], ["a"]),
        helper.make_node("Mul", ["a", "seven"], ["b"]),
        helper.make_node("Sub", ["b", "three"], ["c"]),
        helper.make_node("Mul", ["x", "c"], ["y"]),
    ]
    constants = {"one": f32(1.0), "three": f32(3.0), "seven": f32(7.0)}
    model = model_of(nodes, {"x": (1,)}, ["y"], constants)
    onnx.save(model, tmp_path / "net.onnx")
    graph = read_model(tmp_path / "net.onnx")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": f32(1.0)})
    (node,) = [n for n in graph.nodes if isinstance(n, Linear)]
    assert node.maps[0].apply(np.ones(1)).item() == y.item()


def test_every_operator_is_looked_at() -> None:
    assert set(OPERATORS) == {name.split()[0] for name in (*MODELS, *CONSTANTS)}


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (operator("Acos", (2, 3)), "Acos"),
        (operator("Gelu", (2, 3), opset=13), "version 13"),
        (operator("Relu", (2, 3), draw(3)), "operands"),
        (operator("Clip", (2, 3), np.float32(1.0), opset=9), "operands"),
        (operator("Einsum", (3, 3), equation="ii->i"), "equation"),
        (operator("RNN", (3, 1, 2), draw(1, 3, 2), draw(1, 3, 3), hidden_size=3, activations=["Relu"]), "activations"),
        (operator("LSTM", (3, 1, 2), draw(1, 12, 2), draw(1, 12, 3), hidden_size=3, clip=2.0), "clip"),
        (of_truths(node("ArgMax", "x", "a", axis=0), node("Add", "a", "whole", "t")), "whole numbers that depend"),
        (of_truths(node("And", "p", "whole", "t")), "several types"),
        (of_truths(node("Where", "x", "x", "y", "t")), "condition"),
        (of_truths(node("Cast", "x", "t", to=7)), "rounding"),
        (of_truths(node("ArgMax", "x", "a"), node("Cast", "a", "t", to=10)), "does not hold"),
        (operator("DequantizeLinear", BYTES, f32(0.1), opset=23, output_dtype=1), "output_dtype"),
        (operator("Pow", (2, 3), np.float32(2.5)), "exponent"),
        (operator("Pow", (2, 3), f32(2.0, 3.0, 2.0)), "exponents"),
        (operator("Relu", (2, 3), unheard=1), "unheard"),
        (operator("ReduceSum", (2, 3), noop_with_empty_axes=1), "noop"),
        (operator("Gelu", (2, 3), approximate="tanh", opset=20), "approximate"),
        (operator("Cast", (2, 3), to=10), "rounding"),
        (operator("Conv", (1, 2, 5, 5), draw(3, 2, 3)), "kernel"),
        (operator("Conv", (1, 2, 5, 5), draw(3, 2, 3, 3), pads=[1, 1, 1, 1], auto_pad="VALID"), "auto_pad and pads"),
        (operator("MaxPool", IMAGE, kernel_shape=[2, 2], dilations=[2, 1], auto_pad="SAME_UPPER"), "dilations"),
        (operator("Split", (6, 2), outputs=2, opset=18), "parts"),
        (operator("Squeeze", (1, 2), np.zeros(0, np.int64)), "axes"),
        (operator("Conv", (1, 3, 5, 5), draw(3, 2, 3, 3)), "kernel"),
        (operator("MatMul", (2, 3), (2, 3)), "times"),
        (operator("Split", (5, 2), outputs=2), "parts"),
        (operator("Split", (5, 2), i64(2, 2), outputs=2), "parts"),
        (operator("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 2, 2], ceil_mode=1), "ceil_mode"),
        (operator("Add", (2, 3), i64(1)), "int64"),
        (operator("Add", (2, 3), f32(np.inf)), "finite"),
        (operator("Div", (2, 3), f32(0.0)), "divisor"),
        (operator("Dropout", (2, 3), np.float32(0.5), np.bool_(True)), "training"),
    ],
)
def test_what_is_not_known_is_told(model: onnx.ModelProto, said: str, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(Unreadable, match=said):
        read_model(tmp_path / "net.onnx")


def test_common_operators_are_in_all_versions_with_as_many_operands() -> None:
    for name, most in COMMON.items():
        for version in range(OLDEST, NEWEST + 1):
            assert onnx.defs.get_schema(name, version, "").max_input == most
