"""GridSample and RoiAlign with constant places against ONNX Runtime."""

import numpy as np
import pytest

from tests.readers.onnx_models import assert_agrees, draw, f32, i64, load, operator
from verifier.errors import ModelError


@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
def test_grid_sample(tmp_path, mode, padding, corners):
    grid = draw(2, 3, 2, 2, low=-1.6, high=1.6)
    old = {"linear": "bilinear", "nearest": "nearest", "cubic": "bicubic"}[mode]
    for opset, name in ((16, old), (20, mode), (22, mode)):
        given = {"mode": name, "padding_mode": padding, "align_corners": corners}
        assert_agrees(operator("GridSample", (2, 3, 4, 5), grid, opset=opset, **given), tmp_path, tolerance=1e-5)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_grid_sample_of_volumes(tmp_path, mode, padding):
    grid = draw(1, 2, 2, 3, 3, low=-1.4, high=1.4)
    model = operator("GridSample", (1, 2, 3, 4, 5), grid, opset=20, mode=mode, padding_mode=padding)
    assert_agrees(model, tmp_path, tolerance=1e-5)


@pytest.mark.parametrize("given", [
    {}, {"output_height": 2, "output_width": 3}, {"sampling_ratio": 2, "output_height": 2, "spatial_scale": 0.5},
    {"coordinate_transformation_mode": "output_half_pixel", "output_width": 2},
])  # fmt: skip
def test_roi_align(tmp_path, given):
    rois, batches = f32([0.3, 0.7, 4.1, 3.2], [-2.0, 1.0, 7.0, 2.5], [1.0, 1.0, 1.2, 5.5]), i64(0, 1, 1)
    for opset in (10, 16):
        if opset == 10 and "coordinate_transformation_mode" in given:
            continue
        assert_agrees(operator("RoiAlign", (2, 2, 5, 6), rois, batches, opset=opset, **given), tmp_path, tolerance=1e-5)


def test_places_that_are_computed(tmp_path):
    with pytest.raises(ModelError, match="GridSample is supported only where operand 1 is a constant"):
        load(operator("GridSample", (1, 1, 3, 3), (1, 2, 2, 2), opset=16), tmp_path)
    with pytest.raises(ModelError, match="a grid of shape"):
        load(operator("GridSample", (1, 1, 3, 3), np.zeros((1, 2, 2, 3), np.float32), opset=16), tmp_path)
