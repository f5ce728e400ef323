"""Collects columns and rows of a program in blocks, and joins them into sparse arrays once.

A block is one kind of row for many entries at a time (all chords of a layer, all equalities of an affine node), so
that a program is built by a few array operations per node of the network, whatever its size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from verifier.programs.program import Program
from verifier.tolerances import SMALLEST_COEFFICIENT, SOLVER_FEASIBILITY, UNIT_ROUNDOFF, gamma

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Entries:
    """Entries of a node as the program sees them: a column each, or a constant where the column is -1.

    Attributes:
        column: int64, shape (size,).
        value: float64, shape (size,): the constant; 0 where there is a column, and where the entry is not needed.
    """

    column: np.ndarray
    value: np.ndarray

    def __getitem__(self, chosen: np.ndarray) -> Entries:
        return Entries(self.column[chosen], self.value[chosen])


@dataclass
class ProgramBuilder:
    """Grows by blocks of columns and rows; `finish` gives the program."""

    _bounds: list[tuple[np.ndarray, np.ndarray, bool]] = field(default_factory=list)
    _entries: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    _sides: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    _column_count: int = 0
    _row_count: int = 0

    def columns(self, lower: np.ndarray, upper: np.ndarray, integral: bool = False) -> np.ndarray:
        """New columns with these bounds; their indices."""
        self._bounds.append((lower, upper, integral))
        first, self._column_count = self._column_count, self._column_count + len(lower)
        return np.arange(first, self._column_count)

    def rows_of_terms(
        self, terms: list[tuple[np.ndarray, Entries]], lower: np.ndarray | float, upper: np.ndarray | float
    ) -> None:
        """For each r: lower[r] <= sum over terms of coefficients[r] * entries[r] <= upper[r].

        Exact where all entries have columns; the rounding of constants that move to the sides goes into the row error.
        """
        count = len(terms[0][0])
        constant, size = np.zeros(count), np.zeros(count)
        local = np.arange(self._row_count, self._row_count + count)
        for coefficients, entries in terms:
            moved = np.where(entries.column < 0, coefficients * entries.value, 0.0)
            constant, size = constant + moved, size + np.abs(moved)
            present = entries.column >= 0
            self._entries.append((local[present], entries.column[present], coefficients[present]))
        shifted = np.where(np.isfinite(lower), lower, 0.0), np.where(np.isfinite(upper), upper, 0.0)
        size = np.where(size > 0, size + np.abs(shifted[0]) + np.abs(shifted[1]), 0.0)
        self._sides.append((lower - constant, upper - constant, gamma(2 * len(terms)) * size))
        self._row_count += count

    def rows_of_matrix(
        self, target: np.ndarray, parts: list[tuple[csr_array, Entries]], bias: np.ndarray, error: np.ndarray
    ) -> None:
        """Rows x[target] - sum over parts of matrix @ entries = bias, each within `error` of the network's values.

        `error` has to cover the rounding of the constants that move to the right side.
        """
        count = len(target)
        right = bias
        local = np.arange(self._row_count, self._row_count + count)
        self._entries.append((local, target, np.ones(count)))
        for matrix, entries in parts:
            right = right + matrix @ entries.value
            columns = entries.column[matrix.indices]
            rows = np.repeat(local, np.diff(matrix.indptr))
            present = columns >= 0
            self._entries.append((rows[present], columns[present], -matrix.data[present]))
        self._sides.append((right, right, error))
        self._row_count += count

    def finish(self) -> Program:
        """The program, with a zero objective. Coefficients too small for solvers go into the rows' sides and errors."""
        from scipy.sparse import coo_array

        lower, upper = _joined([b[0] for b in self._bounds]), _joined([b[1] for b in self._bounds])
        integrality = np.repeat([b[2] for b in self._bounds], [len(b[0]) for b in self._bounds]).astype(bool)
        rows, columns, values = (_joined([e[part] for e in self._entries]) for part in range(3))
        index = (rows.astype(np.int64), columns.astype(np.int64))
        matrix = coo_array((values, index), shape=(self._row_count, self._column_count)).tocsr()
        magnitude = np.maximum(np.abs(lower), np.abs(upper))
        row_lower, row_upper, row_error = (_joined([s[part] for s in self._sides]) for part in range(3))
        row_error = row_error + _merging_error(matrix, index, np.abs(values), magnitude)
        matrix, shift, dropped = _without_small(matrix, lower, upper)
        sides = _given_way(
            row_lower - shift, row_upper - shift, row_error + dropped + 2 * UNIT_ROUNDOFF * np.abs(shift)
        )
        return Program(lower, upper, np.zeros(self._column_count), integrality, matrix, *sides)


def _merging_error(
    matrix: csr_array, index: tuple[np.ndarray, np.ndarray], sizes: np.ndarray, magnitude: np.ndarray
) -> np.ndarray:
    """What adding up several entries at one place can have rounded off, per row (x * x, or a column met twice)."""
    rows, columns = index
    if matrix.nnz == len(sizes):
        return np.zeros(matrix.shape[0])
    before = np.bincount(rows, minlength=matrix.shape[0])
    merged = before > np.diff(matrix.indptr)
    chosen = merged[rows]
    size = np.bincount(rows[chosen], (sizes * magnitude[columns])[chosen], matrix.shape[0])
    return gamma(int(before.max())) * size


def _without_small(matrix: csr_array, lower: np.ndarray, upper: np.ndarray) -> tuple[csr_array, np.ndarray, np.ndarray]:
    """The matrix without its small entries; per row the middle of what they add up to, and how far they stray."""
    from scipy.sparse import csr_array

    small = np.abs(matrix.data) <= SMALLEST_COEFFICIENT  # HiGHS drops the very value too
    count = matrix.shape[0]
    if not small.any():
        return matrix, np.zeros(count), np.zeros(count)
    row = np.repeat(np.arange(count), np.diff(matrix.indptr))
    values, columns = matrix.data[small], matrix.indices[small]
    middle = lower / 2 + upper / 2
    reach = np.maximum(upper - middle, middle - lower)
    size = np.abs(values) * (np.abs(lower) + np.abs(upper))[columns]
    longest = int(np.diff(matrix.indptr).max(initial=0))
    shift = np.bincount(row[small], values * middle[columns], count)
    stray = np.bincount(row[small], np.abs(values) * reach[columns] + gamma(longest) * size, count)
    starts = np.r_[0, np.cumsum(np.bincount(row[~small], minlength=count))]
    kept = csr_array((matrix.data[~small], matrix.indices[~small], starts), shape=matrix.shape)
    return kept, shift, stray * (1 + gamma(longest))


def _given_way(lower: np.ndarray, upper: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sides moved outward by errors that a solver would not overlook, so that it sees no contradiction; errors left."""
    sides = np.where(np.isfinite(lower), np.abs(lower), 0.0) + np.where(np.isfinite(upper), np.abs(upper), 0.0)
    large = error > SOLVER_FEASIBILITY / 8
    error = np.where(error > 0, (error + 2 * UNIT_ROUNDOFF * sides) * (1 + 8 * UNIT_ROUNDOFF), 0.0)
    lower = np.where(large, np.nextafter(lower - error, -np.inf), lower)
    upper = np.where(large, np.nextafter(upper + error, np.inf), upper)
    return lower, upper, np.where(large, 0.0, error)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)
