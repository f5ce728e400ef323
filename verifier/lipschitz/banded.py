"""The 2-norm of a sparse matrix, bounded from above by Cholesky factorisations in a band.

Gram iteration fills a matrix up; a factorisation stays in the band that the entries lie in, which is narrow for maps of
images once rows and columns are ordered by reverse Cuthill-McKee. If Cholesky's algorithm runs to its end on
M = t I - A'A, then R as computed has R'R = M + E with

    |E_ij| <= g |R|'|R|_ij <= g / (1 - g) sqrt(M_ii M_jj),        g = gamma of the terms of a sum,

so that ||A||^2 <= t + ||E||. The first t is what Lanczos' method finds, which is at most the largest eigenvalue, raised
by 1e-7 of it; a factorisation that fails has it raised ten times as much.

Sources: Rump: Verification of positive definiteness, BIT 46, 2006; Higham: Accuracy and stability of numerical
algorithms, theorem 10.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.deadline import NEVER, Deadline, OutOfTimeError
from verifier.lipschitz.rounding import INF, above, plus, root, times
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_WORK = 1 << 36
"""Multiplications of a factorisation at most: some seconds."""

MOST_ENTRIES = 1 << 25
"""Entries of a band at most (256 MB)."""

MOST_PRODUCTS = 1 << 30
"""Multiplications of weights for A'A at most."""

RATE = 1 << 33
"""Multiplications a second, about."""

LANCZOS_STEPS = 100
"""Of Lanczos' method, about."""

RAISED = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""By which shares the estimate is raised, one after another."""

LARGEST_SPREAD = 1e100
"""How many times the largest weight is the smallest at most: squares of such do not underflow."""


def banded_norm(matrix: csr_array, deadline: Deadline = NEVER) -> float:
    """At least the 2-norm of a matrix of finite weights; infinity where the band is too wide, or no bound is found.

    Raises:
        OutOfTimeError: the time is up, or does not suffice for a factorisation, which cannot be stopped.
    """
    from scipy.sparse import csr_array

    sizes = np.abs(matrix.data[matrix.data != 0])
    if not sizes.size:
        return 0.0
    if not np.isfinite(sizes).all() or sizes.max() / LARGEST_SPREAD > sizes.min():
        return INF
    exponent = int(np.frexp(sizes.max())[1])
    scaled = matrix.copy()
    scaled.data = np.ldexp(scaled.data.astype(np.float64), -exponent)
    scaled.sum_duplicates()
    if scaled.shape[0] < scaled.shape[1]:
        scaled = csr_array(scaled.T)
    deadline.check()
    order = _order(scaled)
    if order is None:
        return INF
    scaled = csr_array(scaled[:, order])
    size, terms = abs(scaled), int(np.bincount(scaled.indices).max())
    product = above(size.sum(axis=0).max(), scaled.shape[0]), above(size.sum(axis=1).max(), scaled.shape[1])
    error = plus(times(gamma(terms), *product), UNDERFLOW)
    deadline.check()
    found = _largest_eigenvalue(csr_array(scaled.T @ scaled), deadline)
    return float(np.nextafter(np.ldexp(root(plus(found, error)), exponent), INF))


def _order(matrix: csr_array) -> np.ndarray | None:
    """Columns in an order that makes the band of A'A narrow, from the rows and columns of A; None if it is too wide."""
    from scipy.sparse import block_array
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    rows, columns = matrix.shape
    filled = np.diff(matrix.indptr).astype(np.int64)
    if (filled * filled).sum() > MOST_PRODUCTS:
        return None
    both = block_array([[None, matrix], [matrix.T, None]], format="csr")
    order = reverse_cuthill_mckee(both, symmetric_mode=True)
    order = order[order >= rows] - rows
    place = np.full(columns, -1)
    place[order] = np.arange(len(order))
    # Two columns meet in A'A where a row has both.
    places, starts = place[matrix.indices], matrix.indptr[:-1][filled > 0]
    width = int((np.maximum.reduceat(places, starts) - np.minimum.reduceat(places, starts)).max())
    too_wide = columns * (width + 1) > MOST_ENTRIES or columns * (width + 1) ** 2 > MOST_WORK
    return None if too_wide or place.min() < 0 else order


def _largest_eigenvalue(square: csr_array, deadline: Deadline) -> float:
    """At least that of a symmetric matrix with a narrow band; infinite where it is not found."""
    from scipy.linalg import LinAlgError, cholesky_banded

    band = _band(square)
    width, count = band.shape[0] - 1, band.shape[1]
    share = 2 * gamma(width + 2) / (1 - 2 * gamma(width + 2))
    if not deadline.affords(count * (width + 1) * (LANCZOS_STEPS + width + 1) / RATE):
        raise OutOfTimeError
    estimate = _lanczos(square)
    for raised in RAISED:
        deadline.check()
        top = estimate * (1 + raised)
        shifted = -band
        shifted[-1] += top
        if not shifted[-1].min() > 0:
            continue
        try:
            pivots = cholesky_banded(shifted, overwrite_ab=True, check_finite=False)[-1]
        except LinAlgError:
            continue
        if not (np.isfinite(pivots).all() and pivots.min() > 0):
            continue
        hidden = times(share, min(count, 2 * width + 1), above(top))
        return float(plus(above(top), times(2 * UNIT_ROUNDOFF, top), hidden, UNDERFLOW))
    return INF


def _band(square: csr_array) -> np.ndarray:
    """The diagonal, last, and what is above it, shape (width + 1, n)."""
    entries = square.tocoo()
    above_diagonal = entries.col - entries.row
    width = int(above_diagonal.max())
    band = np.zeros((width + 1, square.shape[0]))
    upper = above_diagonal >= 0
    band[width - above_diagonal[upper], entries.col[upper]] = entries.data[upper]
    return band


def _lanczos(square: csr_array) -> float:
    """About the largest eigenvalue, and not much above it."""
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, eigsh

    start = np.random.default_rng(0).standard_normal(square.shape[0])
    if square.shape[0] > 2:
        try:
            return float(eigsh(square, k=1, which="LA", v0=start, tol=1e-8, return_eigenvectors=False)[0])
        except (ArpackError, ArpackNoConvergence):
            pass
    for _ in range(100):
        start = square @ (start / np.linalg.norm(start))
    return float(np.linalg.norm(start))
