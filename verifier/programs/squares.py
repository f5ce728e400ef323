"""A lower bound on a network's forms from any multipliers of the semidefinite relaxation, valid in real arithmetic.

Raghunathan, Steinhardt, Liang: Semidefinite relaxations for certifying robustness to adversarial examples, NeurIPS 2018
(arXiv 1811.01057). The dual of their relaxation is a sum-of-squares certificate. With v = (1, t), t in [-1, 1]^n,

    form(t) - sum of multipliers * (constraints of the relus, which are >= 0 or = 0)  =  v' M v,
    v' M v  =  v' S v + d_0 - sum_i d_i t_i^2  >=  v' S v + d_0 - sum_i d_i,      S = M + diag(-d_0, d),  d >= 0.

Nothing is assumed of multipliers or d. The diagonal is raised until the smallest eigenvalue of S is not negative, which
costs that much for every variable (the trace of vv' is at most 1 + n, as the variables are scaled). Even the
eigenvalues are not trusted: from them comes some factor R, and v' S v = |R'v|^2 + v' (S - RR') v, where the last term,
computed, is at least minus the sum of its absolute coefficients. All rounding is bounded a priori and taken off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.programs.centred import CentredNetwork, Forms
from verifier.tolerances import UNDERFLOW, gamma


@dataclass(frozen=True, eq=False)
class Multipliers:
    """Multipliers of the relaxation, float64, of n variables, m relus and R forms; see `CentredNetwork`.

    Attributes:
        weight: of the forms, shape (R,), not negative, not all zero.
        sign: of q >= 0, shape (m,), not negative.
        chord: of q <= reach (1 - t) / 2, shape (m,), not negative.
        complement: of q (1 + t) = 0, shape (m,).
        product: of q^2 <= reach q, shape (m,), not negative.
        square: of t^2 <= 1, shape (n,), not negative.
    """

    weight: np.ndarray
    sign: np.ndarray
    chord: np.ndarray
    complement: np.ndarray
    product: np.ndarray
    square: np.ndarray


def projected(vector: np.ndarray, network: CentredNetwork, forms: int) -> Multipliers | None:
    """The multipliers in a vector, in the order of the attributes, moved onto their cones; weights sum to about 1.

    Returns:
        None where the vector has the wrong shape, holds NaN or infinities, or weighs no form.
    """
    m, n = len(network.relu), network.variables
    y = np.asarray(vector, np.float64)
    if y.shape != (forms + 4 * m + n,) or not np.isfinite(y).all():
        return None
    weight, sign, chord, complement, product, square = np.split(y, np.cumsum([forms, m, m, m, m]))
    weight = np.maximum(weight, 0.0)
    total = weight.sum()
    if not (np.isfinite(total) and total > UNDERFLOW):
        return None
    sign, chord, product, square = (np.maximum(part, 0.0) for part in (sign, chord, product, square))
    return Multipliers(weight / total, sign, chord, complement, product, square)


def squares_bound(network: CentredNetwork, forms: Forms, vector: np.ndarray) -> float:
    """A number below which max over r of forms[r] cannot fall on the network's points.

    Args:
        network: over its box.
        forms: in the network's variables; the thresholds taken off already.
        vector: multipliers as in `projected`.

    Returns:
        A finite number, or -inf where the multipliers prove nothing.
    """
    multipliers = projected(vector, network, len(forms.error))
    if multipliers is None:
        return -np.inf
    with np.errstate(all="ignore"):
        matrix = quadratic(network, forms, multipliers)
        if not np.isfinite(matrix).all():
            return -np.inf
        try:
            least = _least_on_cube(matrix, multipliers.square)
        except np.linalg.LinAlgError:  # numbers so large that they overflow within
            return -np.inf
        bound = least - _slack(network, forms, multipliers)
        bound = bound - gamma(len(forms.error) + 4) * abs(bound) - UNDERFLOW  # weights that sum to 1 but for rounding
    return float(bound) if np.isfinite(bound) else -np.inf


def quadratic(network: CentredNetwork, forms: Forms, multipliers: Multipliers) -> np.ndarray:
    """The symmetric matrix M of the module's first equation, shape (1 + n, 1 + n)."""
    q, relu, reach = network.negative.rows, network.relu, network.reach
    matrix = (q.T * multipliers.product) @ q
    linear = multipliers.weight @ forms.rows
    linear += (multipliers.chord - multipliers.sign - multipliers.product * reach) @ q
    half_chord = multipliers.chord * reach / 2
    linear[0] -= half_chord.sum()
    linear[relu] += half_chord
    crossed = q * (multipliers.complement / 2)[:, None]
    linear -= 2 * crossed.sum(axis=0)
    matrix[0] += linear / 2
    matrix[:, 0] += linear / 2
    matrix[relu] -= crossed
    matrix[:, relu] -= crossed.T
    return matrix


