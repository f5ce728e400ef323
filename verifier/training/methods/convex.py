"""The convex outer adversarial polytope's loss: cross-entropy at the margins that the dual network proves.

Wong & Kolter: Provable defenses against adversarial examples via the convex outer adversarial polytope, ICML 2018,
arXiv 1711.00851. Bounds of every layer are those of its own dual network, less where intervals are tighter.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.errors import UsageError
from verifier.training.bounds import Region, linear_bounds, margin_rows, parallel, row_bounds, worst_logits
from verifier.training.method import Moment


@dataclass(frozen=True)
class Convex:
    """Its parameters in a recipe.

    Attributes:
        kappa: the weight, in [0, 1], of the unperturbed loss.
    """

    kappa: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.kappa <= 1:
            raise UsageError(f"kappa = {self.kappa}", "kappa", "give a number from 0 to 1")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        region, logits = Region.at(x, moment), network(x)
        bounds = linear_bounds(network, region, parallel)
        margins = row_bounds(network, bounds, margin_rows(y, logits.shape[1]), region, parallel)
        robust = cross_entropy(worst_logits(margins), y)
        return self.kappa * cross_entropy(logits, y) + (1.0 - self.kappa) * robust
