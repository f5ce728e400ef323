"""Constants of blocks (`blocks.py`): the largest ||M + N diag(s) D|| over all slopes s that occur.

- **By vertices**: where the block falls into small parts that share neither inputs nor outputs, as MaxMin does into
  pairs. A norm is convex in s, so that the largest is at a vertex, and each part has few.
- **By multipliers** (2-norm), for residual layers. Slopes in [0, 1] give t_i (z_i - t_i) >= 0 for t = diag(s) D v, so
  for every Lambda >= 0

      ||M v + N t||^2 <= ||M v||^2 + 2 v'X t + t'(N'N - 2 Lambda) t,      X = M'N + D'Lambda,

  and Lambda that makes X vanish proves ||M|| if ||N (2 Lambda)^(-1/2)|| <= 1: so are SDP-based Lipschitz layers built
  (Araujo, Havens, Delattre, Allauzen, Hu, ICLR 2023, arXiv 2303.03169, theorem 3), and so they are checked, whatever
  made them. What is left of X, or of that norm above 1, costs its size times ||t||, in units of Lambda^(-1/2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from verifier.deadline import NEVER, Deadline
from verifier.lipschitz.blocks import Block, Weights
from verifier.lipschitz.gram import largest_singular_values
from verifier.lipschitz.norms import operator_norm
from verifier.lipschitz.rounding import INF, above, plus, root, times
from verifier.network.linear_maps import Sparse
from verifier.tolerances import UNDERFLOW, gamma

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ROWS = 8
"""Outputs, and inputs, of a part whose vertices are enumerated."""

MOST_FUNCTIONS = 5
"""Functions of such a part: 32 vertices."""

USELESS = 0.5
"""Multipliers that leave this share of M'N or more are given up."""

SMALLEST = 1e-60
"""Weights below this, or above its reciprocal, are left to the vertices."""

SMALL = 1 << 9
"""Rows and columns up to which Gram iteration always finds the norm."""

PERRON_STEPS = 30
SMALLEST_SHARE = 1e-12
"""Keeps the vectors of that iteration positive."""


def block_constant(
    block: Block, norm: float, outer: np.ndarray, inner: np.ndarray, deadline: Deadline = NEVER
) -> float:
    """At least the largest ||diag(outer) (M + N diag(s) D) diag(inner)||_p; infinite where nothing is proved.

    Args:
        block: the block.
        norm: p, one of 1, 2, inf.
        outer, inner: not negative, shapes (m,) and (n,).
        deadline: by which to be done.

    Raises:
        OutOfTimeError: the time is up.
    """
    finite = all(np.isfinite(v).all() for v in (outer, inner, block.low, block.high))
    if not finite or not (len(outer) and len(inner)):
        return INF
    rows, columns = (None if (w == 1).all() else w for w in (outer, inner))
    scaled = Block(
        block.base,
        block.direct.scaled(rows, columns),
        block.after.scaled(rows, None),
        block.before.scaled(None, columns),
        block.low,
        block.high,
        block.terms + 2,
        block.residual,
    )
    with np.errstate(all="ignore"):
        found = _by_vertices(scaled, norm, deadline)
        if found == INF and norm == 2.0 and block.residual and _usual(scaled):
            found = _by_multipliers(scaled, deadline)
    return INF if np.isnan(found) else found


def matrix_norm(weights: Weights, norm: float, terms: int, deadline: Deadline = NEVER) -> float:
    """At least the p-norm of a matrix, its terms' rounding covered; infinite for weights beyond the usual.

    Args:
        weights: the matrix.
        norm: p, one of 1, 2, inf.
        terms: roundings in an entry of it.
        deadline: by which to be done.

    Raises:
        OutOfTimeError: the time is up.
    """
    sizes = weights.size.data
    if not ((sizes > SMALLEST) & (sizes < 1 / SMALLEST) | (sizes == 0)).all():
        return INF
    size = _mixed(weights.size) if norm == 2.0 else operator_norm(Sparse(weights.size), norm)
    rounding = plus(times(gamma(2 * terms + 8), size), UNDERFLOW)  # twice: the sizes are rounded as well
    return float(plus(operator_norm(Sparse(weights.value), norm, deadline), rounding))


