"""Lines enclose the graph in real arithmetic, with no tolerance, and are not needlessly loose."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.network.references import REFERENCES, defined, functions, inside, intervals
from verifier.network import functions as f
from verifier.relaxations.lines import Lines, Policy, lines, supporting_lines

pytestmark = pytest.mark.filterwarnings("error")

ALL = list(REFERENCES)
GENTLE = [f.Sigmoid(), f.Tanh(), f.Erf(), f.Softplus(), f.Sin(), f.Cos(), f.Gelu(), f.Gelu("tanh")]
policies = st.sampled_from(list(Policy))
shares = st.lists(st.floats(0, 1), min_size=4, max_size=4)
FIXED_SHARES = [0.5, 0.25, 0.75, 0.001, 0.999]


def array(*x: float) -> np.ndarray:
    return np.array(x, dtype=np.float64)


def suspects(function, lower, upper, slope, sign) -> list[float]:
    """Where the line of this slope comes nearest to the graph, by a dense float64 search refined once."""
    start, end = lower, upper
    for _ in range(2):
        grid = np.clip(np.linspace(start, end, 300), lower, upper)
        with np.errstate(all="ignore"):
            gap = np.nan_to_num(sign * (function.value(grid) - slope * grid), nan=np.inf)
        k = int(np.argmin(gap))
        start, end = grid[max(0, k - 1)], grid[min(299, k + 1)]
    return [float(grid[k])]


def assert_line(function, interval, line, xs, sign):
    """With sign = 1 the line is below the graph, with -1 above."""
    slope, intercept = (float(np.asarray(part).ravel()[0]) for part in line)
    assert np.isfinite(slope)
    assert intercept != sign * np.inf
    assert not np.isnan(intercept)
    if np.isinf(intercept) or not defined(function, *interval):
        return
    for x in [*xs, *suspects(function, *interval, slope, sign)]:
        height = mpmath.mpf(slope) * mpmath.mpf(x) + mpmath.mpf(intercept)
        assert sign * (REFERENCES[function](mpmath.mpf(x)) - height) >= 0, (x, slope, intercept)


@settings(max_examples=250, deadline=None)
@given(functions, intervals(), policies, shares)
@example(f.Softsign(), (0.0, 1e30), Policy.ADAPTIVE, [0.0, 0.0, 0.0, 0.0])
def test_lines_enclose_the_graph(function, interval, policy, shares):
    lower, upper = interval
    found = lines(function, array(lower), array(upper), policy)
    xs = inside(lower, upper, shares + FIXED_SHARES)
    assert_line(function, interval, (found.lower_slope, found.lower_intercept), xs, 1)
    assert_line(function, interval, (found.upper_slope, found.upper_intercept), xs, -1)


LANDMARKS = [-6.0, -np.pi, -np.sqrt(2.0), -1.4185040087908284, -1.0, -0.7517915246935645, -0.1, 0.0]
LANDMARKS = np.sort([*LANDMARKS, *(-x for x in LANDMARKS if x), 1e-9, -1e-9, np.pi / 2])


@pytest.mark.parametrize("function", ALL, ids=repr)
def test_lines_enclose_the_graph_between_all_landmarks(function):
    """Ends on inflections, kinks, extrema and jumps, which chance seldom combines with a policy."""
    lower, upper = (ends[np.triu_indices(len(LANDMARKS))] for ends in np.meshgrid(LANDMARKS, LANDMARKS, indexing="ij"))
    drawn = [lines(function, lower, upper, policy) for policy in Policy]
    below, above = supporting_lines(function, lower, upper, 3)
    below += [(found.lower_slope, found.lower_intercept) for found in drawn]
    above += [(found.upper_slope, found.upper_intercept) for found in drawn]
    for k, (start, end) in enumerate(zip(lower.tolist(), upper.tolist(), strict=True)):
        if defined(function, start, end):
            graph = [(mpmath.mpf(x), REFERENCES[function](mpmath.mpf(x))) for x in inside(start, end, FIXED_SHARES)]
            assert all(line_at(line, k, x) <= y for line in below for x, y in graph), (start, end)
            assert all(line_at(line, k, x) >= y for line in above for x, y in graph), (start, end)


def line_at(line, k, x):
    return mpmath.mpf(float(line[0][k])) * x + mpmath.mpf(float(line[1][k]))


@settings(max_examples=100, deadline=None)
@given(functions, intervals(), st.integers(1, 5), shares)
def test_supporting_lines_enclose_the_graph(function, interval, count, shares):
    lower, upper = interval
    below, above = supporting_lines(function, array(lower), array(upper), count)
    assert below
    assert above
    xs = inside(lower, upper, shares + FIXED_SHARES)
    for line in below:
        assert_line(function, interval, line, xs, 1)
    for line in above:
        assert_line(function, interval, line, xs, -1)


@settings(max_examples=150, deadline=None)
@given(functions, intervals(), policies)
def test_lines_are_finite_where_the_image_is(function, interval, policy):
    lower, upper = array(interval[0]), array(interval[1])
    low, high = function.image(lower, upper)
    found = lines(function, lower, upper, policy)
    assert np.isfinite(found.lower_intercept[0]) or not np.isfinite(low[0])
    assert np.isfinite(found.upper_intercept[0]) or not np.isfinite(high[0])


@settings(max_examples=150, deadline=None)
@given(functions, st.floats(-9, 9).map(lambda x: round(x, 4)), st.floats(0.01, 9))
def test_adaptive_lines_are_no_looser_than_the_image_in_the_middle(function, lower, width):
    upper = lower + width
    if not defined(function, lower, upper) or (isinstance(function, f.Power | f.Log) and lower == 0):
        return
    low, high = (float(end[0]) for end in function.image(array(lower), array(upper)))
    found, middle = lines(function, array(lower), array(upper)), (lower + upper) / 2
    at_bottom, at_top = (at(found, middle, part)[0] for part in ("lower", "upper"))
    slack = 1e-9 * (1 + abs(low) + abs(high) + abs(found.upper_slope[0]) + abs(found.lower_slope[0]))
    assert at_top - at_bottom <= high - low + slack


def at(found: Lines, x: float, side: str) -> np.ndarray:
    return getattr(found, f"{side}_slope") * x + getattr(found, f"{side}_intercept")


@settings(max_examples=150, deadline=None)
@given(functions, st.floats(-9, 9).map(lambda x: round(x, 4)), st.floats(0.1, 9), policies)
def test_lines_touch_the_graph(function, lower, width, policy):
    upper = lower + width
    if not defined(function, lower, upper) or (isinstance(function, f.Power | f.Log) and lower <= 0.05):
        return
    if function == f.Near(0.0):  # the grid misses the one place where it is 1
        return
    found = lines(function, array(lower), array(upper), policy)
    xs = np.linspace(lower, upper, 4001)
    if isinstance(function, f.StepFunction | f.Near):  # they touch limits at the jumps, which the grid may miss
        slack = 1.0 / 100 + width / 1000 * (abs(found.lower_slope[0]) + abs(found.upper_slope[0]))
    else:
        slack = 0.02 + 1e-3 * np.ptp(function.value(xs))
    below = function.value(xs) - at(found, xs, "lower")
    above = at(found, xs, "upper") - function.value(xs)
    assert below.min() <= slack
    assert above.min() <= slack


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(GENTLE), st.floats(-6, 6), st.sampled_from([0.3, 0.1, 1e-2, 1e-3, 1e-4]), policies)
def test_the_gap_shrinks_with_the_square_of_the_width(function, lower, width, policy):
    found = lines(function, array(lower), array(lower + width), policy)
    for x in (lower, lower + width / 2, lower + width):
        assert at(found, x, "upper")[0] - at(found, x, "lower")[0] <= 0.8 * width**2 + 1e-13


@pytest.mark.parametrize("function", [f.Sin(), f.Cos(), f.Log(), f.Reciprocal()], ids=repr)
@pytest.mark.parametrize("policy", Policy)
def test_rounding_far_from_0_is_covered(function, policy):
    """There slope * x is large against the function, and its rounding against the image's margin."""
    rng = np.random.default_rng(2)
    lower = 10.0 ** rng.uniform(3, 6, size=60)
    upper = lower + rng.uniform(0, 2, size=60)
    found = lines(function, lower, upper, policy)
    for k in range(60):
        xs = [lower[k], upper[k], (lower[k] + upper[k]) / 2]
        for sign, side in ((1, "lower"), (-1, "upper")):
            line = getattr(found, f"{side}_slope")[k], getattr(found, f"{side}_intercept")[k]
            assert_line(function, (lower[k], upper[k]), line, xs, sign)


