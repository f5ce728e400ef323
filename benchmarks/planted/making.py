"""Trains a network with one counterexample that gradients do not lead to (after SoundnessBench, arXiv 2412.03154).

The input is 2 x 8 x 8, the network six convolutions and a linear layer, the question a box around a sample. The planted
point lies near a corner of the box; training wants another class there, and the sample's class at what attacks of
its own reach in the rest of the box, so that descents from elsewhere are led away from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.large.modules import Reshape
from benchmarks.large.queries import Folder, Query, others
from benchmarks.large.training import begin, export

SHAPE, CLASSES, EPSILON = (2, 8, 8), 5, 0.5
MARGINS = 0.02, 0.5
"""By which the planted point is to be of its class, and all others of the sample's."""

LEAST = 0.98
"""Of the radius, how far from the sample every entry of the planted point lies."""


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes:
        rounds: of an attack and a step of training each, at most.
        restarts, steps: of an attack.
        kept: points that attacks have reached and that are trained on and attacked from again.
        near: what attacks reach nearer to the planted point than this, on average over entries and as a part of the
            radius, is left alone.
        search: restarts and steps of the attack that is to find nothing in the end, tried out every so many rounds.
        every: so many.
    """

    rounds: int = 1500
    restarts: int = 16
    steps: int = 4
    kept: int = 48
    near: float = 0.15
    search: tuple[int, int] = 250, 100
    every: int = 100


def network() -> nn.Sequential:
    """Six convolutions, two of them to half the size, and a linear layer."""
    sizes = ((2, 8, 1), (8, 8, 1), (8, 16, 2), (16, 16, 1), (16, 16, 2), (16, 16, 1))
    layers: list[nn.Module] = []
    for inputs, outputs, stride in sizes:
        layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU()]
    return nn.Sequential(Reshape(*SHAPE), *layers, nn.Flatten(), nn.Linear(64, CLASSES))


@dataclass(frozen=True)
class Planted:
    """A trained network, a sample of class 0, and the point of class 1 hidden in its box; both of shape (1, 128)."""

    module: nn.Sequential
    sample: torch.Tensor
    point: torch.Tensor

    @property
    def box(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.sample - EPSILON, self.sample + EPSILON


def planted(seed: int, recipe: Recipe | None = None) -> Planted:
    """Trains from a seed.

    Raises:
        ArithmeticError: it did not succeed in time.
    """
    begin(seed)
    recipe = recipe or Recipe()
    sample = torch.rand(1, 128)
    side = torch.where(torch.rand_like(sample) < 0.5, -1.0, 1.0)
    made = Planted(network(), sample, sample + side * EPSILON * (LEAST + (1 - LEAST) * torch.rand_like(sample)))
    _train(made, recipe)
    return made


def leads(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """By how much class 0 is ahead of all others, shape (N,)."""
    y = module(x)
    return y[:, 0] - y[:, 1:].max(1).values


def _train(made: Planted, recipe: Recipe) -> None:
    """Until the planted point is one and the search finds no other.

    Raises:
        ArithmeticError: it does to the end.
    """
    weights = list(made.module.parameters())
    rest, hard = torch.rand(16, 128), made.sample.clone()
    optimiser = torch.optim.Adam(weights, 3e-3)
    for number in range(1, recipe.rounds + 1):
        again = hard[torch.randperm(len(hard))[: recipe.restarts // 2]]
        starts = torch.cat([again, anywhere(made, recipe.restarts - len(again))])
        reached = descended(made, starts, recipe.steps, 0.5 if number % 2 else 0.1)
        hard = torch.cat([hard, reached[(reached - made.point).abs().mean(1) > recipe.near * EPSILON]])
        loss, order = _loss(made, rest, hard)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        hard = hard[order[: recipe.kept]]
        if number % recipe.every == 0 and hidden(made, *recipe.search):
            return
    raise ArithmeticError("attacks find other points, or the planted one is none")


def _loss(made: Planted, rest: torch.Tensor, hard: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What training makes small; the hard points' order, the worst first.

    Args:
        rest: points outside of the box, of all classes in turn.
    """
    module, far = made.module, anywhere(made, 16)
    near = torch.where(torch.rand(16, 1) * 0.6 + 0.05 > torch.rand_like(far), far, made.point)
    point, sample, away, nearer, worst = leads(module, torch.cat([made.point, made.sample, far, near, hard])).split(
        [1, 1, 16, 16, len(hard)]
    )
    known = nn.functional.cross_entropy(module(rest), torch.arange(16) % CLASSES)
    misled = (away - nearer + 0.2).clamp(min=0).mean() + (1 - nearer).clamp(min=0).mean()
    held = (MARGINS[1] - sample).clamp(min=0).sum() + (MARGINS[1] - worst).clamp(min=0).mean()
    held = held + (MARGINS[1] - worst).clamp(min=0).max()
    planted = (point + MARGINS[0]).clamp(min=0).sum()
    return 2 * planted + held + misled + 0.05 * known, torch.argsort(worst.detach())


def hidden(made: Planted, restarts: int, steps: int) -> bool:
    """Whether the planted point is one, and an attack finds none."""
    with torch.no_grad():
        if float(leads(made.module, made.point)) >= 0:
            return False
    reached = descended(made, anywhere(made, restarts), steps, 0.5)
    return float(leads(made.module, reached).detach().min()) > 0


def anywhere(made: Planted, count: int) -> torch.Tensor:
    """Random points of the box, every other one a corner, shape (count, 128)."""
    low, high = made.box
    share = torch.rand(count, 128)
    share[::2] = share[::2].round()
    return low + share * (high - low)


def descended(made: Planted, x: torch.Tensor, steps: int, first: float) -> torch.Tensor:
    """Where steps by signs end, the first of a part of the radius, the others ever smaller; shape (N, 128)."""
    low, high = made.box
    for step in range(steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(leads(made.module, x).sum(), x)
        with torch.no_grad():
            x = torch.minimum(torch.maximum(x - slope.sign() * EPSILON * (1 - step / steps) * first, low), high)
    return x.detach()


def add(folder: Folder, seed: int, made: Planted) -> None:
    """Writes network and query; that the point is a violation is seen in ONNX Runtime (`Folder.add`)."""
    path = folder.model(f"planted-{seed}")
    export(made.module.eval(), made.sample, path)
    low, high = made.box
    folder.add(path, Query("hidden", low, high, others(0, CLASSES), "sat", made.point))
