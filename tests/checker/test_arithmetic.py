"""What the checker computes holds what is true: elementary functions, lines, and bounds of whole networks."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checker.claims import NAMES, claim
from verifier.checker.bounds import Bounder
from verifier.checker.elementary import VALUE
from verifier.checker.lines import exactly, interval, product_lines, relu_lines, smooth_lines, step_lines
from verifier.checker.rational import rational
from verifier.checker.steps import STEPS

TRUE: dict[str, Any] = {
    "exp": mpmath.exp,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "square": lambda x: x * x,
    "reciprocal": lambda x: 1 / x,
    "sqrt": mpmath.sqrt,
    "log": mpmath.log,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "erf": mpmath.erf,
}
STEPPED: dict[str, Any] = {
    "floor": mpmath.floor,
    "round": mpmath.nint,
    "sign": mpmath.sign,
    "step": lambda x: int(x > 0),
}
POSITIVE = ("sqrt", "reciprocal", "log")


@pytest.mark.parametrize("kind", VALUE)
def test_elementary_functions_are_within_their_errors(kind: str) -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(scale=s, size=40) for s in (1e-12, 1e-3, 1.0, 4.0, 30.0, 300.0)])
    x = np.abs(x) if kind in POSITIVE else x
    with mpmath.workprec(200):
        for at, value, error in zip(x, *VALUE[kind](x), strict=True):
            assert abs(TRUE[kind](mpmath.mpf(float(at))) - float(value)) <= float(error), at


def test_every_function_has_an_oracle() -> None:
    assert set(VALUE) == set(TRUE)
    assert set(STEPS) == set(STEPPED)


place = st.floats(-3, 3) | st.sampled_from([k / 2 for k in range(-6, 7)])
number = st.floats(-20, 20, allow_nan=False)


@given(st.sampled_from(sorted(VALUE)), number, st.floats(1e-6, 10), st.floats(-3, 3), st.floats(0, 1))
def test_lines_and_intervals_hold_smooth_functions(
    kind: str, start: float, width: float, slope: float, at: float
) -> None:
    lower = np.array([[abs(start) + 0.01 if kind in POSITIVE else start]])
    upper = lower + width
    z = float(np.clip(lower[0, 0] + at * width, lower[0, 0], upper[0, 0]))
    found, (low, high) = (
        smooth_lines(kind, lower, upper, (np.array([[slope]]),), 2.0**-53),
        interval(kind, lower, upper, 1.0),
    )
    with mpmath.workprec(200):
        true = TRUE[kind](mpmath.mpf(z))
        assert low[0, 0] <= true <= high[0, 0]
        assert mpmath.mpf(float(found.below[0][0, 0])) * z + float(found.low[0, 0]) <= true
        assert mpmath.mpf(float(found.above[0][0, 0])) * z + float(found.high[0, 0]) >= true


@given(
    st.sampled_from(sorted(STEPPED)),
    st.floats(-3, 3) | st.sampled_from([k / 2 for k in range(-6, 7)]),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_lines_and_intervals_hold_steps(kind: str, start: float, width: float, at: float) -> None:
    lower = np.array([[float(start)]])
    upper = lower + width
    z = float(np.clip(lower[0, 0] + at * width, lower[0, 0], upper[0, 0]))
    for unit in (2.0**-53, 0):
        ends = (lower, upper) if unit else (exactly(lower), exactly(upper))
        low, high = interval(kind, *ends, unit)
        found = step_lines(kind, ends, (low, high), None, unit)
        assert low[0, 0] <= float(STEPPED[kind](z)) <= high[0, 0]
        assert not found.below[0].any()
        assert (found.low, found.high) == (low, high)


@given(number, st.floats(0, 40), st.floats(-1, 2), st.floats(0, 1))
def test_lines_hold_relus(start: float, width: float, slope: float, at: float) -> None:
    lower, upper = np.array([[start]]), np.array([[start + width]])
    z = float(np.clip(start + at * width, start, start + width))
    found = relu_lines(lower, upper, (np.array([[slope]]),), 2.0**-53)
    with mpmath.workprec(200):
        assert mpmath.mpf(float(found.below[0][0, 0])) * z + float(found.low[0, 0]) <= max(z, 0.0)
        assert mpmath.mpf(float(found.above[0][0, 0])) * z + float(found.high[0, 0]) >= max(z, 0.0)


@given(number, st.floats(0, 20), number, st.floats(0, 20), number, number, st.floats(0, 1), st.floats(0, 1))
def test_planes_hold_products(
    x: float, wide: float, y: float, high: float, left: float, right: float, at: float, across: float
) -> None:
    (xl, xu), (yl, yu) = ((np.array([[a]]), np.array([[a + w]])) for a, w in ((x, wide), (y, high)))
    p, q = float(np.clip(x + at * wide, x, x + wide)), float(np.clip(y + across * high, y, y + high))
    found = product_lines((xl, xu), (yl, yu), (np.array([[left]]), np.array([[right]])), 2.0**-53)
    with mpmath.workprec(300):
        true = mpmath.mpf(p) * mpmath.mpf(q)
        a, b = (mpmath.mpf(float(s[0, 0])) for s in found.below)
        assert a * p + b * q + float(found.low[0, 0]) <= true
        a, b = (mpmath.mpf(float(s[0, 0])) for s in found.above)
        assert a * p + b * q + float(found.high[0, 0]) >= true


@pytest.mark.parametrize(("network", "prop"), [name for name in NAMES if name[1] in ("robust", "bounded")])
def test_bounds_hold_values(network: str, prop: str) -> None:
    graph, claimed = claim(network, prop)
    bounder = Bounder(graph)
    low, high = (
        np.array([[float(v) for v in ends]]) for ends in (claimed.disjuncts[0].lower, claimed.disjuncts[0].upper)
    )
    state = bounder.sharpened(bounder.propagated(low, high))
    points = np.random.default_rng(3).uniform(low, high, (200, low.shape[1]))
    values = bounder.propagated(points, points)
    for k in range(len(graph.nodes)):
        assert (state.lower[k] <= values.upper[k]).all()
        assert (state.upper[k] >= values.lower[k]).all()


def test_rational_bounds_are_no_looser() -> None:
    graph, claimed = claim("moons", "bounded")
    low, high = (np.array([list(ends)], object) for ends in (claimed.disjuncts[0].lower, claimed.disjuncts[0].upper))
    exact, plain = Bounder(rational(graph), exact=True), Bounder(graph)
    fine = exact.propagated(low, high)
    coarse = plain.propagated(low.astype(float), high.astype(float))
    for k in range(len(graph.nodes)):
        assert (fine.lower[k] >= coarse.lower[k]).all()
        assert (fine.upper[k] <= coarse.upper[k]).all()
