"""What a training method is: a loss of a batch, at a moment of the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn


@dataclass(frozen=True)
class Moment:
    """Where a training is.

    Attributes:
        epsilon: the perturbation now.
        norm: its norm, 2 or inf.
        clip: the smallest and the largest value that inputs can have, or None.
        ramp: the part of the full perturbation, in [0, 1], by which other schedules go as well.
    """

    epsilon: float
    norm: float
    clip: tuple[float, float] | None
    ramp: float


class Method(Protocol):
    """A way to train; a frozen dataclass whose fields are its own parameters in a recipe."""

    def loss(self, network: nn.Sequential, x: torch.Tensor, y: torch.Tensor, moment: Moment) -> torch.Tensor:
        """The mean loss of a batch, to be minimised.

        Args:
            network: being trained.
            x, y: samples, shape (N, features), and classes, shape (N,).
            moment: of the training; random numbers come from torch's generator.
        """
