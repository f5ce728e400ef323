"""Bounds on probabilities and means from independent draws, and the normal quantile.

The numbers come from SciPy in float64, whose relative error is far below `RESERVE`, by which all are moved to the safe
side.
"""

from __future__ import annotations

import math

import numpy as np

from verifier.tolerances import UNIT_ROUNDOFF

RESERVE = 1e-9
"""Relative error allowed to SciPy's special functions, on a probability and on its distance from 1."""


def lower_probability(successes: int, trials: int, alpha: float) -> float:
    """The one-sided Clopper-Pearson bound: at most the true probability, but for a chance of alpha.

    Source: Clopper & Pearson, Biometrika 26, 1934; the alpha-quantile of Beta(successes, trials - successes + 1).
    """
    from scipy.special import betaincinv

    if successes <= 0:
        return 0.0
    bound = float(betaincinv(successes, trials - successes + 1, alpha))
    return max(0.0, bound - RESERVE * min(bound, 1.0 - bound))


def upper_probability(successes: int, trials: int, alpha: float) -> float:
    """The one-sided Clopper-Pearson bound from above: at least the true probability, but for a chance of alpha."""
    return min(1.0, math.nextafter(1.0 - lower_probability(trials - successes, trials, alpha), math.inf))


def normal_quantile(probability: float) -> float:
    """Phi^-1, rounded down; -inf at 0 and inf at 1."""
    from scipy.special import ndtri

    value = float(ndtri(probability))
    return value - RESERVE * abs(value) - UNIT_ROUNDOFF if math.isfinite(value) else value


def hoeffding_lower(mean: float, count: int, alpha: float) -> float:
    """At most the true mean of draws from [0, 1], but for a chance of alpha (Hoeffding, 1963)."""
    return max(0.0, (mean - math.sqrt(math.log(1 / alpha) / (2 * count))) - RESERVE)


def bernstein_lower(mean: float, variance: float, count: int, alpha: float) -> float:
    """The same from the draws' variance (denominator count - 1), which is sharper where that is small.

    Source: Maurer & Pontil, Empirical Bernstein bounds and sample variance penalization, COLT 2009, theorem 4.
    """
    if count < 2:
        return 0.0
    share = math.log(2 / alpha)
    return max(0.0, mean - math.sqrt(2 * variance * share / count) - 7 * share / (3 * (count - 1)) - RESERVE)


def largest_radius(sigma: float, trials: int, alpha: float) -> float:
    """The radius that Clopper-Pearson certifies where all draws agree: sigma Phi^-1(alpha^(1/trials))."""
    return sigma * normal_quantile(lower_probability(trials, trials, alpha))


def least_alpha(radii: np.ndarray, sigma: float, trials: int) -> float:
    """The smallest alpha that a log of certified radii can have: no smaller one allows its largest radius.

    Args:
        radii: as published, shape (R,); those that are not finite count as 0 (abstentions).
        sigma: of the noise.
        trials: draws for each estimate.
    """
    from scipy.special import log_ndtr

    largest = float(np.max(np.where(np.isfinite(radii), radii, 0.0), initial=0.0))
    return math.exp(trials * float(log_ndtr(largest / sigma)))