def _slack(network: CentredNetwork, forms: Forms, multipliers: Multipliers) -> float:
    """What the rounding of the network's forms, and of the matrix, can move v' M v by at any t in the cube."""
    q, reach = network.negative, network.reach
    chord, sign, product = multipliers.chord, multipliers.sign, multipliers.product
    complement = np.abs(multipliers.complement)
    of_forms = multipliers.weight @ forms.error
    # For true q and computed q + e: |q^2 - (q + e)^2| <= |e| (2 reach + |e|), and |1 + t| <= 2.
    of_relus = q.error @ (sign + chord + 2 * complement + product * (3 * reach + q.error))
    linear = multipliers.weight @ forms.size + (sign + chord + product * reach + 2 * complement) @ q.size
    size = linear + chord @ reach + product @ (q.size * q.size)
    rounding = gamma(len(forms.error) + 4 * len(reach) + 8)
    return float((of_forms + of_relus + rounding * size) * (1 + rounding) + UNDERFLOW)


def _least_on_cube(matrix: np.ndarray, square: np.ndarray) -> float:
    """A lower bound of v' M v for v = (1, t), t in [-1, 1]^n; `square` proposes the diagonal d."""
    constant, diagonal = raised(matrix, square)
    shifted = matrix + np.diag(np.r_[-constant, diagonal])
    values, vectors = np.linalg.eigh(shifted)
    factor = vectors * np.sqrt(np.maximum(values, 0.0))
    rest = np.abs(shifted - factor @ factor.T).sum() * (1 + gamma(len(matrix) ** 2))
    rounding = gamma(len(matrix) + 4)
    size = (np.abs(factor).sum(axis=0) ** 2).sum() + np.abs(np.diag(matrix)).sum() + abs(constant) + diagonal.sum()
    return float(constant - diagonal.sum() - rest - rounding * (size + rest))


def raised(matrix: np.ndarray, square: np.ndarray) -> tuple[float, np.ndarray]:
    """(d_0, d): the diagonal raised evenly by the amount that loses least, and the largest constant it allows.

    With eigenvalues e and the border b in the basis of T = M_tt + diag(square), a raise r allows
    d_0 = M_00 - sum b_i^2 / (e_i + r) and costs n r: a concave function of r, maximised by bisection of its slope.

    Args:
        matrix: M, finite, shape (1 + n, 1 + n).
        square: float64, shape (n,).

    Raises:
        LinAlgError: the numbers are too large.
    """
    inner = matrix[1:, 1:] + np.diag(square)
    values, vectors = np.linalg.eigh(inner)
    border = (matrix[0, 1:] @ vectors) ** 2
    if not len(values):
        return float(matrix[0, 0]), square
    size = max(float(np.abs(values).max()), float(np.sqrt(border.sum())), UNDERFLOW)
    low = max(0.0, -float(values[0])) + 1e-14 * size
    high = low + size * 2
    for _ in range(60):
        middle = (low + high) / 2
        rising = (border / (values + middle) ** 2).sum() > len(values)
        low, high = (middle, high) if rising else (low, middle)
    constant = matrix[0, 0] - (border / (values + high)).sum()
    return float(constant), square + high
