"""Every mix of a family encloses the graph, wherever its places are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verifier.network import functions as f
from verifier.relaxations.families import Family, function_families, product_families

FUNCTIONS = [
    f.Relu(),
    f.Clip(-1.0, 2.0),
    f.Sigmoid(),
    f.Tanh(),
    f.Sin(),
    f.Exp(),
    f.Gelu(),
    f.Sign(),
    f.Floor(),
    f.Step(at_zero=True),
    f.Step(at_zero=False),
    f.Round(),
    f.Truncation(-128.0, 127.0),
    f.Near(0.0),
    f.Near(0.5),
    f.Power(2.0),
    f.Softplus(),
]
SEEDS = st.integers(0, 2**32 - 1)


def intervals(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends around 0, to one side, touching 0, and points; shape (1, count)."""
    a, b = np.sort(rng.normal(scale=3.0, size=(2, 1, count)), axis=0)
    kind = rng.integers(0, 5, size=(1, count))
    a = np.where(kind == 0, 0.0, np.where(kind == 1, b, a))
    return np.minimum(a, b), np.where(kind == 2, np.maximum(a, 0.0), np.maximum(a, b))


def heights(family: Family, places: np.ndarray, x: tuple[np.ndarray, ...], outwards: float) -> np.ndarray:
    mix = family.mixed(places)
    magnitudes = tuple(np.abs(v) for v in x)
    total = mix.intercept + outwards * family.margin(magnitudes)
    return sum((slope * v for slope, v in zip(mix.slopes, x, strict=True)), total)


@pytest.mark.parametrize("function", FUNCTIONS, ids=repr)
@given(SEEDS)
@settings(max_examples=20, deadline=None)
def test_mixed_lines_enclose_the_function(function: f.ScalarFunction, seed: int) -> None:
    rng = np.random.default_rng(seed)
    lower, upper = intervals(rng, 12)
    below, above = function_families(function, lower, upper)
    places = rng.choice([0.0, 0.25, 1.0, rng.random()], size=lower.shape)
    for share in (0.0, 1.0, *rng.random(6)):
        x = np.clip(lower + share * (upper - lower), lower, upper)
        value = function.value(x)
        slack = 1e-12 * (1 + np.abs(value) + np.abs(x))
        assert (heights(below, places, (x,), -1.0) <= value + slack).all()
        assert (heights(above, places, (x,), 1.0) >= value - slack).all()


@given(SEEDS)
@settings(max_examples=40, deadline=None)
def test_mixed_planes_enclose_the_product(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (a, b), (c, d) = intervals(rng, 9), intervals(rng, 9)
    below, above = product_families(a, b, c, d)
    places = rng.random(a.shape)
    for share in rng.random((12, 2)):
        x, y = np.clip(a + share[0] * (b - a), a, b), np.clip(c + share[1] * (d - c), c, d)
        slack = 1e-12 * (1 + np.abs(x * y))
        assert (heights(below, places, (x, y), -1.0) <= x * y + slack).all()
        assert (heights(above, places, (x, y), 1.0) >= x * y - slack).all()


@pytest.mark.parametrize(
    "function", [f.Relu(), f.Clip(-1.0, 1.5), f.Tanh(), f.Sin()], ids=lambda function: function.name
)
def test_rates_are_the_derivatives_by_the_place(function: f.ScalarFunction) -> None:
    rng = np.random.default_rng(3)
    lower, upper = np.full((1, 5), -1.5), np.full((1, 5), 2.0)
    x, step = rng.uniform(-1.5, 2.0, size=(1, 5)), 1e-6
    for family in function_families(function, lower, upper):
        if family.count > 1:
            places = rng.uniform(0.05, 0.2, size=(1, 5))
            mix = family.mixed(places)
            assert mix.slope_rates is not None
            rate = mix.slope_rates[0] * x + mix.intercept_rate
            ahead, behind = (heights(family, places + s, (x,), 0.0) for s in (step, -step))
            np.testing.assert_allclose(rate, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-6)


def test_a_relu_without_a_kink_inside_leaves_no_choice() -> None:
    lower, upper = np.array([[0.0, -2.0]]), np.array([[1.0, 0.0]])
    below, above = function_families(f.Relu(), lower, upper)
    for place in (0.0, 0.4, 1.0):
        np.testing.assert_array_equal(below.mixed(np.full((1, 2), place)).slopes[0], [[1.0, 0.0]])
    np.testing.assert_array_equal(above.slopes[0][0], [[1.0, 0.0]])
