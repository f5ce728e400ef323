"""What minimal attacks are asked and answer: how far is it, in a p-norm, from a sample to another class?

A point is adversarial where some other class's output strictly exceeds the label's. What counts in the end is a
float32 point inside the data's box at which that holds twice: for the judge (ONNX Runtime, one sample at a time; a
point that is adversarial in a batch may not be so alone) and for our own graph in float64, of which certificates
speak. Its distance is therefore an upper bound of the minimal perturbation in either reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from verifier.arrays import Array
from verifier.deadline import Deadline
from verifier.network.graph import Network
from verifier.property.grid import Grid
from verifier.property.query import Box

Judge = Callable[[np.ndarray], np.ndarray]
"""The outputs, shape (classes,), for one float32 input of shape (input_size,), computed alone."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples whose minimal perturbations are sought.

    Attributes:
        network: its outputs are the logits, or scores, of the classes.
        x: the samples, shape (N, input_size); rounded to float32 on construction, kept as float64.
        labels: the classes that the samples are to keep, integers, shape (N,).
        norm: 1, 2 or inf; or 0, the number of entries that are changed.
        box: the range of the data (`Box.exact`; infinite sides for none); perturbed points stay inside.
        judge: runs one sample in the network's own types.
        example: an array of the library, device and dtype to run the network on.

    Raises:
        ValueError: on construction, where shapes do not fit, a sample lies outside the box or is not finite, a label is
            no output, or there is a single output.
    """

    network: Network
    x: np.ndarray
    labels: np.ndarray
    norm: float
    box: Box
    judge: Judge
    example: Array = field(default_factory=lambda: np.zeros(0), repr=False)

    def __post_init__(self) -> None:
        x, labels = np.asarray(self.x, np.float32).astype(np.float64), np.asarray(self.labels, np.int64)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "labels", labels)
        if x.ndim != 2 or x.shape[1] != self.network.input_size or labels.shape != x.shape[:1]:
            raise ValueError(f"samples of shape {x.shape} with labels of shape {labels.shape}")
        if self.box.size != x.shape[1]:
            raise ValueError(f"a box of {self.box.size} entries for samples of {x.shape[1]}")
        if not (np.isfinite(x) & (x >= self.lower) & (x <= self.upper)).all():
            raise ValueError("a sample lies outside the data's box")
        if self.network.output_size < 2 or ((labels < 0) | (labels >= self.network.output_size)).any():
            raise ValueError(f"labels {labels} of {self.network.output_size} classes")
        if self.norm not in (0, 1, 2, math.inf):
            raise ValueError(f"no minimal perturbation is measured in the {self.norm}-norm")

    @cached_property
    def grid(self) -> Grid:
        """The numbers that inputs can be."""
        return Grid.of(self.network.inputs)

    def witness_at(self, x: np.ndarray) -> np.ndarray:
        """The nearest point inside the box that the network takes as an input, float32, shape (input_size,)."""
        low, high = self.grid.at_least(self.box.inner_lower), self.grid.at_most(self.box.inner_upper)
        return np.clip(self.grid.nearest(x), low, high)

    def takes(self, point: np.ndarray) -> bool:
        """Whether a float32 point has numbers of the inputs' types throughout."""
        return not self.grid.short or bool((self.grid.nearest(point) == point).all())

    @property
    def lower(self) -> np.ndarray:
        """The smallest float32 inside the box, as float64, shape (input_size,)."""
        return self.box.inner_lower.astype(np.float64)

    @property
    def upper(self) -> np.ndarray:
        """The largest float32 inside the box, as float64, shape (input_size,)."""
        return self.box.inner_upper.astype(np.float64)

    def clip(self, x: np.ndarray) -> np.ndarray:
        """The nearest points inside the box. The samples are inside, so no entry moves farther from its sample's."""
        return np.clip(x, self.lower, self.upper)


@dataclass(frozen=True, eq=False)
class Perturbation:
    """What an attack found for one sample.

    Attributes:
        point: the adversarial input, float32, shape (input_size,); None where the attack failed.
        distance: the norm of point - sample, rounded up; 0 where the sample itself is misclassified, infinite where the
            attack failed.
        forward, backward: passes made for this sample, one for each input the network was run on. A gradient is a
            forward and a backward pass, m gradients at one point are a forward and m backward passes. The judge's runs
            are not among them.
        estimate: an estimate of the distance that is really the least, where the attack makes one, else NaN.
    """

    point: np.ndarray | None
    distance: float
    forward: int
    backward: int
    estimate: float = math.nan


class MinimalAttack(Protocol):
    """An attack that looks for minimal perturbations."""

    @property
    def name(self) -> str:
        """As the registry and tables have it."""

    @property
    def norms(self) -> tuple[float, ...]:
        """The norms it works in."""

    def run(self, problem: Problem, rng: np.random.Generator, deadline: Deadline) -> list[Perturbation]:
        """One answer for each sample; the best so far where the time runs out.

        Raises:
            UsageError: where the problem's norm is none of the attack's.
        """


def distance_up(norm: float, x: np.ndarray, point: np.ndarray) -> float:
    """The `norm` of point - x, never below the exact value; float64 vectors."""
    if norm == 0:
        return float(np.count_nonzero(point != x))
    difference = np.abs(point - x)  # each off by one rounding, the sum and the root by one each
    if norm == math.inf:
        total = float(difference.max(initial=0.0))
    elif norm == 1:
        total = math.fsum(difference)
    else:
        total = math.sqrt(math.fsum(difference * difference))
    return 0.0 if total == 0.0 else math.nextafter(total * (1.0 + 2.0**-49), math.inf)
