"""Intervals and planes of products, in exact rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verifier.relaxations.policy import Policy
from verifier.relaxations.products import Plane, chosen_planes, product_interval, product_planes

pytestmark = pytest.mark.filterwarnings("error")

ends = st.one_of(
    st.floats(-5, 5),
    st.sampled_from([0.0, 1.0, -1.0, 0.1, -1e-200, 1e-300, 5e-324, 1e50, -1e99, 1e120, -1e120]),
)
boxes = st.tuples(ends, ends, ends, ends).map(lambda e: (*sorted(e[:2]), *sorted(e[2:])))
shares = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=3)


def arrays(box) -> list[np.ndarray]:
    return [np.array([end]) for end in box]


def samples(box, shares) -> list[tuple[float, float]]:
    a, b, c, d = box
    corners = [(x, y) for x in (a, b) for y in (c, d)]
    return corners + [(min(max(a + s * (b - a), a), b), min(max(c + t * (d - c), c), d)) for s, t in shares]


@settings(max_examples=300, deadline=None)
@given(boxes, shares)
def test_interval_contains_all_products(box, shares):
    low, high = (float(end[0]) for end in product_interval(*arrays(box)))
    for x, y in samples(box, shares):
        assert low <= Fraction(x) * Fraction(y) <= high


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[st.floats(-5, 5)] * 4).map(lambda e: (*sorted(e[:2]), *sorted(e[2:]))))
def test_interval_is_attained_at_the_corners(box):
    low, high = (float(end[0]) for end in product_interval(*arrays(box)))
    corners = [x * y for x, y in samples(box, [])]
    assert low == pytest.approx(min(corners), rel=1e-14, abs=1e-280)
    assert high == pytest.approx(max(corners), rel=1e-14, abs=1e-280)


def height(plane: Plane, x: float, y: float) -> Fraction | float:
    x_slope, y_slope, intercept = (float(part[0]) for part in (plane.x_slope, plane.y_slope, plane.intercept))
    assert np.isfinite([x_slope, y_slope]).all()
    if np.isinf(intercept):
        return intercept
    return Fraction(x_slope) * Fraction(x) + Fraction(y_slope) * Fraction(y) + Fraction(intercept)


@settings(max_examples=300, deadline=None)
@example((0.0, 5e-324, 0.0, 1e50), [(0.0, 0.0), (1.0, 1.0), (1.0, 0.0)], Policy.ADAPTIVE)
@given(boxes, shares, st.sampled_from(list(Policy)))
def test_planes_enclose_all_products(box, shares, policy):
    planes = product_planes(*arrays(box))
    below, above = chosen_planes(*arrays(box), policy)
    for x, y in samples(box, shares):
        product = Fraction(x) * Fraction(y)
        assert all(height(plane, x, y) <= product for plane in (*planes.lower, below))
        assert all(height(plane, x, y) >= product for plane in (*planes.upper, above))


@settings(max_examples=100, deadline=None)
@given(st.tuples(*[st.floats(-5, 5)] * 4).map(lambda e: (*sorted(e[:2]), *sorted(e[2:]))))
def test_planes_are_mccormicks(box):
    a, b, c, d = box
    planes = product_planes(*arrays(box))
    for plane, corners in zip(
        (*planes.lower, *planes.upper),
        ([(a, c), (a, d), (b, c)], [(b, d), (a, d), (b, c)], [(a, d), (a, c), (b, d)], [(b, c), (a, c), (b, d)]),
        strict=True,
    ):
        for x, y in corners:  # each plane touches the graph in three corners
            assert float(height(plane, x, y)) == pytest.approx(x * y, rel=1e-12, abs=1e-12)


def test_policies_choose_first_second_and_average():
    box = arrays((-1.0, 2.0, -3.0, 5.0))
    planes = product_planes(*box)
    for policy, x_slope in ((Policy.LOWER_END, -3.0), (Policy.UPPER_END, 5.0), (Policy.ADAPTIVE, 1.0)):
        below, above = chosen_planes(*box, policy)
        assert below.x_slope[0] == x_slope
        assert above.x_slope[0] == {-3.0: 5.0, 5.0: -3.0, 1.0: 1.0}[x_slope]
    assert planes.lower[0].intercept[0] == pytest.approx(-3.0)


def test_infinite_and_nan_ends():
    box = [np.array(end) for end in ([-np.inf, 0.0, 1.0, np.nan, 0.0], [1.0, 0.0, np.inf, 1.0, np.inf])]
    other = [np.array([0.0, -np.inf, 2.0, 1.0, np.nan]), np.array([0.0, np.inf, 3.0, 1.0, 1.0])]
    low, high = product_interval(*box, *other)
    np.testing.assert_allclose(low, [0, 0, 2, -np.inf, -np.inf])
    np.testing.assert_allclose(high, [0, 0, np.inf, np.inf, np.inf])
    for policy in Policy:
        for plane, constant in zip(chosen_planes(*box, *other, policy), (low, high), strict=True):
            assert (plane.x_slope[[0, 1, 2, 3]] == 0).all()
            np.testing.assert_allclose(plane.intercept, constant, atol=1e-280)


def test_torch_and_numpy_agree():
    rng = np.random.default_rng(1)
    x, y = np.sort(rng.normal(size=(2, 4, 5)), axis=0), np.sort(rng.normal(size=(2, 4, 5)), axis=0)
    tensors = [torch.asarray(end) for end in (*x, *y)]
    for ours, theirs in zip(product_interval(*x, *y), product_interval(*tensors), strict=True):
        np.testing.assert_array_equal(ours, theirs.numpy())
    for policy in Policy:
        for ours, theirs in zip(chosen_planes(*x, *y, policy), chosen_planes(*tensors, policy), strict=True):
            np.testing.assert_array_equal(ours.intercept, theirs.intercept.numpy())
            np.testing.assert_array_equal(ours.x_slope, theirs.x_slope.numpy())
            np.testing.assert_array_equal(ours.y_slope, theirs.y_slope.numpy())
