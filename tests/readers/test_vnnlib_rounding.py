"""Decimals are rounded outwards where bounds are computed and inwards where witnesses are judged, exactly."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verifier.property.query import Box
from verifier.readers.vnnlib.source import Source
from verifier.readers.vnnlib.version1 import read_version1

LOWEST = np.float32(-np.inf)


def box_of(bounds: str) -> Box | None:
    text = f"(declare-const X_0 Real)(declare-const Y_0 Real)(assert (and {bounds}))"
    disjuncts = read_version1(Source.of(text, "p")).disjuncts
    return disjuncts[0].box if disjuncts else None


def exact(value: float | np.floating) -> Fraction | float:
    """The value, exactly; infinities compare with fractions as they are."""
    value = float(value)
    return Fraction(value) if np.isfinite(value) else value


def check_lower(box: Box, value: Fraction, strict: bool) -> None:
    """The lower bounds of a box bounded below by `value`: right, and next to it."""
    outer, inner = box.lower[0], box.inner_lower[0]
    assert exact(outer) <= value
    assert exact(np.nextafter(np.nextafter(outer, np.inf), np.inf)) > value
    assert exact(inner) > value if strict else exact(inner) >= value
    with np.errstate(over="ignore"):
        below = exact(np.nextafter(inner, LOWEST))
    assert below <= value if strict else below < value


def check_upper(box: Box, value: Fraction, strict: bool) -> None:
    negated = Box(-box.upper, -box.lower, -box.inner_upper, -box.inner_lower)
    check_lower(negated, -value, strict)


decimals = st.one_of(
    st.floats(-1e40, 1e40).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),  # a float32, shortest float64 digits
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda v: f"{v:.9g}"),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda v: f"{v:.60e}"),
    st.decimals(-100, 100, places=40).map(lambda d: f"{d:f}"),
    st.builds("{}e{}".format, st.integers(-(10**6), 10**6), st.integers(-350, 290)),
)


@settings(deadline=None)
@given(decimals, st.booleans(), st.booleans())
@example("0.10000000149011612", False, False)  # spelled like the float32 0.1, but a little off it
@example("0.1", True, True)
@example("-0.0", True, True)
@example("1e-400", False, True)
@example("-1e-46", True, False)
@example("3.4028235e38", False, False)
@example("1e39", True, False)
@example("1.00000000000000000000000000000000000001", False, False)
@example("0.99999999999999999999999999999999999999", True, False)
@example("16777217", False, True)
def test_one_bound(text: str, strict: bool, general: bool) -> None:
    """On both paths: a simple atom is taken apart in bulk, one with the number on the left is not."""
    value = Fraction(text)
    less, more = ("<", ">") if strict else ("<=", ">=")
    lower = f"({less} {text} X_0)" if general else f"({more} X_0 {text})"
    upper = f"({more} {text} X_0)" if general else f"({less} X_0 {text})"
    above, below = box_of(f"{lower} (<= X_0 1e299)"), box_of(f"{upper} (>= X_0 -1e299)")
    assert above is not None
    assert below is not None
    check_lower(above, value, strict)
    check_upper(below, value, strict)


@settings(deadline=None)
@given(st.fractions(-5, 5, max_denominator=1000), st.booleans())
def test_scaled_bound(value: Fraction, strict: bool) -> None:
    relation = "<" if strict else "<="
    box = box_of(f"({relation} (* {value.denominator} X_0) {value.numerator}) (>= X_0 -9)")
    assert box is not None
    check_upper(box, value, strict)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["<=", "<", ">=", ">"]), decimals), min_size=1, max_size=5))
def test_bounds_meet_and_emptiness_is_exact(atoms: list[tuple[str, str]]) -> None:
    fences = [(">=", "-1e299"), ("<=", "1e299")]
    box = box_of(" ".join(f"({relation} X_0 {text})" for relation, text in atoms + fences))
    low, open_low = max((Fraction(t), r == ">") for r, t in atoms + fences if r[0] == ">")
    high, closed_high = min((Fraction(t), r == "<=") for r, t in atoms + fences if r[0] == "<")
    empty = low > high or (low == high and (open_low or not closed_high))
    assert (box is None) == empty
    if box is not None:
        check_lower(box, low, open_low)
        check_upper(box, high, not closed_high)


@pytest.mark.parametrize(
    ("bounds", "has_point"),
    [
        ("(>= X_0 0.1) (<= X_0 0.1)", False),
        ("(>= X_0 0.5) (<= X_0 0.5)", True),
        ("(> X_0 0.5) (<= X_0 0.50000001)", False),
        ("(> X_0 0.5) (<= X_0 0.5000001)", True),
        ("(>= X_0 0.10000000149011611) (<= X_0 0.10000000149011612)", True),  # float32(0.1) is ...611938...
        ("(>= X_0 0.10000000149011612) (<= X_0 0.10000000149011613)", False),
        ("(>= X_0 1e39) (<= X_0 1e40)", False),
    ],
)
def test_boxes_between_two_float32(bounds: str, has_point: bool) -> None:
    box = box_of(bounds)
    assert has_point == (box is not None and box.has_float32_point)
