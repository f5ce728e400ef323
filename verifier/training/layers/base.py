"""What every 1-Lipschitz layer can do: run, and turn into plain torch layers with its weights made explicit.

Training works with the parametrised layer in float32. What is exported and certified is the explicit one: its weights
are computed in float64, rounded to float32, and then are what they are. Nothing about the parametrisation is trusted
after that; `certificate.py` bounds the norms of the plain layers.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch
from torch import nn


class LipschitzLayer(nn.Module, ABC):
    """A layer with constant 1 in the 2-norm, up to rounding, for all values of its parameters."""

    @abstractmethod
    def explicit(self) -> nn.Module:
        """The same function made of plain layers, weights in float32; shares nothing with this one."""


class DenseLayer(LipschitzLayer):
    """A dense layer whose weights are a function of a raw matrix.

    Args:
        before, after: inputs and outputs.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.raw = nn.Parameter(nn.init.orthogonal_(torch.empty(after, before)))
        self.bias = nn.Parameter(torch.zeros(after))

    @abstractmethod
    def effective(self, raw: torch.Tensor) -> torch.Tensor:
        """The weights, shape (after, before), differentiable, in the dtype of `raw`."""

    def certified(self, weight: torch.Tensor) -> torch.Tensor:
        """The weights that are exported, float64; a kind whose training only estimates its norm divides by it here."""
        return weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, before)."""
        return nn.functional.linear(x, self.effective(self.raw), self.bias)

    def explicit(self) -> nn.Linear:
        """See `LipschitzLayer.explicit`."""
        with torch.no_grad():
            return plain_linear(self.certified(self.effective(self.raw.double())), self.bias)


def plain_linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    """A plain dense layer with copies of these weights, in float32."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer


def explicit(module: nn.Module) -> nn.Module:
    """A copy, for evaluation, with all 1-Lipschitz layers made explicit."""
    if isinstance(module, LipschitzLayer):
        return module.explicit().eval()
    result = copy.copy(module)
    result._modules = {name: None if part is None else explicit(part) for name, part in module._modules.items()}
    if not module._modules:
        result = copy.deepcopy(module)
    return result.eval()
