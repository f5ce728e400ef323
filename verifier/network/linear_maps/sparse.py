"""Any matrix with few entries: interpolation, pooling with uneven counts, batches of different matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, Convert, namespace
from verifier.network.linear_maps.base import LinearMap
from verifier.network.linear_maps.dense import Dense

if TYPE_CHECKING:
    from scipy.sparse import csr_array


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
        flat = np.reshape(x, (-1, self.in_size))
        return np.reshape((self.matrix @ flat.T).T, (*x.shape[:-1], self.out_size))

    def adjoint(self, y: Array) -> Array:
        flat = np.reshape(y, (-1, self.out_size))
        return np.reshape((self.matrix.T @ flat.T).T, (*y.shape[:-1], self.in_size))

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
