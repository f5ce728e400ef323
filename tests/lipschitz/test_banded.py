"""Norms by banded factorisations against NumPy's singular values, which round, and against Lanczos, from below."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import block_diag, csr_array, diags_array, eye_array, random_array, vstack
from scipy.sparse.linalg import svds

from verifier.lipschitz import banded
from verifier.lipschitz.banded import banded_norm
from verifier.lipschitz.norms import operator_norm
from verifier.network.linear_maps import Composition, Convolution, Selection, Sparse
from verifier.network.linear_maps.convolution import Window

ROUNDING = 1e-12
"""Relative error allowed to NumPy's singular values."""


def padded_convolution(rng: np.random.Generator, channels: int, side: int, mode: str) -> csr_array:
    """One of 3 x 3 on an image that is padded by its own entries."""
    image = np.arange(channels * side * side).reshape(channels, side, side)
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode=mode)
    window = Window((1, 1), (0, 0), (0, 0), (1, 1))
    convolution = Convolution(rng.normal(size=(channels, channels, 3, 3)), (1, *padded.shape), window)
    return Composition(convolution, Selection(padded.reshape(-1), image.size)).to_sparse()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.2, 1.0]), st.sampled_from([1e-140, 1.0, 1e140]))
@settings(max_examples=150, deadline=None)
def test_sparse_matrices_are_bounded_closely(seed, density, scale):
    rng = np.random.default_rng(seed)
    rows, columns = (int(n) for n in rng.integers(1, 40, size=2))
    matrix = csr_array(random_array((rows, columns), density=density, rng=rng, data_sampler=rng.standard_normal))
    true = np.linalg.norm(matrix.toarray(), 2)
    assert true * (1 - ROUNDING) <= banded_norm(matrix * scale) / scale <= true * (1 + 1e-6)


@pytest.mark.parametrize("mode", ["wrap", "reflect", "edge"])
def test_convolutions_on_padded_images_are_bounded_closely(mode):
    matrix = padded_convolution(np.random.default_rng(0), 12, 14, mode)
    below = svds(matrix, k=1, return_singular_vectors=False)[0]
    assert below * (1 - ROUNDING) <= operator_norm(Sparse(matrix), 2.0) <= below * (1 + 1e-5)


def test_the_matrix_is_left_as_it_was():
    matrix = padded_convolution(np.random.default_rng(0), 2, 6, "wrap")
    before = matrix.toarray()
    banded_norm(matrix)
    assert (matrix.toarray() == before).all()


def test_equal_and_clustered_singular_values():
    rng = np.random.default_rng(3)
    turns = [np.linalg.qr(rng.normal(size=(5, 5)))[0] for _ in range(40)]
    blocks = csr_array(block_diag([turn * (1 - 1e-9 * n) for n, turn in enumerate(turns)]))
    assert 1 - ROUNDING <= banded_norm(blocks) <= 1 + 1e-6


def test_an_estimate_that_is_too_low_is_raised_until_the_factorisation_succeeds(monkeypatch):
    matrix = csr_array(diags_array([1.0, 2.0, 3.0]))
    monkeypatch.setattr(banded, "_lanczos", lambda square: (1 - 1e-3) * float(square.max()))
    assert 3 <= banded_norm(matrix) <= 3 * 1.01
    monkeypatch.setattr(banded, "_lanczos", lambda square: 0.1 * float(square.max()))
    assert banded_norm(matrix) == math.inf


def test_what_cannot_be_bounded_is_infinite():
    assert banded_norm(csr_array((3, 4))) == 0
    assert banded_norm(csr_array(np.array([[1.0, math.nan]]))) == math.inf
    assert banded_norm(csr_array(np.array([[1.0, math.inf]]))) == math.inf
    assert banded_norm(csr_array(np.array([[1.0, 1e-200]]))) == math.inf
    wide = csr_array(np.ones((1, 50_000)))
    assert banded_norm(csr_array(vstack([eye_array(50_000), wide]))) == math.inf  # A'A would be full
    assert operator_norm(Sparse(wide), 2.0) <= math.sqrt(50_000) * (1 + 1e-6)


def test_large_weights_raise_no_warning():
    matrix = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = banded_norm(csr_array(matrix * 1e250))
    assert found >= np.linalg.norm(matrix, 2) * 1e250 * (1 - ROUNDING)


def test_columns_that_nothing_meets_make_no_difference():
    matrix = csr_array(np.array([[0.0, 3.0, 0.0, 4.0], [0.0, 0.0, 0.0, 0.0]]))
    assert 5 * (1 - ROUNDING) <= banded_norm(matrix) <= 5 * (1 + 1e-6)
    assert 5 * (1 - ROUNDING) <= banded_norm(csr_array(matrix.T)) <= 5 * (1 + 1e-6)
