"""Margin losses for networks of 2-norm constant 1, whose margins over sqrt(2) are certified radii.

Cross-entropy with the class's output lowered by sqrt(2) epsilon, at a temperature (Prach & Lampert, ECCV 2022, arXiv
2208.03160, section 4), or the hinge on the same margin (Anil, Lucas, Grosse, ICML 2019, arXiv 1811.05381).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import cross_entropy, one_hot

from verifier.errors import UsageError
from verifier.training.method import Moment

KINDS = ("cross-entropy", "hinge")


@dataclass(frozen=True)
class Lipschitz:
    """Its parameters in a recipe.

    Attributes:
        temperature: outputs are divided by it; a low one makes the loss end where the margin is reached.
        kind: ``cross-entropy`` or ``hinge``.
    """

    temperature: float = 0.25
    kind: str = "cross-entropy"

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise UsageError(f"temperature = {self.temperature}", "temperature", "give a positive number")
        if self.kind not in KINDS:
            raise UsageError(f"there is no kind {self.kind!r}", "kind", f"choose one of {', '.join(KINDS)}")

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """See `Method.loss`."""
        logits = network(x)
        label = one_hot(y, logits.shape[1])
        lowered = logits - math.sqrt(2.0) * moment.epsilon * label
        if self.kind == "cross-entropy":
            return self.temperature * cross_entropy(lowered / self.temperature, y)
        others = (lowered - torch.where(label == 1, math.inf, 0.0)).amax(dim=1)
        return torch.relu(others - (lowered * label).sum(dim=1)).mean()
