"""Normalisations, reductions, elementary functions and Einsum against ONNX Runtime."""

import numpy as np
import pytest

from tests.readers.onnx_models import assert_agrees, draw, f32, i64, load, operator
from verifier.errors import ModelError


@pytest.mark.parametrize("op", ["Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Atanh"])
def test_elementary(tmp_path, op):
    for opset in (9, 13, 22):
        assert_agrees(operator(op, (2, 3), opset=opset), tmp_path, low=-0.95, high=0.95)


def test_inverse_of_cosh(tmp_path):
    for opset in (9, 22):
        assert_agrees(operator("Acosh", (2, 3), opset=opset), tmp_path, low=1.0, high=5.0)


def test_activations_that_jump(tmp_path):
    for alpha in (None, 0.4, -0.3, 0.0):
        given = {} if alpha is None else {"alpha": alpha}
        for opset in (10, 22):
            assert_agrees(operator("ThresholdedRelu", (4, 5), opset=opset, **given), tmp_path)
    for given in ({}, {"lambd": 0.3, "bias": 0.2}, {"lambd": 0.7, "bias": 0.7}, {"lambd": 0.4, "bias": -0.5}):
        assert_agrees(operator("Shrink", (4, 5), opset=9, **given), tmp_path)


def test_group_normalization(tmp_path):
    for opset, count in ((18, 2), (21, 4)):
        for given in ({}, {"epsilon": 0.3}):
            operands = ((2, 4, 3, 2), draw(count), draw(count, seed=1))
            assert_agrees(operator("GroupNormalization", *operands, opset=opset, num_groups=2, **given), tmp_path)


def test_mean_variance_normalization(tmp_path):
    for opset in (9, 13):
        for given in ({}, {"axes": [1, 3]}, {"axes": [-1]}):
            assert_agrees(operator("MeanVarianceNormalization", (2, 3, 4, 2), opset=opset, **given), tmp_path)


def test_rms_normalization(tmp_path):
    for given, scale in (({}, (4,)), ({"axis": 1, "epsilon": 0.2}, (3, 4)), ({"axis": -2}, (3, 1))):
        assert_agrees(operator("RMSNormalization", (2, 3, 4), draw(*scale), opset=23, **given), tmp_path)


def test_lp_normalization(tmp_path):
    for opset in (7, 22):
        for given in ({}, {"p": 1}, {"p": 2, "axis": 1}, {"p": 1, "axis": 0}):
            assert_agrees(operator("LpNormalization", (2, 3, 4), opset=opset, **given), tmp_path)
    network = load(operator("LpNormalization", (2, 3)), tmp_path)
    assert not network.forward(np.zeros((1, 6))).any()


def test_local_response_normalization(tmp_path):
    for opset in (7, 13):
        for given in ({"size": 3}, {"size": 5, "alpha": 0.5, "beta": 0.6, "bias": 1.4}, {"size": 1, "alpha": 2.0}):
            assert_agrees(operator("LRN", (2, 4, 3, 2), opset=opset, **given), tmp_path)


@pytest.mark.parametrize("op", ["ReduceLogSum", "ReduceLogSumExp", "ReduceProd"])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions(tmp_path, op, keepdims):
    for axes in ([1], [0, 2], [-1]):
        for opset in (7, 11, 13):
            model = operator(op, (2, 3, 4), opset=opset, axes=axes, keepdims=keepdims)
            assert_agrees(model, tmp_path, low=0.3)
        assert_agrees(operator(op, (2, 3, 4), i64(*axes), opset=18, keepdims=keepdims), tmp_path, low=0.3)
    assert_agrees(operator(op, (2, 3), opset=18, keepdims=keepdims), tmp_path, low=0.3)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
def test_cum_sum(tmp_path, exclusive, reverse):
    for axis in (0, 1, -1):
        for opset in (11, 14):
            given = {"exclusive": exclusive, "reverse": reverse}
            assert_agrees(operator("CumSum", (2, 3, 4), np.array(axis), opset=opset, **given), tmp_path)


