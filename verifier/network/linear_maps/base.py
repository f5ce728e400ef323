"""What every linear map knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from verifier.arrays import Array, Convert

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class LinearMap(ABC):
    """A linear map from R^in_size to R^out_size, without a bias.

    It acts on the last axis; any leading axes (subproblems, rows of a bound) are carried along.

    Attributes:
        in_size, out_size: entries of a vector before and after.
        terms, adjoint_terms: how many roundings an entry of `apply`, of `adjoint`, goes through at most (the products
            that are added up, over all factors of a `Composition`); this sets the error bound (`tolerances.gamma`).
    """

    in_size: int
    out_size: int
    terms: int
    adjoint_terms: int

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """M x, for x of shape (..., in_size); shape (..., out_size)."""

    @abstractmethod
    def adjoint(self, y: Array) -> Array:
        """The transpose M^T y, for y of shape (..., out_size); shape (..., in_size)."""

    @abstractmethod
    def absolute(self) -> LinearMap:
        """The map with every weight replaced by its absolute value (or by something larger, in a `Composition`)."""

    @cached_property
    def magnitude(self) -> LinearMap:
        """`absolute()`, made once."""
        return self.absolute()

    @abstractmethod
    def signed(self, sign: int) -> LinearMap:
        """The map with every weight w replaced by max(sign * w, 0); sign is 1 or -1.

        Raises:
            NotImplementedError: the map is made of several, whose signs do not tell those of its weights.
        """

    @cached_property
    def positive(self) -> LinearMap:
        """`signed(1)`, made once."""
        return self.signed(1)

    @cached_property
    def negative(self) -> LinearMap:
        """`signed(-1)`, made once; the map is `positive` less `negative`."""
        return self.signed(-1)

    @property
    def multiplications(self) -> int:
        """How many `apply` takes for one vector, about."""
        return self.out_size * self.terms

    @property
    def exact_rows(self) -> Array | None:
        """Which entries of `apply` are exact in floating point and in their weights, booleans, shape (out_size,)."""
        return None

    @abstractmethod
    def to_sparse(self) -> csr_array:
        """The matrix, shape (out_size, in_size), float64, on the host."""

    @abstractmethod
    def converted(self, convert: Convert) -> LinearMap:
        """The same map with its arrays passed through `convert`."""

    def with_torch(self) -> LinearMap:
        """The same map, its convolutions of NumPy's arrays computed by torch's kernels."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_size} -> {self.out_size})"