def _usual(block: Block) -> bool:
    """Whether no weight is so small or so large that products could under- or overflow."""
    sizes = np.concatenate([w.size.data for w in (block.direct, block.after, block.before)])
    return bool(((sizes > SMALLEST) & (sizes < 1 / SMALLEST) | (sizes == 0)).all())


def _by_vertices(block: Block, norm: float, deadline: Deadline) -> float:
    """By the parts of the block, where all are small."""
    parts = _parts(block)
    if parts is None:
        return INF
    direct, after, before, low, high = parts
    steep = np.maximum(np.abs(low), np.abs(high))
    largest = max(1.0, *(w.max(initial=0.0) for w in (*direct, *after, *before, steep)))
    error = gamma(block.terms + steep.shape[1] + 4) * (direct[1] + (after[1] * steep[:, None, :]) @ before[1])
    error = _sizes(error * (1 + gamma(block.terms)) + UNDERFLOW * largest**2, norm)
    best = np.zeros(len(low))
    for vertex in range(1 << low.shape[1]):
        deadline.check()
        chosen = (vertex >> np.arange(low.shape[1])) & 1
        slopes = np.where(chosen == 1, high, low)
        best = np.maximum(best, _sizes(direct[0] + (after[0] * slopes[:, None, :]) @ before[0], norm))
    return float(plus(best, error).max(initial=0.0))


def _sizes(matrices: np.ndarray, norm: float) -> np.ndarray:
    """At least the p-norms of matrices, shape (B, m, n); shape (B,)."""
    if norm == 2.0:
        return largest_singular_values(matrices)
    axis = 1 if norm == 1.0 else 2
    return above(np.abs(matrices).sum(axis=axis).max(axis=1, initial=0.0), matrices.shape[axis])


_Stacked: TypeAlias = tuple[np.ndarray, np.ndarray]
"""Values and sizes of the weights of B parts, shape (B, rows, columns) each, with zeros where a part has fewer."""


def _parts(block: Block) -> tuple[_Stacked, _Stacked, _Stacked, np.ndarray, np.ndarray] | None:
    """The parts of a block, each different one once: M, N, D and the slopes' ends; None where one is too large."""
    from scipy.sparse import block_array, csr_array
    from scipy.sparse.csgraph import connected_components

    m, n = block.direct.size.shape
    d, a, b = (w.size for w in (block.direct, block.after, block.before))
    edges = block_array([[csr_array((m, m)), d, a], [d.T, csr_array((n, n)), b.T], [a.T, b, None]])
    count, labels = connected_components(csr_array(edges), directed=False)
    rows, columns, functions = np.split(labels, [m, m + n])
    most = [int(np.bincount(kind, minlength=count).max(initial=0)) for kind in (rows, columns, functions)]
    if max(most[:2]) > MOST_ROWS or most[2] > MOST_FUNCTIONS:
        return None
    ranks = [_ranks(kind) for kind in (rows, columns, functions)]

    def stacked(weights: Weights, up: int, along: int) -> list[np.ndarray]:
        of_rows = (rows, columns, functions)[up]
        result = []
        for matrix in (weights.value, weights.size):
            entries = matrix.tocoo()
            dense = np.zeros((count, max(1, most[up]), max(1, most[along])))
            dense[of_rows[entries.row], ranks[up][entries.row], ranks[along][entries.col]] = entries.data
            result.append(dense)
        return result

    ends = np.zeros((2, count, max(1, most[2])))
    ends[:, functions, ranks[2]] = block.low, block.high
    arrays = [*stacked(block.direct, 0, 1), *stacked(block.after, 0, 2), *stacked(block.before, 2, 1), *ends]
    flat = np.concatenate([a.reshape(count, -1) for a in arrays], axis=1)
    _, first = np.unique(flat, axis=0, return_index=True)
    d0, d1, a0, a1, b0, b1, low, high = (a[first] for a in arrays)
    return (d0, d1), (a0, a1), (b0, b1), low, high