@pytest.mark.parametrize("policy", Policy)
def test_rounding_of_relus_lines_is_covered_for_ends_of_any_ratio(policy):
    rng = np.random.default_rng(3)
    lower, upper = -(10.0 ** rng.uniform(-20, 5, size=400)), 10.0 ** rng.uniform(-20, 5, size=400)
    found = lines(f.Relu(), lower, upper, policy)
    parts = (lower, upper, found.lower_slope, found.lower_intercept, found.upper_slope, found.upper_intercept)
    for start, end, *line in zip(*([Fraction(float(x)) for x in part] for part in parts), strict=True):
        for x in (start, end, Fraction(0)):
            assert line[0] * x + line[1] <= max(x, Fraction(0)) <= line[2] * x + line[3]


def test_relu_is_exact_where_stable_and_the_triangle_where_not():
    lower, upper = array(-2.0, 0.0, 1.0, -1.0, -3.0, -1e-300, 0.0), array(-1.0, 2.0, 1.5, 3.0, 1.0, 1.0, 0.0)
    found = lines(f.Relu(), lower, upper)
    np.testing.assert_array_equal(found.lower_slope, [0, 1, 1, 1, 0, 1, 1])
    np.testing.assert_array_equal(found.lower_intercept, np.zeros(7))
    np.testing.assert_array_equal(found.upper_slope[:3], [0, 1, 1])
    np.testing.assert_array_equal(found.upper_intercept[:3], [0, 0, 0])
    np.testing.assert_allclose(found.upper_slope[3:6], [0.75, 0.25, 1.0], rtol=1e-14)
    np.testing.assert_allclose(found.upper_intercept[3:6], [0.75, 0.75, 0.0], rtol=1e-14, atol=1e-280)


