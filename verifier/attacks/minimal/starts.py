"""Adversarial points to start from, on the boundary: attacks that start at the sample can stall on plateaus."""

from __future__ import annotations

import numpy as np

from verifier.attacks.minimal.geometry import lengths
from verifier.attacks.minimal.hunt import Hunt

STRETCHES = 2.0 ** np.arange(-1, 8)
"""How far to go along the linear step, and along random directions, in lengths of that step."""
RANDOM = 8
"""Random points of the box, or directions where it is infinite, that are tried for each sample."""


def boundary_points(hunt: Hunt, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` points on the boundary for each open sample, the nearest of those that were tried.

    Tried are the problem's own other samples, where they are classified otherwise, points along the linear step, and random
    ones.

    Returns:
        Owners, shape (R,), ascending, and adversarial points, shape (R, input_size).
    """
    owners, x = _far_points(hunt, count, rng)
    adversarial = hunt.offer(owners, x, hunt.classifier.margins(owners, x))
    owners, x = owners[adversarial], x[adversarial]
    x = hunt.to_boundary(owners, x)
    distances = lengths(x - hunt.problem.x[owners], hunt.problem.norm)
    order = np.lexsort((distances, owners))
    owners, x = owners[order], x[order]
    rank = np.arange(len(owners)) - np.searchsorted(owners, owners)
    return owners[rank < count], x[rank < count]


def _far_points(hunt: Hunt, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points that may be adversarial, with their owners."""
    problem, owners, points = hunt.problem, [], []
    steps, sizes = hunt.linear(hunt.open)
    for row, n in enumerate(hunt.open):
        x = problem.x[n]
        tried = [_others(hunt, n, count), x + STRETCHES[:, None] * steps[row], _random(hunt, n, sizes[row], rng)]
        points.append(problem.clip(np.concatenate(tried)))
        owners.append(np.full(len(points[-1]), n))
    return np.concatenate(owners), np.concatenate(points)


def _others(hunt: Hunt, n: int, count: int) -> np.ndarray:
    """The problem's nearest samples of other labels, shape (at most 2 count, input_size)."""
    x = hunt.problem.x[hunt.problem.labels != hunt.problem.labels[n]]
    return x[np.argsort(lengths(x - hunt.problem.x[n], hunt.problem.norm), kind="stable")[: 2 * count]]


def _random(hunt: Hunt, n: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Uniform in the box; along infinite sides, along random directions, shape (RANDOM, input_size)."""
    problem, count = hunt.problem, hunt.problem.x.shape[1]
    finite = np.isfinite(problem.lower) & np.isfinite(problem.upper)
    lower, upper = np.where(finite, problem.lower, 0.0), np.where(finite, problem.upper, 1.0)
    inside = lower + rng.random((RANDOM, count)) * (upper - lower)
    directions = rng.normal(size=(RANDOM, count))
    directions *= size / np.maximum(lengths(directions, problem.norm), np.finfo(float).tiny)[:, None]
    outside = problem.x[n] + rng.choice(STRETCHES, size=(RANDOM, 1)) * directions
    return np.where(finite, inside, outside)
