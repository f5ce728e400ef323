"""Operator norms of linear maps for p = 1, 2 and infinity, bounded from above.

The 1-norm is the largest sum of a column's absolute weights, the infinity-norm that of a row; the 2-norm is bounded by

- a formula, where a row or a column has one weight at most (selections, scalings);
- Gram iteration on the matrix, where that is affordable (`gram`), which is within 1e-6; fewer steps of it, and a looser
  bound, for dense matrices from about 1,500 rows and columns on;
- Gram iteration in the Fourier domain for larger convolutions (`fourier`);
- a Cholesky factorisation for larger sparse matrices whose entries can be brought into a band (`banded`), convolutions
  of middling size among them;
- the norms of the factors, for larger compositions;
- in any case sqrt(1-norm * infinity-norm).

Weights may carry the roundings of `tolerances.WEIGHT_ROUNDINGS`; they are covered. (Power iteration would give a lower
bound, which certifies nothing.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import to_numpy
from verifier.deadline import NEVER, Deadline
from verifier.lipschitz.banded import banded_norm
from verifier.lipschitz.fourier import circular_norm
from verifier.lipschitz.gram import MOST_STEPS, largest_singular_values
from verifier.lipschitz.rounding import INF, above, plus, root, times
from verifier.network.linear_maps import (
    Adjoint,
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Scaling,
    Selection,
    Sparse,
)
from verifier.tolerances import UNDERFLOW, gamma

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DENSE_WORK = 1 << 38
"""Multiplications of a Gram iteration on a plain matrix, at most: half a minute. It ends where they are used up."""

MATRIX_WORK = 1 << 32
"""The same on the matrix of a structured map, for which there may be something quicker."""

MATRIX_ENTRIES = 1 << 22
"""Entries of a matrix that is built for it (32 MB)."""

FEW_WEIGHTS = 1 << 19
"""Weights of a convolution, all groups together, that is brought into a band as well, for a second or two."""

ITERATIONS = 12
"""Steps of a Gram iteration, as a rule."""


def operator_norm(linear_map: LinearMap, norm: float, deadline: Deadline = NEVER) -> float:
    """At least max ||M x||_p over ||x||_p <= 1, for p = `norm` in (1, 2, inf), rounding covered.

    Args:
        linear_map: with NumPy weights.
        norm: p.
        deadline: by which to be done.

    Returns:
        A finite number, or infinity where the weights are not finite or too large.

    Raises:
        OutOfTimeError: the time is up; the 1-norm and the infinity-norm, which take none, have no need of it.
    """
    if 0 in (linear_map.in_size, linear_map.out_size):
        return 0.0
    if norm == 1.0:
        return _largest_sum(linear_map, transposed=True)
    if norm == INF:
        return _largest_sum(linear_map, transposed=False)
    mixed = times(root(_largest_sum(linear_map, transposed=True)), root(_largest_sum(linear_map, transposed=False)))
    found = _two_norm(linear_map, deadline)
    return float(mixed) if found is None else min(float(mixed), float(plus(found, times(_rounding(linear_map), mixed))))


def _largest_sum(linear_map: LinearMap, transposed: bool) -> float:
    """At least the largest absolute row sum, or column sum where `transposed`."""
    magnitude = linear_map.magnitude
    ones = np.ones((1, magnitude.out_size if transposed else magnitude.in_size))
    with np.errstate(over="ignore", invalid="ignore"):
        sums = magnitude.adjoint(ones) if transposed else magnitude.apply(ones)
    raised = above(sums.max(), linear_map.adjoint_terms if transposed else linear_map.terms)
    return float(raised) + (UNDERFLOW if _multiplies_weights(linear_map) else 0.0)


def _multiplies_weights(linear_map: LinearMap) -> bool:
    """Whether entries are products of weights, which may underflow."""
    if isinstance(linear_map, Adjoint):
        return _multiplies_weights(linear_map.of)
    return isinstance(linear_map, Composition)


def _rounding(linear_map: LinearMap) -> float:
    """What the weights of the matrix may be off by, relative to the map of absolute weights."""
    return gamma(linear_map.terms if _multiplies_weights(linear_map) else 0)


def _two_norm(linear_map: LinearMap, deadline: Deadline) -> float | None:
    """At least the 2-norm of the map with the weights as computed; None where nothing better than the rest is known."""
    if isinstance(linear_map, Adjoint):
        return _two_norm(linear_map.of, deadline)
    if _one_weight_a_row(linear_map):
        return _of_orthogonal_columns(linear_map.to_sparse())
    if isinstance(linear_map, Dense):
        weight = to_numpy(linear_map.weight).astype(np.float64)
        steps = _affordable_steps(*weight.shape)
        return _gram(weight, deadline, steps) if steps > 0 else None
    if isinstance(linear_map, Convolution):
        bordered = linear_map.out_size * linear_map.terms <= FEW_WEIGHTS
        return max(_of_one_group(group, bordered, deadline) for group in _groups(linear_map))
    if _is_small(linear_map):
        return _gram(linear_map.to_sparse().toarray(), deadline)
    if isinstance(linear_map, Sparse):
        return banded_norm(linear_map.to_sparse(), deadline)
    if isinstance(linear_map, Composition):
        return float(times(*(operator_norm(part, 2.0, deadline) for part in (linear_map.outer, linear_map.inner))))
    return None


def _one_weight_a_row(linear_map: LinearMap) -> bool:
    """Whether no output depends on more than one input, as far as the kind of map tells."""
    if isinstance(linear_map, Composition):
        return _one_weight_a_row(linear_map.outer) and _one_weight_a_row(linear_map.inner)
    return isinstance(linear_map, Identity | Selection | Scaling | Sparse) and linear_map.terms == 1


def _of_orthogonal_columns(matrix: csr_array) -> float:
    """The largest length of a column, where no row has two weights."""
    largest = float(abs(matrix).max()) if matrix.nnz else 0.0
    if largest == 0.0 or not np.isfinite(largest):
        return 0.0 if largest == 0.0 else INF
    exponent = int(np.frexp(largest)[1])
    shares = np.ldexp(np.asarray(matrix.data, np.float64), -exponent)
    squares = np.bincount(matrix.indices, weights=shares * shares, minlength=1)
    terms = int(np.bincount(matrix.indices, minlength=1).max())
    with np.errstate(over="ignore"):
        return float(np.nextafter(np.ldexp(root(above(squares.max(), terms)), exponent), INF))


def _groups(convolution: Convolution) -> Iterator[Convolution]:
    """The groups of a convolution, each on its part of one image; they are the blocks of a block-diagonal matrix."""
    kernel, window = to_numpy(convolution.kernel).astype(np.float64), convolution.window
    shape = (1, int(kernel.shape[1]), *convolution.in_shape[2:])
    for part in np.split(kernel, window.groups):
        yield Convolution(part, shape, replace(window, groups=1))


def _of_one_group(convolution: Convolution, bordered: bool, deadline: Deadline) -> float:
    """At least the norm; the circular convolution sees no border, and is brought into a band as well if `bordered`."""
    if _is_small(convolution):
        return _gram(convolution.to_sparse().toarray(), deadline)
    found = circular_norm(convolution, deadline)
    return min(found, banded_norm(convolution.to_sparse(), deadline)) if bordered else found


def _gram(matrix: np.ndarray, deadline: Deadline, steps: int = MOST_STEPS) -> float:
    return float(largest_singular_values(matrix[None], steps, deadline)[0])


def _affordable_steps(rows: int, columns: int) -> int:
    smaller, larger = sorted((rows, columns))
    first, each = smaller * smaller * larger, smaller**3
    return min(MOST_STEPS, 1 + (DENSE_WORK - first) // each) if first <= DENSE_WORK else 0


def _is_small(linear_map: LinearMap) -> bool:
    rows, columns = linear_map.out_size, linear_map.in_size
    return rows * columns <= MATRIX_ENTRIES and _work(rows, columns) <= MATRIX_WORK


def _work(rows: int, columns: int) -> int:
    """Multiplications of a Gram iteration."""
    smaller, larger = sorted((rows, columns))
    return smaller * smaller * (larger + ITERATIONS * smaller)
