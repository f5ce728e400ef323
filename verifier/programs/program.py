"""A mixed-integer linear program as arrays, and how far rounding may move the network away from it.

    minimise cost . x   subject to   row_lower <= rows x <= row_upper,   lower <= x <= upper,   x[integrality] integer

It knows no solver. The numbers stored here are float64 roundings of the network's; `row_error` says by how much the
network's real values may miss a row because of that, so that a bound on the program can be turned into a bound on the
network (`verifier.programs.safe_bound`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.property.balls import Ball

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class ColumnBall:
    """Some columns' values lie in a ball.

    Attributes:
        columns: indices, shape (k,), no one twice.
        ball: in these k dimensions.
    """

    columns: np.ndarray
    ball: Ball


@dataclass(frozen=True, eq=False)
class Program:
    """A minimisation over n columns and m rows.

    Attributes:
        lower, upper: bounds of the columns, float64, shape (n,), possibly infinite, no NaN.
        cost: the objective, float64, shape (n,).
        integrality: which columns are integers, bool, shape (n,).
        rows: float64, shape (m, n); no stored entry is smaller in magnitude than `tolerances.SMALLEST_COEFFICIENT`.
        row_lower, row_upper: float64, shape (m,), possibly infinite, no NaN.
        row_error: float64, shape (m,), not negative, finite: a point of the network obeys
            row_lower - row_error <= rows x <= row_upper + row_error in real arithmetic.
        ball: that some columns lie in as well, or None. Solvers may ignore it; `safe_bound` does not.

    Raises:
        ValueError: on construction, where shapes do not fit or an entry is NaN.
    """

    lower: np.ndarray
    upper: np.ndarray
    cost: np.ndarray
    integrality: np.ndarray
    rows: csr_array
    row_lower: np.ndarray
    row_upper: np.ndarray
    row_error: np.ndarray
    ball: ColumnBall | None = None

    def __post_init__(self) -> None:
        m, n = self.rows.shape
        columns = (self.lower, self.upper, self.cost, self.integrality)
        if any(a.shape != (n,) for a in columns):
            raise ValueError(f"columns of shapes {[a.shape for a in columns]} for {n} columns")
        sides = (self.row_lower, self.row_upper, self.row_error)
        if any(a.shape != (m,) for a in sides):
            raise ValueError(f"sides of shapes {[a.shape for a in sides]} for {m} rows")
        if any(np.isnan(a).any() for a in (*columns[:3], *sides, self.rows.data)):
            raise ValueError("NaN in a program")
        if not (self.row_error >= 0).all() or not np.isfinite(self.row_error).all():
            raise ValueError("row errors must be finite and not negative")

    @cached_property
    def column_magnitude(self) -> np.ndarray:
        """max(|lower|, |upper|), shape (n,)."""
        return np.maximum(np.abs(self.lower), np.abs(self.upper))

    @cached_property
    def columns(self) -> csr_array:
        """The transpose of `rows`, shape (n, m)."""
        return self.rows.T.tocsr()

    @cached_property
    def absolute_columns(self) -> csr_array:
        """|`columns`|, shape (n, m)."""
        return abs(self.columns)
