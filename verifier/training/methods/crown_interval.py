"""CROWN-interval training: margins by rows that go back to the input over interval bounds, mixed with plain intervals.

Zhang et al.: Towards stable and efficient training of verifiably robust neural networks, ICLR 2020, arXiv 1906.06316.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.errors import UsageError
from verifier.training.bounds import Region, adaptive, interval_bounds, margin_rows, row_bounds, worst_logits
from verifier.training.method import Moment


@dataclass(frozen=True)
class CrownInterval:
    """Its parameters in a recipe.

    Attributes:
        kappa: the weight, in [0, 1], of the unperturbed loss at the end; it is 1 at first and falls as epsilon grows.
        beta: the weight, in [0, 1], of the linear bounds at the end, 1 at first, beside that of the intervals.
    """

    kappa: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        for name in ("kappa", "beta"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise UsageError(f"{name} = {value}", name, "give a number from 0 to 1")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        region, logits = Region.at(x, moment), network(x)
        bounds, rows = interval_bounds(network, region), margin_rows(y, logits.shape[1])
        kappa, beta = (1.0 - (1.0 - end) * moment.ramp for end in (self.kappa, self.beta))
        margins = torch.zeros(rows.shape[:2])
        if beta > 0:
            margins = margins + beta * row_bounds(network, bounds, rows, region, adaptive)
        if beta < 1:
            margins = margins + (1.0 - beta) * row_bounds(network, bounds, rows, None)
        return kappa * cross_entropy(logits, y) + (1.0 - kappa) * cross_entropy(worst_logits(margins), y)
