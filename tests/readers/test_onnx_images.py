"""Convolutions, poolings, normalisations, resizing, reductions and softmax against ONNX Runtime."""

import numpy as np
import onnx
import pytest

from tests.readers.onnx_models import assert_agrees, draw, f32, i64, load, model_of, operator
from verifier.errors import ModelError

CONVOLUTIONS = [
    {},
    {"strides": [2, 1], "pads": [1, 0, 2, 1]},
    {"dilations": [2, 1], "pads": [2, 1, 2, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 3]},
    {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"auto_pad": "VALID", "strides": [1, 2]},
    {"kernel_shape": [2, 3]},
]


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
@pytest.mark.parametrize("groups", [1, 2])
def test_conv(tmp_path, attributes, groups):
    for opset in (7, 11, 22):
        kernel = draw(4, 4 // groups, 2, 3)
        model = operator("Conv", (2, 4, 6, 7), kernel, draw(4, seed=1), opset=opset, group=groups, **attributes)
        assert_agrees(model, tmp_path, points=1)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_conv_with_a_stride_beyond_its_kernel_is_not_padded(tmp_path, mode):
    for size, strides in (((5, 6), [3, 4]), ((6, 7), [4, 2]), ((9, 8), [4, 3])):
        kernel = draw(1, 1, 1, 2)
        model = operator("Conv", (1, 1, *size), kernel, auto_pad=mode, strides=strides)
        assert_agrees(model, tmp_path)


def test_conv_of_one_and_three_dimensions(tmp_path):
    assert_agrees(operator("Conv", (1, 2, 9), draw(3, 2, 4), strides=[2], pads=[1, 2]), tmp_path)
    assert_agrees(operator("Conv", (1, 2, 4, 5, 3), draw(3, 2, 2, 3, 2), pads=[1, 0, 0, 1, 1, 0]), tmp_path)


TRANSPOSED = [
    {},
    {"strides": [2, 3], "pads": [1, 0, 0, 1]},
    {"strides": [2, 3], "output_padding": [1, 2]},
    {"strides": [3, 2], "output_padding": [1, 1], "pads": [1, 1, 1, 1]},
    {"dilations": [2, 1], "pads": [1, 1, 0, 0]},
    {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"strides": [2, 2], "auto_pad": "VALID"},
    {"strides": [2, 2], "output_shape": [7, 8]},
    {"strides": [2, 2], "output_shape": [8, 9], "auto_pad": "SAME_UPPER"},
    {"strides": [3, 3], "output_shape": [10, 13], "output_padding": [1, 1]},
]


@pytest.mark.parametrize("attributes", TRANSPOSED)
@pytest.mark.parametrize("groups", [1, 2])
def test_conv_transpose(tmp_path, attributes, groups):
    for opset in (7, 11, 22):
        kernel = draw(4, 3, 2, 3)
        model = operator(
            "ConvTranspose", (2, 4, 4, 5), kernel, draw(3 * groups), opset=opset, group=groups, **attributes
        )
        assert_agrees(model, tmp_path, points=1)


def test_conv_transpose_of_one_dimension(tmp_path):
    assert_agrees(operator("ConvTranspose", (1, 2, 5), draw(2, 3, 4), strides=[2], pads=[1, 2]), tmp_path)


POOLS = [
    {"kernel_shape": [2, 2]},
    {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]},
    {"kernel_shape": [2, 3], "auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"kernel_shape": [2, 3], "auto_pad": "SAME_LOWER", "strides": [2, 2]},
    {"kernel_shape": [3, 3], "auto_pad": "VALID", "strides": [2, 2]},
]
CEIL_POOLS = [
    {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [1, 1, 1, 1]},
    {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [0, 1, 0, 1]},
]


@pytest.mark.parametrize("attributes", POOLS + CEIL_POOLS)
@pytest.mark.parametrize("opset", [7, 10, 12, 22])
def test_max_pool(tmp_path, attributes, opset):
    if "ceil_mode" in attributes:  # which came with operator set 10
        opset = max(opset, 10)
    assert_agrees(operator("MaxPool", (2, 2, 5, 7), opset=opset, **attributes), tmp_path, low=-3, high=-1)


def test_max_pool_with_dilations_and_other_dimensions(tmp_path):
    assert_agrees(operator("MaxPool", (1, 2, 7, 7), kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 1, 1, 1]), tmp_path)
    assert_agrees(operator("MaxPool", (1, 2, 7), kernel_shape=[3], strides=[2]), tmp_path)
    assert_agrees(operator("MaxPool", (1, 1, 3, 4, 3), kernel_shape=[2, 2, 3]), tmp_path)


