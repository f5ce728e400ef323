"""Convolutions on images padded around: recognised, and their norms against singular values of the whole matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.lipschitz.constants import LipschitzConstants
from verifier.lipschitz.fourier import wrapped_norm
from verifier.lipschitz.wrapped import wrapped_convolution
from verifier.network.graph import Affine, Input, Network, Node
from verifier.network.linear_maps import Composition, Convolution, Scaling, Selection
from verifier.network.linear_maps.convolution import Window

ROUNDING = 1e-12
"""Relative error allowed to NumPy's singular values."""


def padded_network(weights: np.ndarray, order: np.ndarray, size: int, window: Window, pieces: int = 1) -> Network:
    """An image of `size` entries, the padded one in `pieces` selections, and a convolution of that."""
    part = np.arange(order.size) % pieces
    maps = tuple(Selection(np.where(part == n, order.reshape(-1), -1), size) for n in range(pieces))
    convolution = Convolution(weights, (1, *order.shape), window)
    nodes: list[Node] = [
        Input(size),
        Affine((0,) * pieces, maps, np.zeros(order.size)),
        Affine((1,), (convolution,), np.zeros(convolution.out_size)),
    ]
    return Network(tuple(nodes))


def exact(network: Network) -> float:
    last, first = network.nodes[2], network.nodes[1]
    assert isinstance(last, Affine)
    assert isinstance(first, Affine)
    moves = sum(m.to_sparse().toarray() for m in first.maps)
    return float(np.linalg.norm(last.maps[0].to_sparse().toarray() @ moves, 2))


def around(image: tuple[int, ...], reach: list[tuple[int, int]], mode: str = "wrap") -> np.ndarray:
    return np.pad(np.arange(math.prod(image)).reshape(image), [(0, 0), *reach], mode=mode)  # type: ignore[call-overload]


@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
@settings(max_examples=100, deadline=None)
def test_norms_are_those_of_the_whole_matrix(seed: int, dimensions: int) -> None:
    """Kernels up to the size of the image, dilated ones that reach beyond it, more padding on one side."""
    rng = np.random.default_rng(seed)
    channels, *sides = (int(n) for n in rng.integers([1] + [2] * dimensions, [4] + [7] * dimensions))
    kernel = [int(rng.integers(1, n + 1)) for n in sides]
    dilations = tuple(int(d) for d in rng.integers(1, 3, size=dimensions))
    reach = [(int(d) * (k - 1) - b, b) for d, k in zip(dilations, kernel, strict=True) for b in [int(rng.integers(k))]]
    order = around((channels, *sides), reach)
    weights = rng.normal(size=(int(rng.integers(1, 4)), channels, *kernel))
    window = Window((1,) * dimensions, (0,) * dimensions, (0,) * dimensions, dilations)
    network = padded_network(weights, order, channels * math.prod(sides), window, int(rng.integers(1, 4)))
    if any(b or e for b, e in reach):
        found = wrapped_convolution(network, 2)
        assert found is not None
        assert (found[0], found[2]) == (0, tuple(sides))
    true = exact(network)
    assert true * (1 - ROUNDING) <= LipschitzConstants(network, 2.0).of_outputs() <= true * (1 + 1e-6)


