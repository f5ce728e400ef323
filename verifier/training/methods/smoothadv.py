"""SmoothAdv: adversarial training of the smoothed network, the ascent being on the softly smoothed loss.

Salman et al.: Provably robust deep learning via adversarially trained smoothed classifiers, NeurIPS 2019, arXiv
1906.04584: with draws d_i, the attack makes -log mean_i softmax(f(x + d_i))_y large, and the network is trained at the
point found, under the same draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.errors import UsageError
from verifier.training.method import Moment
from verifier.training.perturb import ascend


@dataclass(frozen=True)
class SmoothAdv:
    """Its parameters in a recipe.

    Attributes:
        sigma: the noise's standard deviation.
        draws: of noise for each sample.
        steps: of the ascent.
    """

    sigma: float
    draws: int = 4
    steps: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise UsageError(f"sigma = {self.sigma}", "sigma", "give a positive number")
        for name in ("draws", "steps"):
            if getattr(self, name) < 1:
                raise UsageError(f"{getattr(self, name)} {name}", name, "give a whole number from 1 on")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        noise = self.sigma * torch.randn(self.draws, *x.shape)

        def worse(point: torch.Tensor) -> torch.Tensor:
            return soft_loss(network, point, y, noise).sum()

        point = ascend(x, worse, moment, self.steps, start=False)
        noisy = (point + noise).flatten(0, 1)
        return cross_entropy(network(noisy), y.repeat(self.draws))


def soft_loss(network: nn.Module, x: torch.Tensor, y: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Minus the logarithm of the class's mean probability under noise of shape (draws, N, features); shape (N,)."""
    logits = network((x + noise).flatten(0, 1)).reshape(len(noise), len(x), -1)
    shares = torch.log_softmax(logits, dim=2)[:, torch.arange(len(x)), y]
    return math.log(len(noise)) - torch.logsumexp(shares, dim=0)
