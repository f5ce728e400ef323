"""Convolutions of vectors that are 0 outside of windows give what they give of any vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verifier.network.linear_maps import Convolution
from verifier.network.linear_maps import convolution as module
from verifier.network.linear_maps.convolution import Window
from verifier.network.linear_maps.windows import Group, all_wide, cut, grouped, narrow, occupied, put

generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)
small = st.integers(0, 2)


def whole_numbers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """None of them 0; all sums below are exact."""
    return rng.integers(1, 9, size=shape) * rng.choice([-1.0, 1.0], size=shape)


@st.composite
def convolutions(draw: st.DrawFn) -> Convolution:
    dimensions, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))

    def per_dimension(values: st.SearchStrategy[int]) -> tuple[int, ...]:
        return tuple(draw(values) for _ in range(dimensions))

    window = Window(per_dimension(st.integers(1, 3)), per_dimension(small), per_dimension(small),
                    per_dimension(st.integers(1, 2)), groups)  # fmt: skip
    kernel, spatial = per_dimension(st.integers(1, 3)), per_dimension(st.integers(8, 20))
    matrix = whole_numbers(draw(generators), groups * draw(st.integers(1, 2)), draw(st.integers(1, 2)), *kernel)
    return Convolution(matrix, (1, groups * matrix.shape[1], *spatial), window)


def mostly_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Vectors with windows of all widths and places, flat: some 0, some full."""
    images = np.zeros((40, *shape[1:]))
    for image in images:
        where = tuple(slice(a, b) for a, b in (sorted(rng.integers(0, n + 1, 2)) for n in shape[2:]))
        inside = image[(slice(None), *where)]
        inside[...] = whole_numbers(rng, *inside.shape) * (rng.random(inside.shape) < rng.random())
    return images.reshape(40, -1)


@pytest.fixture
def any_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vectors are looked at whatever the size of the image and however few there are."""
    monkeypatch.setattr(module, "SMALLEST_IMAGE", 1)
    monkeypatch.setattr(module, "FEWEST_VECTORS", 1)


@pytest.mark.usefixtures("any_image")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(convolutions(), generators)
def test_windows_change_nothing(convolution: Convolution, rng: np.random.Generator) -> None:
    matrix = convolution.to_sparse().toarray()
    x, y = mostly_zero(rng, convolution.in_shape), mostly_zero(rng, convolution.out_shape)
    np.testing.assert_array_equal(convolution.apply(x), x @ matrix.T)
    np.testing.assert_array_equal(convolution.adjoint(y), y @ matrix)
    np.testing.assert_array_equal(convolution.apply(x.reshape(4, 10, -1)), (x @ matrix.T).reshape(4, 10, -1))


def test_windows_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of unit vectors the whole image is never looked at, and NaN is no zero."""
    convolution = Convolution(np.ones((2, 1, 3, 3)), (1, 1, 32, 32), Window((1, 1), (1, 1), (1, 1), (1, 1)))
    x = np.zeros((100, convolution.in_size))
    x[:, 5 * 32 + 7] = np.nan
    monkeypatch.setattr(convolution, "_apply", None)  # would be called for the whole image
    found = convolution.apply(x).reshape(100, 2, 32, 32)[99]
    assert np.isnan(found[:, 4:7, 6:9]).all()
    assert np.isnan(found).sum() == 18
    assert np.nansum(np.abs(found)) == 0


def test_wide_images_are_known_by_their_corners() -> None:
    images = np.zeros((3, 2, 4, 4))
    assert not all_wide(images)
    images[:, 0, 0, 0] = 1.0
    assert not all_wide(images)
    images[:, 1, 3, 3] = -1.0
    assert all_wide(images)
    images[1, 1, 3, 3] = 0.0
    assert not all_wide(images)


@given(generators, st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=100, deadline=None)
def test_groups_cover_what_is_occupied(rng: np.random.Generator, spatial: tuple[int, int]) -> None:
    images = mostly_zero(rng, (1, 2, *spatial)).reshape(40, 2, *spatial)
    groups = list(grouped(*occupied(images), spatial))
    again = np.zeros_like(images)
    for group in groups:
        put(again, cut(images, group), group)
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(np.sort(np.concatenate([g.rows for g in groups])), np.arange(40))
    assert narrow(groups, spatial) == any(g.sizes != spatial for g in groups)


def test_what_lies_outside_of_an_image_is_zero_and_dropped() -> None:
    images = np.arange(1.0, 7.0).reshape(1, 1, 6)
    group = Group(np.array([0, 0]), np.array([[-2], [4]]), (4,))
    np.testing.assert_array_equal(cut(images, group)[:, 0], [[0, 0, 1, 2], [5, 6, 0, 0]])
    put(images, np.full((2, 1, 4), 9.0), group)
    np.testing.assert_array_equal(images[0, 0], [9, 9, 3, 4, 9, 9])