@pytest.mark.parametrize("attributes", POOLS + CEIL_POOLS)
@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("opset", [7, 11, 19, 22])
def test_average_pool(tmp_path, attributes, include, opset):
    if "ceil_mode" in attributes:  # which came with operator set 10
        opset = max(opset, 10)
    model = operator("AveragePool", (2, 2, 5, 7), opset=opset, count_include_pad=include, **attributes)
    assert_agrees(model, tmp_path, points=1)


@pytest.mark.parametrize("include", [0, 1])
def test_average_pool_with_dilations(tmp_path, include):
    attributes = {"kernel_shape": [2, 2], "dilations": [2, 3], "pads": [1, 1, 1, 1]}
    assert_agrees(operator("AveragePool", (1, 2, 6, 7), opset=19, count_include_pad=include, **attributes), tmp_path)


def test_global_pools(tmp_path):
    for op in ("GlobalMaxPool", "GlobalAveragePool"):
        for opset in (7, 22):
            assert_agrees(operator(op, (2, 3, 3, 5), opset=opset), tmp_path)
        assert_agrees(operator(op, (2, 3, 5)), tmp_path)


def _batch_parameters(*shape: int) -> list[np.ndarray]:
    return [draw(*shape, seed=k, low=0.1 if k == 3 else -1.0) for k in range(4)]


@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_normalization(tmp_path, opset):
    for shape in ((2, 3, 2, 2), (2, 3), (1, 3, 4)):
        model = operator("BatchNormalization", shape, *_batch_parameters(3), opset=opset, epsilon=0.01)
        assert_agrees(model, tmp_path)


def test_layer_and_instance_normalization(tmp_path):
    assert_agrees(
        operator("LayerNormalization", (2, 3, 4), draw(4), draw(4, seed=1), opset=17), tmp_path, tolerance=1e-5
    )
    model = operator("LayerNormalization", (2, 3, 4), draw(3, 4), opset=17, axis=1, epsilon=0.1)
    assert_agrees(model, tmp_path, tolerance=1e-5)
    for opset in (7, 22):
        model = operator("InstanceNormalization", (2, 3, 4), draw(3), draw(3, seed=1), opset=opset, epsilon=0.1)
        assert_agrees(model, tmp_path, tolerance=1e-5)


REDUCTIONS = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"]


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("axes", [[1], [0, 2], [-1], [1, 2], None])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions(tmp_path, op, axes, keepdims):
    for opset in (7, 11, 13, 18, 20):
        by_input = opset >= (13 if op == "ReduceSum" else 18)
        operands = [i64(*axes)] if by_input and axes else []
        attributes = {"axes": axes} if axes and not by_input else {}
        model = operator(op, (2, 3, 4), *operands, opset=opset, keepdims=keepdims, **attributes)
        assert_agrees(model, tmp_path, points=1)


@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMean", "ReduceMax"])
def test_reduction_of_no_axes(tmp_path, op):
    assert_agrees(operator(op, (2, 3), opset=18, noop_with_empty_axes=1), tmp_path)
    assert_agrees(operator(op, (2, 3), i64(), opset=18, noop_with_empty_axes=1), tmp_path)
    assert_agrees(operator(op, (2, 3), i64(), opset=18, noop_with_empty_axes=0), tmp_path)


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("axis", [None, 0, 1, 2, -1, -2])
def test_softmax(tmp_path, op, axis):
    for opset in (7, 11, 13):
        if opset < 11 and axis is not None and axis < 0:
            continue
        attributes = {} if axis is None else {"axis": axis}
        assert_agrees(operator(op, (2, 3, 4), opset=opset, **attributes), tmp_path, low=-5, high=5)


def test_softmax_of_large_numbers(tmp_path):
    assert_agrees(operator("Softmax", (1, 4)), tmp_path, low=-500, high=500)


