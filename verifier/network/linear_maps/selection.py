"""Maps that move entries: slices, transposes, gathers, concatenations, padding with zeros, repetition."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import Array, Convert, namespace, zeros
from verifier.network.linear_maps.base import LinearMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Selection(LinearMap):
    """y[j] = x[indices[j]], or 0 where the index is -1.

    The adjoint adds up what was copied. It goes round by round, the r-th round taking the r-th copy of every entry,
    so that no round writes an entry twice and no scatter-add is needed.

    Args:
        indices: shape (out_size,), integers from -1 to in_size - 1, on the host.
        in_size: entries of the operand.
        convert: where the index arrays of `apply` and `adjoint` are to live; the host by default.
    """

    terms = 1

    def __init__(self, indices: np.ndarray, in_size: int, convert: Convert = np.asarray) -> None:
        self.indices = np.asarray(indices, dtype=np.int64)
        if self.indices.size and not -1 <= self.indices.min() <= self.indices.max() < in_size:
            raise ValueError(f"indices outside -1 .. {in_size - 1}")
        self.in_size, self.out_size = in_size, int(self.indices.shape[0])
        self.adjoint_terms = int(np.bincount(self.indices[self.indices >= 0]).max(initial=1))
        self._sources = convert(np.maximum(self.indices, 0))
        self._padding = convert(self.indices < 0) if (self.indices < 0).any() else None
        self._convert = convert

    @cached_property
    def _rounds(self) -> list[tuple[Array, Array]]:
        return [(self._convert(into), self._convert(take)) for into, take in _rounds(self.indices)]

    @property
    def multiplications(self) -> int:
        return 0

    def apply(self, x: Array) -> Array:
        xp = namespace(x)
        if self.in_size == 0:
            return xp.zeros((*x.shape[:-1], self.out_size), dtype=x.dtype)
        y = xp.take(x, self._sources, axis=-1)
        return y if self._padding is None else xp.where(self._padding, xp.zeros_like(y), y)

    def adjoint(self, y: Array) -> Array:
        xp = namespace(y)
        x = zeros(y, (*y.shape[:-1], self.in_size))
        for first, (into, take) in enumerate(self._rounds):
            part = xp.take(y, take, axis=-1)
            x[..., into] = part if first == 0 else x[..., into] + part
        return x

    def absolute(self) -> Selection:
        return self

    def signed(self, sign: int) -> Selection:
        return self if sign > 0 else Selection(np.full(self.out_size, -1), self.in_size, self._convert)

    def to_sparse(self) -> csr_array:
        from scipy.sparse import csr_array

        rows = np.flatnonzero(self.indices >= 0)
        return csr_array((np.ones(len(rows)), (rows, self.indices[rows])), shape=(self.out_size, self.in_size))

    def converted(self, convert: Convert) -> Selection:
        return Selection(self.indices, self.in_size, convert)


def _rounds(indices: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs (entries of x, entries of y that copy them); no entry of x stands twice in a pair."""
    copies = np.flatnonzero(indices >= 0)
    order = copies[np.argsort(indices[copies], kind="stable")]
    sources = indices[order]
    starts = np.flatnonzero(np.r_[True, sources[1:] != sources[:-1]]) if len(sources) else np.zeros(0, np.int64)
    counts = np.diff(np.r_[starts, len(sources)])
    rank = np.arange(len(sources)) - np.repeat(starts, counts)
    by_rank = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank))[:-1]  # one sort and a split: the time does not grow with the number of rounds
    return list(zip(np.split(sources[by_rank], ends), np.split(order[by_rank], ends), strict=True))
