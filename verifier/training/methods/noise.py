"""Training under Gaussian noise, for networks that are smoothed by it.

Cohen, Rosenfeld, Kolter: Certified adversarial robustness via randomized smoothing, ICML 2019, arXiv 1902.02918.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.errors import UsageError
from verifier.training.method import Moment


@dataclass(frozen=True)
class Noise:
    """Its parameters in a recipe.

    Attributes:
        sigma: the noise's standard deviation.
    """

    sigma: float

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise UsageError(f"sigma = {self.sigma}", "sigma", "give a positive number")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        return cross_entropy(network(x + self.sigma * torch.randn_like(x)), y)
