"""Bounds of operator norms against singular values of the matrix and against power iteration, which lies below."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.lipschitz.fourier import circular_norm
from verifier.lipschitz.gram import largest_singular_values
from verifier.lipschitz.norms import operator_norm
from verifier.lipschitz.rounding import norms, times
from verifier.network.linear_maps import (
    Adjoint,
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Scaling,
    Selection,
    Sparse,
)
from verifier.network.linear_maps.convolution import Window

ROUNDING = 1e-12
"""Relative error allowed to NumPy's singular values."""

seeds = st.integers(0, 2**32 - 1)


def exact(linear_map: LinearMap, norm: float) -> float:
    return float(np.linalg.norm(linear_map.to_sparse().toarray(), norm))


def power_iteration(linear_map: LinearMap, rng: np.random.Generator, steps: int = 100) -> float:
    x, size = rng.normal(size=(1, linear_map.in_size)), 0.0
    for _ in range(steps):
        x = linear_map.adjoint(linear_map.apply(x / np.linalg.norm(x)))
        size = math.sqrt(np.linalg.norm(x))
        if size == 0:
            break
    return size


def random_convolution(rng: np.random.Generator) -> Convolution | None:
    dimensions, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    kernel, image = rng.integers(1, 4, size=dimensions), rng.integers(1, 9 if dimensions < 3 else 5, size=dimensions)
    strides, begin, end, dilations = (
        tuple(int(v) for v in rng.integers(low, high, size=dimensions))
        for low, high in ((1, 4), (0, 4), (0, 4), (1, 3))
    )
    window = Window(strides, begin, end, dilations, groups)
    if min(window.out_spatial(tuple(image), tuple(kernel))) < 1:
        return None
    weights = rng.normal(size=(groups * int(rng.integers(1, 4)), int(rng.integers(1, 4)), *kernel))
    weights = np.ones_like(weights) if rng.random() < 0.2 else weights
    shape = (int(rng.integers(1, 3)), groups * weights.shape[1], *(int(n) for n in image))
    return Convolution(weights, shape, window)


def random_map(rng: np.random.Generator, kind: str) -> LinearMap:
    m, n = (int(v) for v in rng.integers(1, 12, size=2))
    if kind == "selection":
        return Selection(rng.integers(-1, n, size=m), n)
    if kind == "scaling":
        return Scaling(rng.normal(size=n))
    if kind == "sparse":
        return Sparse(Dense(rng.normal(size=(m, n)) * (rng.random((m, n)) < 0.3)).to_sparse())
    if kind == "axis":
        return Dense(rng.normal(size=(m, n)), int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    if kind == "scaled":
        return Composition(Scaling(rng.normal(size=m)), Dense(rng.normal(size=(m, n))))
    if kind == "moved":
        return Composition(Scaling(rng.normal(size=m)), Selection(rng.integers(-1, n, size=m), n))
    return Adjoint(Dense(rng.normal(size=(m, n))))


@given(seeds, st.sampled_from([1.0, 2.0, math.inf]), st.sampled_from([1e-150, 1e-3, 1.0, 1e150]))
@settings(max_examples=150, deadline=None)
def test_dense_norms_are_bounded_closely(seed, norm, scale):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=rng.integers(1, 40, size=2))
    true = np.linalg.norm(weight, norm) * scale
    bound = operator_norm(Dense(weight * scale), norm)
    assert true * (1 - ROUNDING) <= bound <= true * 1.01


@given(seeds, st.sampled_from([1.0, 2.0, math.inf]))
@settings(max_examples=200, deadline=None)
def test_convolutions_are_bounded(seed, norm):
    rng = np.random.default_rng(seed)
    convolution = random_convolution(rng)
    if convolution is None:
        return
    true = exact(convolution, norm)
    bound = operator_norm(convolution, norm)
    assert true * (1 - ROUNDING) <= bound <= true * 1.02
    assert power_iteration(convolution, rng) <= operator_norm(convolution, 2.0) * (1 + ROUNDING)


@given(seeds, st.sampled_from(["wrap", "reflect", "edge"]), st.booleans())
@settings(max_examples=100, deadline=None)
def test_convolutions_of_padded_images_are_bounded(seed, mode, transposed):
    """Padding by entries of the image: after it a convolution without padding, strides and dilations included."""
    rng = np.random.default_rng(seed)
    channels, height, width = (int(v) for v in rng.integers([1, 3, 3], [4, 8, 8]))
    reach, kernel = int(rng.integers(1, 3)), int(rng.integers(1, 4))
    image = np.arange(channels * height * width).reshape(channels, height, width)
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode=mode)
    strides, dilations = ((int(s),) * 2 for s in rng.integers(1, 3, size=2))
    weights = rng.normal(size=(int(rng.integers(1, 4)), channels, kernel, kernel))
    window = Window(strides, (0, 0), (0, 0), dilations)
    if min(window.out_spatial(padded.shape[1:], (kernel, kernel))) < 1:
        return
    padding = Selection(padded.reshape(-1), image.size)
    linear_map: LinearMap = Composition(Convolution(weights, (1, *padded.shape), window), padding)
    linear_map = Adjoint(linear_map) if transposed else linear_map
    true = exact(linear_map, 2.0)
    assert true * (1 - ROUNDING) <= operator_norm(linear_map, 2.0) <= true * 1.02


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("kernel", [np.ones((3, 3)), np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])])
def test_all_ones_and_laplacian_kernels(kernel, transposed):
    for image, strides, pads in (((8, 8), (1, 1), (1, 1)), ((9, 5), (2, 1), (0, 2)), ((3, 3), (3, 3), (1, 1))):
        window = Window(strides, pads, pads, (1, 1))
        convolution = Convolution(kernel[None, None], (1, 1, *image), window)
        linear_map = Adjoint(convolution) if transposed else convolution
        for norm in (1.0, 2.0, math.inf):
            true = exact(linear_map, norm)
            assert true * (1 - ROUNDING) <= operator_norm(linear_map, norm) <= true * (1 + 1e-6)
        assert exact(convolution, 2.0) * (1 - ROUNDING) <= circular_norm(convolution)


