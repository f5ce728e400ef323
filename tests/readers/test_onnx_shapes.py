"""Operators that move entries, and constants, against ONNX Runtime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.readers.onnx_models import assert_agrees, draw, f32, i64, load, model_of, operator


@pytest.mark.parametrize("opset", [7, 13, 14, 21])
@pytest.mark.parametrize("shape", [(6, 4), (0, -1), (2, 0, 4, 1), (-1,)])
def test_reshape(tmp_path, shape, opset):
    assert_agrees(operator("Reshape", (2, 3, 4), i64(*shape), opset=opset), tmp_path)


@pytest.mark.parametrize("opset", [7, 9, 11, 13])
@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_flatten(tmp_path, axis, opset):
    assert_agrees(operator("Flatten", (2, 3, 4), opset=opset, axis=axis), tmp_path)


def test_flatten_from_the_back(tmp_path):
    assert_agrees(operator("Flatten", (2, 3, 4), axis=-1), tmp_path)


def test_squeeze_and_unsqueeze(tmp_path):
    for opset in (7, 11):
        assert_agrees(operator("Squeeze", (1, 3, 1, 2), opset=opset, axes=[0, 2]), tmp_path)
        assert_agrees(operator("Unsqueeze", (3, 2), opset=opset, axes=[0, 3]), tmp_path)
    assert_agrees(operator("Squeeze", (1, 3, 1, 2), opset=9), tmp_path)
    assert_agrees(operator("Squeeze", (1, 3, 1, 2), i64(-2)), tmp_path)
    assert_agrees(operator("Squeeze", (1, 3, 1, 2)), tmp_path)
    assert_agrees(operator("Unsqueeze", (3, 2), i64(-1, 0)), tmp_path)


@pytest.mark.parametrize("perm", [None, [2, 0, 1], [0, 2, 1]])
def test_transpose(tmp_path, perm):
    for opset in (7, 13, 21):
        assert_agrees(operator("Transpose", (2, 3, 4), opset=opset, **({"perm": perm} if perm else {})), tmp_path)


@pytest.mark.parametrize("shape", [(3, 4), (3, 1), (2, 1, 3, 4), (1,)])
def test_expand(tmp_path, shape):
    for opset in (8, 13):
        assert_agrees(operator("Expand", (3, 1), i64(*shape), opset=opset), tmp_path)


def test_tile(tmp_path):
    for opset in (7, 13):
        assert_agrees(operator("Tile", (2, 3), i64(2, 3), opset=opset), tmp_path)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_concat(tmp_path, axis):
    for opset in (7, 11, 13):
        assert_agrees(operator("Concat", (2, 3), draw(2, 3), (2, 3), opset=opset, axis=axis), tmp_path)


SLICES = [
    ([1], [3], [1], [1]),
    ([0, 1], [2, 2**31], [0, 2], [1, 2]),
    ([-1], [-(2**31)], [1], [-1]),
    ([-2, 3], [-100, 0], [1, 2], [-1, -2]),
    ([5], [1], [2], [-2]),
    ([-3], [-1], [-1], [1]),
    ([-100], [-(2**31)], [1], [-1]),
    ([100, -100], [-100, 100], [1, 2], [-1, 4]),
    ([0], [-1], [1], [-1]),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
def test_slice(tmp_path, starts, ends, axes, steps):
    for opset in (10, 11, 13):
        model = operator("Slice", (2, 3, 6), i64(*starts), i64(*ends), i64(*axes), i64(*steps), opset=opset)
        assert_agrees(model, tmp_path)


def test_slice_by_attributes_and_without_axes(tmp_path):
    assert_agrees(operator("Slice", (2, 3, 6), opset=7, starts=[1, -4], ends=[3, 100], axes=[1, 2]), tmp_path)
    assert_agrees(operator("Slice", (2, 3, 6), opset=9, starts=[0, 1], ends=[1, 3]), tmp_path)
    assert_agrees(operator("Slice", (2, 3, 6), i64(1, 1), i64(2, 3)), tmp_path)


@pytest.mark.parametrize("largest", [2**31 - 1, 2**63 - 1])
def test_slice_to_the_end(tmp_path, largest):
    assert_agrees(operator("Slice", (2, 6), i64(1), i64(largest), i64(1), i64(2)), tmp_path)
    assert_agrees(operator("Slice", (2, 6), i64(-4), i64(largest), i64(-1)), tmp_path)
    assert_agrees(operator("Slice", (2, 6), opset=9, starts=[3], ends=[largest], axes=[1]), tmp_path)
    assert_agrees(operator("Slice", (2, 6), i64(largest), i64(-largest), i64(1), i64(-2)), tmp_path)
    assert_agrees(operator("Slice", (2, 6), i64(4), i64(-largest - 1), i64(1), i64(-1)), tmp_path)


def test_split(tmp_path):
    for opset in (7, 11):
        assert_agrees(operator("Split", (2, 6), opset=opset, outputs=2, axis=1, split=[2, 4]), tmp_path)
        assert_agrees(operator("Split", (2, 6), opset=opset, outputs=3, axis=1), tmp_path)
    assert_agrees(operator("Split", (2, 6), i64(1, 5), outputs=2, axis=-1), tmp_path)
    assert_agrees(operator("Split", (2, 6), outputs=2), tmp_path)
    assert_agrees(operator("Split", (2, 7), opset=18, outputs=3, axis=1, num_outputs=3), tmp_path)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("indices", [np.array(1), i64(0, -1), i64(0, 1, 1, 0).reshape(2, 2)])
def test_gather(tmp_path, axis, indices):
    for opset in (7, 11, 13):
        if opset < 11:
            indices = np.abs(indices)
        assert_agrees(operator("Gather", (2, 3, 4), indices, opset=opset, axis=axis), tmp_path)


def test_gather_and_scatter_with_known_indices(tmp_path):
    assert_agrees(operator("GatherElements", (2, 3), i64(0, -1, 0).reshape(1, 3), axis=0), tmp_path)
    assert_agrees(operator("GatherElements", (2, 3), i64(2, 0, 0, -1).reshape(2, 2), axis=1), tmp_path)
    assert_agrees(operator("GatherND", (2, 3, 4), i64(0, -1, 1, 2).reshape(2, 2)), tmp_path)
    assert_agrees(operator("ScatterND", (4, 2), i64(2, -4).reshape(2, 1), (2, 2)), tmp_path)
    assert_agrees(operator("ScatterND", draw(4, 2), i64(2, 1, 0, 0).reshape(2, 2), (2,), opset=18), tmp_path)
    assert_agrees(operator("ScatterElements", (2, 3), i64(1, 0, -1).reshape(1, 3), (1, 3)), tmp_path)
    assert_agrees(operator("ScatterElements", (2, 3), i64(1, 0, 0, -1).reshape(2, 2), draw(2, 2), axis=1), tmp_path)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_pad(tmp_path, mode):
    pads = [0, 1, 2, 0, 2, 1]
    assert_agrees(operator("Pad", (2, 3, 4), opset=7, mode=mode, pads=pads, value=1.5), tmp_path)
    for opset in (11, 13, 18, 21):
        assert_agrees(operator("Pad", (2, 3, 4), i64(*pads), np.float32(-2), opset=opset, mode=mode), tmp_path)


def test_pad_that_crops_wraps_or_names_axes(tmp_path):
    assert_agrees(operator("Pad", (2, 3, 4), i64(0, -1, 2, 0, 1, -2)), tmp_path)
    assert_agrees(operator("Pad", (2, 3, 4), i64(0, 1, 2, 0, 0, 1), opset=19, mode="wrap"), tmp_path)
    assert_agrees(operator("Pad", (2, 3, 4), i64(1, 2, 0, 1), None, i64(-1, 1), opset=18), tmp_path)


def test_where(tmp_path):
    condition = np.array([[True, False, True]])
    for opset in (9, 16):
        assert_agrees(operator("Where", condition, (2, 3), (2, 1), opset=opset), tmp_path)
        assert_agrees(operator("Where", condition, (2, 3), draw(3), opset=opset), tmp_path)


def test_trilu(tmp_path):
    assert_agrees(operator("Trilu", (2, 3, 3), opset=14, upper=0), tmp_path)
    assert_agrees(operator("Trilu", (2, 3, 3), np.int64(1), opset=14), tmp_path)
    assert_agrees(operator("Trilu", (2, 3, 3), np.int64(0), opset=14, upper=1), tmp_path)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(tmp_path, mode):
    assert_agrees(operator("DepthToSpace", (2, 8, 2, 3), opset=11, blocksize=2, mode=mode), tmp_path)


def test_space_to_depth(tmp_path):
    assert_agrees(operator("SpaceToDepth", (2, 3, 4, 6), blocksize=2), tmp_path)


def test_identity_dropout_and_casts(tmp_path):
    for opset in (7, 12, 13, 22):
        assert_agrees(operator("Dropout", (2, 3), opset=opset), tmp_path)
        assert_agrees(operator("Identity", (2, 3), opset=opset), tmp_path)
    nodes = [
        helper.make_node("Cast", ["x"], ["d"], to=TensorProto.DOUBLE),
        helper.make_node("Cast", ["d"], ["y"], to=TensorProto.FLOAT),
    ]
    assert_agrees(model_of(nodes, {"x": (2, 3)}, ["y"]), tmp_path)


def test_constants_of_every_form(tmp_path):
    forms = [
        {"value": numpy_helper.from_array(f32(1, 2, 3))},
        {"value_float": 1.5},
        {"value_floats": [1.5, 2.5, -1.0]},
    ]
    for form in forms:
        nodes = [helper.make_node("Constant", [], ["c"], **form), helper.make_node("Mul", ["x", "c"], ["y"])]
        assert_agrees(model_of(nodes, {"x": (2, 3)}, ["y"]), tmp_path)
    for form in ({"value_int": 1}, {"value_ints": [0, 1, 1]}):
        nodes = [helper.make_node("Constant", [], ["c"], **form), helper.make_node("Gather", ["x", "c"], ["y"])]
        assert_agrees(model_of(nodes, {"x": (2, 3)}, ["y"]), tmp_path)


def test_shapes_computed_from_shapes(tmp_path):
    """What old torch exporters write for x.view(x.size(0), -1), with arithmetic on the sizes."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["batch"], axis=0),
        helper.make_node("Mul", ["batch", "two"], ["twice"]),
        helper.make_node("Unsqueeze", ["twice", "axes"], ["first"]),
        helper.make_node("Concat", ["first", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["r"]),
        helper.make_node("Size", ["r"], ["size"]),
        helper.make_node("Cast", ["size"], ["sizef"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["r", "sizef"], ["y"]),
    ]
    constants = {"zero": np.asarray(np.int64(0)), "two": np.asarray(np.int64(2)), "axes": i64(0), "rest": i64(-1)}
    assert_agrees(model_of(nodes, {"x": (2, 3, 4)}, ["y"], constants), tmp_path)


def test_part_of_a_shape_and_a_filled_tensor(tmp_path):
    nodes = [
        helper.make_node("Shape", ["x"], ["tail"], start=1, end=-1),
        helper.make_node("ConstantOfShape", ["tail"], ["ones"], value=numpy_helper.from_array(f32(1.5))),
        helper.make_node("ConstantOfShape", ["tail"], ["zeros"]),
        helper.make_node("Unsqueeze", ["ones", "axes"], ["column"]),
        helper.make_node("Add", ["x", "column"], ["y"]),
        helper.make_node("Add", ["zeros", "w"], ["unused"]),
    ]
    model = model_of(nodes, {"x": (2, 3, 4)}, ["y"], {"axes": i64(1), "w": f32(1)}, opset=15)
    assert_agrees(model, tmp_path)


def test_reshapes_make_no_nodes(tmp_path):
    nodes = [
        helper.make_node("Flatten", ["x"], ["a"]),
        helper.make_node("Reshape", ["a", "shape"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=[1, 0]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    model = model_of(nodes, {"x": (1, 2, 3)}, ["y"], {"shape": i64(6, 1)})
    assert len(load(model, tmp_path, simplify=False).nodes) == 2


def test_where_with_constant_minus_infinity_elsewhere(tmp_path):
    """An infinite constant is no fault where none of it reaches the result."""
    model = operator("Where", np.array([True, True]), (2,), f32(-np.inf, -np.inf))
    assert_agrees(model, tmp_path)
    assert isinstance(model, onnx.ModelProto)
