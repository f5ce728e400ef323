"""Quantised operators against ONNX Runtime."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.readers.onnx_models import assert_agrees, draw, f32, load, model_of
from verifier.errors import ModelError

SINCE = {np.int8: 10, np.uint8: 10, np.int16: 21, np.uint16: 21}


def chain(nodes, shape, constants, opset=13):
    """A model whose last node's output `q` is cast to float32."""
    return model_of([*nodes, helper.make_node("Cast", ["q"], ["y"], to=1)], {"x": shape}, ["y"], constants, opset)


def whole(*shape, dtype=np.int8, seed=0):
    """Integers of a type, of int8 only those whose products with uint8 fit in pairs in int16: some of ONNX Runtime's
    kernels saturate others (`lowerings.quantised`).
    """
    ends = np.iinfo(dtype)
    low, high = (-63, 64) if dtype == np.int8 else (ends.min, ends.max + 1)
    return np.random.default_rng(seed).integers(low, high, shape).astype(dtype)


def quantize(*names, out="q", **attributes):
    return helper.make_node("QuantizeLinear", list(names), [out], **attributes)


def dequantize(*names, out="y", **attributes):
    return helper.make_node("DequantizeLinear", list(names), [out], **attributes)


@pytest.mark.parametrize("dtype", SINCE)
@pytest.mark.parametrize("opset", [10, 13, 19, 21, 24])
def test_one_scale(tmp_path, dtype, opset):
    """Some inputs are beyond either end of the type."""
    if opset < SINCE[dtype]:
        pytest.skip("the type came later")
    ends = np.iinfo(dtype)
    constants = {"s": np.float32(4 / (ends.max - ends.min)), "zero": dtype(ends.max - ends.max // 3)}
    assert_agrees(chain([quantize("x", "s", "zero")], (3, 4), constants, opset), tmp_path, low=-5, high=5)
    back = [quantize("x", "s", "zero"), dequantize("q", "s", "zero")]
    assert_agrees(model_of(back, {"x": (3, 4)}, ["y"], constants, opset), tmp_path, low=-5, high=5)


def test_without_zero_point(tmp_path):
    assert_agrees(chain([quantize("x", "s")], (3, 4), {"s": f32(0.02)}), tmp_path, low=-5, high=5)
    nodes = [quantize("x", "s"), dequantize("q", "s")]
    assert_agrees(model_of(nodes, {"x": (3, 4)}, ["y"], {"s": f32(0.02)}), tmp_path, low=-5, high=5)
    nodes = [quantize("x", "s", output_dtype=TensorProto.INT8), dequantize("q", "s")]
    assert_agrees(model_of(nodes, {"x": (3, 4)}, ["y"], {"s": f32(0.02)}, 21), tmp_path, low=-5, high=5)


@pytest.mark.parametrize("axis", [None, 0, -1])
def test_scales_along_an_axis(tmp_path, axis):
    count = (2, 3, 4)[1 if axis is None else axis]
    constants = {"s": draw(count, low=0.01, high=0.1), "zero": whole(count)}
    given = {} if axis is None else {"axis": axis}
    nodes = [quantize("x", "s", "zero", **given), dequantize("q", "s", "zero", **given)]
    for opset in (13, 19, 23):
        assert_agrees(model_of(nodes, {"x": (2, 3, 4)}, ["y"], constants, opset), tmp_path, low=-5, high=5)


def test_scales_by_blocks(tmp_path):
    constants = {"s": draw(2, 2, 4, low=0.01, high=0.1), "zero": whole(2, 2, 4, dtype=np.uint8)}
    nodes = [quantize("x", "s", "zero", block_size=2, axis=1), dequantize("q", "s", "zero", block_size=2, axis=1)]
    assert_agrees(model_of(nodes, {"x": (2, 3, 4)}, ["y"], constants, 21), tmp_path, low=-5, high=5)


@pytest.mark.parametrize("kind", [TensorProto.INT4, TensorProto.UINT4])
def test_four_bits(tmp_path, kind):
    zero = helper.make_tensor("zero", kind, [], [3])
    nodes = [quantize("x", "s", "zero"), dequantize("q", "s", "zero")]
    model = model_of(nodes, {"x": (3, 4)}, ["y"], {"s": np.float32(0.4)}, 21)
    model.graph.initializer.append(zero)
    assert_agrees(model, tmp_path, low=-5, high=5)


def test_fake_quantisation(tmp_path):
    nodes = [
        helper.make_node("Div", ["x", "s"], ["a"]),
        helper.make_node("Round", ["a"], ["b"]),
        helper.make_node("Clip", ["b", "low", "high"], ["c"]),
        helper.make_node("Mul", ["c", "s"], ["y"]),
    ]
    constants = {"s": np.float32(0.1), "low": np.float32(-8), "high": np.float32(7)}
    assert_agrees(model_of(nodes, {"x": (3, 4)}, ["y"], constants), tmp_path)


def test_dynamic(tmp_path):
    for low, high in [(-2, 2), (0.5, 2), (-3, -1)]:
        model = model_of(
            [
                helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
                helper.make_node("Cast", ["q"], ["y"], to=1),
                helper.make_node("Cast", ["z"], ["zero"], to=1),
            ],
            {"x": (3, 4)}, ["y", "s", "zero"], opset=11,
        )  # fmt: skip
        assert_agrees(model, tmp_path, low, high)


@pytest.mark.parametrize("per_column", [False, True])
@pytest.mark.parametrize("types", [(np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8)])
def test_matmul_integer(tmp_path, types, per_column):
    a, b = types
    zeros = whole(4, dtype=b) if per_column else b(5)
    constants = {"s": np.float32(0.03), "za": a(7), "B": whole(3, 4, dtype=b), "zb": zeros}
    node = helper.make_node("MatMulInteger", ["p", "B", "za", "zb"], ["q"])
    assert_agrees(chain([quantize("x", "s", "za", out="p"), node], (2, 3), constants), tmp_path)
    node = helper.make_node("MatMulInteger", ["p", "B"], ["q"])
    assert_agrees(chain([quantize("x", "s", "za", out="p"), node], (2, 3), constants), tmp_path)


def test_matmul_integer_of_dynamic_operands(tmp_path):
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["p", "s", "z"]),
        helper.make_node("MatMulInteger", ["p", "B", "z", "zb"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=1),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    constants = {"B": whole(3, 4), "zb": np.int8(3)}
    assert_agrees(model_of(nodes, {"x": (2, 3)}, ["y"], constants), tmp_path)


@pytest.mark.parametrize("opset", [10, 21])
def test_qlinear_matmul(tmp_path, opset):
    constants = {
        "s": np.float32(0.03), "za": np.uint8(100), "B": whole(3, 4), "sb": draw(4, low=0.01, high=0.05),
        "zb": whole(4, seed=1), "sy": np.float32(0.1), "zy": np.uint8(120),
    }  # fmt: skip
    node = helper.make_node("QLinearMatMul", ["p", "s", "za", "B", "sb", "zb", "sy", "zy"], ["q"])
    assert_agrees(chain([quantize("x", "s", "za", out="p"), node], (2, 3), constants, opset), tmp_path)
    constants.update(sb=np.float32(0.02), zb=np.int8(5))
    assert_agrees(chain([quantize("x", "s", "za", out="p"), node], (5, 2, 3), constants, opset), tmp_path)


CONVOLUTIONS = [
    {}, {"pads": [1, 0, 2, 1], "strides": [2, 1]}, {"dilations": [2, 1], "kernel_shape": [2, 2]},
    {"auto_pad": "SAME_LOWER"}, {"group": 2, "pads": [1, 1, 1, 1]},
]  # fmt: skip


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
def test_qlinear_conv(tmp_path, attributes):
    channels = 2 // attributes.get("group", 1)
    constants = {
        "s": np.float32(0.03), "zx": np.uint8(100), "W": whole(4, channels, 2, 2), "sw": draw(4, low=0.01, high=0.03),
        "zw": np.zeros(4, np.int8), "sy": np.float32(0.1), "zy": np.uint8(120),
        "B": np.array([100, -200, 300, 50], np.int32),
    }  # fmt: skip
    for extra in (["B"], []):
        node = helper.make_node("QLinearConv", ["p", "s", "zx", "W", "sw", "zw", "sy", "zy", *extra], ["q"],
                                **attributes)  # fmt: skip
        assert_agrees(chain([quantize("x", "s", "zx", out="p"), node], (1, 2, 5, 4), constants), tmp_path)


def test_a_bias_that_may_wrap_around_is_refused(tmp_path):
    constants = {
        "s": np.float32(0.03), "zx": np.uint8(0), "W": whole(1, 1, 1, 1, dtype=np.int8), "sw": np.float32(0.1),
        "zw": np.int8(0), "sy": np.float32(1.0), "zy": np.uint8(0), "B": np.array([2**31 - 5], np.int32),
    }  # fmt: skip
    node = helper.make_node("QLinearConv", ["p", "s", "zx", "W", "sw", "zw", "sy", "zy", "B"], ["q"])
    with pytest.raises(ModelError, match="wrap around"):
        load(chain([quantize("x", "s", "zx", out="p"), node], (1, 1, 2, 2), constants), tmp_path)


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
def test_conv_integer(tmp_path, attributes):
    channels = 2 // attributes.get("group", 1)
    constants = {"s": np.float32(0.03), "zx": np.uint8(100), "W": whole(4, channels, 2, 2, dtype=np.uint8),
                 "zw": np.uint8(9)}  # fmt: skip
    for zeros in (["zx", "zw"], ["zx"], []):
        node = helper.make_node("ConvInteger", ["p", "W", *zeros], ["q"], **attributes)
        assert_agrees(chain([quantize("x", "s", "zx", out="p"), node], (1, 2, 5, 4), constants), tmp_path)


def test_what_is_refused(tmp_path):
    nodes = [quantize("x", "s", output_dtype=TensorProto.FLOAT8E4M3FN), dequantize("q", "s")]
    with pytest.raises(ModelError, match="to float8_e4m3fn is not supported"):
        load(model_of(nodes, {"x": (3, 4)}, ["y"], {"s": f32(0.02)}, 21), tmp_path)
    with pytest.raises(ModelError, match="a scale is not above 0"):
        load(chain([quantize("x", "s")], (3, 4), {"s": f32(0.0)}), tmp_path)
    constants = {"s": np.float32(0.03), "za": np.int8(7), "B": whole(40_000, 1)}
    node = helper.make_node("MatMulInteger", ["p", "B"], ["q"])
    with pytest.raises(ModelError, match="sums of 40000 products of integers may wrap around"):
        load(chain([quantize("x", "s", "za", out="p"), node], (1, 40_000), constants), tmp_path)


def runtime_model(op, operands, shape, constants, **attributes):
    """One of ONNX Runtime's own operators on `p`, x quantised to uint8."""
    node = helper.make_node(op, operands, ["q"], domain="com.microsoft", **attributes)
    known = {"s": np.float32(0.03), "z": np.uint8(100), "sy": np.float32(0.1137), "zy": np.uint8(130), **constants}
    model = chain([quantize("x", "s", "z", out="p"), node], shape, known)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def test_operators_of_the_runtime(tmp_path):
    other = {"c": whole(3, 1, dtype=np.uint8), "sc": np.float32(0.02), "zc": np.uint8(77)}
    image = ["p", "s", "z", "sy", "zy"]
    two = ["p", "s", "z", "c", "sc", "zc"]
    for op, operands, shape, constants, attributes in [
        ("QLinearAdd", [*two, "sy", "zy"], (2, 3, 4), other, {}),
        ("QLinearMul", [*two, "sy", "zy"], (2, 3, 4), other, {}),
        ("QLinearConcat", ["sy", "zy", *two], (3, 2), other, {"axis": 1}),
        ("QLinearSigmoid", ["p", "s", "z", "s8", "z8"], (2, 3), {"s8": np.float32(0.004), "z8": np.uint8(3)}, {}),
        ("QLinearLeakyRelu", image, (2, 3), {}, {"alpha": 0.3}),
        ("QLinearGlobalAveragePool", image, (1, 2, 3, 4), {}, {}),
        ("QLinearAveragePool", image, (1, 2, 5, 4), {}, {"kernel_shape": [2, 3], "strides": [2, 1]}),
        ("QLinearAveragePool", image, (1, 2, 5, 4), {}, {"kernel_shape": [2, 2], "pads": [1, 0, 1, 1]}),
    ]:
        assert_agrees(runtime_model(op, operands, shape, constants, **attributes), tmp_path)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_of_the_runtime(tmp_path, transposed):
    constants = {"B": whole(3, 4), "sb": np.float32(0.02), "zb": np.int8(0), "C": np.array([90, -80, 70, 5], np.int32)}
    constants["B"] = constants["B"].T if transposed else constants["B"]
    operands = ["p", "s", "z", "B", "sb", "zb"]
    for extra in ([], ["C"], ["C", "sy", "zy"], ["", "sy", "zy"]):
        model = runtime_model("QGemm", [*operands, *extra], (2, 3), constants, transB=transposed)
        assert_agrees(model, tmp_path)
    constants.update(sb=draw(4, low=0.01, high=0.05), zb=np.zeros(4, np.int8))
    model = runtime_model("QGemm", [*operands, "C", "sy", "zy"], (2, 3), constants, transB=transposed)
    assert_agrees(model, tmp_path)


def test_products_of_the_runtime(tmp_path):
    constants = {"B": whole(3, 4), "sb": draw(4, low=0.01, high=0.05), "zb": whole(4, seed=2), "C": draw(4)}
    for extra in ([], ["z"], ["z", "zb"], ["z", "zb", "C"]):
        assert_agrees(runtime_model("MatMulIntegerToFloat", ["p", "B", "s", "sb", *extra], (2, 3), constants), tmp_path)
