"""Clipping never removes a point at which all rows can be obeyed, and removes most of what it can."""

from __future__ import annotations

import numpy as np
import pytest

from verifier.search.clipping import clipped


@pytest.mark.parametrize("seed", range(20))
def test_no_point_that_obeys_all_rows_is_lost(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, size, rows = 40, int(rng.integers(1, 5)), int(rng.integers(1, 4))
    lower = rng.normal(size=(count, size))
    upper = lower + rng.random((count, size)) * (rng.random((count, size)) < 0.9) * 10.0 ** rng.integers(-12, 2)
    coefficients = rng.normal(size=(count, rows, size)) * (rng.random((count, rows, size)) < 0.8)
    inside = lower + rng.random((count, size)) * (upper - lower)
    constant = rng.normal(size=(count, rows))
    value = np.einsum("nrd,nd->nr", coefficients, inside) + constant
    thresholds = value + 1e-12 * (1 + np.abs(value)) + rng.random((count, rows)) * (rng.random((count, rows)) < 0.5)
    low, high, empty = clipped(lower, upper, coefficients, constant, thresholds)
    assert not empty.any()
    assert ((low >= lower) & (high <= upper)).all()
    assert ((low <= inside) & (inside <= high)).all()


def test_one_row_is_used_in_full() -> None:
    lower, upper = np.zeros((1, 2)), np.ones((1, 2))
    rows, constant, thresholds = np.array([[[1.0, -2.0]]]), np.array([[0.0]]), np.array([[-1.5]])  # x - 2 y <= -1.5
    low, high, empty = clipped(lower, upper, rows, constant, thresholds)
    assert not empty[0]
    np.testing.assert_allclose(np.r_[low[0], high[0]], [0.0, 0.75, 0.5, 1.0], atol=1e-12)


def test_rows_that_exclude_each_other_leave_nothing() -> None:
    lower, upper = np.zeros((2, 1)), np.ones((2, 1))
    rows = np.array([[[1.0], [-1.0]]] * 2)
    thresholds = np.array([[0.4, -0.6], [0.6, -0.4]])  # x <= 0.4 and x >= 0.6; x <= 0.6 and x >= 0.4
    low, high, empty = clipped(lower, upper, rows, np.zeros((2, 2)), thresholds)
    assert empty.tolist() == [True, False]
    np.testing.assert_allclose([low[1, 0], high[1, 0]], [0.4, 0.6], atol=1e-12)


def test_what_is_not_known_clips_nothing() -> None:
    lower, upper = np.zeros((1, 2)), np.ones((1, 2))
    rows = np.array([[[1.0, 0.0], [np.nan, 1.0], [0.0, 0.0], [1.0, 1.0]]])
    constant = np.array([[-np.inf, -np.inf, 0.0, np.nan]])
    low, high, empty = clipped(lower, upper, rows, constant, np.array([[0.0, 0.0, 0.0, 0.0]]))
    assert not empty[0]
    np.testing.assert_array_equal(np.r_[low[0], high[0]], [0.0, 0.0, 1.0, 1.0])
