"""Rows in windows give the bounds of whole rows, whatever the network does between images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.bounds import windowed
from verifier.bounds.backward import BackwardPass
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import influences, linear_bounds
from verifier.bounds.patches import Patches, moved_back, patches
from verifier.bounds.windowed import WindowedPass
from verifier.deadline import Deadline
from verifier.network.functions import Relu, Sigmoid
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Composition, Convolution, Dense, Identity, LinearMap, Scaling
from verifier.network.linear_maps.convolution import Window

generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def convolution(rng: np.random.Generator, shape: tuple[int, ...], filters: int) -> Convolution:
    """A convolution of an image, (channels, height, width)."""
    kernel = rng.normal(size=(filters, shape[0], *rng.integers(1, 4, 2)))
    pads = [tuple(int(n) for n in rng.integers(0, 3, 2)) for _ in range(2)]
    strides = tuple(int(n) for n in rng.integers(1, 3, 2))
    return Convolution(kernel, (1, *shape), Window(strides, pads[0], pads[1], (1, 1)))


def affine(operands: tuple[int, ...], maps: tuple[LinearMap, ...], rng: np.random.Generator) -> Affine:
    return Affine(operands, maps, rng.normal(size=maps[0].out_size))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Convolutions, skipped ones among them, functions and products between images; a matrix at the end."""
    rng = draw(generators)
    shape: tuple[int, ...] = (2, *(int(n) for n in rng.integers(8, 13, 2)))
    nodes: list[Node] = [Input(int(np.prod(shape)))]
    for _ in range(draw(st.integers(1, 3))):
        step, before = convolution(rng, shape, 2), len(nodes) - 1
        nodes.append(affine((before,), (step,), rng))
        nodes.append(Elementwise((len(nodes) - 1,), draw(st.sampled_from([Relu(), Sigmoid()])), step.out_size))
        shape = step.out_shape[1:]
        kind = draw(st.sampled_from(["plain", "skip", "scaled", "product", "two"]))
        last = len(nodes) - 1
        same = Convolution(rng.normal(size=(2, 2, 3, 3)), (1, *shape), Window((1, 1), (1, 1), (1, 1), (1, 1)))
        if kind == "skip":
            nodes.append(affine((last, last), (same, Identity(same.in_size)), rng))
        elif kind == "scaled":
            nodes.append(affine((last,), (Scaling(rng.normal(size=same.in_size)),), rng))
        elif kind == "product":
            nodes.append(affine((last,), (same,), rng))
            nodes.append(Product((last, last + 1), same.out_size))
        elif kind == "two":
            nodes.append(affine((last,), (Composition(same, same),), rng))
    nodes.append(affine((len(nodes) - 1,), (Dense(rng.normal(size=(3, nodes[-1].size))),), rng))
    return Network(tuple(nodes))


@pytest.fixture(autouse=True)
def any_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windowed, "SMALLEST_IMAGE", 1)


@settings(max_examples=60, deadline=None)
@given(networks(), generators)
def test_bounds_are_those_of_whole_rows(network: Network, rng: np.random.Generator) -> None:
    lower = rng.normal(size=(1, network.input_size))
    upper = lower + rng.choice([0.0, 0.01, 0.5]) * rng.random(lower.shape)
    intervals = interval_bounds(network, lower, upper)
    for k, node in enumerate(network.nodes[1:], start=1):
        entries = rng.integers(0, node.size, 5)
        rows = np.zeros((1, 5, node.size))
        rows[0, np.arange(5), entries] = rng.normal(size=5)
        whole = BackwardPass(network, intervals[: k + 1]).minimum(k, rows)
        narrow = WindowedPass(network, intervals[: k + 1]).minimum(k, rows)
        np.testing.assert_allclose(narrow.bound, whole.bound, rtol=1e-9, atol=1e-9)
        values = network.values(rng.uniform(lower, upper, (20, network.input_size)))[k]
        assert (narrow.bound[0] <= (values @ rows[0].T).min(axis=0)).all()


@settings(max_examples=100, deadline=None)
@given(generators)
def test_rows_come_back_from_their_windows(rng: np.random.Generator) -> None:
    shape = (2, *(int(n) for n in rng.integers(6, 12, 2)))
    images = np.zeros((4, *shape))
    for image in images:
        top, left = rng.integers(0, shape[1]), rng.integers(0, shape[2])
        image[:, top : top + 3, left : left + 2] = rng.normal()
    found = patches(images.reshape(4, -1), shape)
    assert found is not None
    np.testing.assert_array_equal(found.whole(), images.reshape(4, -1))
    entries = rng.normal(size=images[0].size)
    np.testing.assert_allclose(found.dot(entries), images.reshape(4, -1) @ entries, rtol=1e-12, atol=1e-12)
    step = convolution(rng, shape, 3)
    moved = moved_back(Identity(images[0].size), found)
    assert moved is not None
    there = np.zeros((4, step.out_size))
    there[:, rng.integers(0, step.out_size)] = 1.0
    narrow = patches(there, step.out_shape[1:])
    back = None if narrow is None else moved_back(step, narrow)
    if back is not None:
        np.testing.assert_allclose(back.whole(), step.adjoint(there), rtol=1e-12, atol=1e-12)


def test_windows_that_lie_differently_are_not_added() -> None:
    shape, ones = (1, 8, 8), np.ones((2, 1, 1, 1))
    here = Patches(ones, np.array([[0, 0], [3, 3]]), shape)
    assert here.plus(Patches(ones, np.array([[1, 0], [3, 3]]), shape)) is None
    total = here.plus(Patches(ones, np.array([[1, 2], [4, 5]]), shape))
    assert total is not None
    assert total.sizes == (2, 3)
    assert total.whole().sum() == 4


def test_what_no_output_depends_on_gets_no_rows() -> None:
    rng = np.random.default_rng(0)
    hidden, last = rng.normal(size=(6, 3)), np.zeros((1, 6))
    last[0, :2] = 1.0
    zeros = np.zeros(6)
    nodes = (Input(3), Affine((0,), (Dense(hidden),), zeros), Elementwise((1,), Relu(), 6),
             Affine((2,), (Dense(rng.normal(size=(6, 6))),), zeros), Elementwise((3,), Relu(), 6),
             Affine((4,), (Dense(last),), np.zeros(1)))  # fmt: skip
    network = Network(nodes)
    weights = influences(network, np.zeros(0))
    np.testing.assert_array_equal(weights[3] > 0, last[0] > 0)
    lower, upper = -np.ones((1, 3)), np.ones((1, 3))
    plain, tight = interval_bounds(network, lower, upper), linear_bounds(network, lower, upper)
    assert (tight[3].upper - tight[3].lower < plain[3].upper - plain[3].lower)[0, :2].all()
    np.testing.assert_array_equal(tight[3].upper[0, 2:], plain[3].upper[0, 2:])


def test_without_time_the_bounds_are_those_of_intervals() -> None:
    rng = np.random.default_rng(0)
    nodes = (Input(2), Affine((0,), (Dense(rng.normal(size=(4, 2))),), np.zeros(4)), Elementwise((1,), Relu(), 4),
             Affine((2,), (Dense(rng.normal(size=(4, 4))),), np.zeros(4)), Elementwise((3,), Relu(), 4),
             Affine((4,), (Dense(rng.normal(size=(1, 4))),), np.zeros(1)))  # fmt: skip
    lower, upper = -np.ones((1, 2)), np.ones((1, 2))
    plain = interval_bounds(Network(nodes), lower, upper)
    found = linear_bounds(Network(nodes), lower, upper, Deadline(0.0))
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
