"""What every linear map promises, on maps drawn at random."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import random_array

from verifier.arrays import convert_like
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
from verifier.network.linear_maps.phases import Phases
from verifier.network.linear_maps.torch_kernels import plainly_convolved
from verifier.tolerances import gamma

sizes = st.integers(1, 4)
generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def weights(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Small whole numbers, a third of them zero: all sums below are exact."""
    return rng.integers(-3, 4, size=shape).astype(np.float64) * (rng.random(shape) < 0.7)


@st.composite
def dense(draw: st.DrawFn) -> Dense:
    return Dense(weights(draw(generators), draw(sizes), draw(sizes)), draw(sizes), draw(sizes))


@st.composite
def scaling(draw: st.DrawFn) -> Scaling:
    return Scaling(weights(draw(generators), draw(sizes)))


@st.composite
def selection(draw: st.DrawFn) -> Selection:
    in_size = draw(st.integers(1, 6))
    return Selection(np.array(draw(st.lists(st.integers(-1, in_size - 1), max_size=9)), dtype=np.int64), in_size)


@st.composite
def sparse(draw: st.DrawFn) -> Sparse:
    rng = draw(generators)
    return Sparse(
        random_array((draw(sizes), draw(sizes)), density=0.5, rng=rng, data_sampler=lambda size: weights(rng, size))
    )


@st.composite
def convolution(draw: st.DrawFn) -> Convolution:
    dimensions, groups = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    small = st.integers(0, 2)

    def per_dimension(values: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(values) for _ in range(dimensions))

    kernel, dilations = per_dimension(st.integers(1, 3)), per_dimension(st.integers(1, 2))
    begin, end = per_dimension(small), per_dimension(small)
    spans = [d * (k - 1) + 1 for d, k in zip(dilations, kernel, strict=True)]
    spatial = tuple(max(1, span - p - q) + draw(small) for span, p, q in zip(spans, begin, end, strict=True))
    window = Window(per_dimension(st.integers(1, 3)), begin, end, dilations, groups)
    in_channels, out_channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    matrix = weights(draw(generators), out_channels, in_channels // groups, *kernel)
    return Convolution(matrix, (draw(st.integers(1, 2)), in_channels, *spatial), window)


simple = st.one_of(dense(), scaling(), selection(), sparse(), convolution(), sizes.map(Identity))


@st.composite
def composition(draw: st.DrawFn) -> Composition:
    inner = draw(simple)
    outer = Dense(weights(draw(generators), draw(sizes), inner.out_size))
    return Composition(outer, inner)


maps = st.one_of(simple, simple.map(Adjoint), composition(), composition().map(Adjoint))


def vectors(rng: np.random.Generator, size: int, leading: tuple[int, ...] = (2,)) -> np.ndarray:
    return rng.integers(-9, 10, size=(*leading, size)).astype(np.float64)


@settings(max_examples=200, deadline=None)
@given(maps, generators)
def test_apply_is_the_matrix(linear_map: LinearMap, rng):
    x = vectors(rng, linear_map.in_size)
    matrix = linear_map.to_sparse()
    assert matrix.shape == (linear_map.out_size, linear_map.in_size)
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(linear_map.apply(x), x @ matrix.toarray().T)


@settings(max_examples=200, deadline=None)
@given(maps, generators)
def test_adjoint_is_the_transpose(linear_map: LinearMap, rng):
    x, y = vectors(rng, linear_map.in_size), vectors(rng, linear_map.out_size)
    np.testing.assert_array_equal(linear_map.adjoint(y), y @ linear_map.to_sparse().toarray())
    np.testing.assert_array_equal(np.sum(linear_map.apply(x) * y, axis=-1), np.sum(x * linear_map.adjoint(y), axis=-1))


@settings(max_examples=200, deadline=None)
@given(st.one_of(simple, simple.map(Adjoint)))
def test_absolute_has_the_absolute_weights(linear_map: LinearMap):
    expected = np.abs(linear_map.to_sparse().toarray())
    np.testing.assert_array_equal(linear_map.absolute().to_sparse().toarray(), expected)
    np.testing.assert_array_equal(linear_map.magnitude.to_sparse().toarray(), expected)


@settings(max_examples=100, deadline=None)
@given(composition())
def test_absolute_of_a_composition_is_no_smaller(linear_map: Composition):
    assert (linear_map.absolute().to_sparse().toarray() >= np.abs(linear_map.to_sparse().toarray())).all()


@settings(max_examples=200, deadline=None)
@given(st.one_of(simple, simple.map(Adjoint)))
def test_terms_count_all_products_of_an_entry(linear_map: LinearMap):
    used = linear_map.to_sparse().toarray() != 0
    assert linear_map.terms >= used.sum(axis=1, initial=0).max(initial=0)
    assert linear_map.adjoint_terms >= used.sum(axis=0, initial=0).max(initial=0)


@settings(max_examples=100, deadline=None)
@given(maps, generators)
def test_terms_set_the_rounding_error(linear_map: LinearMap, rng):
    matrix = [[Fraction(int(entry)) for entry in row] for row in linear_map.to_sparse().toarray()]
    x = rng.normal(size=linear_map.in_size) * 10.0 ** rng.integers(-6, 6, size=linear_map.in_size)
    allowed = gamma(linear_map.terms) * linear_map.magnitude.apply(np.abs(x)) * 1.0001
    for row, value, error in zip(matrix, linear_map.apply(x), allowed, strict=True):
        exact = sum((w * Fraction(float(entry)) for w, entry in zip(row, x, strict=True)), Fraction(0))
        assert abs(Fraction(float(value)) - exact) <= error


@settings(max_examples=150, deadline=None)
@given(maps, generators)
def test_torch_computes_the_same(linear_map: LinearMap, rng):
    on_torch = linear_map.converted(convert_like(torch.zeros(1, dtype=torch.float64)))
    x, y = vectors(rng, linear_map.in_size), vectors(rng, linear_map.out_size)
    np.testing.assert_array_equal(on_torch.apply(torch.asarray(x)).numpy(), linear_map.apply(x))
    np.testing.assert_array_equal(on_torch.adjoint(torch.asarray(y)).numpy(), linear_map.adjoint(y))
    np.testing.assert_array_equal(on_torch.to_sparse().toarray(), linear_map.to_sparse().toarray())


@settings(max_examples=150, deadline=None)
@given(maps, generators, st.sampled_from([np.float32, np.float64]))
def test_torchs_kernels_compute_the_same_of_numpys_arrays(linear_map: LinearMap, rng, dtype):
    hastened = linear_map.with_torch().converted(convert_like(np.zeros(1, dtype)))
    x, y = vectors(rng, linear_map.in_size).astype(dtype), vectors(rng, linear_map.out_size).astype(dtype)
    for found, expected in ((hastened.apply(x), linear_map.apply(x)), (hastened.adjoint(y), linear_map.adjoint(y))):
        assert isinstance(found, np.ndarray)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=100, deadline=None)
