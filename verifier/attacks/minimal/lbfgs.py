"""L-BFGS (Szegedy et al., arXiv 1312.6199): least ||delta||^2 + c loss(x + delta, target) in the data's box.

The loss is the cross-entropy of another class, the target; c, as small as makes the minimiser adversarial, is found by
search. SciPy minimises, one sample, target and weight at a time, so this is the slowest of the attacks. Units are
those of the sample's linear estimate and margin, as in `carlini_wagner`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.hunt import Hunt, Search

FIRST_WEIGHT = 4.0
"""Of the cross-entropy, whose slope is half the margin's at the boundary."""
GROWTH = 4.0
"""Of the weight, until it makes the minimiser adversarial."""


@dataclass(frozen=True)
class LimitedMemoryBfgs(Search):
    """L-BFGS.

    Attributes:
        targets: other classes tried, the foremost ones.
        weights: tried for each.
        iterations: of one minimisation, at most.
    """

    targets: int = 3
    weights: int = 8
    iterations: int = 30

    name: ClassVar[str] = "lbfgs"
    norms: ClassVar[tuple[float, ...]] = (2,)

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        _, scale = hunt.linear(hunt.open)
        leads = hunt.classifier.leads(hunt.open, hunt.classifier.logits(hunt.open, hunt.problem.x[hunt.open]))
        count = min(self.targets, leads.shape[1] - 1)
        targets = np.argsort(-leads, axis=1, kind="stable")[:, :count]
        for row, n in enumerate(hunt.open):
            for target in targets[row]:
                self._weigh(_Objective(hunt, int(n), int(target), float(scale[row])))

    def _weigh(self, objective: _Objective) -> None:
        """Searches for the least weight with which the minimiser is adversarial; all points on the way are offered."""
        weight, low, high = FIRST_WEIGHT, 0.0, math.inf
        for _ in range(self.weights):
            if objective.hunt.deadline.expired:
                return
            if objective.minimise(weight, self.iterations):
                high = weight
            else:
                low = weight
            weight = 0.5 * (low + high) if math.isfinite(high) else GROWTH * weight


class _Objective:
    """||delta||^2 / scale^2 + weight * cross-entropy / margin, for one sample and target."""

    def __init__(self, hunt: Hunt, n: int, target: int, scale: float) -> None:
        self.hunt, self.owner, self.target, self.scale = hunt, np.array([n]), target, scale
        self.start = hunt.problem.x[n]
        self.margin = float(hunt.sizes[n])
        self.weight, self.reached = 0.0, False

    def minimise(self, weight: float, iterations: int) -> bool:
        """Minimises from the sample; whether an adversarial point was met."""
        from scipy.optimize import minimize

        problem, self.weight, self.reached = self.hunt.problem, weight, False
        bounds = np.stack([problem.lower - self.start, problem.upper - self.start], axis=1) / self.scale
        options = {"maxiter": iterations}
        minimize(self, np.zeros_like(self.start), jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        return self.reached

    def __call__(self, delta: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient at a perturbation in units of the scale."""
        x = self.hunt.problem.clip(self.start + self.scale * delta)[None, :]
        logits, gradients = self.hunt.classifier.weighted(self.owner, x, self._weights, 1)
        margins = self.hunt.classifier.leads(self.owner, logits).max(axis=1)
        self.reached |= bool(self.hunt.offer(self.owner, x, margins)[0])
        factor = self.weight / self.margin
        value = float(delta @ delta) + factor * _cross_entropy(logits[0], self.target)
        return value, 2.0 * delta + factor * self.scale * gradients[0, 0]

    def _weights(self, part: slice, logits: np.ndarray) -> list[np.ndarray]:
        """The softmax, minus 1 for the target."""
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        shares[:, self.target] -= 1.0
        return [np.nan_to_num(shares)]


def _cross_entropy(logits: np.ndarray, target: int) -> float:
    """-log softmax of the target; large where it is no number."""
    top = logits.max()
    value = float(top + np.log(np.exp(logits - top).sum()) - logits[target])
    return value if math.isfinite(value) else 1e300
