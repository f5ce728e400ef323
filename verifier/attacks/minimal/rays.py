"""Ways from the samples to other classes: along rays until they leave the label, then back to the boundary."""

from __future__ import annotations

import numpy as np

from verifier.attacks.minimal.geometry import lengths, to_hyperplane
from verifier.attacks.minimal.hunt import Hunt

BEYOND = 1.05
"""How far along a ray, in its lengths, to look first."""
DOUBLINGS = 6
"""Of a ray's length while it stays with the label."""


def towards_classes(hunt: Hunt, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The least steps to the boundaries of the foremost classes, were their leads linear.

    Returns:
        Owners, shape (R,), and steps, shape (R, input_size).
    """
    problem = hunt.problem
    leads, gradients = hunt.classifier.gradients(hunt.open, problem.x[hunt.open], classes)
    owners = np.repeat(hunt.open, leads.shape[1])
    gradients = gradients.reshape(len(owners), -1)
    return owners, to_hyperplane(gradients, -leads.ravel(), hunt.room(problem.x[owners]), problem.norm)


def leave(hunt: Hunt, owners: np.ndarray, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Follows rays, doubled in length while they stay with the label.

    Args:
        hunt: its samples are where the rays start.
        owners: shape (R,).
        rays: shape (R, input_size).

    Returns:
        Owners and adversarial points of the rays that leave, not on the boundary yet and in no particular order.
    """
    left, points = [owners[:0]], [rays[:0]]
    for doubling in range(DOUBLINGS + 1):
        if not len(owners) or hunt.deadline.expired:
            break
        x = hunt.problem.clip(hunt.problem.x[owners] + BEYOND * 2.0**doubling * rays)
        outside = hunt.offer(owners, x, hunt.classifier.margins(owners, x))
        left.append(owners[outside])
        points.append(x[outside])
        owners, rays = owners[~outside], rays[~outside]
    return np.concatenate(left), np.concatenate(points)


def nearest(hunt: Hunt, owners: np.ndarray, x: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` rows of each owner that lie nearest to its sample; by owner, then distance."""
    order = np.lexsort((lengths(x - hunt.problem.x[owners], hunt.problem.norm), owners))
    rank = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
    kept = order[rank < count]
    return owners[kept], x[kept]
