"""A normalised vector keeps its range, however far what it is made of may lie."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from tests.networks import samples
from tests.readers.onnx_models import f32, load, model_of, operator
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds

BY_HAND = [
    helper.make_node("ReduceMean", ["x"], ["m"], axes=[1]),
    helper.make_node("Sub", ["x", "m"], ["c"]),
    helper.make_node("Mul", ["c", "c"], ["q"]),
    helper.make_node("ReduceMean", ["q"], ["v"], axes=[1]),
    helper.make_node("Add", ["v", "epsilon"], ["e"]),
]
ROOT = [helper.make_node("Sqrt", ["e"], ["s"]), helper.make_node("Div", ["c", "s"], ["y"])]
POWER = [helper.make_node("Pow", ["e", "half"], ["r"]), helper.make_node("Mul", ["r", "c"], ["y"])]
CONSTANTS = {"epsilon": f32(1e-5), "half": f32(-0.5)}
CASES = {
    "layer": operator("LayerNormalization", (1, 4), f32(1, 1, 1, 1), opset=17),
    "instance": operator("InstanceNormalization", (1, 2, 4), f32(1, 1), f32(0, 0)),
    "by hand": model_of([*BY_HAND, *ROOT], {"x": (1, 4)}, ["y"], CONSTANTS),
    "by a power": model_of([*BY_HAND, *POWER], {"x": (1, 4)}, ["y"], CONSTANTS),
}


@pytest.mark.parametrize("model", CASES.values(), ids=CASES)
@pytest.mark.parametrize("bounds", [interval_bounds, linear_bounds])
def test_no_entry_exceeds_the_root_of_their_number(model, bounds, tmp_path) -> None:
    network = load(model, tmp_path)
    upper = np.full(network.input_size, 10.0)
    found = bounds(network, -upper[None], upper[None])[-1]
    assert max(-found.lower.min(), found.upper.max()) < 2 + 1e-9
    values = network.forward(samples(np.random.default_rng(0), -upper, upper, 200))
    assert (values >= found.lower).all()
    assert (values <= found.upper).all()


def test_a_vector_divided_by_its_norm_stays_in_the_ball(tmp_path) -> None:
    network = load(operator("LpNormalization", (1, 4)), tmp_path)
    found = interval_bounds(network, np.full((1, 4), -1.0), np.ones((1, 4)))[-1]
    assert max(-found.lower.min(), found.upper.max()) < 1 + 1e-9


def test_without_a_constant_under_the_root_nothing_is_said(tmp_path) -> None:
    constants = {**CONSTANTS, "epsilon": f32(0.0)}
    assert not load(model_of([*BY_HAND, *ROOT], {"x": (1, 4)}, ["y"], constants), tmp_path).limits
