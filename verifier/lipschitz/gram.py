"""Largest singular values, bounded from above by Gram iteration.

With G_0 = A and G_(k+1) = G_k^* G_k, the Frobenius norm of G_k is at least sigma^(2^k), sigma the largest singular
value of A; its 2^k-th root falls to sigma, and what is left of the excess (its logarithm) at least halves with every
step. So the last fall says how much is left at most. Source: Delattre, Barthelemy, Araujo, Allauzen: Efficient bound of
Lipschitz constant for convolutional layers by Gram iteration, ICML 2023 (arXiv 2305.16173).

Rounding: a computed Gram matrix is off by at most delta in the Frobenius norm, so sigma(G_k)^2 <= sigma(G_(k+1)) +
delta, from the last step back to the first. Powers of two, which round nothing, keep the numbers near 1.
"""

from __future__ import annotations

import numpy as np

from verifier.deadline import NEVER, Deadline
from verifier.lipschitz.rounding import INF, above, plus, root, times
from verifier.tolerances import UNDERFLOW, gamma

MOST_STEPS = 40
"""The excess is at most sqrt(rank)^(2^-k); 25 steps do for any rank."""

STEP_WORK = 1 << 32
"""Multiplications between two looks at the deadline: a fraction of a second."""

ACCURACY = 1e-7
"""Steps end when the bounds fall by less than this share."""


def largest_singular_values(
    matrices: np.ndarray, most_steps: int = MOST_STEPS, deadline: Deadline = NEVER
) -> np.ndarray:
    """At least the largest singular value of each matrix; within about `ACCURACY` of it, if steps suffice.

    Args:
        matrices: real or complex, in double precision, shape (B, m, n).
        most_steps: Gram matrices that are made at most.
        deadline: by which to be done.

    Returns:
        Shape (B,); infinite where a matrix is not finite.

    Raises:
        OutOfTimeError: the time is up.
    """
    if not matrices.size:
        return np.zeros(len(matrices))
    if matrices.shape[1] < matrices.shape[2]:  # the smaller of A^* A and A A^* is squared from then on
        matrices = np.conj(np.swapaxes(matrices, 1, 2))
    finite = np.isfinite(matrices).all(axis=(1, 2))
    current, first = _scaled(np.where(finite[:, None, None], matrices, 0.0))
    steps: list[tuple[np.ndarray, np.ndarray]] = []
    best = _frobenius(current)
    for _ in range(most_steps):
        size, inner = _frobenius(current), current.shape[1]
        # Real and imaginary part of an entry are sums of 2 m products of at most |row| |column| together.
        delta = times(2 * gamma(2 * inner), size, size) + UNDERFLOW
        current, exponents = _scaled(_gram_matrix(current, deadline))
        steps.append((np.ldexp(delta, -exponents), exponents))
        bound = np.minimum(best, _unwound(_frobenius(current), steps))
        settled = (best - bound <= ACCURACY * bound).all()
        best = bound
        if settled:
            break
    zero = ~(np.abs(matrices) > 0).any(axis=(1, 2))
    with np.errstate(over="ignore"):
        result = np.nextafter(np.ldexp(best, first), INF)
    return np.where(finite, np.where(zero, 0.0, result), INF)


def _gram_matrix(matrices: np.ndarray, deadline: Deadline) -> np.ndarray:
    """A^* A of each matrix, shape (B, n, n), some rows at a time."""
    adjoint, (batch, inner, size) = np.conj(np.swapaxes(matrices, 1, 2)), matrices.shape
    rows = max(1, STEP_WORK // max(1, batch * inner * size))
    if rows >= size:
        deadline.check()
        return adjoint @ matrices
    found = np.empty((batch, size, size), matrices.dtype)
    for first in range(0, size, rows):
        deadline.check()
        found[:, first : first + rows] = adjoint[:, first : first + rows] @ matrices
    return found


def _scaled(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each matrix times a power of two that takes its largest part to [1/2, 1), and the exponent that undoes it."""
    matrices = np.ascontiguousarray(matrices)
    parts = matrices.view(np.float64)  # of complex numbers real and imaginary parts, side by side
    exponents = np.frexp(np.abs(parts).max(axis=(1, 2)))[1]
    return np.ldexp(parts, -exponents[:, None, None]).view(matrices.dtype), exponents


def _frobenius(matrices: np.ndarray) -> np.ndarray:
    """At least the Frobenius norm of matrices with parts of at most 1, shape (B,)."""
    squares = matrices.real**2 + matrices.imag**2 if np.iscomplexobj(matrices) else matrices**2
    terms = 2 * matrices.shape[1] * matrices.shape[2]
    return root(above(squares.sum(axis=(1, 2)) + UNDERFLOW, terms))


def _unwound(last: np.ndarray, steps: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The bound on the first matrix from one on the last."""
    bound = last
    for delta, exponents in reversed(steps):
        bound = root(np.ldexp(plus(bound, delta), exponents))
    return bound
