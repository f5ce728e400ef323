"""Maps whose matrix is diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, Convert, namespace, to_numpy
from verifier.network.linear_maps.base import LinearMap
from verifier.network.linear_maps.selection import Selection

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Identity(LinearMap):
    """y = x, for vectors of `size` entries."""

    terms = adjoint_terms = 1

    def __init__(self, size: int) -> None:
        self.in_size = self.out_size = size

    @property
    def multiplications(self) -> int:
        return 0

    def apply(self, x: Array) -> Array:
        return x

    def adjoint(self, y: Array) -> Array:
        return y

    def absolute(self) -> Identity:
        return self

    def signed(self, sign: int) -> LinearMap:
        return self if sign > 0 else Selection(np.full(self.out_size, -1), self.in_size)

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array, eye_array

        return csr_array(eye_array(self.in_size))

    def converted(self, convert: Convert) -> Identity:
        return self


class Scaling(LinearMap):
    """y = factors * x, entry by entry.

    Args:
        factors: shape (size,).
        exact: whether they are 1 or -1 in the model itself, not results of rounding, so that products are exact too.
    """

    terms = adjoint_terms = 1

    def __init__(self, factors: Array, exact: bool = False) -> None:
        self.factors, self.exact = factors, exact
        self.in_size = self.out_size = int(factors.shape[0])

    def apply(self, x: Array) -> Array:
        return x * self.factors

    def adjoint(self, y: Array) -> Array:
        return y * self.factors

    def absolute(self) -> Scaling:
        return Scaling(namespace(self.factors).abs(self.factors), self.exact)

    def signed(self, sign: int) -> Scaling:
        return Scaling(namespace(self.factors).where(sign * self.factors > 0, sign * self.factors, 0.0))

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array, diags_array

        return csr_array(diags_array(to_numpy(self.factors).astype(np.float64)))

    def converted(self, convert: Convert) -> Scaling:
        return Scaling(convert(to_numpy(self.factors)), self.exact)
