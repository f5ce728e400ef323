"""Boxes, rows and patterns of a query, against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.errors import PropertyError
from verifier.property.query import Box, Disjunct, LinearConstraint, Patterns, Query
from verifier.property.rounding import float32_at_least, float32_at_most, float_at_least

floats = st.floats(-1e300, 1e300)
fractions = st.builds(
    lambda n, d, e: Fraction(n, d) * Fraction(10) ** e, st.integers(), st.integers(1), st.integers(-400, 400)
)


def constraint(
    inputs: dict[int, Fraction], outputs: dict[int, Fraction], constant: object, strict: bool = False
) -> LinearConstraint:
    terms = [tuple((i, Fraction(c)) for i, c in sorted(of.items())) for of in (inputs, outputs)]
    return LinearConstraint(terms[0], terms[1], Fraction(constant), strict)  # type: ignore[arg-type]


@settings(deadline=None)
@given(fractions)
def test_float_at_least_is_the_next_float(value: Fraction) -> None:
    above = float_at_least(value)
    assert above == np.inf or Fraction(above) >= value
    with np.errstate(over="ignore"):
        below = np.nextafter(above, -np.inf)
    assert below == -np.inf or Fraction(float(below)) < value


@settings(deadline=None)
@given(floats)
def test_float32_at_least_and_at_most_are_the_next_ones(value: float) -> None:
    above, below = float32_at_least(np.array([value])), float32_at_most(np.array([value]))
    assert above.dtype == below.dtype == np.float32
    with np.errstate(over="ignore"):
        before, after = np.nextafter(above, np.float32(-np.inf)), np.nextafter(below, np.float32(np.inf))
    # As Python floats: NumPy would round a Python float to compare it with a float32.
    assert float(below[0]) <= value <= float(above[0])
    assert float(before[0]) < value
    assert float(after[0]) > value


@settings(deadline=None)
@given(st.lists(st.tuples(floats, floats), min_size=1, max_size=4), st.integers(0, 2**32))
def test_box_membership_is_that_of_the_exact_bounds(bounds: list[tuple[float, float]], seed: int) -> None:
    lower, upper = (np.array(side) for side in zip(*[sorted(pair) for pair in bounds], strict=True))
    box = Box.exact(lower, upper)
    rng = np.random.default_rng(seed)
    with np.errstate(over="ignore"):
        for weight in (0.0, 1.0, rng.random()):
            x = (lower * (1 - weight) + upper * weight).astype(np.float32)
            inside = bool(((x >= lower) & (x <= upper)).all())
            assert box.contains(x) == inside
            assert (box.distance(x) == 0) == inside
            assert box.has_float32_point or not inside


def test_distance_is_that_of_the_worst_entry() -> None:
    box = Box.exact(np.array([0.0, 0.0]), np.array([1.0, 1.0]))
    assert box.distance(np.array([1.25, -0.5], np.float32)) == 0.5
    assert not box.contains(np.array([np.nan, 0.5], np.float32))


def test_strict_bounds_exclude_their_end() -> None:
    end = np.float32(0.5)
    box = Box(np.array([0.0]), np.array([0.5]), np.zeros(1, np.float32), np.nextafter([end], np.float32(0)))
    assert not box.contains(np.array([end]))
    assert 0 < box.distance(np.array([end])) < 1e-300


def test_rows_are_judged_exactly() -> None:
    x, y = np.array([np.float32(0.1)]), np.array([0.1])
    gap = Fraction(float(x[0])) - Fraction(0.1)
    row = constraint({0: Fraction(1)}, {0: Fraction(-1)}, gap)
    assert row.excess(x, y) == 0
    assert row.holds(x, y)
    assert not constraint({0: Fraction(1)}, {0: Fraction(-1)}, gap, strict=True).holds(x, y)
    assert not constraint({0: Fraction(1)}, {0: Fraction(-1)}, gap - Fraction(1, 10**40)).holds(x, y)


def test_nan_and_infinity_are_no_violation() -> None:
    row = constraint({}, {0: Fraction(-1)}, 0)
    x = np.zeros(1, np.float32)
    assert not row.holds(x, np.array([np.nan]))
    assert not row.holds(x, np.array([np.inf]))
    disjunct = Disjunct(Box.exact(np.zeros(1), np.ones(1)), (row,))
    assert disjunct.holds(x, np.array([1.0]))
    assert not disjunct.holds(np.array([np.nan], np.float32), np.array([1.0]))


def test_a_query_is_violated_by_any_disjunct() -> None:
    box = Box.exact(np.zeros(1), np.ones(1))
    low, high = constraint({}, {0: Fraction(1)}, -1), constraint({}, {0: Fraction(-1)}, -1)
    query = Query((Disjunct(box, (low,)), Disjunct(box, (high,))), 1, 1)
    x = np.zeros(1, np.float32)
    assert query.violated(x, np.array([-1.0]))
    assert query.violated(x, np.array([2.0]))
    assert not query.violated(x, np.array([0.0]))
    assert not Query((), 1, 1).violated(x, np.array([0.0]))


def test_patterns_are_shared_and_thresholds_rounded_up() -> None:
    box = Box.exact(np.zeros(2), np.ones(2))
    form = {0: Fraction(1), 1: Fraction(-2)}
    rows = [
        constraint({1: Fraction(1, 3)}, form, "1/10"),
        constraint({1: Fraction(1, 3)}, form, "1/2", strict=True),
        constraint({}, {1: Fraction(1)}, "1/10", strict=True),
    ]
    patterns = Patterns.of([Disjunct(box, (rows[0], rows[2])), Disjunct(box, (rows[1],)), Disjunct(box, ())], 2, 2)
    assert patterns.count == 2
    assert patterns.inputs.tolist() == [[0, 1 / 3], [0, 0]]
    assert patterns.outputs.tolist() == [[1, -2], [0, 1]]
    assert [r.tolist() for r in patterns.rows] == [[0, 1], [0], []]
    assert all(Fraction(t) >= Fraction(1, 10) for t in patterns.thresholds[0].tolist())
    assert [s.tolist() for s in patterns.strict] == [[False, False], [True], []]  # 1/10 is rounded, 1/2 is not
    assert patterns.excluded(1, np.array([0.5, 0.0]))
    assert not patterns.excluded(0, np.array([0.1, 0.1]))
    assert patterns.excluded(0, np.array([-np.inf, 0.2]))
    assert not patterns.excluded(1, np.array([np.nan, np.nan]))
    assert not patterns.excluded(2, np.array([9.0, 9.0]))
    assert patterns.margin(1, np.array([0.75, 0.0])) == 0.25
    assert patterns.margin(2, np.array([9.0, 9.0])) == -np.inf


def test_coefficients_that_vanish_in_products_are_refused() -> None:
    row = LinearConstraint((), ((0, Fraction(1, 10**200)),), Fraction(0))
    query = Query((Disjunct(Box.exact(np.zeros(1), np.ones(1)), (row,)),), 1, 1)
    with pytest.raises(PropertyError, match="out of range"):
        _ = query.patterns


def test_the_centre_is_the_mean_over_boxes_not_over_disjuncts() -> None:
    one, other = Box.exact(np.array([0.0, 2.0]), np.array([2.0, 2.0])), Box.exact(np.array([5.0, 0.0]), np.full(2, 5.0))
    query = Query(tuple(Disjunct(box, ()) for box in (one, one, one, other)), 2, 1)
    np.testing.assert_allclose(query.centre, [3.0, 2.25])
    np.testing.assert_array_equal(Query((), 2, 1).centre, np.zeros(2))
