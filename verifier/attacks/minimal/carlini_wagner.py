"""Carlini & Wagner (arXiv 1608.04644): a penalty on the margin, its weight found by search.

2-norm: least ||delta||^2 + c max(-margin, 0) by Adam, c by bisection. Sup norm: its own gradient would move one entry
at a time, so what is penalised instead is every entry's excess over a bound tau. Each time the margin is overcome, tau
drops below the perturbation found; where it is not, c grows.

The data's box is kept by projection, one of the paper's three ways: the slope of the tanh that it prefers vanishes on
the faces of the box, where most pixels of an image may be. Perturbations and margins are taken in units of the
sample's linear estimate and margin, so that weights and rates mean the same for every network.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np

from verifier.attacks.minimal.geometry import lengths
from verifier.attacks.minimal.hunt import Hunt, Search

_Penalty: TypeAlias = Callable[[np.ndarray], np.ndarray]

FIRST_WEIGHT = 3.0
"""Of the margin in the 2-norm; in units as above a linear margin is overcome from 2 on."""


@dataclass(frozen=True)
class CarliniWagner(Search):
    """C&W.

    Attributes:
        steps: of Adam, for one weight.
        weights: tried (2), or bounds and weights (inf).
        rate: of Adam, in units of the linear estimate's mean entry; shrinks to 0 by a cosine.
        shrink: the next bound, as a share of the perturbation found (inf).
    """

    steps: int = 100
    weights: int = 10
    rate: float = 0.2
    shrink: float = 0.9

    name: ClassVar[str] = "carlini-wagner"
    norms: ClassVar[tuple[float, ...]] = (2, math.inf)

    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        _, scale = hunt.linear(hunt.open)
        if hunt.problem.norm == 2:
            self._euclidean(hunt, scale)
        else:
            self._uniform(hunt, scale)

    def _euclidean(self, hunt: Hunt, scale: np.ndarray) -> None:
        size = hunt.problem.x.shape[1]
        weight, low, high = np.full_like(scale, FIRST_WEIGHT), np.zeros_like(scale), np.full_like(scale, math.inf)
        descent = _Descent(hunt, self.steps, self.rate * scale / math.sqrt(size))
        for _ in range(self.weights):
            if hunt.deadline.expired:
                return
            _, reached = descent.run(hunt.problem.x[hunt.open], weight, lambda delta: 2.0 * delta / scale[:, None] ** 2)
            high, low = np.where(reached < math.inf, weight, high), np.where(reached < math.inf, low, weight)
            weight = np.where(np.isfinite(high), 0.5 * (low + np.minimum(high, 1e300)), 4.0 * weight)

    def _uniform(self, hunt: Hunt, scale: np.ndarray) -> None:
        weight, bound = np.full_like(scale, float(hunt.problem.x.shape[1])), scale.copy()
        x, descent = hunt.problem.x[hunt.open], _Descent(hunt, self.steps, self.rate * scale)
        for _ in range(self.weights):
            if hunt.deadline.expired:
                return

            def excess(delta: np.ndarray, bound: np.ndarray = bound) -> np.ndarray:
                return np.where(np.abs(delta) > bound[:, None], np.sign(delta), 0.0) / scale[:, None]

            x, reached = descent.run(x, weight, excess)
            weight = np.where(reached < math.inf, weight, 2.0 * weight)
            bound = np.where(reached < math.inf, self.shrink * np.minimum(bound, reached), bound)


class _Descent:
    """Adam (Kingma & Ba, arXiv 1412.6980) on a penalty plus the weighted margin, projected into the box.

    Args:
        hunt: its open samples are the rows.
        steps: to go.
        rates: of each row, shape (open samples,).
    """

    def __init__(self, hunt: Hunt, steps: int, rates: np.ndarray) -> None:
        self.hunt, self.steps, self.rates = hunt, steps, rates[:, None]
        self.scale = hunt.sizes[hunt.open]

    def run(self, x: np.ndarray, weight: np.ndarray, penalty: _Penalty) -> tuple[np.ndarray, np.ndarray]:
        """Where the descent ends, and the least distances of adversarial points on its way, infinite where none is.

        Args:
            x: where it starts, shape (open samples, input_size).
            weight: of the margin, shape (open samples,).
            penalty: the gradient of the penalty on the perturbation.
        """
        hunt, problem, owners = self.hunt, self.hunt.problem, self.hunt.open
        start, reached = problem.x[owners], np.full(len(owners), math.inf)
        mean, square = np.zeros_like(x), np.zeros_like(x)
        for step in range(self.steps):
            margins, gradients = hunt.classifier.margins_and_gradients(owners, x)
            adversarial = hunt.offer(owners, x, margins)
            reached = np.where(adversarial, np.minimum(reached, lengths(x - start, problem.norm)), reached)
            if hunt.deadline.expired:
                break
            pull = np.where(adversarial, 0.0, weight / self.scale)[:, None]
            gradient = penalty(x - start) - pull * gradients
            mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
            share = mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(square / (1 - 0.999 ** (step + 1))) + 1e-12)
            x = problem.clip(x - self.rates * 0.5 * (1 + math.cos(math.pi * step / self.steps)) * share)
        return x, reached
