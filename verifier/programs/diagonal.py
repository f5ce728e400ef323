"""The diagonal that makes a matrix positive semidefinite at least cost, by Newton's method on a log barrier.

    minimise sum(x)  subject to  S = M + diag(x) >= 0,  x_i >= 0 for i >= 1

is what the multipliers of t_i^2 <= 1 have to be, once all others of the semidefinite relaxation are fixed. Barrier:
Boyd & Vandenberghe, Convex Optimization, section 11.6; with G = S^-1 the gradient of log det S is diag(G) and its
Hessian is -G o G, so that a step costs no more than inverting S. A conic solver of first order leaves these multipliers
about as inexact as all others, and every inexactness of theirs is paid for n times; this takes most of that back.
"""

from __future__ import annotations

import numpy as np

from verifier.deadline import Deadline

REDUCTION = 0.2
"""The barrier's weight is multiplied by this from one centring to the next."""

ACCURACY = 1e-7
"""The last barrier's weight, in units of the mean of the diagonal."""

CENTRING_STEPS = 8
"""Newton steps at most for each weight."""


def least_diagonal(matrix: np.ndarray, start: np.ndarray, deadline: Deadline) -> np.ndarray:
    """A nearly cheapest diagonal; nothing is promised of it.

    Args:
        matrix: M, symmetric, float64, shape (N, N).
        start: x, shape (N,), entries from 1 on positive, with M + diag(x) positive definite.
        deadline: after it, what has been reached.
    """
    x = start
    size = float(np.abs(x).mean())
    weight = 0.1 * size
    while weight > ACCURACY * size and not deadline.expired:
        for _ in range(CENTRING_STEPS):
            step, decrease = _newton_step(matrix, x, weight)
            x, moved = _moved(matrix, x, step, decrease, weight)
            if not moved:
                return x
            if decrease < 0.01 * weight * len(x) or deadline.expired:
                break
        weight *= REDUCTION
    return x


def _newton_step(matrix: np.ndarray, x: np.ndarray, weight: float) -> tuple[np.ndarray, float]:
    """The step, and how much of the barrier function it would gain to first order; zero where there is none."""
    try:
        inverse = np.linalg.inv(matrix + np.diag(x))
        gradient = weight * np.diag(inverse) - 1.0
        gradient[1:] += weight / x[1:]
        curvature = weight * inverse * inverse
        curvature[np.arange(1, len(x)), np.arange(1, len(x))] += weight / x[1:] ** 2
        step = np.linalg.solve(curvature, gradient)
    except np.linalg.LinAlgError:
        return np.zeros_like(x), 0.0
    return (step, float(gradient @ step)) if np.isfinite(step).all() else (np.zeros_like(x), 0.0)


def _moved(
    matrix: np.ndarray, x: np.ndarray, step: np.ndarray, decrease: float, weight: float
) -> tuple[np.ndarray, bool]:
    """X after the step, halved until the barrier function rises; whether that was possible."""
    before, length = _barrier(matrix, x, weight), 1.0
    while length > 1e-6:
        if _barrier(matrix, x + length * step, weight) > before + 1e-4 * length * decrease:
            return x + length * step, True
        length /= 2
    return x, False


def _barrier(matrix: np.ndarray, x: np.ndarray, weight: float) -> float:
    """Minus the cost, plus the logarithms of what has to stay positive; -inf where it is not."""
    if not (x[1:] > 0).all():
        return -np.inf
    try:
        factor = np.linalg.cholesky(matrix + np.diag(x))
    except np.linalg.LinAlgError:
        return -np.inf
    return float(-x.sum() + weight * (2 * np.log(np.diag(factor)).sum() + np.log(x[1:]).sum()))
