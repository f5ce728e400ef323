"""Adversarial training: cross-entropy at the worst points that projected gradient ascent finds.

Madry et al.: Towards deep learning models resistant to adversarial attacks, ICLR 2018, arXiv 1706.06083.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.errors import UsageError
from verifier.training.method import Moment
from verifier.training.perturb import ascend


@dataclass(frozen=True)
class Adversarial:
    """Its parameters in a recipe.

    Attributes:
        steps: of the ascent.
        reach: how far all steps go together, in epsilons.
    """

    steps: int = 7
    reach: float = 2.5

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"{self.steps} steps", "steps", "give a whole number from 1 on")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""

        def worse(point: torch.Tensor) -> torch.Tensor:
            return cross_entropy(network(point), y, reduction="sum")

        return cross_entropy(network(ascend(x, worse, moment, self.steps, self.reach)), y)
