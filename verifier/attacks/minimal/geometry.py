"""Norms and projections, row by row; all arrays are float64 of shape (R, n) unless said otherwise.

The "norm" 0 is the number of entries that are not 0. It is no norm, but lengths, least steps and nearest points are
just as well defined.
"""

from __future__ import annotations

import math

import numpy as np


def lengths(delta: np.ndarray, norm: float) -> np.ndarray:
    """The norm of each row, shape (R,)."""
    if norm == math.inf:
        return np.abs(delta).max(axis=-1, initial=0.0)
    if norm == 1:
        return np.abs(delta).sum(axis=-1)
    if norm == 0:
        return (delta != 0).sum(axis=-1).astype(np.float64)
    return np.sqrt((delta * delta).sum(axis=-1))


def dual(norm: float) -> float:
    """The norm that measures gradients where `norm` measures steps: 1 and inf for each other, 2 for itself.

    For counts it is inf: of one entry, moved by 1, a gradient's effect is the entry's.
    """
    return {0: math.inf, 1: math.inf, 2: 2, math.inf: 1}[norm]


def to_hyperplane(
    weights: np.ndarray, rise: np.ndarray, room: tuple[np.ndarray, np.ndarray], norm: float
) -> np.ndarray:
    """The least step, in `norm`, by which a linear form rises by `rise`, inside a box (Croce & Hein, arXiv 1907.02044).

    The entries that the box stops are full, the others go by one rule: all equally far (inf), in proportion to their
    weights (2), the heaviest first (1), those that can raise the form most first (0). So the form's rise is piecewise
    linear in one number, found by sorting.

    Args:
        weights: of the form.
        rise: shape (R,); where it is negative, the form falls.
        room: how far each entry may go down and up, not negative, possibly infinite.
        norm: 0, 1, 2 or inf.

    Returns:
        The steps; where the box has no room for the rise, those to the corner with the largest one.
    """
    weights = np.where(rise[:, None] < 0, -weights, weights)
    rise, size = np.abs(rise), np.abs(weights)
    cap = np.where(weights > 0, room[1], room[0])
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if norm in (0, 1):
            step = _one_after_another(size, cap, rise, size if norm == 1 else np.where(size > 0, size * cap, 0.0))
        elif norm == 2:
            level = _level(size * size, np.where(size > 0, cap / size, 0.0), rise)
            step = np.minimum(level[:, None] * size, cap)
        else:
            step = np.minimum(_level(size, cap, rise)[:, None], cap)
    return np.sign(weights) * np.where((size > 0) & np.isfinite(step), step, 0.0)


def _level(slopes: np.ndarray, caps: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The least s with sum_i slopes_i min(s, caps_i) = target, shape (R,); infinite where there is none."""
    order = np.argsort(caps, axis=1)
    slopes, caps = np.take_along_axis(slopes, order, axis=1), np.take_along_axis(caps, order, axis=1)
    full = np.where((slopes > 0) & np.isfinite(caps), slopes * caps, 0.0)
    before = np.cumsum(full, axis=1) - full
    rest = np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]
    level = np.where(rest > 0, (target[:, None] - before) / rest, math.inf)
    fits = level <= caps
    first = np.argmax(fits, axis=1)
    rows = np.arange(len(target))
    return np.where(fits.any(axis=1), np.maximum(level[rows, first], 0.0), math.inf)


def _one_after_another(size: np.ndarray, cap: np.ndarray, target: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Steps (absolute) that fill the entries by descending `rank` until sum_i size_i step_i = target."""
    order = np.argsort(-rank, axis=1)
    size, cap = np.take_along_axis(size, order, axis=1), np.take_along_axis(cap, order, axis=1)
    gain = np.where(size > 0, size * cap, 0.0)
    before = np.concatenate([np.zeros((len(size), 1)), np.cumsum(gain, axis=1)[:, :-1]], axis=1)
    wanted = np.where(size > 0, np.maximum(target[:, None] - before, 0.0) / size, 0.0)
    step = np.empty_like(size)
    np.put_along_axis(step, order, np.minimum(wanted, cap), axis=1)
    return step


def into_ball(delta: np.ndarray, radius: np.ndarray, norm: float) -> np.ndarray:
    """The nearest (in the 2-norm) points of the balls around 0 with the radii of shape (R,)."""
    radius = radius[:, None]
    if norm == math.inf:
        return np.clip(delta, -radius, radius)
    if norm == 2:
        length = lengths(delta, 2)[:, None]
        return delta * (np.minimum(length, radius) / np.where(length > 0, length, 1.0))
    if norm == 0:
        return _largest_entries(delta, radius)
    return _into_cross_polytope(delta, radius)


def _largest_entries(delta: np.ndarray, count: np.ndarray) -> np.ndarray:
    """All entries 0 but the `count` largest, shape (R, 1); of equal ones the first."""
    order = np.argsort(-np.abs(delta), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(delta.shape[1]), delta.shape), axis=1)
    return np.where(rank < count, delta, 0.0)


def _into_cross_polytope(delta: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Projection on the 1-norm ball by soft thresholding (Duchi et al. 2008)."""
    size = np.sort(np.abs(delta), axis=1)[:, ::-1]
    thresholds = (np.cumsum(size, axis=1) - radius) / np.arange(1, delta.shape[1] + 1)
    last = np.maximum((size > thresholds).sum(axis=1) - 1, 0)
    threshold = np.maximum(thresholds[np.arange(len(delta)), last], 0.0)[:, None]
    return np.sign(delta) * np.maximum(np.abs(delta) - threshold, 0.0)


def normalised(direction: np.ndarray) -> np.ndarray:
    """Each row divided by its 2-norm; zero rows stay zero."""
    largest = np.abs(direction).max(axis=1, initial=0.0)[:, None]  # first to 1, so that no square under- or overflows
    scaled = direction / np.where(largest > 0, largest, 1.0)
    length = lengths(scaled, 2)[:, None]
    return scaled / np.where(length > 0, length, 1.0)
