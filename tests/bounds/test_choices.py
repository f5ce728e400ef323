"""What becomes several nodes keeps the range of the whole: maxima and minima of forms, read off the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from tests.networks import samples
from tests.readers.onnx_models import f32, i64, load, model_of, operator
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds
from verifier.network.functions.relu import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Composition, Dense, Identity, LinearMap, Scaling, Selection

HAND_MAX = [
    helper.make_node("Sub", ["b", "a"], ["gap"]),
    helper.make_node("Relu", ["gap"], ["rise"]),
    helper.make_node("Add", ["a", "rise"], ["y"]),
]

HAND_SWISH = [helper.make_node("Sigmoid", ["x"], ["gate"]), helper.make_node("Mul", ["x", "gate"], ["y"])]


def chain_of_pools():
    pool = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [helper.make_node("MaxPool", [f"x{k}"], [f"x{k + 1}"], **pool) for k in range(4)]
    return model_of(nodes, {"x0": (1, 1, 4, 4)}, ["x4"])


CASES = {
    "max": (operator("Max", (1, 3), (1, 3), (1, 3)), (-1, 2), (-1, 2)),
    "min": (operator("Min", (1, 3), (1, 3), (1, 3)), (-1, 2), (-1, 2)),
    "max pool": (operator("MaxPool", (1, 1, 5, 5), kernel_shape=[3, 2]), (-1, 2), (-1, 2)),
    "pool of pools": (chain_of_pools(), (-1, 2), (-1, 2)),
    "reduced": (operator("ReduceMin", (1, 7), axes=[1]), (-1, 2), (-1, 2)),
    "absolute value": (operator("Abs", (1, 2)), (-1, 2), (0, 2)),
    "negative slope": (operator("LeakyRelu", (1, 2), alpha=-0.5), (-1, 2), (0, 2)),
    "steep slope": (operator("LeakyRelu", (1, 2), alpha=2.0), (-1, 2), (-2, 2)),
    "slopes": (operator("PRelu", (1, 3), f32(0.25, -3, 2)), (-1, 2), (-2, 3)),
    "hard swish": (operator("HardSwish", (1, 2), opset=14), (-3, 1), (-0.375, 2 / 3)),
    "softsign": (operator("Softsign", (1, 2)), (-1, 2), (-0.5, 2 / 3)),
    "swish": (model_of(HAND_SWISH, {"x": (1, 2)}, ["y"]), (-5, 0), (-0.27846454276107, 0)),
    "by hand": (model_of(HAND_MAX, {"a": (1, 2), "b": (1, 2)}, ["y"]), (-1, 2), (-1, 2)),
}


@pytest.mark.parametrize(("model", "inputs", "outputs"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("bounds", [interval_bounds, linear_bounds])
def test_the_range_of_an_operator_is_kept(model, inputs, outputs, bounds, tmp_path) -> None:
    network = load(model, tmp_path)
    lower, upper = (np.full((1, network.input_size), float(end)) for end in inputs)
    found = bounds(network, lower, upper)[-1]
    assert found.lower.min() == pytest.approx(outputs[0], abs=1e-12)
    assert found.upper.max() == pytest.approx(outputs[1], abs=1e-12)


def test_a_step_between_two_relus_bounds_their_difference(tmp_path) -> None:
    nodes = [
        helper.make_node("Add", ["x", "step"], ["later"]),
        helper.make_node("Concat", ["later", "x"], ["both"], axis=1),
        helper.make_node("Relu", ["both"], ["bent"]),
        helper.make_node("Gemm", ["bent", "weight"], ["y"]),
    ]
    weight = np.float32([[1], [-1]])
    model = model_of(nodes, {"x": (1, 1)}, ["y"], {"step": f32(0.5), "weight": weight})
    found = interval_bounds(load(model, tmp_path), np.array([[-1.0]]), np.array([[2.0]]))[-1]
    assert found.lower.tolist() == [[0.0]]
    assert found.upper.max() == pytest.approx(0.5)


def _random_map(rng: np.random.Generator, out: int, size: int) -> LinearMap:
    kind = rng.integers(5)
    if kind == 0 and out == size:
        return Identity(size)
    if kind == 1 and out == size:
        return Scaling(np.array([-1.0, 1.0])[rng.integers(2, size=size)], exact=True)
    selection = Selection(rng.integers(-1, size, out), size)
    if kind == 2:
        return selection
    if kind == 3:
        return Composition(Scaling(rng.normal(size=out) * 10.0 ** rng.integers(-4, 5)), selection)
    weight = rng.normal(size=(out, size)) * (rng.random((out, size)) < 0.6)
    return Dense(weight.astype(np.float32).astype(np.float64) if rng.random() < 0.5 else weight)


def _random_network(rng: np.random.Generator) -> Network:
    """Relus of affine nodes, and affine nodes of both: mostly with something in common."""
    size = int(rng.integers(1, 4))
    nodes: list[Node] = [Input(size)]
    for _ in range(int(rng.integers(2, 8))):
        last = len(nodes) - 1
        if isinstance(nodes[last], Affine) and rng.random() < 0.6:
            nodes.append(Elementwise((last,), Relu(), nodes[last].size))
            continue
        operands = tuple(int(i) for i in rng.integers(max(0, last - 4), last + 1, rng.integers(1, 4)))
        bias = rng.normal(size=size) * rng.integers(2)
        nodes.append(Affine(operands, tuple(_random_map(rng, size, nodes[i].size) for i in operands), bias))
    return Network(tuple(nodes))


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_every_value_lies_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = _random_network(rng)
    middle = rng.normal(size=network.input_size) * 3
    lower, upper = middle - rng.random(network.input_size), middle + rng.random(network.input_size)
    found = interval_bounds(network, lower[None], upper[None])
    for value, interval in zip(network.values(samples(rng, lower, upper, 200)), found, strict=True):
        slack = 1e-11 * (1 + np.abs(value).max())
        assert (value >= interval.lower - slack).all()
        assert (value <= interval.upper + slack).all()


def test_the_operands_of_a_maximum_may_be_unbounded(tmp_path) -> None:
    network = load(operator("Max", (1, 1), (1, 1)), tmp_path)
    found = interval_bounds(network, np.array([[0.0, -np.inf]]), np.array([[1.0, 0.5]]))[-1]
    assert found.lower.tolist() == [[0.0]]
    assert found.upper.tolist() == [[1.0]]


def test_forms_move_to_another_library(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    network = load(chain_of_pools(), tmp_path)
    on_torch = network.like(torch.zeros(0, dtype=torch.float64))
    ends = (torch.zeros((1, 16), dtype=torch.float64), torch.ones((1, 16), dtype=torch.float64))
    assert interval_bounds(on_torch, *ends)[-1].upper.max() == 1.0


def test_entries_that_are_gathered_twice_are_told_apart(tmp_path) -> None:
    nodes = [
        helper.make_node("Gather", ["x", "order"], ["moved"], axis=1),
        helper.make_node("Max", ["x", "moved"], ["y"]),
    ]
    network = load(model_of(nodes, {"x": (1, 3)}, ["y"], {"order": i64(1, 0, 0)}), tmp_path)
    found = interval_bounds(network, np.array([[0.0, 2.0, 4.0]]), np.array([[1.0, 3.0, 5.0]]))[-1]
    assert found.lower.tolist() == [[2.0, 2.0, 4.0]]
    assert found.upper.tolist() == [[3.0, 3.0, 5.0]]