@pytest.mark.parametrize(
    ("policy", "slope"),
    [(Policy.ADAPTIVE, 0.0), (Policy.LOWER_END, 0.0), (Policy.UPPER_END, 1.0), (Policy.PARALLEL, 0.25)],
)
def test_policies_of_relu(policy, slope):
    found = lines(f.Relu(), array(-3.0), array(1.0), policy)
    assert found.lower_slope[0] == pytest.approx(slope)
    assert found.upper_slope[0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("policy", "point"), [(Policy.ADAPTIVE, 0.5), (Policy.LOWER_END, -1.0), (Policy.UPPER_END, 2.0)]
)
def test_policies_of_a_convex_function(policy, point):
    found = lines(f.Exp(), array(-1.0), array(2.0), policy)
    assert found.lower_slope[0] == pytest.approx(np.exp(point))
    assert at(found, point, "lower")[0] == pytest.approx(np.exp(point))
    assert at(found, 2.0, "upper")[0] == pytest.approx(np.exp(2.0))
    assert at(found, -1.0, "upper")[0] == pytest.approx(np.exp(-1.0))


def test_parallel_tangent_has_the_slope_of_the_chord():
    found = lines(f.Exp(), array(-1.0), array(2.0), Policy.PARALLEL)
    assert found.lower_slope[0] == pytest.approx(found.upper_slope[0], rel=1e-3)


