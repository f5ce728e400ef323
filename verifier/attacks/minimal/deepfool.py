"""DeepFool (Moosavi-Dezfooli et al., arXiv 1511.04599): to the linearised network's nearest boundary, repeatedly.

The step is the least one onto the hyperplane inside the data's box; without a box it is the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.geometry import dual, lengths, to_hyperplane
from verifier.attacks.minimal.hunt import Hunt, Search


@dataclass(frozen=True)
class DeepFool(Search):
    """DeepFool.

    Attributes:
        steps: at most.
        classes: other classes whose boundaries are looked at in each step, the foremost ones.
        overshoot: by which share the perturbation so far is lengthened where its margin is looked at.
    """

    steps: int = 50
    classes: int = 9
    overshoot: float = 0.02

    name: ClassVar[str] = "deepfool"

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        problem, owners = hunt.problem, hunt.open
        x = problem.x[owners]
        for _ in range(self.steps):
            if hunt.deadline.expired or not len(owners):
                return
            leads, gradients = hunt.classifier.gradients(owners, x, self.classes)
            going = ~hunt.offer(owners, x, leads[:, 0])
            owners, x, leads, gradients = owners[going], x[going], leads[going], gradients[going]
            gradient, lead = nearest_boundary(leads, gradients, problem.norm)
            x = x + to_hyperplane(gradient, -lead, hunt.room(x), problem.norm)
            start = problem.x[owners]
            x = problem.clip(x + self.overshoot * (x - start))
        hunt.offer(owners, x, hunt.classifier.margins(owners, x))


def nearest_boundary(leads: np.ndarray, gradients: np.ndarray, norm: float) -> tuple[np.ndarray, np.ndarray]:
    """Of each row's classes the one whose linearised boundary is nearest: its gradient and its lead.

    Args:
        leads: shape (R, m).
        gradients: shape (R, m, input_size).
        norm: of the distance.

    Returns:
        Shapes (R, input_size) and (R,).
    """
    slopes = lengths(gradients, dual(norm))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        distances = np.abs(leads) / slopes
    nearest = np.argmin(np.where(np.isnan(distances), np.inf, distances), axis=1)
    rows = np.arange(len(leads))
    return gradients[rows, nearest], leads[rows, nearest]
