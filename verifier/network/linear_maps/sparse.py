"""Any matrix with few entries: interpolation, pooling with uneven counts, batches of different matrices."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, Convert, namespace
from verifier.network.linear_maps.base import LinearMap
from verifier.network.linear_maps.dense import Dense

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FEW = 4
"""Rows or columns are left out where all but one in so many are 0."""


class Sparse(LinearMap):
    """y = matrix x, for a SciPy sparse `matrix` of shape (out_size, in_size), of float32 or float64, on the host."""

    def __init__(self, matrix: csr_array, dtype: type = np.float64) -> None:
        from scipy.sparse import csr_array

        self.matrix = csr_array(matrix, dtype=dtype)
        self.matrix.sum_duplicates()
        self.out_size, self.in_size = (int(n) for n in self.matrix.shape)
        self.terms = int(np.diff(self.matrix.indptr).max(initial=1))
        self.adjoint_terms = int(np.bincount(self.matrix.indices, minlength=1).max(initial=1))

    def apply(self, x: Array) -> Array:
        rows, columns, core = self._core
        return self._moved(x, core, columns, rows, self.out_size)

    def adjoint(self, y: Array) -> Array:
        rows, columns, core = self._core
        return self._moved(y, core.T, rows, columns, self.in_size)

    @cached_property
    def _core(self) -> tuple[np.ndarray | None, np.ndarray | None, csr_array]:
        """The rows and the columns that are not all 0, and the matrix of these; None where most are not.

        SciPy transposes vectors before it multiplies them, which takes longer than to gather the few that count.
        """
        rows, columns = np.flatnonzero(np.diff(self.matrix.indptr)), np.unique(self.matrix.indices)
        few_rows, few_columns = (
            len(some) * FEW < size for some, size in zip((rows, columns), self.matrix.shape, strict=True)
        )
        core = self.matrix[rows] if few_rows else self.matrix
        return rows if few_rows else None, columns if few_columns else None, core[:, columns] if few_columns else core

    @staticmethod
    def _moved(x: Array, core: csr_array, taken: np.ndarray | None, put: np.ndarray | None, size: int) -> Array:
        """The product of a matrix with vectors of which only some entries are `taken`, `put` among zeros."""
        flat = np.reshape(x, (-1, x.shape[-1]))
        product = (core @ (flat if taken is None else np.take(flat, taken, axis=1)).T).T
        if put is None:
            return np.reshape(product, (*x.shape[:-1], size))
        result = np.zeros((len(flat), size), product.dtype)
        result[:, put] = product
        return np.reshape(result, (*x.shape[:-1], size))

    @property
    def multiplications(self) -> int:
        return int(self.matrix.nnz)

    def absolute(self) -> Sparse:
        return Sparse(abs(self.matrix), self.matrix.dtype)

    def signed(self, sign: int) -> Sparse:
        return Sparse((sign * self.matrix).maximum(0), self.matrix.dtype)

    def to_sparse(self) -> csr_array:
        return self.matrix.astype(np.float64)

    def converted(self, convert: Convert) -> LinearMap:
        """Itself on the host; elsewhere a dense matrix, as array libraries share no sparse format."""
        probe = convert(np.zeros(0))
        if namespace(probe).__name__.endswith("numpy"):
            return Sparse(self.matrix, probe.dtype)
        return Dense(convert(self.matrix.toarray()))
