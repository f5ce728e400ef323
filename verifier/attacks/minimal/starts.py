"""Adversarial points to start from, on the boundary: attacks that start at the sample can stall on plateaus."""

from __future__ import annotations

import numpy as np

from verifier.attacks.minimal.geometry import lengths
from verifier.attacks.minimal.hunt import Hunt
from verifier.attacks.minimal.rays import leave, nearest, towards_classes

RANDOM = 6
"""Random rays of each sample."""
CLASSES = 9
"""Other classes towards which to go, the foremost ones."""


def boundary_points(hunt: Hunt, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` points on the boundary for each open sample, the nearest of those that were tried.

    Rays go along the gradients of other classes, to the nearest of the problem's own samples with other labels, and to
    random points of the box.

    Returns:
        Owners, shape (R,), ascending, and adversarial points, shape (R, input_size).
    """
    rays = [towards_classes(hunt, CLASSES), _to_others(hunt, count), _random(hunt, rng)]
    owners, x = leave(hunt, np.concatenate([r[0] for r in rays]), np.concatenate([r[1] for r in rays]))
    return nearest(hunt, owners, hunt.to_boundary(owners, x), count)


def _to_others(hunt: Hunt, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Owners and rays to the nearest samples of other labels, at most `count` for each sample."""
    problem, owners, rays = hunt.problem, [hunt.open[:0]], [hunt.problem.x[:0]]
    for n in hunt.open:
        steps = problem.x[problem.labels != problem.labels[n]] - problem.x[n]
        steps = steps[np.argsort(lengths(steps, problem.norm), kind="stable")[:count]]
        owners.append(np.full(len(steps), n))
        rays.append(steps)
    return np.concatenate(owners), np.concatenate(rays)


def _random(hunt: Hunt, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Owners and rays to uniform points of the box; along infinite sides, normal ones of the linear estimate's size."""
    problem, owners = hunt.problem, np.repeat(hunt.open, RANDOM)
    finite = np.isfinite(problem.lower) & np.isfinite(problem.upper)
    lower, upper = np.where(finite, problem.lower, 0.0), np.where(finite, problem.upper, 1.0)
    start = problem.x[owners]
    normal = rng.normal(size=start.shape)
    sizes = np.repeat(hunt.linear(hunt.open)[1], RANDOM) / np.maximum(lengths(normal, problem.norm), 1e-300)
    return owners, np.where(finite, lower + rng.random(start.shape) * (upper - lower) - start, sizes[:, None] * normal)
