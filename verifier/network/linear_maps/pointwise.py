"""Maps whose matrix is diagonal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, Convert, namespace, to_numpy
from verifier.network.linear_maps.base import LinearMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Identity(LinearMap):
    """y = x, for vectors of `size` entries."""

    terms = adjoint_terms = 1

    def __init__(self, size: int) -> None:
        self.in_size = self.out_size = size

    def apply(self, x: Array) -> Array:
        return x

    def adjoint(self, y: Array) -> Array:
        return y

    def absolute(self) -> Identity:
        return self

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array, eye_array

        return csr_array(eye_array(self.in_size))

    def converted(self, convert: Convert) -> Identity:
        return self


class Scaling(LinearMap):
    """y = factors * x, entry by entry; `factors` has shape (size,)."""

    terms = adjoint_terms = 1

    def __init__(self, factors: Array) -> None:
        self.factors = factors
        self.in_size = self.out_size = int(factors.shape[0])

    def apply(self, x: Array) -> Array:
        return x * self.factors

    def adjoint(self, y: Array) -> Array:
        return y * self.factors

    def absolute(self) -> Scaling:
        return Scaling(namespace(self.factors).abs(self.factors))

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array, diags_array

        return csr_array(diags_array(to_numpy(self.factors).astype(np.float64)))

    def converted(self, convert: Convert) -> Scaling:
        return Scaling(convert(to_numpy(self.factors)))
