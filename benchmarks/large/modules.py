"""Blocks that several networks are made of, and interval bounds of them, by which planted truths are known."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Reshape(nn.Module):
    """Each sample in another shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(-1, *self.shape)


class Residual(nn.Module):
    """body(x) + shortcut(x); the shortcut is x itself unless given."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut if shortcut is not None else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)


class Beside(nn.Module):
    """x and inner(x), one after the other along the channels."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.inner(x)], dim=1)


def convolution(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution, normalisation."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """The residual block of ResNet: two convolutions beside a shortcut, and a relu."""
    last = convolution(outputs, outputs)
    nn.init.constant_(last.get_parameter("1.weight"), 0.5)
    body = nn.Sequential(convolution(inputs, outputs, stride), nn.ReLU(), last)
    same = stride == 1 and inputs == outputs
    return nn.Sequential(Residual(body, None if same else convolution(inputs, outputs, stride, 1)), nn.ReLU())


AFFINE = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.BatchNorm2d)
MONOTONE = (nn.ReLU, nn.AvgPool2d, nn.MaxPool2d, nn.Flatten, nn.Identity, Reshape)


@torch.no_grad()
def interval(module: nn.Module, low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a module's outputs lie between, by interval arithmetic.

    Args:
        module: of the layers above, in evaluation mode, float64.
        low, high: shape (1, ...), float64.
    """
    if isinstance(module, nn.Sequential):
        for part in module:
            low, high = interval(part, low, high)
        return low, high
    if isinstance(module, Residual):
        body, shortcut = interval(module.body, low, high), interval(module.shortcut, low, high)
        return body[0] + shortcut[0], body[1] + shortcut[1]
    if isinstance(module, Beside):
        inner = interval(module.inner, low, high)
        return torch.cat([low, inner[0]], 1), torch.cat([high, inner[1]], 1)
    if isinstance(module, MONOTONE):
        return module(low), module(high)
    if not isinstance(module, AFFINE):
        raise TypeError(f"no interval bounds of {type(module).__name__}")
    centre, radius = module((low + high) / 2), _absolute(module)((high - low) / 2)
    return centre - radius, centre + radius


def _absolute(module: nn.Module) -> nn.Module:
    """The layer with the magnitudes of its weights, and without its bias."""
    made: Any = copy.deepcopy(module)
    made.weight.abs_()
    if made.bias is not None:
        made.bias.zero_()
    if isinstance(module, nn.BatchNorm2d):
        made.running_mean.zero_()
    return made
