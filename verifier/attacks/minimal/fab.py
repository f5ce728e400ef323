"""Fast adaptive boundary (Croce & Hein, arXiv 1907.02044).

Every step linearises all classes' boundaries, takes the nearest, and moves between two projections on it inside the
data's box: that of the current point and that of the sample, which pulls the point back. Points that are adversarial
are noted and left towards the sample. Starts beside the sample itself are boundary points, and random ones in a ball
as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.deepfool import nearest_boundary
from verifier.attacks.minimal.geometry import lengths, normalised, to_hyperplane
from verifier.attacks.minimal.hunt import Hunt, Search
from verifier.attacks.minimal.starts import boundary_points


@dataclass(frozen=True)
class FastAdaptiveBoundary(Search):
    """FAB.

    Attributes:
        steps: of each start.
        starts: on the boundary.
        random_starts: in a ball around the sample of half the distance known.
        classes: other classes whose boundaries are looked at in each step, the foremost ones.
        most_pull: the largest weight of the sample's own projection (alpha_max).
        overshoot: by which projections are lengthened (eta).
        back: what is left of the perturbation after a step back from an adversarial point (beta).
    """

    steps: int = 50
    starts: int = 3
    random_starts: int = 1
    classes: int = 9
    most_pull: float = 0.1
    overshoot: float = 1.05
    back: float = 0.9

    name: ClassVar[str] = "fab"

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        problem = hunt.problem
        owners, x = self._begin(hunt, rng)
        start = problem.x[owners]
        for _ in range(self.steps):
            if hunt.deadline.expired:
                return
            leads, gradients = hunt.classifier.gradients(owners, x, self.classes)
            hunt.offer(owners, x, leads[:, 0])
            x = self._move(hunt, x, start, nearest_boundary(leads, gradients, problem.norm))
            adversarial = hunt.offer(owners, x, hunt.classifier.margins(owners, x))
            x = np.where(adversarial[:, None], start + self.back * (x - start), x)

    def _begin(self, hunt: Hunt, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Owners and points of the starts: the samples, boundary points, random points around the samples."""
        problem = hunt.problem
        near, x = boundary_points(hunt, self.starts, rng)
        known = hunt.open[np.isfinite(hunt.distances[hunt.open])]
        around = np.repeat(known, self.random_starts)
        directions = normalised(rng.normal(size=(len(around), problem.x.shape[1])))
        radii = 0.5 * hunt.distances[around] / lengths(directions, problem.norm)
        random = problem.clip(problem.x[around] + radii[:, None] * directions)
        return np.concatenate([hunt.open, near, around]), np.concatenate([problem.x[hunt.open], x, random])

    def _move(
        self, hunt: Hunt, x: np.ndarray, start: np.ndarray, boundary: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """The next points, between the two projections."""
        (gradient, lead), norm = boundary, hunt.problem.norm
        own = to_hyperplane(gradient, -lead, hunt.room(x), norm)
        rise = -lead - (gradient * (start - x)).sum(axis=1)
        sample = to_hyperplane(gradient, rise, hunt.room(start), norm)
        near, far = lengths(own, norm), lengths(sample, norm)
        pull = np.minimum(near / np.maximum(near + far, np.finfo(float).tiny), self.most_pull)[:, None]
        moved = (1 - pull) * (x + self.overshoot * own) + pull * (start + self.overshoot * sample)
        return hunt.problem.clip(moved)
