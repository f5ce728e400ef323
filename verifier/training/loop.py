"""The training itself: epochs of batches, the same on every run and however often it was interrupted.

Every epoch draws its random numbers (order of the samples, noise, starts of attacks) from a generator that is seeded by
the recipe's seed and the epoch's number, and works on one thread: a sum in another order would be another network.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from verifier.errors import UsageError
from verifier.training.architecture import build
from verifier.training.augment import check_shift, shifted
from verifier.training.checkpoint import Checkpoint, Row
from verifier.training.data import Split
from verifier.training.method import Moment
from verifier.training.methods import method_of
from verifier.training.recipe import Recipe, TrainingRecipe
from verifier.training.schedules import ramp_at, rate_at

WEIGHTS = 0
"""Takes an epoch's number where the weights at first are drawn; epochs are numbered from 1 on."""


class Training:
    """A network in training.

    Args:
        recipe: what is to be done.
        split: the samples.
        checkpoint: to go on from.

    Attributes:
        network: as trained so far.
        rows: the log, one an epoch that is done.

    Raises:
        UsageError: the recipe asks for what is not to be had.
    """

    def __init__(self, recipe: Recipe, split: Split, checkpoint: Checkpoint | None = None) -> None:
        self.recipe, self.split, self.method = recipe, split, method_of(recipe)
        check_shift(recipe.data.shift, split.image)
        with seeded(recipe.seed, WEIGHTS):
            self.network = build(recipe.architecture, split.image, split.classes)
        self._optimiser = _optimiser(recipe.training, self.network)
        self.rows: list[Row] = []
        if checkpoint is not None:
            self.network.load_state_dict(checkpoint.weights)
            self._optimiser.load_state_dict(checkpoint.optimiser)
            self.rows = list(checkpoint.rows)

    @property
    def seconds(self) -> float:
        """That the epochs so far took, over all sessions."""
        return self.rows[-1].seconds if self.rows else 0.0

    def run(self, checkpoint: Path | None = None, on_epoch: Callable[[Row], None] = lambda row: None) -> nn.Sequential:
        """Trains to the end.

        Args:
            checkpoint: where the state is written after every epoch.
            on_epoch: called after that; may raise, to interrupt.

        Returns:
            The network, ready to be used.

        Raises:
            UsageError: the loss is no number any more, or the checkpoint cannot be written.
        """
        while len(self.rows) < self.recipe.training.epochs:
            self.rows.append(self._epoch(len(self.rows) + 1))
            if checkpoint is not None:
                self.state().write(checkpoint)
            on_epoch(self.rows[-1])
        return self.network.eval()

    def state(self) -> Checkpoint:
        return Checkpoint(
            self.recipe.text, self.split.digest, self.network.state_dict(), self._optimiser.state_dict(), self.rows
        )

    def _epoch(self, number: int) -> Row:
        """Epoch `number`, from 1 on."""
        recipe, clock = self.recipe.training, time.perf_counter()
        x, y = torch.from_numpy(self.split.x), torch.from_numpy(self.split.y)
        steps, total = math.ceil(len(x) / recipe.batch), 0.0
        with seeded(self.recipe.seed, number):
            self.network.train()
            for step, batch in enumerate(torch.randperm(len(x)).split(recipe.batch)):
                images = shifted(x[batch], self.split.image, self.recipe.data.shift)
                total += len(batch) * self._step(images, y[batch], number - 1 + step / steps)
        if not math.isfinite(total):
            raise UsageError(f"the loss is no number in epoch {number}", "training.rate", "give a smaller rate")
        with one_thread():
            correct = accuracy(self.network, self.split.test_x, self.split.test_y)
        seconds = self.seconds + time.perf_counter() - clock
        epsilon = recipe.epsilon * ramp_at(recipe, number)
        return Row(number, total / len(x), correct, rate_at(recipe, number), epsilon, seconds)

    def _step(self, x: torch.Tensor, y: torch.Tensor, epoch: float) -> float:
        """One batch, after `epoch` epochs; its loss."""
        recipe = self.recipe.training
        for group in self._optimiser.param_groups:
            group["lr"] = rate_at(recipe, epoch)
        ramp = ramp_at(recipe, epoch)
        moment = Moment(recipe.epsilon * ramp, self.recipe.norm, self.split.clip, ramp)
        loss = self.method.loss(self.network, x, y, moment)
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return float(loss.detach())


def accuracy(network: nn.Module, x: np.ndarray, y: np.ndarray) -> float:
    """The share of samples, shape (N, features), whose largest output is that of their class."""
    network.eval()
    with torch.no_grad():
        return float((network(torch.from_numpy(x)).argmax(1) == torch.from_numpy(y)).float().mean())


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums are in one order, whatever machine it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int, epoch: int) -> Iterator[None]:
    """Torch's generator for one epoch, on one thread; what it was before is restored."""
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> 1))
        yield


def _optimiser(recipe: TrainingRecipe, network: nn.Module) -> torch.optim.Optimizer:
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), recipe.rate, momentum=0.9, weight_decay=recipe.decay)
    return torch.optim.Adam(network.parameters(), recipe.rate, weight_decay=recipe.decay)