def test_sigmoid_across_0_has_a_tangent_through_each_end():
    found = lines(f.Sigmoid(), array(-3.0), array(4.0), Policy.LOWER_END)
    assert at(found, -3.0, "upper")[0] == pytest.approx(f.Sigmoid().value(array(-3.0))[0], abs=1e-3)
    found = lines(f.Sigmoid(), array(-3.0), array(4.0), Policy.UPPER_END)
    assert at(found, 4.0, "lower")[0] == pytest.approx(f.Sigmoid().value(array(4.0))[0], abs=1e-3)


def test_sign_across_0_turns_about_the_jump():
    found = lines(f.Sign(), array(-4.0, -1.0), array(1.0, 4.0))
    np.testing.assert_allclose(found.upper_slope, [0.5, 0.0])
    np.testing.assert_allclose(found.upper_intercept, [1.0, 1.0])
    np.testing.assert_allclose(found.lower_slope, [0.0, 0.5])
    np.testing.assert_allclose(found.lower_intercept, [-1.0, -1.0])


def test_floor_over_many_steps_lies_between_x_minus_1_and_x():
    found = lines(f.Floor(), array(0.25), array(9.75))
    assert (found.lower_slope[0], found.lower_intercept[0]) == (1.0, -1.0)
    assert (found.upper_slope[0], found.upper_intercept[0]) == (1.0, 0.0)


def test_gelu_over_both_inflections_is_close_to_its_hull():
    found = lines(f.Gelu(), array(-6.0, -40.0), array(6.0, 80.0))
    ends = f.Gelu().value(array(-6.0, -40.0)), f.Gelu().value(array(6.0, 80.0))
    np.testing.assert_allclose(found.upper_slope * array(-6.0, -40.0) + found.upper_intercept, ends[0], atol=2e-3)
    np.testing.assert_allclose(found.upper_slope * array(6.0, 80.0) + found.upper_intercept, ends[1], atol=2e-3)
    assert (at(found, 0.0, "lower") >= -0.2).all()


@pytest.mark.parametrize("function", ALL, ids=repr)
@pytest.mark.parametrize("policy", Policy)
def test_extreme_ends_give_constants_and_never_nan(function, policy):
    x = array(-np.inf, -1e300, -1e101, -800.0, -3.3, -1e-300, 0.0, 5e-324, 0.5, 3.0, 800.0, 1e101, np.inf, np.nan)
    lower, upper = np.meshgrid(x, x)
    proper = ~(lower > upper)
    lower, upper = lower[proper], upper[proper]
    found = lines(function, lower, upper, policy)
    for part in (found.lower_slope, found.upper_slope):
        assert np.isfinite(part).all()
    for part in (found.lower_intercept, found.upper_intercept):
        assert not np.isnan(part).any()
    unknown = np.isnan(lower) | np.isnan(upper)
    assert (found.lower_intercept[unknown] == -np.inf).all()
    assert (found.upper_intercept[unknown] == np.inf).all()
    wild = ((np.abs(lower) > 1e100) | (np.abs(upper) > 1e100)) & ~(function == f.Relu())
    assert (found.lower_slope[wild] == 0).all()
    assert (found.upper_slope[wild] == 0).all()


@pytest.mark.parametrize("function", ALL, ids=repr)
@pytest.mark.parametrize("policy", Policy)
def test_torch_and_numpy_agree(function, policy):
    rng = np.random.default_rng(0)
    lower = np.round(rng.normal(size=(3, 40)) * 3, 3)
    upper = lower + np.round(rng.exponential(size=(3, 40)) * 3, 3)
    ours = lines(function, lower, upper, policy)
    theirs = lines(function, torch.asarray(lower), torch.asarray(upper), policy)
    middle = (lower + upper) / 2
    for side in ("lower", "upper"):
        assert getattr(theirs, f"{side}_slope").dtype == torch.float64
        assert getattr(ours, f"{side}_slope").shape == lower.shape
        a, b = at(ours, middle, side), at(theirs, torch.asarray(middle), side).numpy()
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)  # bisections may part by a rounding


def test_an_empty_array_has_empty_lines():
    for function in ALL:
        assert lines(function, np.zeros((0, 3)), np.ones((0, 3))).lower_slope.shape == (0, 3)
