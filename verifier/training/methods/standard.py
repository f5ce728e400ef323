"""Cross-entropy, with no regard to perturbations: what the others are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from verifier.training.method import Moment


@dataclass(frozen=True)
class Standard:
    """Without parameters."""

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        return cross_entropy(network(x), y)
