"""Perturbations that a training is made against: projected gradient ascent inside a ball and the data's range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

from verifier.training.method import Moment

Loss: TypeAlias = Callable[[Tensor], Tensor]
"""The sum of the losses of perturbed samples, shape (N, features), to be made large."""

LEAST = 1e-12
"""What a gradient's norm is at least, where it divides."""


def ascend(x: Tensor, loss: Loss, moment: Moment, steps: int, reach: float = 2.5, start: bool = True) -> Tensor:
    """Points near the samples at which the loss is large (Madry et al., arXiv 1706.06083).

    Args:
        x: samples inside the data's range, shape (N, features).
        loss: to be made large.
        moment: with the ball's radius and norm, and the range.
        steps: of the ascent.
        reach: how far all steps go together, in radii.
        start: whether to begin at a random point of the ball.

    Returns:
        Perturbed samples, shape (N, features), inside the ball and the range, without a gradient.
    """
    delta = project(random_step(x, moment), x, moment) if start else torch.zeros_like(x)
    size = reach * moment.epsilon / max(1, steps)
    for _ in range(steps):
        point = (x + delta).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(point), point)
        delta = project(delta + size * direction(gradient, moment.norm), x, moment)
    return (x + delta).detach()


def direction(gradient: Tensor, norm: float) -> Tensor:
    """The steepest step of norm 1 for each row."""
    if norm == math.inf:
        return gradient.sign()
    return gradient / gradient.norm(dim=1, keepdim=True).clamp(min=LEAST)


def project(delta: Tensor, x: Tensor, moment: Moment) -> Tensor:
    """Into the ball, then into the range: which moves no entry away from the sample's, so that both hold."""
    if moment.norm == math.inf:
        delta = delta.clamp(-moment.epsilon, moment.epsilon)
    else:
        length = delta.norm(dim=1, keepdim=True).clamp(min=LEAST)
        delta = delta * (moment.epsilon / length).clamp(max=1.0)
    return delta if moment.clip is None else (x + delta).clamp(*moment.clip) - x


def random_step(x: Tensor, moment: Moment) -> Tensor:
    """A random step inside the ball, shape (N, features): uniform in norm inf, in norm 2 of uniform length."""
    if moment.norm == math.inf:
        return moment.epsilon * (2.0 * torch.rand_like(x) - 1.0)
    return moment.epsilon * torch.rand(len(x), 1) * direction(torch.randn_like(x), moment.norm)
