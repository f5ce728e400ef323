"""The checker's reading of operators against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.readers.onnx_models import draw, f32, i64, operator
from verifier.checker.bounds import Bounder
from verifier.checker.graph import Unreadable
from verifier.checker.model import OPERATORS, read_model

RNG = np.random.default_rng(0)
KERNEL, IMAGE = draw(3, 2, 3, 2), (1, 2, 7, 6)
MODELS = {
    "Abs": operator("Abs", (2, 3)),
    "Add": operator("Add", (2, 3), draw(3)),
    "AveragePool": operator("AveragePool", IMAGE, kernel_shape=[3, 2], strides=[2, 1]),
    "BatchNormalization": operator("BatchNormalization", IMAGE, draw(2), draw(2), draw(2), f32(0.5, 2.0)),
    "Clip": operator("Clip", (2, 3), np.float32(-0.5), np.float32(0.7)),
    "Conv": operator("Conv", IMAGE, KERNEL, draw(3), strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2]),
    "ConvTranspose": operator(
        "ConvTranspose", (1, 3, 4, 5), KERNEL, draw(2), strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0]
    ),
    "Cos": operator("Cos", (2, 3)),
    "Div": operator("Div", (2, 3), f32(2.0, -3.0, 0.7)),
    "Exp": operator("Exp", (2, 3)),
    "Expand": operator("Expand", (2, 1), i64(2, 4)),
    "Flatten": operator("Flatten", (2, 3, 4), axis=2),
    "Gather": operator("Gather", (2, 3), i64(2, 0), axis=1),
    "Gemm": operator("Gemm", (2, 3), draw(4, 3), draw(4), transB=1),
    "GlobalAveragePool": operator("GlobalAveragePool", IMAGE),
    "LeakyRelu": operator("LeakyRelu", (2, 3), alpha=0.3),
    "MatMul": operator("MatMul", (2, 5, 3), draw(3, 4)),
    "Max": operator("Max", (2, 3), draw(3), draw(2, 1)),
    "MaxPool": operator("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2]),
    "Min": operator("Min", (2, 3), draw(3)),
    "Mul": operator("Mul", (2, 3), draw(2, 1)),
    "Neg": operator("Neg", (2, 3)),
    "Pad": operator("Pad", (2, 3), i64(1, 0, 0, 2)),
    "Pow": operator("Pow", (2, 3), np.float32(2.0)),
    "ReduceMean": operator("ReduceMean", (2, 3, 4), axes=[1], keepdims=0),
    "ReduceSum": operator("ReduceSum", (2, 3, 4), i64(0, 2)),
    "Relu": operator("Relu", (2, 3)),
    "Reshape": operator("Reshape", (2, 3), i64(0, -1, 1)),
    "Sigmoid": operator("Sigmoid", (2, 3)),
    "Sin": operator("Sin", (2, 3)),
    "Slice": operator("Slice", (4, 5), i64(1, -4), i64(3, 2**31 - 1), i64(0, 1), i64(1, 2)),
    "Softmax": operator("Softmax", (2, 3), axis=1),
    "Squeeze": operator("Squeeze", (1, 3, 1), i64(0)),
    "Sub": operator("Sub", (2, 3), draw(3)),
    "Tanh": operator("Tanh", (2, 3)),
    "Transpose": operator("Transpose", (2, 3, 4), perm=[2, 0, 1]),
    "Unsqueeze": operator("Unsqueeze", (2, 3), i64(1)),
}
MADE_OF_OTHERS = {
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Dropout",
    "Identity",
    "Mod",
    "Shape",
    "Split",
    "Sqrt",
}
"""Read in the networks of vnnlib_specs and of the index, or nothing but what another operator is."""


@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_runtime(name: str, tmp_path: Path) -> None:
    model = MODELS[name]
    path = tmp_path / "net.onnx"
    onnx.save(model, path)
    graph = read_model(path)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim]
    for _ in range(5):
        x = RNG.normal(size=shape).astype(np.float32)
        (y,) = session.run(None, {model.graph.input[0].name: x})
        point = x.astype(float).reshape(1, -1)
        state = Bounder(graph).propagated(point, point)
        low, high = state.lower[graph.output][0], state.upper[graph.output][0]
        assert low.shape == y.ravel().shape
        assert (high - low <= 1e-6 * (1 + np.abs(high))).all()
        assert np.abs((low + high) / 2 - y.ravel()).max() <= 1e-5 * (1 + np.abs(y).max())


def test_every_operator_is_looked_at() -> None:
    assert set(OPERATORS) == set(MODELS) | MADE_OF_OTHERS


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (operator("Floor", (2, 3)), "Floor"),
        (operator("Pow", (2, 3), np.float32(3.0)), "exponent"),
        (operator("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]), "padding"),
    ],
)
def test_what_is_not_known_is_told(model: onnx.ModelProto, said: str, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(Unreadable, match=said):
        read_model(tmp_path / "net.onnx")
