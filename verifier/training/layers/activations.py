"""Activations and rearrangements of constant 1. Along dimension 1: features, or channels of images."""

from __future__ import annotations

import torch
from torch import nn


class MaxMin(nn.Module):
    """Each feature of the first half with its partner in the second: the larger, the smaller (Anil et al., ICML 2019).

    Written with one relu, max(a, b) = a + relu(b - a), so that the export shows that the two go together. An odd one
    that is left over stays as it is.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, features, ...)."""
        half = x.shape[1] // 2
        larger, smaller = exchanged(x[:, :half], x[:, half : 2 * half])
        return (
            torch.cat([larger, smaller, x[:, 2 * half :]], dim=1) if x.shape[1] % 2 else torch.cat([larger, smaller], 1)
        )


def exchanged(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """max(a, b) and min(a, b)."""
    rise = torch.relu(b - a)
    return a + rise, b - rise


class Oplu(nn.Module):
    """The same for neighbours (Chernodub & Nowicki, 2016, arXiv 1604.02313); they stay neighbours."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, features, ...)."""
        even = x.shape[1] - x.shape[1] % 2
        larger, smaller = exchanged(x[:, 0:even:2], x[:, 1:even:2])
        pairs = torch.stack([larger, smaller], dim=2).flatten(1, 2)
        return torch.cat([pairs, x[:, even:]], dim=1) if x.shape[1] % 2 else pairs


class GroupSort(nn.Module):
    """Groups of four, a feature of each quarter, sorted by a network of exchanges; what is left over stays.

    Each stage puts all features together again, so that the export shows a stage as one block.
    """

    STAGES = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((1, 2),))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, features, ...)."""
        count = x.shape[1] // 4
        for stage in self.STAGES:
            parts = [x[:, k * count : (k + 1) * count] for k in range(4)]
            for i, j in stage:
                parts[i], parts[j] = exchanged(parts[i], parts[j])
            rest = [x[:, 4 * count :]] if x.shape[1] % 4 else []
            x = torch.cat([*parts, *rest], dim=1)
        return x


class Absolute(nn.Module):
    """|x|."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of any shape."""
        return x.abs()


class HalfResidual(nn.Module):
    """(x + f(x)) / 2, for f of constant 1 that keeps the shape."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of the shape that f takes."""
        result: torch.Tensor = 0.5 * x + 0.5 * self.inner(x)
        return result


class ScaledAverage(nn.Module):
    """Means of 2 x 2 pixels, times 2: the norm of a mean of 4 is 1/2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """On x of shape (N, channels, height, width), both even."""
        return 2.0 * nn.functional.avg_pool2d(x, 2)
