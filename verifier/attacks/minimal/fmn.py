"""Fast minimum norm (Pintor et al., arXiv 2102.12827): steps up the margin, held in a ball whose radius adapts.

The radius shrinks by a share while the point is adversarial, and grows by it where it is not but has been; before that
it goes to where the boundary would be were the margin linear. Two things differ from Foolbox: its projection on the
ball of the 2-norm multiplies by min(1, norm / norm), so that it never shortens anything; and it starts at the sample
alone, where the attack can stall, while here it starts from points on the boundary as well.

In the 0-norm the radius is a number of entries, which changes by one at least, and starts where the linear step has it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.geometry import dual, into_ball, lengths, normalised
from verifier.attacks.minimal.hunt import Hunt, Search
from verifier.attacks.minimal.starts import boundary_points


@dataclass(frozen=True)
class FastMinimumNorm(Search):
    """FMN.

    Attributes:
        steps: of each start.
        starts: points on the boundary to start from, beside the sample itself.
        first_step, last_step: in units of the 2-norm of the start's perturbation (alpha).
        first_shrink, last_shrink: by which share the radius changes (gamma).
    """

    steps: int = 100
    starts: int = 4
    first_step: float = 1.0
    last_step: float = 1e-3
    first_shrink: float = 0.05
    last_shrink: float = 1e-3

    name: ClassVar[str] = "fmn"
    norms: ClassVar[tuple[float, ...]] = (0, 1, 2, math.inf)

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        problem = hunt.problem
        owners, x = boundary_points(hunt, self.starts, rng)
        owners, x = np.concatenate([hunt.open, owners]), np.concatenate([problem.x[hunt.open], x])
        start, best = problem.x[owners], np.full(len(owners), math.inf)
        delta, cold, counts = x - start, np.arange(len(owners)) < len(hunt.open), problem.norm == 0
        steps = delta.copy()
        steps[cold] = hunt.linear(hunt.open)[0]
        radius, scale = lengths(steps, problem.norm), lengths(steps, 2)
        for step in range(self.steps):
            if hunt.deadline.expired:
                return
            x = start + delta
            margins, gradients = hunt.classifier.margins_and_gradients(owners, x)
            adversarial = hunt.offer(owners, x, margins)
            size = lengths(delta, problem.norm)
            best = np.where(adversarial, np.minimum(best, size), best)
            progress = 0.5 * (1 + math.cos(math.pi * step / self.steps))
            shrink = self.last_shrink + (self.first_shrink - self.last_shrink) * progress
            slopes = lengths(gradients, dual(problem.norm))
            linear = size + np.abs(margins) / np.maximum(slopes, np.finfo(float).tiny)
            unseen = cold & ~np.isfinite(best) & (not counts)
            radius = np.where(unseen, linear, _scaled(radius, 1 + shrink, counts))
            radius = np.where(adversarial, np.minimum(_scaled(size, 1 - shrink, counts), best), radius)
            rate = self.last_step + (self.first_step - self.last_step) * progress
            moved = delta + (rate * scale)[:, None] * normalised(gradients)
            moved = into_ball(moved, radius, problem.norm)
            delta = problem.clip(start + moved) - start
        x = start + delta
        hunt.offer(owners, x, hunt.classifier.margins(owners, x))


def _scaled(radius: np.ndarray, factor: float, counts: bool) -> np.ndarray:
    """The radius times a factor; where it counts entries, a whole number that differs by one at least."""
    if not counts:
        return radius * factor
    if factor > 1:
        return np.maximum(np.floor(radius * factor), radius + 1)
    return np.minimum(np.floor(radius * factor), radius - 1)
