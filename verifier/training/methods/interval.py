"""Interval training: cross-entropy at the worst outputs that interval bounds allow, beside that of the samples.

Gowal et al.: On the effectiveness of interval bound propagation for training verifiably robust models, arXiv
1810.12715. The last layer is merged with the margins before it is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.errors import UsageError
from verifier.training.bounds import Region, interval_bounds, margin_rows, row_bounds, worst_logits
from verifier.training.method import Moment


@dataclass(frozen=True)
class IntervalTraining:
    """Its parameters in a recipe.

    Attributes:
        kappa: the weight, in [0, 1], of the unperturbed loss at the end; it is 1 at first and falls as epsilon grows.
    """

    kappa: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.kappa <= 1:
            raise UsageError(f"kappa = {self.kappa}", "kappa", "give a number from 0 to 1")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        logits = network(x)
        bounds = interval_bounds(network, Region.at(x, moment))
        margins = row_bounds(network, bounds, margin_rows(y, logits.shape[1]), None)
        kappa = 1.0 - (1.0 - self.kappa) * moment.ramp
        return kappa * cross_entropy(logits, y) + (1.0 - kappa) * cross_entropy(worst_logits(margins), y)
