"""A matrix that acts along one axis of the operand: Gemm, MatMul with a constant on either side, sums over an axis."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, Convert, namespace, to_numpy
from verifier.network.linear_maps.base import LinearMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Dense(LinearMap):
    """The operand, seen as an array (before, in, after), is multiplied by `weight` along its middle axis.

    Args:
        weight: shape (out, in).
        before, after: the number of entries before and after the axis; 1 and 1 is a plain matrix.
        exact: whether the weights are what the model or the property says, not results of rounding.
    """

    def __init__(self, weight: Array, before: int = 1, after: int = 1, exact: bool = False) -> None:
        self.weight, self.before, self.after, self.exact = weight, before, after, exact
        out_axis, in_axis = (int(n) for n in weight.shape)
        self.in_size, self.out_size = before * in_axis * after, before * out_axis * after
        self.terms, self.adjoint_terms = in_axis, out_axis

    def apply(self, x: Array) -> Array:
        return self._along_axis(x, self.weight)

    def adjoint(self, y: Array) -> Array:
        return self._along_axis(y, self.weight.T)

    def _along_axis(self, x: Array, matrix: Array) -> Array:
        xp = namespace(x)
        leading = tuple(x.shape[:-1])
        count = math.prod(leading) * self.before  # not -1, which is ambiguous for an empty operand
        out_size = self.before * int(matrix.shape[0]) * self.after
        if self.after == 1:
            y = xp.reshape(x, (count, int(matrix.shape[1]))) @ matrix.T
        else:
            y = xp.matmul(matrix, xp.reshape(x, (count, int(matrix.shape[1]), self.after)))
        return xp.reshape(y, (*leading, out_size))

    def absolute(self) -> Dense:
        return Dense(namespace(self.weight).abs(self.weight), self.before, self.after)

    def signed(self, sign: int) -> Dense:
        xp = namespace(self.weight)
        return Dense(xp.where(sign * self.weight > 0, sign * self.weight, 0.0), self.before, self.after)

    @cached_property
    def exact_rows(self) -> Array | None:
        """Those of exact weights that have a single one, 1 or -1: nothing is added up or rounded there."""
        if not self.exact or self.before * self.after != 1:
            return None
        xp = namespace(self.weight)
        size = xp.abs(self.weight)
        return xp.all((size == 0) | (size == 1), axis=1) & (xp.sum(size, axis=1) <= 1)

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array, eye_array, kron

        matrix = csr_array(to_numpy(self.weight).astype(np.float64))
        if self.before == self.after == 1:
            return matrix
        return csr_array(kron(kron(eye_array(self.before), matrix), eye_array(self.after)))

    def converted(self, convert: Convert) -> Dense:
        return Dense(convert(to_numpy(self.weight)), self.before, self.after, self.exact)
