"""Rows of coefficients that are 0 outside of a window of an image, as their windows alone, in NumPy.

A bound's row begins with one entry, and a convolution widens it by its kernel ("patches mode"; Xu et al., arXiv
2002.12920, appendix A.2). As long as the window is narrow, everything is done to the window alone: what a function's
lines multiply, what a bias adds, what rounding may be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.network.linear_maps import Adjoint, Composition, Convolution, Identity, LinearMap, Scaling
from verifier.network.linear_maps.windows import Group, all_windows, occupied

NARROW = 0.5
"""The part of an image up to which windows are worth their copies."""


@dataclass(frozen=True, eq=False)
class Patches:
    """R rows on the entries of an image, each 0 outside of its window; windows may stick out of the image.

    Attributes:
        values: shape (R, channels, *sizes); 0 where the window sticks out.
        starts: where each one's window begins, shape (R, spatial dimensions).
        shape: of the image, (channels, *spatial).
    """

    values: np.ndarray
    starts: np.ndarray
    shape: tuple[int, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.values.shape[2:]

    @property
    def narrow(self) -> bool:
        """Whether windows take less of the image than `NARROW`."""
        return math.prod(self.sizes) <= NARROW * math.prod(self.shape[1:])

    def whole(self) -> np.ndarray:
        """The rows, shape (R, size)."""
        count, spatial = len(self.values), self.shape[1:]
        padded = np.zeros((count, self.shape[0], *(n + 2 * s for n, s in zip(spatial, self.sizes, strict=True))))
        if count:
            view = all_windows(padded, self.sizes, writeable=True)
            view[(np.arange(count), *self._places())] = self.values
        inside = (slice(s, s + n) for n, s in zip(spatial, self.sizes, strict=True))
        return np.reshape(padded[(slice(None), slice(None), *inside)], (count, -1))

    def of(self, entries: np.ndarray) -> np.ndarray:
        """The windows of one value for each entry of the image, shape (size,); shape (R, channels, *sizes)."""
        pads = [(0, 0), *((s, s) for s in self.sizes)]
        padded = np.pad(np.reshape(entries, self.shape), pads)
        return all_windows(padded[None], self.sizes)[(np.zeros(len(self.values), np.int64), *self._places())]

    def dot(self, entries: np.ndarray) -> np.ndarray:
        """Each row times one value for each entry of the image, shape (R,)."""
        windows = self.of(entries)
        return np.einsum("rk,rk->r", self.values.reshape(len(windows), -1), windows.reshape(len(windows), -1))

    def with_values(self, values: np.ndarray) -> Patches:
        """Other values in the same windows."""
        return replace(self, values=values)

    def plus(self, other: Patches) -> Patches | None:
        """The sum, in windows that cover both; None where the windows lie differently in different rows."""
        away = other.starts - self.starts
        if len(away) and (away != away[0]).any():
            return None
        shift = away[0] if len(away) else np.zeros(len(self.sizes), np.int64)
        first = np.minimum(0, shift)
        last = np.maximum(self.sizes, shift + other.sizes)
        total = np.zeros((*self.values.shape[:2], *(last - first)), self.values.dtype)
        for part, start in ((self, -first), (other, shift - first)):
            where = (slice(a, a + n) for a, n in zip(start, part.sizes, strict=True))
            total[(slice(None), slice(None), *where)] += part.values
        return Patches(total, self.starts + first, self.shape)

    def _places(self) -> tuple[np.ndarray, ...]:
        """The windows' places in an image that is padded by their size; windows that miss the image lie beside it."""
        moved = self.starts + np.array(self.sizes)
        return tuple(np.clip(moved, 0, np.array(self.shape[1:]) + np.array(self.sizes)).T)


def patches(rows: np.ndarray, shape: tuple[int, ...]) -> Patches | None:
    """Rows, shape (R, size), as windows of one size in images of this shape; None where they are wide.

    Args:
        shape: (channels, *spatial).
    """
    images = np.reshape(rows, (len(rows), *shape))
    first, last = occupied(images)
    sizes = np.max(last - first, axis=0, initial=1)
    starts = np.minimum(first, np.array(shape[1:]) - sizes)
    empty = Patches(np.zeros((len(rows), shape[0], *sizes)), starts, shape)
    if not empty.narrow:
        return None
    return empty.with_values(all_windows(images, tuple(sizes))[(np.arange(len(rows)), *starts.T)])


def moved_back(linear_map: LinearMap, rows: Patches) -> Patches | None:
    """What the transpose of a map makes of rows; None where the map does not keep to windows, or they become wide."""
    if isinstance(linear_map, Identity):
        return rows
    if isinstance(linear_map, Scaling):
        return rows.with_values(rows.values * rows.of(np.asarray(linear_map.factors)))
    if isinstance(linear_map, Composition):
        between = moved_back(linear_map.outer, rows)
        return None if between is None else moved_back(linear_map.inner, between)
    if isinstance(linear_map, Convolution) and linear_map.in_shape[0] == 1 and rows.shape == linear_map.out_shape[1:]:
        local, inner = linear_map.on_windows(Group(np.arange(len(rows.starts)), rows.starts, rows.sizes))
        values = local.whole_adjoint(np.reshape(rows.values, (len(rows.values), -1)))
        shape = linear_map.in_shape[1:]
        moved = Patches(np.reshape(values, (-1, shape[0], *inner.sizes)), inner.starts, shape)
        return _cut_off(moved) if moved.narrow else None
    return None


def image_shapes(maps: Sequence[Sequence[LinearMap]], operands: Sequence[Sequence[int]]) -> dict[int, tuple[int, ...]]:
    """Which nodes are images, (channels, *spatial), as the convolutions into and out of them have it.

    Args:
        maps: of each node, none for what is not affine.
        operands: of each node.
    """
    shapes: dict[int, tuple[int, ...]] = {}
    for k, (into, before) in enumerate(zip(maps, operands, strict=True)):
        for linear_map, i in zip(into, before, strict=False):
            of = linear_map.of if isinstance(linear_map, Adjoint) else linear_map
            if isinstance(of, Convolution) and of.in_shape[0] == 1:
                ends = (of.out_shape[1:], of.in_shape[1:])
                here, there = ends if of is linear_map else ends[::-1]
                shapes[k] = here
                shapes.setdefault(i, there)
        if not into and before and before[0] in shapes:  # a function keeps its operand's shape
            shapes.setdefault(k, shapes[before[0]])
        if into and k not in shapes and all(isinstance(m, Identity | Scaling) for m in into):
            for i in before:
                if i in shapes:
                    shapes[k] = shapes[i]
    return shapes


def _cut_off(rows: Patches) -> Patches:
    """Without values outside of the image, which no entry answers to."""
    values = rows.values
    for d, (size, n) in enumerate(zip(rows.sizes, rows.shape[1:], strict=True)):
        where = rows.starts[:, d, None] + np.arange(size)
        outside = (where < 0) | (where >= n)
        if outside.any():
            spread = (len(values), 1, *(size if e == d else 1 for e in range(len(rows.sizes))))
            values = np.where(outside.reshape(spread), 0.0, values)
    return rows.with_values(values)
