"""Nonnegative numbers rounded upward: sums, products and norms of them that are at least the true ones.

Bounds here are sums and products of nonnegative numbers, so all rounding errors are relative and a factor covers them;
one step to the next float covers what underflows. NaN, which only infinities make, becomes infinity.
"""

from __future__ import annotations

import math

import numpy as np

from verifier.tolerances import UNIT_ROUNDOFF, gamma

INF = math.inf
NORMS = (1.0, 2.0, INF)
"""The p-norms that are supported."""


def dual(norm: float) -> float:
    """The q with 1 / p + 1 / q = 1, for p in `NORMS`."""
    return {1.0: INF, 2.0: 2.0, INF: 1.0}[norm]


def above(value: np.ndarray | float, terms: int = 1) -> np.ndarray:
    """At least the true sum of `terms` products of nonnegative numbers whose computed value is `value`.

    0 stays 0: products that may underflow altogether are the caller's to cover.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        raised = np.nextafter(np.asarray(value) * (1 + 2 * gamma(terms)), INF)
    raised = np.where(np.asarray(value) == 0, 0.0, raised)
    return np.where(np.isnan(raised), INF, raised)


def times(*factors: np.ndarray | float) -> np.ndarray:
    """At least the product of nonnegative numbers; a 0 counts as such (0 times infinity is infinity)."""
    result = np.asarray(factors[0], np.float64)
    for factor in factors[1:]:
        factor = np.asarray(factor, np.float64)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            product = np.nextafter(result * factor, INF)
        exact = ((result == 0) & np.isfinite(factor)) | ((factor == 0) & np.isfinite(result))
        product = np.where(exact, 0.0, product)
        result = np.where(np.isnan(product), INF, product)
    return result


def plus(*terms: np.ndarray | float) -> np.ndarray:
    """At least the sum of nonnegative numbers."""
    result = np.asarray(terms[0], np.float64)
    for term in terms[1:]:
        with np.errstate(over="ignore"):
            total = np.nextafter(result + term, INF)
        result = np.where((result == 0) | (np.asarray(term) == 0), result + term, total)  # then it is exact
    return result


def root(value: np.ndarray | float) -> np.ndarray:
    """At least the square root of nonnegative numbers."""
    rounded = np.sqrt(value)
    return np.where(np.asarray(value) == 0, 0.0, np.nextafter(rounded, INF))


def norms(vectors: np.ndarray, norm: float) -> np.ndarray:
    """At least the norm of vectors along the last axis, for `norm` in `NORMS`; shape without that axis."""
    size = np.abs(vectors)
    count = size.shape[-1]
    largest = size.max(axis=-1, initial=0.0)
    if norm == INF:
        return np.where(np.isnan(largest), INF, largest)
    if norm == 1.0:
        with np.errstate(over="ignore", invalid="ignore"):
            return above(size.sum(axis=-1), count)
    # Squares of shares of the largest entry cannot overflow, and those that underflow do not count.
    usable = np.isfinite(largest) & (largest > 0)
    scale = np.where(usable, np.ldexp(1.0, np.frexp(np.where(usable, largest, 1.0))[1] - 1), 1.0)
    shares = np.where(usable[..., None], size / scale[..., None], 0.0)
    total = above((shares * shares).sum(axis=-1), count) + count * UNIT_ROUNDOFF**16
    return np.where(largest == 0, 0.0, np.where(usable, times(root(total), scale), INF))
