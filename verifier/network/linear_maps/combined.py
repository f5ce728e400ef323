"""Maps made of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier.arrays import Array, Convert
from verifier.network.linear_maps.base import LinearMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Adjoint(LinearMap):
    """The transpose of a map: ConvTranspose is the adjoint of a Convolution."""

    def __init__(self, of: LinearMap) -> None:
        self.of = of
        self.in_size, self.out_size = of.out_size, of.in_size
        self.terms, self.adjoint_terms = of.adjoint_terms, of.terms

    def apply(self, x: Array) -> Array:
        return self.of.adjoint(x)

    def adjoint(self, y: Array) -> Array:
        return self.of.apply(y)

    @property
    def multiplications(self) -> int:
        return self.of.multiplications

    def absolute(self) -> Adjoint:
        return Adjoint(self.of.absolute())

    def signed(self, sign: int) -> Adjoint:
        return Adjoint(self.of.signed(sign))

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array

        return csr_array(self.of.to_sparse().T)

    def converted(self, convert: Convert) -> Adjoint:
        return Adjoint(self.of.converted(convert))

    def with_torch(self) -> Adjoint:
        return Adjoint(self.of.with_torch())


class Composition(LinearMap):
    """outer after inner, kept as two factors.

    Its `absolute` is the product of the absolute factors, which is at least the absolute value of the product: sound,
    but looser where weights cancel. `terms` adds up, as rounding errors of the factors do to first order; the second
    order is inside the reserve of `tolerances.gamma`.
    """

    def __init__(self, outer: LinearMap, inner: LinearMap) -> None:
        if outer.in_size != inner.out_size:
            raise ValueError(f"{outer} cannot follow {inner}")
        self.outer, self.inner = outer, inner
        self.in_size, self.out_size = inner.in_size, outer.out_size
        self.terms = outer.terms + inner.terms
        self.adjoint_terms = outer.adjoint_terms + inner.adjoint_terms

    def apply(self, x: Array) -> Array:
        return self.outer.apply(self.inner.apply(x))

    def adjoint(self, y: Array) -> Array:
        return self.inner.adjoint(self.outer.adjoint(y))

    @property
    def multiplications(self) -> int:
        return self.outer.multiplications + self.inner.multiplications

    def absolute(self) -> Composition:
        return Composition(self.outer.absolute(), self.inner.absolute())

    def signed(self, sign: int) -> LinearMap:
        raise NotImplementedError("the signs of a product's weights are not those of its factors'")

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array

        return csr_array(self.outer.to_sparse() @ self.inner.to_sparse())

    def converted(self, convert: Convert) -> Composition:
        return Composition(self.outer.converted(convert), self.inner.converted(convert))

    def with_torch(self) -> Composition:
        return Composition(self.outer.with_torch(), self.inner.with_torch())
