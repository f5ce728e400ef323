"""Vectors that are 0 on most of an image, in NumPy: which window of it they occupy, windows cut out and put back.

Rows of bounds begin with one entry, and symbols of zonotopes with one pixel; a convolution widens what they occupy by
its kernel only. So the first layers work on small windows ("patches mode"; Xu et al., arXiv 2002.12920, appendix).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

EIGHTHS = 8
"""Windows are as many eighths of an image wide, in all dimensions, so that few shapes occur."""

MOST_EIGHTHS = 6
"""Wider windows (9/16 of a plane) are not worth the copies."""

PROBES = 16
"""Vectors that are looked at first; where none of these is narrow, no others are expected to be."""


@dataclass(frozen=True, eq=False)
class Group:
    """Vectors with windows of one shape.

    Attributes:
        rows: which vectors, shape (R,).
        starts: where each one's window begins, shape (R, spatial dimensions).
        sizes: of the windows.
    """

    rows: np.ndarray
    starts: np.ndarray
    sizes: tuple[int, ...]


def all_wide(images: np.ndarray) -> bool:
    """Whether all images, shape (R, channels, *spatial), are plainly not 0 in their first and last pixels."""
    pixels = np.reshape(images, (*images.shape[:2], -1))
    return bool(((pixels[:, :, 0] != 0).any(axis=1) & (pixels[:, :, -1] != 0).any(axis=1)).all())


def occupied(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where entries that are not 0 begin and end in each dimension.

    Args:
        images: shape (R, channels, *spatial).

    Returns:
        First and one past last positions, shape (R, spatial dimensions); 0 and 0 where all are 0.
    """
    used = (images != 0).any(axis=1)
    first, last = np.zeros((2, len(images), used.ndim - 1), np.int64)
    for d in range(used.ndim - 1):
        others = tuple(a for a in range(1, used.ndim) if a != d + 1)
        line = used.any(axis=others)
        first[:, d] = np.argmax(line, axis=1)
        last[:, d] = np.where(line.any(axis=1), line.shape[1] - np.argmax(line[:, ::-1], axis=1), 0)
    return first, last


def grouped(first: np.ndarray, last: np.ndarray, spatial: tuple[int, ...]) -> Iterator[Group]:
    """Windows inside an image that cover [first, last) each, by shape; the widest are the whole image.

    Args:
        first, last: shape (R, spatial dimensions).
        spatial: the image.
    """
    whole = np.array(spatial)
    eighths = np.max(-(-EIGHTHS * (last - first) // whole), axis=1, initial=1)
    eighths = np.where(eighths > MOST_EIGHTHS, EIGHTHS, np.maximum(eighths, 1))
    for width in np.unique(eighths):
        rows = np.flatnonzero(eighths == width)
        sizes = -(-int(width) * whole // EIGHTHS)
        yield Group(rows, np.minimum(first[rows], whole - sizes), tuple(sizes.tolist()))


def narrow(groups: Iterable[Group], spatial: tuple[int, ...]) -> bool:
    """Whether some windows are not the whole image."""
    return any(group.sizes != spatial for group in groups)


def cut(images: np.ndarray, group: Group) -> np.ndarray:
    """The group's windows of images, shape (R, channels, *sizes); what lies outside of an image is 0."""
    if _inside(group, images.shape[2:]):
        return all_windows(images, group.sizes)[(group.rows, *group.starts.T)]
    windows = np.zeros((len(group.rows), images.shape[1], *group.sizes), images.dtype)
    for window, (row, inside, outside) in zip(windows, _slices(group, images.shape[2:]), strict=True):
        window[inside] = images[row][outside]
    return windows


def put(images: np.ndarray, windows: np.ndarray, group: Group) -> None:
    """Writes the group's windows into images; what lies outside of an image is dropped."""
    if _inside(group, images.shape[2:]):
        all_windows(images, group.sizes, writeable=True)[(group.rows, *group.starts.T)] = windows
        return
    for window, (row, inside, outside) in zip(windows, _slices(group, images.shape[2:]), strict=True):
        images[row][outside] = window[inside]


def _inside(group: Group, spatial: tuple[int, ...]) -> bool:
    """Whether no window sticks out of its image."""
    return bool((group.starts >= 0).all() and (group.starts + np.array(group.sizes) <= np.array(spatial)).all())


def all_windows(images: np.ndarray, sizes: tuple[int, ...], writeable: bool = False) -> np.ndarray:
    """All windows of images, as a view, shape (N, *places, channels, *sizes)."""
    views = sliding_window_view(images, sizes, axis=tuple(range(2, 2 + len(sizes))), writeable=writeable)
    return np.moveaxis(views, 1, 1 + len(sizes))


def _slices(group: Group, spatial: tuple[int, ...]) -> Iterator[tuple[int, tuple[slice, ...], tuple[slice, ...]]]:
    """For each window its row, and the part that lies in the image, as slices of the window and of the image."""
    begins = np.clip(group.starts, 0, np.array(spatial))
    ends = np.clip(group.starts + np.array(group.sizes), 0, np.array(spatial))
    for row, start, begin, end in zip(*(a.tolist() for a in (group.rows, group.starts, begins, ends)), strict=True):
        outside = tuple(slice(b, e) for b, e in zip(begin, end, strict=True))
        inside = tuple(slice(b - s, e - s) for s, b, e in zip(start, begin, end, strict=True))
        yield row, (slice(None), *inside), (slice(None), *outside)