def test_a_kernel_as_large_as_the_image_is_bounded_closely() -> None:
    """Of an image too large for the whole matrix: against the Fourier transform of the kernel."""
    rng, side = np.random.default_rng(0), 14
    kernel = rng.normal(size=(16, 16, side, side))
    order = around((16, side, side), [(side // 2, side - 1 - side // 2)] * 2)
    network = padded_network(kernel, order, 16 * side**2, Window((1, 1), (0, 0), (0, 0), (1, 1)))
    true = np.linalg.norm(np.fft.fft2(kernel).transpose(2, 3, 0, 1), 2, axis=(2, 3)).max()
    assert true * (1 - ROUNDING) <= LipschitzConstants(network, 2.0).of_outputs() <= true * (1 + 1e-5)


def test_what_is_not_padded_around_is_not_taken_for_it() -> None:
    window, weights = Window((1, 1), (0, 0), (0, 0), (1, 1)), np.ones((1, 2, 3, 3))
    order = around((2, 5, 5), [(1, 1), (1, 1)])
    assert wrapped_convolution(padded_network(weights, order, 50, window), 2) is not None
    for mode in ("reflect", "edge"):
        other = around((2, 5, 5), [(1, 1), (1, 1)], mode)
        assert wrapped_convolution(padded_network(weights, other, 50, window), 2) is None
    for place, entry in (((0, 3, 3), 3), ((1, 6, 6), -1)):
        other = order.copy()
        other[place] = entry
        assert wrapped_convolution(padded_network(weights, other, 50, window), 2) is None
    assert wrapped_convolution(padded_network(weights, around((2, 5, 5), [(2, 2), (2, 2)]), 50, window), 2) is None
    strided = Window((2, 2), (0, 0), (0, 0), (1, 1))
    assert wrapped_convolution(padded_network(weights, order, 50, strided), 2) is None


def test_entries_may_lie_in_any_order() -> None:
    """And be some of those that there are."""
    rng = np.random.default_rng(2)
    window, order = Window((1, 1), (0, 0), (0, 0), (1, 1)), around((2, 5, 5), [(1, 1), (0, 2)])
    network = padded_network(rng.normal(size=(3, 2, 3, 3)), rng.permutation(60)[order], 60, window)
    found = wrapped_convolution(network, 2)
    assert found is not None
    assert found[2] == (5, 5)
    true = exact(network)
    assert true * (1 - ROUNDING) <= wrapped_norm(found[1], found[2]) <= true * (1 + 1e-6)
    twice = padded_network(np.ones((3, 2, 3, 3)), np.where(order == 7, 8, order), 60, window)
    assert wrapped_convolution(twice, 2) is None


@pytest.mark.parametrize("factors", [(2.0**52, 1.4, -(2.0**52)), (2.0**30, 1.0 - 2.0**30), (0.5, 0.5), (1.0,)])
def test_sums_and_weights_are_not_taken_for_moves(factors: tuple[float, ...]) -> None:
    """Though float64 may make 1 of them; they count as what they are."""
    window, order = Window((1, 1), (0, 0), (0, 0), (1, 1)), around((2, 5, 5), [(1, 1), (1, 1)])
    weights = np.random.default_rng(0).normal(size=(3, 2, 3, 3))
    moves = [Composition(Scaling(np.full(98, f)), Selection(order.reshape(-1), 50)) for f in factors]
    convolution = Convolution(weights, (1, *order.shape), window)
    first = Affine((0,) * len(moves), tuple(moves), np.zeros(98))
    network = Network((Input(50), first, Affine((1,), (convolution,), np.zeros(75))))
    assert wrapped_convolution(network, 2) is None
    plain = padded_network(weights, order, 50, window)
    true = math.fsum(factors) * exact(plain)
    assert true * (1 - ROUNDING) <= LipschitzConstants(network, 2.0).of_outputs()


def test_an_entry_of_two_sources_is_a_sum() -> None:
    window, order = Window((1,), (0,), (0,), (1,)), around((1, 4), [(1, 1)])
    both = Affine((0, 0), (Selection(order.reshape(-1), 4), Selection(np.array([-1] * 5 + [0]), 4)), np.zeros(6))
    convolution = Convolution(np.ones((1, 1, 3)), (1, *order.shape), window)
    network = Network((Input(4), both, Affine((1,), (convolution,), np.zeros(4))))
    assert wrapped_convolution(network, 2) is None


def test_weights_that_underflow_are_covered() -> None:
    rng, worst, n = np.random.default_rng(1), math.inf, 31
    for _ in range(50):
        turn = 2 * np.pi * rng.integers(1, n // 2) * np.arange(n) / n
        kernel = np.round(2 * rng.normal(size=(1, 1, n)) + 3 * np.cos(turn + rng.uniform(0, 6)))
        tiny = Convolution(kernel * 5e-324, (1, 1, 2 * n - 1), Window((1,), (0,), (0,), (1,)))
        found = wrapped_norm(tiny, (n,)) * 2.0**1000 * 2.0**74
        worst = min(worst, found / np.abs(np.fft.fft(kernel[0, 0])).max())
    assert worst >= 1


def test_weights_before_it_are_taken_in() -> None:
    rng = np.random.default_rng(1)
    window, order = Window((1, 1), (0, 0), (0, 0), (1, 1)), around((2, 5, 5), [(1, 1), (1, 1)])
    weights, factors = rng.normal(size=(3, 2, 3, 3)), rng.normal(size=50)
    moves = Composition(Selection(order.reshape(-1), 50), Scaling(factors))
    convolution = Convolution(weights, (1, *order.shape), window)
    network = Network((Input(50), Affine((0,), (moves,), np.zeros(98)), Affine((1,), (convolution,), np.zeros(75))))
    assert wrapped_convolution(network, 2) is None
    true = exact(network)
    assert true * (1 - ROUNDING) <= LipschitzConstants(network, 2.0).of_outputs() <= true * (1 + 1e-6)
