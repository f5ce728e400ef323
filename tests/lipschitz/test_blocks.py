"""Blocks: constants known in closed form, and sampled difference quotients, which are never above."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lipschitz.test_constants import quotients
from tests.networks import plain_bounds, samples
from verifier.lipschitz.constants import LipschitzConstants
from verifier.network.functions import Relu, ScalarFunction, Tanh
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Convolution, Dense, Identity, Scaling, Selection
from verifier.network.linear_maps.convolution import Window

NORMS = (1.0, 2.0, math.inf)
seeds = st.integers(0, 2**32 - 1)


def block(direct, parts, bias=None, function: ScalarFunction | None = None) -> list[Node]:
    """Nodes of y = direct x + sum of after_j f(before_j x + bias_j), for matrices; `direct` may be None."""
    size = parts[0][1].shape[1]
    nodes: list[Node] = [Input(size)]
    operands, maps = ([], []) if direct is None else ([0], [Dense(direct)])
    for j, (after, before) in enumerate(parts):
        shift = np.zeros(len(before)) if bias is None else bias[j]
        nodes.append(Affine((0,), (Dense(before),), shift))
        nodes.append(Elementwise((len(nodes) - 1,), function or Relu(), len(before)))
        operands.append(len(nodes) - 1)
        maps.append(Dense(after))
    nodes.append(Affine(tuple(operands), tuple(maps), np.zeros(maps[0].out_size)))
    return nodes


def constant(nodes: list[Node], norm: float, values=None) -> float:
    return LipschitzConstants(Network(tuple(nodes)), norm, values).of_outputs()


def maxmin(pairs: int):
    """max(a, b) = a + relu(b - a), min(a, b) = b - relu(b - a)."""
    gap = np.kron(np.eye(pairs), [[-1.0, 1.0]])
    return np.eye(2 * pairs), [(np.kron(np.eye(pairs), [[1.0], [-1.0]]), gap)]


def orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(size, size)))[0]


@pytest.mark.parametrize("norm", NORMS)
def test_maxmin_has_constant_one(norm):
    direct, parts = maxmin(5)
    expected = {1.0: 1.0, 2.0: 1.0, math.inf: 1.0}[norm]
    assert constant(block(direct, parts), norm) == pytest.approx(expected, abs=1e-6)
    assert constant(block(direct, parts), norm) >= expected


@pytest.mark.parametrize("norm", NORMS)
def test_the_absolute_value_has_constant_one_as_two_relus_of_opposites(norm):
    eye = np.eye(4)
    nodes = block(None, [(eye, eye), (eye, -eye)], [np.arange(4.0), -np.arange(4.0)])
    assert 1.0 <= constant(nodes, norm) <= 1.0 + 1e-6
    # With other biases they are no opposites, but no steeper either: slopes between -1 and 1.
    assert 1.0 <= constant(block(None, [(eye, eye), (eye, -eye)]), norm) <= 1.0 + 1e-6


def test_max_and_min_from_relus_of_opposites_are_maxmin():
    """As an exporter writes them: max(a, b) = a + relu(b - a) and min(a, b) = a - relu(a - b)."""
    direct = np.array([[1.0, 0.0], [1.0, 0.0]])
    parts = [(np.array([[1.0], [0.0]]), np.array([[-1.0, 1.0]])), (np.array([[0.0], [-1.0]]), np.array([[1.0, -1.0]]))]
    assert 1.0 <= constant(block(direct, parts), 2.0) <= 1.0 + 1e-6
    shifted = block(direct, parts, [np.array([0.3]), np.array([0.3])])
    assert constant(shifted, 2.0) > 1.4  # between the kinks both relus move


def test_opposites_that_rounding_may_have_made_are_not_taken_for_such():
    """Between kinks that lie an ulp apart both relus move: the constant is that of independent slopes."""
    direct = np.array([[1.0, 0.0], [1.0, 0.0]])
    third = np.array([[-1.0, 1.0]]) / 3  # no float32: the true weight may be another for each of the two
    parts = [(np.array([[3.0], [0.0]]), third), (np.array([[0.0], [-3.0]]), -third)]
    assert constant(block(direct, parts), 2.0) > 1.4
    stored = np.array([[-1.0, 1.0]])
    parts = [(np.array([[1.0], [0.0]]), stored), (np.array([[0.0], [-1.0]]), -stored)]
    assert constant(block(direct, parts, [np.array([0.1]), np.array([-0.1])]), 2.0) > 1.4  # nor 0.1
    assert constant(block(direct, parts, [np.array([0.25]), np.array([-0.25])]), 2.0) <= 1.0 + 1e-6


@pytest.mark.parametrize("norm", NORMS)
def test_a_leaky_relu_has_its_steepest_slope(norm):
    assert constant(block(0.1 * np.eye(3), [(0.9 * np.eye(3), np.eye(3))]), norm) == pytest.approx(1.0, abs=1e-6)
    assert constant(block(3.0 * np.eye(3), [(-2.0 * np.eye(3), np.eye(3))]), norm) == pytest.approx(3.0, abs=1e-6)


def test_weights_of_what_follows_are_taken_in():
    """A network of MaxMin between orthogonal matrices, with a relu after it that is off in half of the entries."""
    rng = np.random.default_rng(0)
    nodes: list[Node] = [Input(8)]
    for _ in range(3):
        nodes.append(Affine((len(nodes) - 1,), (Dense(orthogonal(rng, 8)),), rng.normal(size=8)))
        h = len(nodes) - 1
        _, ((after, before),) = maxmin(4)
        nodes.append(Affine((h,), (Dense(before),), np.zeros(4)))
        nodes.append(Elementwise((h + 1,), Relu(), 4))
        nodes.append(Affine((h, h + 2), (Identity(8), Dense(after)), np.zeros(8)))
    assert 1.0 <= constant(nodes, 2.0) <= 1.0 + 1e-6
    network = Network((*nodes, Elementwise((len(nodes) - 1,), Relu(), 8)))
    assert 1.0 <= LipschitzConstants(network, 2.0).of_outputs() <= 1.0 + 1e-6
    rows = LipschitzConstants(Network((*nodes, Affine((len(nodes) - 1,), (Dense(np.eye(8)),), np.zeros(8)))), 2.0)
    assert rows.of_forms(np.array([[1.0, -1.0, *np.zeros(6)]]))[0] == pytest.approx(math.sqrt(2), rel=1e-6)


@given(seeds, st.integers(1, 12), st.integers(1, 12), st.sampled_from([1e-3, 1.0, 100.0]))
@settings(max_examples=60, deadline=None)
def test_sdp_based_residual_layers_have_constant_one(seed, size, width, scale):
    """The layer y = x - 2 W T^-1 relu(W'x + b) with T = sum_j |W'W|_ij q_j / q_i, in float32."""
    rng = np.random.default_rng(seed)
    weight = scale * rng.normal(size=(size, width)).astype(np.float32).astype(float)
    q = np.exp(0.5 * rng.normal(size=width))
    total = (np.abs(weight.T @ weight) * q[None, :]).sum(axis=1) / q
    after = (-2 * weight / total).astype(np.float32).astype(float)
    found = constant(block(np.eye(size), [(after, weight.T)], [rng.normal(size=width)]), 2.0)
    assert 1.0 - 1e-12 <= found <= 1.0 + 1e-5
    wrong = constant(block(np.eye(size), [(2.5 * after, weight.T)]), 2.0)
    exact = np.linalg.norm(np.eye(size) + 2.5 * after @ weight.T, 2)  # all relus on
    assert wrong >= exact * (1 - 1e-9)


def test_a_large_residual_layer_is_proved_without_its_singular_values():
    rng = np.random.default_rng(3)
    from scipy.sparse import random_array

    from verifier.network.linear_maps import Sparse

    size = 5000
    weight = random_array((size, size), density=5 / size, rng=rng).tocsr()
    total = np.asarray(abs(weight.T @ weight).sum(axis=1)).ravel()
    after = weight.multiply(-2 / np.where(total > 0, total, 1.0)[None, :]).tocsr()
    nodes = [
        Input(size),
        Affine((0,), (Sparse(weight.T.tocsr()),), np.zeros(size)),
        Elementwise((1,), Relu(), size),
        Affine((0, 2), (Identity(size), Sparse(after)), np.zeros(size)),
    ]
    assert 1.0 <= constant(nodes, 2.0) <= 1.0 + 1e-6


@given(seeds, st.sampled_from(NORMS), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_difference_quotient_is_above(seed, norm, local, residual):
    """Random sparse blocks, opposites among them, with rows and columns of very different sizes."""
    rng = np.random.default_rng(seed)
    n, m = (int(v) for v in rng.integers(1, 6, size=2))
    function = Relu() if rng.random() < 0.7 else Tanh()
    parts, bias = [], []
    for _ in range(int(rng.integers(1, 3))):
        r = int(rng.integers(1, 5))
        before = rng.normal(size=(r, n)) * (rng.random((r, n)) < 0.5)
        parts.append((rng.normal(size=(m, r)) * (rng.random((m, r)) < 0.6), before))
        bias.append(rng.normal(size=r) * (rng.random() < 0.5))
    if rng.random() < 0.5:
        parts.append((rng.normal(size=(m, len(parts[0][1]))), -parts[0][1]))
        bias.append(-bias[0] if rng.random() < 0.7 else bias[0])
    direct = rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.6) if residual else None
    nodes = block(direct, parts, bias, function)
    nodes.append(Affine((len(nodes) - 1,), (Scaling(np.exp(rng.normal(size=m))),), np.zeros(m)))
    network = Network(tuple(nodes))
    lower, upper = (np.full(n, v) for v in ((-0.3, 0.5) if local else (-4.0, 4.0)))
    values = plain_bounds(network, lower, upper) if local else None
    constants, rows = LipschitzConstants(network, norm, values), rng.normal(size=(3, m))
    worst, of_outputs = quotients(network, samples(rng, lower, upper, 200), rows, norm)
    assert of_outputs <= constants.of_outputs() * (1 + 1e-9)
    assert (worst <= constants.of_forms(rows) * (1 + 1e-9)).all()


@given(seeds, st.sampled_from(NORMS))
@settings(max_examples=40, deadline=None)
def test_small_parts_get_the_exact_constant(seed, norm):
    """The largest norm over all vertices, by enumeration on whole matrices."""
    rng = np.random.default_rng(seed)
    direct, after, before = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    vertices = [np.array([k >> i & 1 for i in range(4)], float) for k in range(16)]
    exact = max(np.linalg.norm(direct + (after * s) @ before, norm) for s in vertices)
    found = constant(block(direct, [(after, before)]), norm)
    assert exact * (1 - 1e-12) <= found <= exact * (1 + 1e-5)


def test_moved_entries_make_no_difference():
    rng = np.random.default_rng(5)
    direct, ((after, before),) = maxmin(6)
    order = rng.permutation(12)
    nodes: list[Node] = [
        Input(12),
        Affine((0,), (Selection(order, 12),), np.zeros(12)),
        Affine((1,), (Dense(before),), np.zeros(6)),
        Elementwise((2,), Relu(), 6),
        Affine((1, 3), (Dense(direct), Dense(after)), np.zeros(12)),
    ]
    assert 1.0 <= constant(nodes, 2.0) <= 1.0 + 1e-6


def test_one_function_that_is_used_twice_has_one_slope():
    """max(a, b) and min(a, b) side by side, of a relu that both take."""
    up, down = Selection(np.array([0, -1]), 1), Dense(np.array([[0.0], [-1.0]]))
    nodes: list[Node] = [
        Input(2),
        Affine((0,), (Dense(np.array([[-1.0, 1.0]])),), np.zeros(1)),
        Elementwise((1,), Relu(), 1),
        Affine((0, 2, 0, 2), (Dense(np.eye(2) * [1, 0]), up, Dense(np.eye(2) * [0, 1]), down), np.zeros(2)),
    ]
    assert 1.0 <= constant(nodes, 2.0) <= 1.0 + 1e-6


@pytest.mark.parametrize("norm", NORMS)
def test_a_padded_convolution_is_seen_as_a_whole(norm):
    """Padding around copies entries; after it comes a sum over neighbours."""
    order = np.array([4, 0, 1, 2, 3, 4, 0])
    sums = np.array([[1.0 if j in (i, i + 1, i + 2) else 0.0 for j in range(7)] for i in range(5)])
    whole = sums @ Selection(order, 5).to_sparse().toarray()
    nodes = [Input(5), Affine((0,), (Selection(order, 5),), np.zeros(7)), Affine((1,), (Dense(sums),), np.zeros(5))]
    exact = np.linalg.norm(whole, norm)
    assert exact * (1 - 1e-12) <= constant(nodes, norm) <= exact * (1 + 1e-6)
    pieces = [Selection(np.where(np.arange(7) == k, order, -1), 5) for k in range(7)]
    nodes = [Input(5), Affine((0,) * 7, tuple(pieces), np.zeros(7)), Affine((1,), (Dense(sums),), np.zeros(5))]
    assert exact * (1 - 1e-12) <= constant(nodes, norm) <= exact * (1 + 1e-6)


@pytest.mark.parametrize("norm", NORMS)
def test_roundings_are_covered_where_many_copies_of_an_entry_are_summed_up(norm):
    """1 and many weights below its roundoff, each lost in floating point, of copies of one entry."""
    size = 101
    kernel = np.full((1, 1, size, size), 2.0**-53)
    kernel[0, 0, 0, 0] = 1.0
    window = Window((1, 1), (0, 0), (0, 0), (1, 1))
    copies, total = Selection(np.zeros(size**2, np.int64), 1), Convolution(kernel, (1, 1, size, size), window)
    nodes = [Input(1), Affine((0,), (copies,), np.zeros(size**2)), Affine((1,), (total,), np.zeros(1))]
    assert Fraction(constant(nodes, norm)) >= sum(map(Fraction, kernel.reshape(-1).tolist()))
