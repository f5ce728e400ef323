"""Every fact that a scalar function states, against arbitrary precision."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.network.references import REFERENCES, defined, functions, inside, intervals, points
from verifier.network import functions as f
from verifier.network.functions.periodic import PLACE_ERROR
from verifier.tolerances import ELEMENTARY_ULPS, UNDERFLOW, UNIT_ROUNDOFF

pytestmark = pytest.mark.filterwarnings("error")

shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)
ALL = list(REFERENCES)
BENT_ONCE = [
    g for g in ALL if not isinstance(g, f.Gelu | f.Swish | f.HardSwish | f.Sin | f.Cos | f.StepFunction | f.Near)
]


def array(*x: float) -> np.ndarray:
    return np.array(x, dtype=np.float64)


@settings(max_examples=200, deadline=None)
@given(functions, points)
def test_values_are_as_accurate_as_the_margins_assume(function, x):
    if not defined(function, x, x) or abs(x) > 1e6:
        return
    exact = REFERENCES[function](mpmath.mpf(x))
    if abs(exact) > 1e300:
        return
    computed = [function.value(array(x))[0], function.value(torch.tensor([x], dtype=torch.float64))[0].item()]
    absolute = getattr(function, "value_error", 1.0)
    for value in computed:
        allowed = ELEMENTARY_ULPS * UNIT_ROUNDOFF * (abs(exact) + absolute) + UNDERFLOW
        assert abs(mpmath.mpf(float(value)) - exact) <= allowed


@settings(max_examples=200, deadline=None)
@given(functions, intervals(), shares)
def test_image_contains_all_values(function, interval, shares):
    lower, upper = interval
    low, high = (float(end[0]) for end in function.image(array(lower), array(upper)))
    if not defined(function, lower, upper):
        assert low == -np.inf or isinstance(function, f.Log)  # log(0) is -inf, a limit
        return
    for x in inside(lower, upper, shares):
        assert low <= REFERENCES[function](mpmath.mpf(x)) <= high


@settings(max_examples=200, deadline=None)
@given(functions, st.floats(-10, 10).map(lambda x: round(x, 5)), st.floats(0, 8))
def test_image_is_tight(function, lower, width):
    upper = lower + width
    if not defined(function, lower, upper):
        return
    low, high = (float(end[0]) for end in function.image(array(lower), array(upper)))
    points = np.append(np.linspace(lower, upper, 400), np.clip(0.0, lower, upper))  # a needle is at 0
    values = function.value(points)
    slack = 1e-3 + 1e-12 * np.abs(values).max()
    assert low >= values.min() - slack
    assert high <= values.max() + slack


@settings(max_examples=200, deadline=None)
@given(functions, intervals(), shares)
def test_slope_range_contains_all_difference_quotients(function, interval, shares):
    lower, upper = interval
    low, high = (float(end[0]) for end in function.slope_range(array(lower), array(upper)))
    assert low <= high
    if not defined(function, lower, upper):
        return
    xs = sorted({mpmath.mpf(x) for x in inside(lower, upper, shares)})
    for a, b in pairwise(xs):
        at_a, at_b = REFERENCES[function](a), REFERENCES[function](b)
        of_the_oracle = mpmath.mpf("1e-55") * (abs(at_a) + abs(at_b)) / (b - a)
        assert low - of_the_oracle <= (at_b - at_a) / (b - a) <= high + of_the_oracle


@settings(max_examples=200, deadline=None)
@given(functions, st.floats(-10, 10).map(lambda x: round(x, 5)), st.floats(0.01, 8))
def test_slope_range_is_tight(function, lower, width):
    upper = lower + width
    if not defined(function, lower, upper) or isinstance(function, f.StepFunction | f.Near):
        return
    low, high = (float(end[0]) for end in function.slope_range(array(lower), array(upper)))
    slopes = function.derivative(np.linspace(lower, upper, 2000))
    slack = 0.02 + 1e-12 * np.abs(slopes).max()
    assert low >= slopes.min() - slack
    assert high <= slopes.max() + slack


@settings(max_examples=200, deadline=None)
@given(functions, intervals(), shares)
def test_curvature_holds(function, interval, shares):
    lower, upper = interval
    bends = function.curvature(array(lower), array(upper))
    flags = [bends.convex, bends.concave, bends.convex_then_concave, bends.concave_then_convex]
    assert sum(bool(flag[0]) for flag in flags) <= 1
    if bends.convex[0] or bends.concave[0]:
        assert_bends(function, lower, upper, shares, 1 if bends.convex[0] else -1)
    elif bends.known[0]:
        middle, sign = float(bends.inflection[0]), 1 if bends.convex_then_concave[0] else -1
        assert lower <= middle <= upper
        assert_bends(function, lower, middle, shares, sign)
        assert_bends(function, middle, upper, shares, -sign)


def assert_bends(function, lower, upper, shares, sign):
    xs = sorted({mpmath.mpf(x) for x in inside(lower, upper, shares)})
    for a, b in pairwise(xs):
        at_a, at_b, between = (REFERENCES[function](x) for x in (a, b, (a + b) / 2))
        assert sign * ((at_a + at_b) / 2 - between) >= -mpmath.mpf("1e-24") * (1 + abs(at_a) + abs(at_b))


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(BENT_ONCE), intervals())
def test_curvature_is_known_where_there_is_at_most_one_inflection(function, interval):
    # Within the error of a pole's place nothing is claimed of a tangent.
    pole = isinstance(function, f.Tan) and min(abs(mpmath.cos(x)) for x in interval) <= 2 * math.pi * PLACE_ERROR
    if defined(function, *interval) and not pole:
        assert function.curvature(array(interval[0]), array(interval[1])).known[0]


@pytest.mark.parametrize(
    ("function", "interval"),
    [(f.Gelu(), (-1.0, 5.0)), (f.Gelu("tanh"), (-9.0, 1.0)), (f.Sin(), (-3.0, 3.0)), (f.Cos(), (0.0, 3.0))],
)
def test_curvature_of_many_inflections_is_known_between_them(function, interval):
    assert function.curvature(array(interval[0]), array(interval[1])).known[0]


@pytest.mark.parametrize("function", ALL, ids=repr)
def test_derivative_is_the_limit_of_difference_quotients(function):
    if isinstance(function, f.StepFunction | f.Near):
        assert not function.derivative(array(-0.5, 0.5)).any()
        return
    for x in (-3.3, -1.2, -0.4, 0.3, 0.9, 2.7):
        if defined(function, x, x):
            with mpmath.workdps(40):
                exact = float(mpmath.diff(REFERENCES[function], mpmath.mpf(x)))
            assert function.derivative(array(x))[0] == pytest.approx(exact, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("function", ALL, ids=repr)
def test_nan_ends_are_vacuous(function):
    lower, upper = array(np.nan, 1.0, np.nan), array(1.0, np.nan, np.nan)
    low, high = function.image(lower, upper)
    assert (low == -np.inf).all()
    assert (high == np.inf).all()
    assert not np.isnan(np.stack(function.slope_range(lower, upper))).any()
    assert not function.curvature(lower, upper).known.any()


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (f.Relu(), 0.0, np.inf),
        (f.Sigmoid(), 0.0, 1.0),
        (f.Tanh(), -1.0, 1.0),
        (f.Erf(), -1.0, 1.0),
        (f.Softplus(), 0.0, np.inf),
        (f.Exp(), 0.0, np.inf),
        (f.Sin(), -1.0, 1.0),
        (f.Cos(), -1.0, 1.0),
        (f.Elu(2.0), -2.0, np.inf),
        (f.Gelu(), -0.16997120747990366, np.inf),
        (f.Power(2), 0.0, np.inf),
        (f.Power(3), -np.inf, np.inf),
        (f.Reciprocal(), -np.inf, np.inf),
        (f.Log(), -np.inf, np.inf),
        (f.Sign(), -1.0, 1.0),
        (f.Floor(), -np.inf, np.inf),
    ],
    ids=repr,
)
def test_image_of_the_whole_line(function, low, high):
    image = function.image(array(-np.inf), array(np.inf))
    assert image[0][0] == pytest.approx(low, rel=1e-14)
    assert image[1][0] == pytest.approx(high, rel=1e-14)


def test_half_lines_have_the_right_limits():
    lower, upper = array(1.0), array(np.inf)
    low, high = f.Reciprocal().image(lower, upper)
    assert 0 <= low[0] <= 1e-280
    assert high[0] == pytest.approx(1.0)
    assert f.Softplus().image(array(-np.inf), array(0.0))[1][0] == pytest.approx(np.log(2.0))
    assert f.Exp().image(array(1000.0), array(2000.0))[0][0] <= 1e300  # it overflows, to a number that is not infinite


@pytest.mark.parametrize(
    "function", [f.Relu(), f.Clip(-1.0, 0.1), f.Sign(), f.Floor(), f.Step(True), f.Step(False), f.Round()], ids=repr
)
def test_functions_without_rounding_have_exact_images(function):
    lower, upper = array(-2.5, -0.0, 0.0, 0.1, -1.0), array(-1.5, 0.0, 0.1, 7.3, -1.0)
    low, high = function.image(lower, upper)
    assert (low == function.value(lower)).all()
    assert (high == function.value(upper)).all()


EDGES = [-np.inf, -1e300, -1e90, -1e7, -800.0, -3.3, -1e-300, -5e-324, 0.0, 5e-324, 1e-300, 0.5, 3.0, 800.0, 1e90]


@pytest.mark.parametrize("function", ALL, ids=repr)
def test_torch_and_numpy_agree(function):
    x = array(*EDGES, 1e300, np.inf, np.nan)
    lower, upper = np.meshgrid(x, x)
    proper = ~(lower > upper)
    lower, upper = lower[proper], upper[proper]
    tensors = torch.asarray(lower), torch.asarray(upper)
    assert_close(function.value(x), function.value(torch.asarray(x)))
    assert_close(function.derivative(x), function.derivative(torch.asarray(x)))
    for rule in (function.image, function.slope_range):
        for ours, theirs in zip(rule(lower, upper), rule(*tensors), strict=True):
            assert_close(ours, theirs)
    ours, theirs = function.curvature(lower, upper), function.curvature(*tensors)
    assert (ours.known == theirs.known.numpy()).all()
    assert (ours.convex == theirs.convex.numpy()).all()


def assert_close(ours, theirs):
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("function", ALL, ids=repr)
def test_values_keep_shape_and_dtype(function):
    x = np.linspace(0.1, 3, 6, dtype=np.float32).reshape(1, 2, 3)
    for result in (function.value(x), function.derivative(x)):
        assert result.shape == x.shape
        assert result.dtype == np.float32
    assert function.value(torch.asarray(x)).dtype == torch.float32


def test_functions_compare_by_parameters():
    assert f.Relu() == f.Relu()
    assert f.Elu(0.5) == f.Elu(0.5)
    assert f.Elu(0.5) != f.Elu(0.6)
    assert f.Power(2) == f.Power(2.0)
    assert f.Gelu() != f.Gelu("tanh")
    assert len({f.Sin(), f.Sin(), f.Cos()}) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: f.Elu(-1.0),
        lambda: f.ScaledElu(1.0, np.nan),
        lambda: f.Gelu("erf"),
        lambda: f.Power(np.nan),
        lambda: f.Clip(1.0, 1.0),
        lambda: f.Clip(0.0, np.inf),
    ],
)
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        wrong()


def test_importing_and_using_relu_loads_no_heavy_library():
    code = "import sys, verifier.network.functions; print([m for m in ('scipy', 'torch') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