def _ranks(labels: np.ndarray) -> np.ndarray:
    """The place of each entry among those of its label."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(labels[order]) != 0]) if len(labels) else np.zeros(0, np.int64)
    counts = np.diff(np.r_[starts, len(labels)])
    ranks = np.empty(len(labels), np.int64)
    ranks[order] = np.arange(len(labels)) - np.repeat(starts, counts)
    return ranks


def _by_multipliers(block: Block, deadline: Deadline) -> float:
    """For residual layers; functions whose slopes reach from a to b are a z and one with slopes from 0 to b - a."""
    from scipy.sparse import csr_array, diags_array

    low, span = diags_array(block.low), diags_array(block.high - block.low)
    through = csr_array(block.direct.value + block.after.value @ low @ block.before.value)
    through_size = csr_array(block.direct.size + block.after.size @ abs(low) @ block.before.size)
    after, after_size = csr_array(block.after.value @ span), csr_array(block.after.size @ span)
    (m, n), before = block.direct.value.shape, block.before
    rounding = gamma(2 * (block.terms + m + n + len(block.low)) + 8)  # sums along rows and along columns
    crossed = csr_array(through.T @ after)
    along = before.value.multiply(before.value).sum(axis=1)
    multipliers = -before.value.T.multiply(crossed).sum(axis=0) / np.where(along > 0, along, 1.0)
    multipliers = np.maximum(np.asarray(multipliers, np.float64), 0.0)
    weighted = diags_array(multipliers)
    if not _mixed(crossed + before.value.T @ weighted) < USELESS * _mixed(crossed):
        return INF
    if np.asarray(after_size.sum(axis=0))[multipliers == 0].any():
        return INF
    # In units of Lambda^(-1/2), which suit every function.
    roots = np.sqrt(multipliers)
    half, inverse = diags_array(roots), diags_array(np.where(roots > 0, 1.0 / np.where(roots > 0, roots, 1.0), 0.0))
    sizes = through_size.T @ after_size @ inverse + before.size.T @ half
    rest = plus(_mixed((crossed + before.value.T @ weighted) @ inverse), times(rounding, _mixed(sizes)))
    share = _norm(csr_array(after @ inverse), csr_array(after_size @ inverse), rounding, inverse.diagonal(), deadline)
    reach = _norm(csr_array(half @ before.value), csr_array(half @ before.size), rounding, np.ones(n), deadline)
    excess = max(0.0, float(np.nextafter(times(share, share) - 2.0, INF)))
    straight = _norm(through, through_size, rounding, np.ones(n), deadline)
    square = plus(times(straight, straight), times(2.0, rest, reach), times(excess, reach, reach), UNDERFLOW)
    return float(root(square))


def _mixed(matrix: csr_array) -> float:
    """At least the 2-norm, by the 1-norm and the infinity-norm."""
    sums = [abs(matrix).sum(axis=axis).max(initial=0.0) for axis in (0, 1)]
    return float(root(times(*(above(s, max(matrix.shape)) for s in sums))))


def _norm(value: csr_array, size: csr_array, rounding: float, start: np.ndarray, deadline: Deadline) -> float:
    """At least the 2-norm of a matrix whose entries are off by at most `rounding` times `size`; see `_by_perron`."""
    found = operator_norm(Sparse(value), 2.0, deadline)
    if found > 0 and max(value.shape) > SMALL:
        found = min(found, _by_perron(value, start))
    return float(plus(found, times(rounding, _mixed(size)), UNDERFLOW))


def _by_perron(matrix: csr_array, start: np.ndarray) -> float:
    """At least the 2-norm: for any y > 0, |A'A| y <= r y entry by entry bounds it by sqrt(r) (Collatz & Wielandt).

    `start` is the first y tried, not negative.
    """
    rounding = gamma(matrix.shape[0])
    square = abs(matrix.T @ matrix) + rounding * (abs(matrix).T @ abs(matrix))
    y, best, terms = start / start.max(initial=1.0) + SMALLEST_SHARE, INF, matrix.shape[1]
    for _ in range(PERRON_STEPS):
        product = square @ y
        best = min(best, float(above((product / y).max(initial=0.0), terms)))
        y = product / product.max() + SMALLEST_SHARE
    return float(root(plus(best, UNDERFLOW)))
