"""Fast bisection (after Brau et al., arXiv 2201.01235): to the boundary along the gradient by bisection, then refined.

From the sample a ray goes along the steepest direction of a class's lead, for each of the foremost classes; where it
first leaves the label is found by doubling and bisection. Where no ray does, rays to other samples and random points
are tried. Were the boundary a hyperplane, that would be the least distance. The paper has a theory of the error near
the boundary; what stands here instead is measured: the distance to the boundary's *tangent* at the point found. It is
an estimate of the least distance, and a lower bound of it only where the region of the other classes is convex.

Refinement: the tangent's nearest point gives the next ray. Where the network has not left the label on that ray at the
distance known, the ray is turned halfway back to the last good one, and again, as the tangent turns at every kink of a
relu network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.geometry import lengths, to_hyperplane
from verifier.attacks.minimal.hunt import Hunt, Search
from verifier.attacks.minimal.rays import leave, nearest, towards_classes
from verifier.attacks.minimal.starts import blind_rays

GAIN = 1e-4
"""The share by which a refinement has to shorten the distance."""
LEAST_TURN = 2.0**-8
"""Rays turned less than this share of the way to the tangent's are not tried."""


@dataclass(frozen=True)
class FastBisection(Search):
    """Fast bisection.

    Attributes:
        classes: other classes along whose gradients to go, the foremost ones.
        kept: rays of each sample that are refined, the shortest ones.
        refinements: rays along tangents, tried for each of those.
    """

    classes: int = 9
    kept: int = 3
    refinements: int = 30

    name: ClassVar[str] = "fast-bisection"

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        owners, x = leave(hunt, *towards_classes(hunt, self.classes))
        failed = np.setdiff1d(hunt.open, owners)
        if len(failed):
            others, points = leave(hunt, *blind_rays(hunt, failed, rng))
            owners, x = np.concatenate([owners, others]), np.concatenate([x, points])
        self._refine(hunt, *nearest(hunt, owners, hunt.to_boundary(owners, x), self.kept))

    def _refine(self, hunt: Hunt, owners: np.ndarray, x: np.ndarray) -> None:
        norm, start = hunt.problem.norm, hunt.problem.x[owners]
        step, tangent, turn = x - start, np.zeros_like(x), np.ones(len(x))
        moved = going = np.arange(len(x))
        for _ in range(self.refinements):
            tangent[moved] = self._tangent(hunt, owners[moved], start[moved] + step[moved])
            if hunt.deadline.expired or not len(going):
                return
            ray = step[going] + turn[going, None] * (tangent[going] - step[going])
            wanted, size = (1 - GAIN) * lengths(step[going], norm), lengths(ray, norm)
            tried = hunt.problem.clip(start[going] + (wanted / np.where(size > 0, size, 1.0))[:, None] * ray)
            better = hunt.offer(owners[going], tried, hunt.classifier.margins(owners[going], tried))
            moved = going[better]
            step[moved] = hunt.to_boundary(owners[moved], tried[better]) - start[moved]
            turn[going] *= 0.5
            turn[moved] = 1.0
            going = np.flatnonzero(turn > LEAST_TURN)

    def _tangent(self, hunt: Hunt, owners: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The least steps from the samples to the boundary's tangents at `x`; notes the best points' estimates."""
        problem, start = hunt.problem, hunt.problem.x[owners]
        margins, gradients = hunt.classifier.margins_and_gradients(owners, x)
        rise = -margins - (gradients * (start - x)).sum(axis=1)
        steps = to_hyperplane(gradients, rise, hunt.room(start), problem.norm)
        sizes, distances = lengths(steps, problem.norm), lengths(x - start, problem.norm)
        for r in np.flatnonzero((distances <= (1 + GAIN) * hunt.distances[owners]) & (sizes > 0)):
            hunt.estimates[owners[r]] = min(sizes[r], distances[r])
        return steps