@given(seeds)
@settings(max_examples=100, deadline=None)
def test_the_circular_convolution_is_no_smaller(seed):
    convolution = random_convolution(np.random.default_rng(seed))
    if convolution is None or convolution.window.groups > 1:
        return
    assert exact(convolution, 2) * (1 - ROUNDING) <= circular_norm(convolution)


def test_on_as_many_pixels_as_the_image_the_circular_convolution_would_be_too_small():
    kernel = np.array([-1.0, 0.0, 2.0])
    convolution = Convolution(kernel[None, None], (1, 1, 2), Window((1,), (1,), (1,), (1,)))
    wrapped = np.array([kernel[0] + kernel[2], kernel[1]])
    assert np.abs(np.fft.fft(wrapped)).max() < 0.6 * exact(convolution, 2)
    assert exact(convolution, 2) <= circular_norm(convolution)


def test_a_large_convolution_is_bounded_in_the_fourier_domain():
    rng = np.random.default_rng(0)
    convolution = Convolution(rng.normal(size=(8, 6, 3, 3)), (1, 6, 24, 24), Window((1, 2), (1, 0), (1, 2), (1, 1)))
    bound, below = operator_norm(convolution, 2.0), power_iteration(convolution, rng, 300)
    assert below <= bound <= 1.03 * below


@pytest.mark.parametrize("kind", ["selection", "scaling", "sparse", "axis", "scaled", "moved", "adjoint"])
@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_other_maps_are_bounded(kind, norm):
    rng = np.random.default_rng(1)
    for _ in range(20):
        linear_map = random_map(rng, kind)
        true, bound = exact(linear_map, norm), operator_norm(linear_map, norm)
        assert true * (1 - ROUNDING) <= bound
        if kind != "scaled" or norm == 2.0:
            assert bound <= max(true, 1.0 if kind == "selection" else 0.0) * (1 + 1e-6) + 1e-200


def test_compositions_too_large_for_a_matrix_are_bounded_by_their_factors():
    rng = np.random.default_rng(2)
    first, second = Dense(rng.normal(size=(3, 5)), before=1000), Dense(rng.normal(size=(4, 3)), before=1000)
    true = np.linalg.norm(second.weight @ first.weight, 2)
    assert true * (1 - ROUNDING) <= operator_norm(Composition(second, first), 2.0)


@pytest.mark.parametrize("norm", [1.0, 2.0, math.inf])
def test_zero_empty_and_infinite_maps(norm):
    assert operator_norm(Dense(np.zeros((3, 4))), norm) == 0
    assert operator_norm(Dense(np.zeros((0, 4))), norm) == 0
    assert operator_norm(Identity(5), norm) <= 1 + 1e-14
    assert operator_norm(Dense(np.array([[1.0, math.inf]])), norm) == math.inf
    assert operator_norm(Dense(np.array([[1.0, math.nan]])), norm) == math.inf
    assert operator_norm(Scaling(np.array([1.0, math.nan])), norm) == math.inf


@given(seeds, st.booleans())
@settings(max_examples=50, deadline=None)
def test_singular_values_of_batches(seed, imaginary):
    rng = np.random.default_rng(seed)
    shape = (3, *rng.integers(1, 8, size=2))
    matrices = rng.normal(size=shape) + (1j * rng.normal(size=shape) if imaginary else 0)
    matrices = matrices * np.array([1.0, 1e-140, 1e140])[:, None, None]
    true = np.linalg.norm(matrices / np.abs(matrices).max(axis=(1, 2), keepdims=True), 2, axis=(1, 2))
    true = true * np.abs(matrices).max(axis=(1, 2))
    bound = largest_singular_values(matrices)
    assert (true * (1 - ROUNDING) <= bound).all()
    assert (bound <= true * (1 + 1e-6)).all()


@pytest.mark.parametrize("steps", [0, 1, 2, 5])
def test_few_steps_give_a_looser_bound(steps):
    matrix = np.random.default_rng(0).normal(size=(30, 50))
    bounds = [largest_singular_values(matrix[None], n)[0] for n in (steps, steps + 1)]
    true = np.linalg.norm(matrix, 2)
    assert true <= bounds[1] < bounds[0] <= true * 30 ** (0.5 / 2**steps) * (1 + ROUNDING)


def test_equal_singular_values_are_the_hardest_and_settle_too():
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(60, 60)))[0]
    assert 1 - ROUNDING <= largest_singular_values(orthogonal[None])[0] <= 1 + 1e-6


def test_products_and_norms_are_rounded_up():
    assert times(0.0, 5.0) == 0
    assert times(0.0, math.inf) == math.inf
    assert times(1e-200, 1e-200) > 0
    assert norms(np.array([[3e200, 4e200]]), 2.0)[0] == pytest.approx(5e200)
    assert norms(np.array([[3e-200, 4e-200]]), 2.0)[0] >= 5e-200
    assert norms(np.zeros((2, 3)), 2.0).tolist() == [0, 0]
