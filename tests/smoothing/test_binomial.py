"""Confidence bounds against exact tails, simulations and published numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from verifier.smoothing.binomial import (
    bernstein_lower,
    hoeffding_lower,
    largest_radius,
    least_alpha,
    lower_probability,
    normal_quantile,
    upper_probability,
)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(1e-6, 0.4))
@settings(max_examples=200, deadline=None)
def test_clopper_pearson_inverts_the_exact_tail(trials, share, alpha):
    successes = round(share * trials)
    lower, upper = lower_probability(successes, trials, alpha), upper_probability(successes, trials, alpha)
    assert 0 <= lower <= successes / trials <= upper <= 1
    if successes > 0:
        assert binom.sf(successes - 1, trials, lower) == pytest.approx(alpha, rel=1e-4)
    if successes < trials:
        assert binom.cdf(successes, trials, upper) == pytest.approx(alpha, rel=1e-4)


@given(st.integers(1, 5000), st.floats(0, 1), st.floats(1e-12, 0.4))
@settings(max_examples=200, deadline=None)
def test_the_upper_bound_is_rounded_upward(trials, share, alpha):
    successes = round(share * trials)
    upper = upper_probability(successes, trials, alpha)
    assert Fraction(upper) >= 1 - Fraction(lower_probability(trials - successes, trials, alpha))
    assert upper <= 1


@pytest.mark.parametrize("probability", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_clopper_pearson_covers(probability, alpha):
    trials, repeats = 1000, 20_000
    drawn = np.random.default_rng(0).binomial(trials, probability, repeats)
    bounds = {int(k): lower_probability(int(k), trials, alpha) for k in np.unique(drawn)}
    wrong = int(sum(bounds[int(k)] > probability for k in drawn))
    assert wrong <= binom.ppf(1 - 1e-6, repeats, alpha)  # no more than chance allows


@pytest.mark.parametrize("bound", ["hoeffding", "bernstein"])
def test_means_are_covered(bound):
    rng, alpha, count = np.random.default_rng(1), 0.05, 300
    drawn = rng.beta(0.3, 0.1, (5000, count))
    means, variances = drawn.mean(axis=1), drawn.var(axis=1, ddof=1)
    pairs = zip(means.tolist(), variances.tolist(), strict=True)
    rule = {
        "hoeffding": lambda m, v: hoeffding_lower(m, count, alpha),
        "bernstein": lambda m, v: bernstein_lower(m, v, count, alpha),
    }[bound]
    found = np.array([rule(*pair) for pair in pairs])
    assert (found > 0.75).mean() <= alpha
    assert np.median(found) > 0.6


def test_bernstein_is_the_sharper_where_scores_vary_little():
    assert bernstein_lower(0.9, 1e-4, 10_000, 0.001) > hoeffding_lower(0.9, 10_000, 0.001)
    assert bernstein_lower(0.9, 0.0, 1, 0.001) == 0
    assert hoeffding_lower(0.01, 10, 0.001) == 0


def test_the_largest_radius_at_a_hundred_thousand_draws():
    assert largest_radius(1.0, 100_000, 0.001) == pytest.approx(3.811, abs=5e-4)
    assert largest_radius(1.0, 100_000, 0.01) == pytest.approx(3.9105, abs=5e-5)
    assert largest_radius(0.25, 100_000, 0.001) == pytest.approx(0.25 * 3.8115, abs=2e-4)


@pytest.mark.parametrize("alpha", [0.01, 0.001])
def test_the_alpha_of_a_published_log_is_told_from_its_radii(alpha):
    sigma, trials = 0.5, 100_000
    log = np.array([0.1, largest_radius(sigma, trials, alpha), math.nan, 0.7])
    assert least_alpha(log, sigma, trials) == pytest.approx(alpha, rel=1e-3)
    assert least_alpha(np.array([0.1]), sigma, trials) < 1e-100


@given(st.floats(1e-12, 1 - 1e-12))
@settings(deadline=None)
def test_the_quantile_is_rounded_down(probability):
    value = normal_quantile(probability)
    assert value <= norm.ppf(probability)
    assert value == pytest.approx(norm.ppf(probability), rel=1e-8, abs=1e-8)


def test_the_quantile_at_the_ends():
    assert normal_quantile(0.0) == -math.inf
    assert normal_quantile(1.0) == math.inf
    assert normal_quantile(0.5) <= 0
