"""Iterated gradient steps in a ball, with a search on the ball's radius (epsilon).

I-FGSM (Kurakin et al., arXiv 1607.02533) starts at the sample, PGD (Madry et al., arXiv 1706.06083) at random points
of the ball as well, and at the best point known, pulled into it. A radius at which a start succeeds is the next upper
end, or the distance that it got to where that is less; the next radius is in the middle. A step goes along the
gradient's signs (inf) or the gradient (1, 2) and is then projected into the ball; in the 1-norm that leaves few
entries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.geometry import into_ball, lengths, normalised
from verifier.attacks.minimal.hunt import Hunt, Search


@dataclass(frozen=True)
class IteratedGradient(Search):
    """I-FGSM.

    Attributes:
        steps: of one radius.
        radii: radii tried.
        first_step: as a share of the radius; steps shrink to 0 by a cosine.
        starts: for each sample; those after the first are random.
    """

    steps: int = 20
    radii: int = 12
    first_step: float = 0.5
    starts: int = 1

    name: ClassVar[str] = "ifgsm"

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        _, radius = hunt.linear(hunt.open)
        low, high = np.zeros_like(radius), np.full_like(radius, math.inf)
        for _ in range(self.radii):
            if hunt.deadline.expired:
                return
            reached = self._descend(hunt, radius, rng)
            high = np.minimum(high, np.minimum(reached, hunt.distances[hunt.open]))
            low = np.where(np.isfinite(reached), low, np.maximum(low, radius))
            low = np.minimum(low, high)
            radius = np.where(np.isfinite(high), 0.5 * (low + np.where(np.isfinite(high), high, 0.0)), 2.0 * radius)

    def _descend(self, hunt: Hunt, radii: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The radii where some start of a sample succeeded, infinity elsewhere, shape (open samples,)."""
        problem = hunt.problem
        which = np.repeat(np.arange(len(hunt.open)), self.starts)
        x, reached = self._begin(hunt, which, radii, rng), np.full(len(radii), math.inf)
        for step in range(self.steps):
            if hunt.deadline.expired:
                break
            owners = hunt.open[which]
            margins, gradients = hunt.classifier.margins_and_gradients(owners, x)
            hits = hunt.offer(owners, x, margins)
            reached[which[hits]] = radii[which[hits]]
            going = ~np.isfinite(reached[which])
            which, x, gradients = which[going], x[going], gradients[going]
            if not len(which):
                return reached
            size = self.first_step * radii[which] * 0.5 * (1 + math.cos(math.pi * step / self.steps))
            start = problem.x[hunt.open[which]]
            moved = problem.clip(x + size[:, None] * _steepest(gradients, hunt.room(x), problem.norm))
            x = problem.clip(start + into_ball(moved - start, radii[which], problem.norm))
        hits = hunt.offer(hunt.open[which], x, hunt.classifier.margins(hunt.open[which], x))
        reached[which[hits]] = radii[which[hits]]
        return reached

    def _begin(self, hunt: Hunt, which: np.ndarray, radii: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The samples themselves; where there are several starts, the best points known, and random ones."""
        problem, start = hunt.problem, hunt.problem.x[hunt.open[which]]
        if self.starts == 1:
            return start
        number = np.tile(np.arange(self.starts), len(hunt.open))[:, None]
        random = normalised(rng.normal(size=start.shape))
        random *= (radii[which] / lengths(random, problem.norm))[:, None] * rng.random((len(start), 1))
        known = into_ball(hunt.points[hunt.open[which]] - start, radii[which], problem.norm)
        return problem.clip(start + np.where(number == 0, known, random))


@dataclass(frozen=True)
class ProjectedGradient(IteratedGradient):
    """PGD; see `IteratedGradient`."""

    starts: int = 4

    name: ClassVar[str] = "pgd"


def _steepest(gradients: np.ndarray, room: tuple[np.ndarray, np.ndarray], norm: float) -> np.ndarray:
    """Steps up the gradient, of length 1 in the sup norm or the 2-norm, of entries that the box leaves free."""
    gradients = np.where(np.where(gradients > 0, room[1], room[0]) > 0, gradients, 0.0)
    return np.sign(gradients) if norm == math.inf else normalised(gradients)