@given(maps, generators, st.sampled_from([(), (0,), (3,), (2, 1, 3)]))
def test_leading_axes_are_carried_along(linear_map: LinearMap, rng, leading):
    x, y = vectors(rng, linear_map.in_size, leading), vectors(rng, linear_map.out_size, leading)
    forward, backward = linear_map.apply(x), linear_map.adjoint(y)
    assert forward.shape == (*leading, linear_map.out_size)
    assert backward.shape == (*leading, linear_map.in_size)
    matrix = linear_map.to_sparse().toarray()
    np.testing.assert_array_equal(forward, x @ matrix.T)
    np.testing.assert_array_equal(backward, y @ matrix)


@settings(max_examples=60, deadline=None)
@given(convolution(), generators)
def test_convolution_is_torchs(linear_map: Convolution, rng):
    window, dimensions = linear_map.window, len(linear_map.in_shape) - 2
    x = vectors(rng, linear_map.in_size, (1,)).reshape(linear_map.in_shape)
    pads = [p for pair in zip(window.pads_begin[::-1], window.pads_end[::-1], strict=True) for p in pair]
    convolve = [torch.conv1d, torch.conv2d, torch.conv3d][dimensions - 1]
    expected = convolve(
        torch.nn.functional.pad(torch.asarray(x), pads),
        torch.asarray(linear_map.kernel),
        stride=window.strides,
        dilation=window.dilations,
        groups=window.groups,
    )
    assert tuple(expected.shape) == linear_map.out_shape
    np.testing.assert_array_equal(linear_map.apply(x.reshape(1, -1)).ravel(), expected.numpy().ravel())


@settings(max_examples=100, deadline=None)
@given(convolution(), generators, st.integers(1, 4))
def test_phases_are_the_adjoint(linear_map: Convolution, rng, stride: int):
    dimensions = len(linear_map.in_shape) - 2
    ones = (1,) * dimensions
    window = replace(linear_map.window, strides=(stride, *ones[1:]), dilations=ones, groups=1)
    kernel, shape = linear_map.kernel.astype(np.float32), (1, *linear_map.in_shape[1:])
    plain = Convolution(np.concatenate([kernel] * linear_map.window.groups, axis=1), shape, window)
    phases = Phases(plain.kernel, window, shape[2:], plain.out_shape[2:])
    y = vectors(rng, plain.out_size, (5,)).astype(np.float32)
    found = phases.adjoint(y.reshape(5, *plain.out_shape[1:]), plainly_convolved)
    np.testing.assert_array_equal(found.reshape(5, -1), y @ plain.to_sparse().toarray())


def test_a_convolution_in_chunks_gives_the_same(monkeypatch: pytest.MonkeyPatch):
    from verifier.network.linear_maps import convolution as module

    rng = np.random.default_rng(0)
    linear_map = Convolution(weights(rng, 2, 1, 2, 2), (1, 1, 4, 4), Window((1, 1), (0, 0), (0, 0), (1, 1)))
    x = vectors(rng, linear_map.in_size, (7,))
    whole = linear_map.apply(x)
    monkeypatch.setattr(module, "PATCH_ENTRIES", 100)
    np.testing.assert_array_equal(linear_map.apply(x), whole)


@pytest.mark.parametrize("indices", [[0, 3], [-2]])
def test_selection_refuses_indices_outside(indices):
    with pytest.raises(ValueError, match="outside"):
        Selection(np.array(indices), 3)


def test_composition_refuses_maps_that_do_not_fit():
    with pytest.raises(ValueError, match="cannot follow"):
        Composition(Identity(3), Identity(2))
