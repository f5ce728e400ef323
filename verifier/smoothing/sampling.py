"""A network under Gaussian noise: what it says of many noisy copies of one input, in batches.

The streams of a sample are independent by construction: NumPy's `SeedSequence` with the sample's number and the purpose
in its key, so that no order of work and no number of draws changes what another one sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from verifier.arrays import Array, convert_like, to_numpy
from verifier.deadline import NEVER, Deadline
from verifier.errors import UsageError
from verifier.network.graph import Network


class Purpose(IntEnum):
    """What a stream is drawn for."""

    SELECTION = 0
    ESTIMATION = 1
    PREDICTION = 2
    ATTACK = 3


def stream(seed: int, sample: int, purpose: Purpose) -> np.random.Generator:
    """The generator of a sample's stream, for a seed of the whole experiment."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(sample, int(purpose))))


@dataclass(frozen=True, eq=False)
class NoisyNetwork:
    """A classifier whose input is disturbed by N(0, sigma^2 I).

    Attributes:
        network: with its weights in the array library, device and dtype of `example`.
        sigma: standard deviation of the noise, positive, in units of the input.
        example: an array to compute like.
        batch: noisy copies at a time.
        deadline: by which all copies are to be drawn.

    Raises:
        OutOfTimeError: by what draws, where the time is up.
        UsageError: sigma is not a positive number, or batch not at least 1.
    """

    network: Network
    sigma: float
    example: Array
    batch: int = 1000
    deadline: Deadline = NEVER

    def __post_init__(self) -> None:
        if not 0 < self.sigma < np.inf:
            raise UsageError(f"sigma = {self.sigma}", fix="give the noise's standard deviation, a positive number")
        if self.batch < 1:
            raise UsageError(f"a batch of {self.batch}", fix="give at least 1")

    @property
    def classes(self) -> int:
        return self.network.output_size

    def outputs(self, x: np.ndarray, count: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """Outputs for `count` noisy copies of `x` (shape (input_size,)), in parts of shape (batch, classes)."""
        convert = convert_like(self.example)
        for first in range(0, count, self.batch):
            self.deadline.check()
            noise = rng.standard_normal((min(self.batch, count - first), len(x)))
            yield to_numpy(self.network.forward(convert(x + self.sigma * noise))).astype(np.float64)

    def counts(self, x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
        """How many noisy copies each class wins, integers, shape (classes,).

        A class wins where its output is larger than all others; ties, NaN and infinities of the same sign are wins
        of none, so that the counts may add up to less than `count`.
        """
        total = np.zeros(self.classes, np.int64)
        for outputs in self.outputs(x, count, rng):
            total += np.bincount(winners(outputs), minlength=self.classes + 1)[: self.classes]
        return total


def winners(outputs: np.ndarray) -> np.ndarray:
    """The class of each row of outputs (N, classes), or the number of classes where none wins alone."""
    classes = outputs.shape[1]
    usable = ~np.isnan(outputs).any(axis=1)
    safe = np.where(usable[:, None], outputs, 0.0)
    best = safe.argmax(axis=1)
    alone = (safe == safe.max(axis=1, keepdims=True)).sum(axis=1) == 1
    return np.where(usable & alone, best, classes)
