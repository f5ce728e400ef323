"""From margins and Lipschitz constants to radii within which no perturbation changes the class.

Let m_j be a lower bound of f_l(x) - f_j(x), and ||delta||_p < r. With a constant L of the logits, p-norm to p-norm,

    |(f_l - f_j)(x + delta) - (f_l - f_j)(x)| <= ||e_l - e_j||_q ||f(x + delta) - f(x)||_p <= 2^(1/q) L ||delta||_p,

where 1/p + 1/q = 1 (Hoelder). So r = m_j / (2^((p-1)/p) L): the factor is 1, sqrt(2), 2 for p = 1, 2, inf. (The usual
slip is 2^(1/p), which agrees at p = 2 only and is wrong by 2 at p = inf.) With a constant of f_l - f_j itself there is
no factor. A constant that holds on a ball of radius R certifies R at most. All radii are rounded down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from verifier.deadline import OutOfTimeError
from verifier.lipschitz.rounding import INF, times
from verifier.standing import Standing


@dataclass(frozen=True)
class Radius:
    """A radius within which the class does not change.

    Attributes:
        radius: no perturbation of a smaller norm changes the class; 0 proves nothing.
        norm: p.
        method: what found it.
        standing: what the claim rests on.
    """

    radius: float
    norm: float
    method: str
    standing: Standing


def logit_factor(norm: float) -> float:
    """At least 2^((p-1)/p) for p = `norm` in (1, 2, inf)."""
    return {1.0: 1.0, 2.0: math.nextafter(math.sqrt(2.0), INF), INF: 2.0}[norm]


def radius_from_logits(margins: np.ndarray, constant: float, norm: float, within: float = INF) -> float:
    """The radius for a constant of all logits, p-norm to p-norm.

    Args:
        margins: lower bounds of f_l(x) - f_j(x) for all classes j but l, shape (K - 1,).
        constant: an upper bound of the Lipschitz constant, on the ball of radius `within`.
        norm: p.
        within: where the constant holds.
    """
    return radius_from_pairs(margins, times(logit_factor(norm), np.full(len(margins), constant)), within)


def radius_from_pairs(margins: np.ndarray, constants: np.ndarray, within: float = INF) -> float:
    """The radius for constants of the differences f_l - f_j, p-norm to absolute value; see `radius_from_logits`.

    Args:
        margins: shape (K - 1,).
        constants: shape (K - 1,), not negative.
        within: where the constants hold.
    """
    if not (margins > 0).all():
        return 0.0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotients = np.nextafter(margins / constants, 0.0)
    quotients = np.where(constants == 0, INF, quotients)
    quotients = np.where(np.isfinite(margins) & ~np.isnan(constants), quotients, 0.0)
    return float(min(quotients.min(initial=INF), within))


def largest_local_radius(certified_within: Callable[[float], float], start: float, steps: int = 12) -> float:
    """The best radius that local constants certify, over the ball they are taken on.

    A larger ball may certify more, but has larger constants: the best ball is where the two meet, found by doubling
    and bisection. Every ball tried gives a valid radius, and the largest is returned.

    Args:
        certified_within: given R, a radius certified by constants on the ball of radius R, at most R; the search ends
            where that raises an `OutOfTimeError`.
        start: the first R, positive.
        steps: balls tried at most.
    """
    best, low, high, size = 0.0, 0.0, INF, start
    for _ in range(steps):
        try:
            found = certified_within(size)
        except OutOfTimeError:
            break
        best = max(best, found)
        low, high = (size, high) if found >= size else (max(low, found), size)
        size = 2 * low if high == INF else (low + high) / 2
        if low >= (1 - 1e-3) * high:
            break
    return best