EQUATIONS = [
    ("ij->ji", (2, 3)), ("ij->", (2, 3)), ("ii->i", (3, 3)), ("ii", (3, 3)), ("iji->j", (2, 3, 2)),
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,jk", (2, 3), (3, 4)), ("bij,bkj->bik", (2, 3, 4), (2, 5, 4)),
    ("bhid,bhjd->bhij", (1, 2, 3, 2), (1, 2, 4, 2)), ("i,j->ij", (2,), (3,)), ("ij,ij->", (2, 3), (2, 3)),
    ("ij,ij->j", (2, 3), (2, 3)), ("ijk,jil->kl", (3, 2, 4), (2, 3, 5)), ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 2)),
    ("ij,jk,kl->il", (2, 3), (3, 2), (2, 4)), ("ab,cd,ef->acf", (2, 3), (2, 2), (3, 2)),
    ("...->...", (2, 3)), ("i...j->j...i", (2, 3, 4)), ("bi,ij,bj->b", (2, 3), (3, 4), (2, 4)),
]  # fmt: skip


@pytest.mark.parametrize("case", EQUATIONS, ids=lambda case: case[0])
def test_einsum(tmp_path, case):
    equation, *shapes = case
    assert_agrees(operator("Einsum", *shapes, equation=equation), tmp_path)
    if len(shapes) > 1:
        for known in range(len(shapes)):
            operands = [draw(*s) if k == known else s for k, s in enumerate(shapes)]
            assert_agrees(operator("Einsum", *operands, equation=equation), tmp_path)


def test_einsum_that_is_malformed(tmp_path):
    for equation, shapes in [("ij->ik", ((2, 3),)), ("ij,jk->ik", ((2, 3), (4, 2))), ("ij->ii", ((2, 3),)),
                             ("ij", ((2, 3, 4),)), ("ij,j->i", ((2, 3),))]:  # fmt: skip
        with pytest.raises(ModelError):
            load(operator("Einsum", *shapes, equation=equation), tmp_path)


def test_lp_pool(tmp_path):
    for opset in (11, 18, 22):
        for given in ({"p": 1}, {"p": 2, "strides": [2, 1], "pads": [1, 0, 1, 1]}, {"p": 3, "auto_pad": "SAME_UPPER"}):
            assert_agrees(operator("LpPool", (1, 2, 4, 5), opset=opset, kernel_shape=[2, 3], **given), tmp_path)
    assert_agrees(operator("LpPool", (1, 2, 4, 5), opset=18, kernel_shape=[2, 2], dilations=[2, 1]), tmp_path)
    for p in (1, 2, 3):
        assert_agrees(operator("GlobalLpPool", (1, 2, 4, 5), opset=11, p=p), tmp_path)


def test_moves(tmp_path):
    for axes in ((0, 1), (1, 0)):
        lengths = i64(3, 1, 2) if axes == (0, 1) else i64(2, 4, 3)
        shape = (4, 3, 2) if axes == (0, 1) else (3, 4, 2)
        model = operator("ReverseSequence", shape, lengths, time_axis=axes[0], batch_axis=axes[1])
        assert_agrees(model, tmp_path)
    assert_agrees(operator("Compress", (3, 4), np.array([True, False, True]), axis=0), tmp_path)
    assert_agrees(operator("Compress", (3, 4), np.array([False, True, True]), axis=-1), tmp_path)
    assert_agrees(operator("Compress", (3, 4), np.array([False, True, False, True, True])), tmp_path)
    assert_agrees(operator("Scatter", (3, 4), i64([1, 0, 2]), f32([1, 2, 3]), opset=9, axis=1), tmp_path)
    for size in ([2, 6], [5, 3], [3, 4], [4, 7]):
        assert_agrees(operator("CenterCropPad", (3, 4), i64(*size), opset=18), tmp_path)
    assert_agrees(operator("CenterCropPad", (3, 4, 5), i64(2, 9), opset=18, axes=[-1, 0]), tmp_path)
