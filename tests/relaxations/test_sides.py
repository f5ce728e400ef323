"""The bounds of f(x) - slope * x, for slopes that no rule would choose."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.network.references import REFERENCES, defined, functions, inside
from verifier.network import functions as f
from verifier.relaxations.regions import line_above
from verifier.relaxations.sides import Side

pytestmark = pytest.mark.filterwarnings("error")

shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)
SMOOTH = [g for g in REFERENCES if not isinstance(g, f.StepFunction | f.Near | f.Relu)]


def rise(function, mirrored, x, slope):
    value = REFERENCES[function](mpmath.mpf(x))
    return (-value if mirrored else value) - mpmath.mpf(slope) * mpmath.mpf(x)


@pytest.mark.parametrize("function", list(REFERENCES), ids=repr)
@pytest.mark.parametrize("mirrored", [False, True])
def test_height_covers_its_rounding(function, mirrored):
    rng = np.random.default_rng(4)
    x, slope = 10.0 ** rng.uniform(-3, 2, size=80), rng.normal(size=80) * 10.0 ** rng.uniform(0, 12, size=80)
    height = Side(function, mirrored).height(x, slope)
    for point, s, bound in zip(x.tolist(), slope.tolist(), height.tolist(), strict=True):
        if defined(function, point, point):
            assert bound >= rise(function, mirrored, point, s)


@settings(max_examples=200, deadline=None)
@given(functions, st.booleans(), st.floats(-10, 10), st.floats(1e-9, 20), st.floats(-3, 3), shares)
def test_peak_by_slopes_bounds_any_slope(function, mirrored, lower, width, slope, shares):
    upper = lower + width
    peak = Side(function, mirrored).peak_by_slopes(np.array([slope]), np.array([lower]), np.array([upper]))[0]
    if defined(function, lower, upper):
        assert all(rise(function, mirrored, x, slope) <= peak for x in inside(lower, upper, shares))


@settings(max_examples=200, deadline=None)
@example(f.HardSwish(), True, -3.0, 6.0, 0.0, [0.0, 0.0, 1.0, 1.0])
@given(functions, st.booleans(), st.floats(-10, 10), st.floats(1e-9, 20), st.floats(-3, 3), shares)
def test_peak_of_concave_bounds_any_slope_and_bracket(function, mirrored, lower, width, slope, shares):
    upper, side = lower + width, Side(function, mirrored)
    part = np.array([lower]), np.array([upper])
    if isinstance(function, f.Clip) or not side.curvature(*part).concave[0]:
        return  # a clip's lines are those of its hull (`relaxations.clipping`)
    p, q = sorted(inside(lower, upper, shares)[2:4])
    for bracket in ((p, q), (p, p), (lower, upper)):
        peak = side.peak_of_concave(np.array([slope]), part, tuple(np.array([end]) for end in bracket))[0]
        assert all(rise(function, mirrored, x, slope) <= peak for x in inside(lower, upper, [*shares, 0.5]))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SMOOTH), st.booleans(), st.floats(-10, 10), st.floats(1e-6, 20), st.floats(-3, 3), shares)
def test_lines_of_any_slope_are_above(function, mirrored, lower, width, slope, shares):
    upper, side = lower + width, Side(function, mirrored)
    found = line_above(side, np.array([lower]), np.array([upper]), np.array([slope]))
    if defined(function, lower, upper):
        intercept = mpmath.mpf(float(found[1][0]))
        assert all(rise(function, mirrored, x, found[0][0]) <= intercept for x in inside(lower, upper, shares))


@pytest.mark.parametrize("function", [f.Gelu(), f.Sin(), f.Cos()], ids=repr)
def test_lines_of_any_slope_are_close(function):
    rng = np.random.default_rng(5)
    lower = rng.uniform(-6, 0, size=50)
    upper, slope = lower + rng.uniform(1, 6, size=50), rng.uniform(-1, 1, size=50)
    for mirrored in (False, True):
        found = line_above(Side(function, mirrored), lower, upper, slope)
        grid = lower + np.linspace(0, 1, 2001)[:, None] * (upper - lower)
        value = function.value(grid)
        exact = ((-value if mirrored else value) - slope * grid).max(axis=0)
        assert (found[1] - exact <= 0.02).all()