@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 2.5, 1.7), (1, 1, 0.6, 0.4), (1, 1, 2, 0.5)])
def test_upsample(tmp_path, scales):
    grows = min(scales) >= 1
    for mode in ("nearest", "linear"):
        assert_agrees(operator("Resize", (1, 2, 5, 4), f32(*scales), opset=10, mode=mode), tmp_path)
        if grows:
            assert_agrees(
                operator("Upsample", (1, 2, 5, 4), opset=7, mode=mode, scales=[float(s) for s in scales]), tmp_path
            )
            assert_agrees(operator("Upsample", (1, 2, 5, 4), f32(*scales), opset=9, mode=mode), tmp_path)


TRANSFORMATIONS = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("size", [(10, 8), (3, 2), (7, 6), (1, 9)])
def test_resize_nearest(tmp_path, transformation, nearest, size):
    attributes = {"mode": "nearest", "coordinate_transformation_mode": transformation, "nearest_mode": nearest}
    for opset in (11, 13, 18):
        model = operator("Resize", (1, 2, 5, 4), None, None, i64(1, 2, *size), opset=opset, **attributes)
        if opset < 13:  # there, the operands left out must be given, empty
            model = operator("Resize", (1, 2, 5, 4), f32(), f32(), i64(1, 2, *size), opset=opset, **attributes)
        assert_agrees(model, tmp_path, points=1)


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
@pytest.mark.parametrize("scales", [(2, 3), (2.5, 1.7), (0.6, 0.4), (1, 1), (0.2, 2)])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_by_scales(tmp_path, transformation, scales, mode):
    attributes = {"mode": mode, "coordinate_transformation_mode": transformation}
    for opset in (11, 13, 19):
        model = operator("Resize", (1, 2, 5, 4), f32(), f32(1, 1, *scales), opset=opset, **attributes)
        assert_agrees(model, tmp_path, points=1)


def test_resize_of_named_axes(tmp_path):
    model = operator("Resize", (1, 2, 5, 4), None, None, i64(7, 3), opset=18, mode="linear", axes=[2, 3])
    assert_agrees(model, tmp_path)
    for policy in ("not_larger", "not_smaller"):
        attributes = {"mode": "nearest", "axes": [2, 3], "keep_aspect_ratio_policy": policy}
        assert_agrees(operator("Resize", (1, 2, 5, 4), None, None, i64(7, 9), opset=18, **attributes), tmp_path)
    model = operator(
        "Resize", (1, 2, 5, 4), None, f32(1, 1, 1.3, 2.6), opset=19, mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    )  # fmt: skip
    assert_agrees(model, tmp_path)


def test_softmax_of_scores_masked_by_minus_infinity(tmp_path):
    mask = np.triu(np.full((3, 3), -np.inf, np.float32), 1)
    nodes = [
        onnx.helper.make_node("Add", ["x", "mask"], ["s"]),
        onnx.helper.make_node("Softmax", ["s"], ["y"], axis=-1),
    ]
    assert_agrees(model_of(nodes, {"x": (1, 3, 3)}, ["y"], {"mask": mask}), tmp_path)
    where = onnx.helper.make_node("Where", ["chosen", "mask", "x"], ["s"])  # as torch exports masked_fill
    constants = {"chosen": np.isneginf(mask), "mask": np.float32(-np.inf)}
    assert_agrees(model_of([where, nodes[1]], {"x": (1, 3, 3)}, ["y"], constants), tmp_path)


def test_minus_infinity_is_refused_where_it_is_no_mask(tmp_path):
    mask = np.array([0, -np.inf], np.float32)
    add = onnx.helper.make_node("Add", ["x", "mask"], ["s"], "it")
    relu = onnx.helper.make_node("Relu", ["s"], ["y"], "that")
    whole = onnx.helper.make_node("Softmax", ["s"], ["y"], "that", axis=-1)
    for nodes, constant, told in (
        ([add, relu], mask, "'that'.*before Softmax only"),
        ([onnx.helper.make_node("Add", ["x", "mask"], ["y"], "it")], mask, "output 'y' are minus infinity"),
        ([add, whole], np.full(2, -np.inf, np.float32), "'that'.*every entry of a row"),
        ([add, relu], -mask, "'it'.*NaN or infinity"),
    ):
        with pytest.raises(ModelError, match=told):
            load(model_of(nodes, {"x": (1, 2)}, ["y"], {"mask": constant}), tmp_path)
