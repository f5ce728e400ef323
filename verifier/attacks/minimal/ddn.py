"""Decoupled direction and norm (Rony et al., arXiv 1811.09600).

The direction follows the gradient of the cross-entropy; the norm shrinks by a share while the point is adversarial and
grows by it while it is not. Perturbations are not quantised: rounding them to 256 levels costs a per cent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.geometry import normalised
from verifier.attacks.minimal.hunt import Hunt, Search


@dataclass(frozen=True)
class DecoupledDirectionAndNorm(Search):
    """DDN.

    Attributes:
        steps: gradient steps.
        shrink: by which share the norm changes in each step (gamma).
        first_step: of the direction, in units of the sample's linear estimate (alpha); shrinks by a cosine.
    """

    steps: int = 100
    shrink: float = 0.05
    first_step: float = 1.0

    name: ClassVar[str] = "ddn"
    norms: ClassVar[tuple[float, ...]] = (2,)

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        problem, owners = hunt.problem, hunt.open
        start = problem.x[owners]
        _, scale = hunt.linear(owners)
        delta, radius = np.zeros_like(start), scale.copy()
        for step in range(self.steps):
            if hunt.deadline.expired:
                return
            x = start + delta
            margins, direction = hunt.classifier.margins_and_ascent(owners, x)
            adversarial = hunt.offer(owners, x, margins)
            rate = self.first_step * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / self.steps)))
            delta = delta + (rate * scale)[:, None] * normalised(direction)
            radius = radius * np.where(adversarial, 1.0 - self.shrink, 1.0 + self.shrink)
            delta = problem.clip(start + radius[:, None] * normalised(delta)) - start
        x = start + delta
        hunt.offer(owners, x, hunt.classifier.margins(owners, x))
