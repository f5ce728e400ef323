"""Adversarial points to start from, on the boundary: attacks that start at the sample can stall on plateaus."""

from __future__ import annotations

import numpy as np

from verifier.attacks.minimal.geometry import lengths
from verifier.attacks.minimal.hunt import Hunt
from verifier.attacks.minimal.rays import BEYOND, leave, nearest, towards_classes

RANDOM = 12
"""Random rays of each sample."""
OTHERS = 4
"""Rays to other samples, for each sample."""
CLASSES = 9
"""Other classes towards which to go, the foremost ones."""


def boundary_points(hunt: Hunt, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` points on the boundary for each open sample, the nearest of those that were tried.

    Tried are rays along the gradients of other classes and those of `blind_rays`.

    Returns:
        Owners, shape (R,), ascending, and adversarial points, shape (R, input_size).
    """
    rays = [towards_classes(hunt, CLASSES), blind_rays(hunt, hunt.open, rng)]
    owners, x = leave(hunt, np.concatenate([r[0] for r in rays]), np.concatenate([r[1] for r in rays]))
    return nearest(hunt, owners, hunt.to_boundary(owners, x), count)


def blind_rays(hunt: Hunt, samples: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rays that need no gradient, from the samples of the given indices.

    They go to the nearest of the problem's own samples with other labels, and to uniform points of the box; along
    infinite sides, to normal ones of the linear estimate's size. They are so short that `leave` looks there third, on
    the way first.

    Returns:
        Owners, shape (R,), and steps, shape (R, input_size).
    """
    owners, rays = _to_others(hunt, samples)
    random = np.repeat(samples, RANDOM)
    rays = np.concatenate([rays, _random(hunt, samples, rng)])
    return np.concatenate([owners, random]), rays / (4.0 * BEYOND)


def _to_others(hunt: Hunt, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    problem, owners, rays = hunt.problem, [samples[:0]], [hunt.problem.x[:0]]
    for n in samples:
        steps = problem.x[problem.labels != problem.labels[n]] - problem.x[n]
        steps = steps[np.argsort(lengths(steps, problem.norm), kind="stable")[:OTHERS]]
        owners.append(np.full(len(steps), n))
        rays.append(steps)
    return np.concatenate(owners), np.concatenate(rays)


def _random(hunt: Hunt, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    problem, start = hunt.problem, hunt.problem.x[np.repeat(samples, RANDOM)]
    finite = np.isfinite(problem.lower) & np.isfinite(problem.upper)
    lower, upper = np.where(finite, problem.lower, 0.0), np.where(finite, problem.upper, 1.0)
    uniform = lower + rng.random(start.shape) * (upper - lower) - start
    if finite.all():
        return uniform
    normal = rng.normal(size=start.shape)
    sizes = np.repeat(hunt.linear(samples)[1], RANDOM) / np.maximum(lengths(normal, problem.norm), 1e-300)
    return np.where(finite, uniform, sizes[:, None] * normal)
