"""Products and sums of linear maps that are again one plain map, with at most one new rounding in each entry.

The composition of two maps has sums of products as entries. Where at least one of the two has at most one entry in each
row or column, they are single products, and a composed weight is the exact product rounded once. Maps with one entry in
each row (Identity, Scaling, Selection, and a Scaling after a Selection) are called monomial here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.network.linear_maps import (
    Adjoint,
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Scaling,
    Selection,
)
from verifier.tolerances import WEIGHT_ROUNDINGS

READING_ROUNDINGS = 3
"""Roundings in a weight that is no longer a float32: BatchNormalization adds epsilon, takes a root and divides."""


@dataclass(frozen=True, eq=False)
class Monomial:
    """y[j] = factors[j] * x[indices[j]], or 0 where the index is -1.

    Attributes:
        indices: shape (out_size,), or None for y[j] = factors[j] * x[j].
        factors: shape (out_size,), or None for ones.
        in_size: entries of x.
        exact: whether the factors are 1 or -1 in the model itself, not results of rounding (`Scaling`).
    """

    indices: np.ndarray | None
    factors: np.ndarray | None
    in_size: int
    exact: bool = False

    @classmethod
    def of(cls, linear_map: LinearMap) -> Monomial | None:
        """The map in this form, or None where it has no such form."""
        if isinstance(linear_map, Identity):
            return cls(None, None, linear_map.in_size, exact=True)
        if isinstance(linear_map, Scaling):
            return cls(None, linear_map.factors, linear_map.in_size, linear_map.exact)
        if isinstance(linear_map, Selection):
            return cls(linear_map.indices, None, linear_map.in_size, exact=True)
        if isinstance(linear_map, Composition):
            scaling, selection = linear_map.outer, linear_map.inner
            if isinstance(scaling, Scaling) and isinstance(selection, Selection):
                return cls(selection.indices, scaling.factors, selection.in_size, scaling.exact)
        return None

    @property
    def moves(self) -> bool:
        """Whether the factors are 1, -1 and 0 in the model itself, not results of rounding."""
        return self.factors is None or self.exact

    @property
    def places(self) -> np.ndarray:
        """The indices in any case, shape (out_size,)."""
        return np.arange(self.in_size) if self.indices is None else self.indices

    def after(self, inner: Monomial) -> Monomial:
        """This map applied to the result of `inner`."""
        indices = self.indices if inner.indices is None else inner.indices
        factors = inner.factors
        if self.indices is not None:
            if inner.indices is not None:
                indices = np.where(self.indices >= 0, inner.indices[self.indices], -1)
            if inner.factors is not None:
                factors = inner.factors[self.indices]
        if self.factors is not None:
            factors = self.factors if factors is None else self.factors * factors
        return Monomial(indices, factors, inner.in_size, self.exact and inner.exact)

    def to_map(self) -> LinearMap:
        """The simplest linear map of this form."""
        indices, factors = self.indices, self.factors
        if indices is not None and len(indices) == self.in_size and (indices == np.arange(self.in_size)).all():
            indices = None
        if factors is not None and (factors == 1.0).all():
            factors = None
        if indices is None:
            return Identity(self.in_size) if factors is None else Scaling(factors, self.exact)
        selection = Selection(indices, self.in_size)
        return selection if factors is None else Composition(Scaling(factors, self.exact), selection)


def compose(
    outer: LinearMap, inner: LinearMap, outer_roundings: int | None = None, inner_roundings: int | None = None
) -> tuple[LinearMap, int] | None:
    """One map that does `inner` and then `outer`, and the roundings in its weights; None where it is no plain map.

    `outer_roundings` and `inner_roundings` are those in the given maps; where None, they are told from the weights.
    """
    if isinstance(outer, Identity):
        return inner, roundings(inner) if inner_roundings is None else inner_roundings
    if isinstance(inner, Identity):
        return outer, roundings(outer) if outer_roundings is None else outer_roundings
    composed = _composed(outer, inner)
    if composed is None or not _finite(composed):
        return None
    total = roundings(outer) if outer_roundings is None else outer_roundings
    total += roundings(inner) if inner_roundings is None else inner_roundings
    moves_only = isinstance(outer, Selection) or isinstance(inner, Selection)
    total += 0 if moves_only else 1
    return (composed, total) if total <= WEIGHT_ROUNDINGS else None


def add_maps(a: LinearMap, b: LinearMap) -> LinearMap | None:
    """The sum a + b as one map with a rounding in each entry; None where it is no plain map or weights are inexact."""
    if roundings(a) or roundings(b):  # a difference of rounded weights may cancel to nothing but their errors
        return None
    if isinstance(a, Dense) and isinstance(b, Dense):
        return Dense(a.weight + b.weight, a.before, a.after) if (a.before, a.after) == (b.before, b.after) else None
    first, second = Monomial.of(a), Monomial.of(b)
    if first is None or second is None or not _same(first.indices, second.indices):
        return None
    factors = sum(np.ones(a.out_size) if m.factors is None else m.factors for m in (first, second))
    return Monomial(first.indices, np.asarray(factors), a.in_size).to_map()


def roundings(linear_map: LinearMap) -> int:
    """None in weights that are float32 numbers, as a file holds them; else the most that reading makes."""
    return 0 if all((w == w.astype(np.float32)).all() for w in _weights(linear_map)) else READING_ROUNDINGS


def _weights(linear_map: LinearMap) -> list[np.ndarray]:
    if isinstance(linear_map, Dense):
        return [linear_map.weight]
    if isinstance(linear_map, Convolution):
        return [linear_map.kernel]
    if isinstance(linear_map, Scaling):
        return [linear_map.factors]
    if isinstance(linear_map, Adjoint):
        return _weights(linear_map.of)
    return _weights(linear_map.outer) + _weights(linear_map.inner) if isinstance(linear_map, Composition) else []


def _finite(linear_map: LinearMap) -> bool:
    return all(np.isfinite(w).all() for w in _weights(linear_map))


def _composed(outer: LinearMap, inner: LinearMap) -> LinearMap | None:
    with np.errstate(over="ignore", under="ignore"):  # what overflows is not fused
        left, right = Monomial.of(outer), Monomial.of(inner)
        if left is not None and right is not None:
            return left.after(right).to_map()
        if isinstance(outer, Dense) and right is not None:
            return _dense_after(outer, right)
        if left is not None and isinstance(inner, Dense):
            return _after_dense(left, inner)
        return _scaled_convolution(outer, inner)


def _dense_after(dense: Dense, inner: Monomial) -> Dense | None:
    if inner.indices is None:
        assert inner.factors is not None
        along = _along_axis(inner.factors, (dense.before, dense.weight.shape[1], dense.after))
        return None if along is None else Dense(dense.weight * along, dense.before, dense.after)
    used = inner.indices >= 0
    sources = inner.indices[used]
    wider = inner.in_size > len(inner.indices)
    if dense.before * dense.after > 1 or wider or len(np.unique(sources)) < len(sources):
        return None
    weight = np.zeros((dense.weight.shape[0], inner.in_size))
    weight[:, sources] = dense.weight[:, used] * (1.0 if inner.factors is None else inner.factors[used])
    return Dense(weight)


def _after_dense(outer: Monomial, dense: Dense) -> Dense | None:
    if outer.indices is None:
        assert outer.factors is not None
        along = _along_axis(outer.factors, (dense.before, dense.weight.shape[0], dense.after))
        return None if along is None else Dense(dense.weight * along[:, None], dense.before, dense.after)
    if dense.before * dense.after > 1 or len(outer.indices) > dense.out_size:
        return None
    weight = np.where(outer.indices[:, None] >= 0, dense.weight[outer.indices], 0.0)
    return Dense(weight if outer.factors is None else weight * outer.factors[:, None])


def _scaled_convolution(outer: LinearMap, inner: LinearMap) -> LinearMap | None:
    if isinstance(outer, Scaling) and isinstance(inner, Convolution):
        return _scaled_outputs(inner, outer.factors)
    if isinstance(outer, Convolution) and isinstance(inner, Scaling):
        return _scaled_inputs(outer, inner.factors)
    if isinstance(outer, Scaling) and isinstance(inner, Adjoint) and isinstance(inner.of, Convolution):
        return _adjoint(_scaled_inputs(inner.of, outer.factors))
    if isinstance(outer, Adjoint) and isinstance(outer.of, Convolution) and isinstance(inner, Scaling):
        return _adjoint(_scaled_outputs(outer.of, inner.factors))
    return None


def _adjoint(convolution: Convolution | None) -> Adjoint | None:
    return None if convolution is None else Adjoint(convolution)


def _scaled_outputs(convolution: Convolution, factors: np.ndarray) -> Convolution | None:
    batch, channels, *spatial = convolution.out_shape
    along = _along_axis(factors, (batch, channels, int(np.prod(spatial))))
    if along is None:
        return None
    kernel = convolution.kernel * along.reshape((-1,) + (1,) * (convolution.kernel.ndim - 1))
    return Convolution(kernel, convolution.in_shape, convolution.window)


def _scaled_inputs(convolution: Convolution, factors: np.ndarray) -> Convolution | None:
    batch, channels, *spatial = convolution.in_shape
    along = _along_axis(factors, (batch, channels, int(np.prod(spatial))))
    if along is None:
        return None
    groups, kernel = convolution.window.groups, convolution.kernel
    of_group = np.repeat(along.reshape(groups, -1), kernel.shape[0] // groups, axis=0)
    scaled = kernel * of_group.reshape(of_group.shape + (1,) * (kernel.ndim - 2))
    return Convolution(scaled, convolution.in_shape, convolution.window)


def _along_axis(factors: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray | None:
    """The factors along the middle axis, where they are the same along the other two."""
    block = factors.reshape(shape)
    along = block[0, :, 0] if block.size else np.ones(shape[1])
    return along if (block == along[None, :, None]).all() else None


def _same(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    return a is b is None or (a is not None and b is not None and np.array_equal(a, b))
