"""Ends of affine nodes computed by themselves: exact where nothing rounds, sound with infinite operands."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.bounds.enclosure import Interval
from verifier.bounds.ends import affine_ends
from verifier.bounds.interval import affine_magnitude, interval_bounds
from verifier.network.functions import Exp, Power, Reciprocal, Relu, Sqrt
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.network.linear_maps import Adjoint, Composition, Dense, LinearMap, Scaling, Selection
from verifier.property.query import SMALLEST_MARGIN, gaps

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)


def affine(weight: np.ndarray, bias: np.ndarray | None = None, exact: bool = False) -> Affine:
    size = weight.shape[0]
    return Affine((0,), (Dense(weight, exact=exact),), np.zeros(size) if bias is None else bias)


@given(st.data())
def test_every_value_lies_between_the_ends(data: st.DataObject) -> None:
    size, rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 3))

    def vector(length: int) -> np.ndarray:
        return np.array(data.draw(st.lists(NUMBERS | st.just(0.0), min_size=length, max_size=length)))

    weight, bias = vector(rows * size).reshape(rows, size), vector(rows)
    a, b = vector(size), vector(size)
    lower, upper = np.minimum(a, b), np.maximum(a, b)
    open_below, open_above = (np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))) for _ in "ab")
    ends = np.where(open_below, -np.inf, lower)[None], np.where(open_above, np.inf, upper)[None]
    low, high = affine_ends(affine(weight, bias), [ends], 1)
    assert not np.isnan(low).any()
    assert not np.isnan(high).any()
    for corner in (lower, upper, np.where(open_below, -1e9, lower), np.where(open_above, 1e9, upper)):
        for i in range(rows):
            products = (Fraction(w) * Fraction(x) for w, x in zip(weight[i].tolist(), corner.tolist(), strict=True))
            exact = Fraction(float(bias[i])) + sum(products)
            assert math.isinf(low[0, i]) or Fraction(float(low[0, i])) <= exact
            assert math.isinf(high[0, i]) or Fraction(float(high[0, i])) >= exact


def test_an_unbounded_entry_concerns_only_the_rows_and_sides_that_it_reaches() -> None:
    node = affine(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, -1.0]]))
    low, high = affine_ends(node, [(np.array([[0.0, 1.0]]), np.array([[1.0, math.inf]]))], 1)
    assert low[0, 0] == 0
    assert math.isclose(high[0, 0], 1)
    assert math.isclose(low[0, 1], 2)
    assert high[0, 1] == math.inf
    assert low[0, 2] == -math.inf
    assert high[0, 2] <= 1e-12
    magnitude = affine_magnitude(node, [Interval(np.array([[0.0, 1.0]]), np.array([[1.0, math.inf]]))])
    assert magnitude.tolist() == [[1.0, math.inf, math.inf]]


@pytest.mark.parametrize(
    "linear_map",
    [
        Selection(np.array([1, 0, -1]), 2),
        Composition(Scaling(-np.ones(3), exact=True), Selection(np.array([1, 0, -1]), 2)),
        Dense(np.array([[0.0, -1.0], [1.0, 0.0], [0.0, 0.0]]), exact=True),
    ],
    ids=["moved", "negated", "single exact weights"],
)
def test_steps_without_rounding_keep_ends_to_the_bit(linear_map: LinearMap) -> None:
    lower, upper = np.array([[0.1, -0.7]]), np.array([[0.3, 1.0]])
    low, high = affine_ends(Affine((0,), (linear_map,), np.zeros(3)), [(lower, upper)], 1)
    matrix = linear_map.to_sparse().toarray()
    assert low.tolist() == np.minimum(matrix @ lower[0], matrix @ upper[0])[None].tolist()
    assert high.tolist() == np.maximum(matrix @ lower[0], matrix @ upper[0])[None].tolist()


def test_the_adjoint_of_a_composition_is_that_of_its_factors_in_turn() -> None:
    composed = Composition(Scaling(np.array([-1.0, 2.0, -3.0])), Selection(np.array([1, 0, 1]), 2))
    lower, upper = np.array([[0.1, -0.7, -math.inf]]), np.array([[0.3, 1.0, 5.0]])
    low, high = affine_ends(Affine((0,), (Adjoint(composed),), np.zeros(2)), [(lower, upper)], 1)
    assert low[0] == pytest.approx([-1.4, -15.3])
    assert high[0] == pytest.approx([2.0, math.inf])


def test_weights_that_may_be_results_of_rounding_are_not_taken_for_exact() -> None:
    low, _ = affine_ends(affine(np.array([[1.0]])), [(np.array([[0.7]]), np.array([[1.0]]))], 1)
    assert low[0, 0] < 0.7


@pytest.mark.parametrize("function", [Relu(), Power(2.0), Exp()])
def test_a_sum_of_values_that_are_not_negative_is_not_negative(function: Relu | Power | Exp) -> None:
    rng = np.random.default_rng(0)
    nodes = (Input(3), affine(rng.normal(size=(40, 3)), rng.normal(size=40)), Elementwise((1,), function, 40))
    total = Affine((2,), (Dense(np.abs(rng.normal(size=(20, 40)))),), np.zeros(20))
    root = Elementwise((3,), Sqrt(), 20)
    intervals = interval_bounds(Network((*nodes, total, root)), -np.ones((1, 3)), np.ones((1, 3)))
    assert (intervals[3].lower >= 0).all()
    assert np.isfinite(intervals[4].upper).all()  # a root of what is never negative


def test_a_reciprocal_of_a_half_line_is_bounded() -> None:
    nodes = (Input(2), Elementwise((0,), Exp(), 2), Affine((1,), (Dense(np.ones((20, 2))),), np.ones(20)))
    network = Network((*nodes, Elementwise((2,), Reciprocal(), 20)))
    with np.errstate(invalid="ignore"):
        last = interval_bounds(network, np.array([[0.0, 0.0]]), np.array([[800.0, 1.0]]))[-1]
    assert (last.lower >= 0).all()
    assert (last.upper <= 1 / 3 + 1e-12).all()


def test_a_strict_row_is_excluded_by_a_bound_that_equals_its_threshold() -> None:
    found = gaps(np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 2.0]), np.array([True, False, True]))
    assert found.tolist() == [SMALLEST_MARGIN, 0.0, -1.0]
