"""Differences of two runs of one network have bounds of their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from tests.networks import samples
from tests.readers.onnx_models import f32, load, model_of
from verifier import Options, Status, load_property, verify
from verifier.bounds.interval import interval_bounds
from verifier.network.functions import Clip, Relu, Sigmoid, Tanh
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Dense, Identity, Scaling, Selection

WEIGHTS = {
    "w": f32([1, 0.3], [0.5, 1], [0.7, 0.1]).T,
    "b": f32(-0.1, 0.2),
    "v": f32([1], [0.3]),
    "step": f32(0.1, 0, 0.3),
}


def run(source: str, tag: str, activation: str) -> list:
    return [
        helper.make_node("Gemm", [source, "w", "b"], [f"p{tag}"], transB=1),
        helper.make_node(activation, [f"p{tag}"], [f"a{tag}"]),
        helper.make_node("Gemm", [f"a{tag}", "v"], [f"y{tag}"]),
    ]


@pytest.fixture(params=["Relu", "Sigmoid", "Tanh", "LeakyRelu"])
def two_runs(request, tmp_path) -> Network:
    nodes = [helper.make_node("Add", ["x", "step"], ["later"]), *run("x", "1", request.param)]
    nodes += run("later", "2", request.param)
    return load(model_of(nodes, {"x": (1, 3)}, ["y1", "y2"], WEIGHTS), tmp_path)


ROW = "(declare-const X_{0} Real)(assert (>= X_{0} -1))(assert (<= X_{0} 2))\n"


def test_a_rising_network_never_falls(two_runs, tmp_path) -> None:
    text = "".join(ROW.format(k) for k in range(3)) + "(declare-const Y_0 Real)(declare-const Y_1 Real)\n"
    (tmp_path / "p.vnnlib").write_text(text + "(assert (< Y_1 Y_0))")
    query = load_property(tmp_path / "p.vnnlib", two_runs)
    assert verify(two_runs, query, "interval", Options(timeout=10)).status is Status.UNSAT


def _random_twins(rng: np.random.Generator) -> Network:
    """Two branches that begin apart, share weights layer by layer, mostly, and are compared."""
    size = int(rng.integers(1, 4))
    nodes: list[Node] = [Input(size)]

    def dense() -> Dense:
        weight = rng.normal(size=(size, size))
        return Dense(weight.astype(np.float32).astype(np.float64) if rng.random() < 0.5 else weight)

    def affine(operands: tuple[int, ...], *maps, bias: np.ndarray) -> int:
        nodes.append(Affine(operands, maps, bias))
        return len(nodes) - 1

    first = 0
    second = affine((0,), Identity(size), bias=rng.normal(size=size) * rng.integers(2))
    for _ in range(int(rng.integers(1, 4))):
        shared, bias = dense(), rng.normal(size=size)
        other = shared if rng.random() < 0.8 else dense()
        first = affine((first,), shared, bias=bias)
        second = affine((second,), other, bias=bias if rng.random() < 0.5 else bias + rng.normal(size=size))
        function = [Relu(), Sigmoid(), Tanh(), Clip(-0.5, 1.0)][rng.integers(4)]
        nodes += [Elementwise((first,), function, size), Elementwise((second,), function, size)]
        first, second = len(nodes) - 2, len(nodes) - 1
    kind = rng.integers(3)
    if kind == 0:
        affine((first, second), Identity(size), Scaling(-np.ones(size), exact=True), bias=np.zeros(size))
    elif kind == 1:
        shared = dense()
        affine((first, second), shared, Dense(-shared.weight), bias=rng.normal(size=size))
    else:
        low = np.r_[np.arange(size), np.full(size, -1)]
        both = affine((first, second), Selection(low, size), Selection(low[::-1].copy(), size), bias=np.zeros(2 * size))
        affine((both,), Dense(rng.integers(-1, 2, (2, 2 * size)).astype(float), exact=True), bias=np.zeros(2))
    return Network(tuple(nodes))


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_every_difference_lies_inside(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = _random_twins(rng)
    middle = rng.normal(size=network.input_size) * 2
    lower, upper = middle - rng.random(network.input_size), middle + rng.random(network.input_size)
    found = interval_bounds(network, lower[None], upper[None])[-1]
    value = network.forward(samples(rng, lower, upper, 200))
    slack = 1e-12 * (1 + np.abs(value).max())
    assert (value >= found.lower - slack).all()
    assert (value <= found.upper + slack).all()


def test_the_difference_of_a_network_and_itself_is_nothing() -> None:
    weight = Dense(np.array([[0.1, 0.7], [0.3, -2.0]]))
    nodes = [
        Input(2),
        Affine((0,), (weight,), np.array([0.1, 0.0])),
        Affine((0,), (weight,), np.array([0.1, 0.0])),
        Elementwise((1,), Tanh(), 2),
        Elementwise((2,), Tanh(), 2),
        Affine((3, 4), (Dense(np.eye(2)), Dense(-np.eye(2))), np.zeros(2)),
    ]
    found = interval_bounds(Network(tuple(nodes)), -np.ones((1, 2)), np.ones((1, 2)))[-1]
    assert np.abs(found.lower).max() < 1e-12
    assert np.abs(found.upper).max() < 1e-12
