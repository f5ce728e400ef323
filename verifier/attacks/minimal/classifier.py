"""The network as attacks see it: margins of other classes over the label's, with gradients; every pass is counted.

The arithmetic of attacks is a few operations per entry of the input, so it is NumPy's; the passes through the network
run on any array library.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from verifier.arrays import convert_like, to_numpy
from verifier.attacks.gradient import adjoint
from verifier.attacks.minimal.problem import Problem

Weigh: TypeAlias = Callable[[slice, np.ndarray], list[np.ndarray]]

CHUNK_ENTRIES = 1 << 21
"""Values of the widest node that one pass is to have at most."""


class Classifier:
    """Runs the network on rows that belong to samples: row r is for sample `owners[r]`.

    Attributes:
        forward, backward: passes made for each sample, integers, shape (N,).
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.network = problem, problem.network.like(problem.example)
        self._convert = convert_like(problem.example)
        self._rows = max(1, CHUNK_ENTRIES // max(node.size for node in self.network.nodes))
        self.forward, self.backward = (np.zeros(len(problem.x), np.int64) for _ in range(2))

    def logits(self, owners: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The outputs, float64, shape (R, classes), at `x` of shape (R, input_size)."""
        np.add.at(self.forward, owners, 1)
        parts = [np.zeros((0, self.network.output_size))]
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, len(x), self._rows):
                parts.append(to_numpy(self.network.forward(self._convert(x[first : first + self._rows]))))
        return np.concatenate(parts).astype(np.float64)

    def margins(self, owners: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The best other class's lead over the label, shape (R,); positive where `x` is adversarial."""
        return self.leads(owners, self.logits(owners, x)).max(axis=1)

    def leads(self, owners: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Every class's lead over the label; -inf for the label itself and for what is NaN. Shape (R, classes)."""
        rows, labels = np.arange(len(owners)), self.problem.labels[owners]
        with np.errstate(invalid="ignore"):
            leads = logits - logits[rows, labels][:, None]
        leads[rows, labels] = -np.inf
        return np.where(np.isnan(leads), -np.inf, leads)

    def gradients(self, owners: np.ndarray, x: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
        """The leads of the foremost other classes and their gradients; of as many classes as asked, or all others.

        Returns:
            The leads of the m foremost classes, descending, shape (R, m); and their gradients, shape
            (R, m, input_size), zero where they are no numbers.
        """
        count = min(classes, self.network.output_size - 1)

        def weigh(part: slice, logits: np.ndarray) -> list[np.ndarray]:
            foremost = np.argsort(-self.leads(owners[part], logits), axis=1, kind="stable")[:, :count]
            return [self._difference(owners[part], foremost[:, m]) for m in range(count)]

        logits, gradients = self.weighted(owners, x, weigh, count)
        return -np.sort(-self.leads(owners, logits), axis=1)[:, :count], gradients

    def margins_and_gradients(self, owners: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The margins, shape (R,), and their gradients, shape (R, input_size)."""
        leads, gradients = self.gradients(owners, x, 1)
        return leads[:, 0], gradients[:, 0]

    def margins_and_ascent(self, owners: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The margins and the direction, shape (R, input_size), in which the label's cross-entropy grows.

        The cross-entropy's gradient is this times the label's lost probability, which must not make it vanish.
        """

        def weigh(part: slice, logits: np.ndarray) -> list[np.ndarray]:
            return [self._shares(owners[part], logits)]

        logits, gradients = self.weighted(owners, x, weigh, 1)
        return self.leads(owners, logits).max(axis=1), gradients[:, 0]

    def weighted(self, owners: np.ndarray, x: np.ndarray, weigh: Weigh, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The outputs and the gradients of `count` weighted sums of them, at the cost of one forward pass.

        Args:
            owners: shape (R,).
            x: shape (R, input_size).
            weigh: makes `count` arrays of weights, shape (rows, classes), for a slice of the rows, from their outputs.
            count: how many sums.

        Returns:
            Outputs, shape (R, classes), and gradients, shape (R, count, input_size), zero where they are no numbers.
        """
        np.add.at(self.forward, owners, 1)
        np.add.at(self.backward, owners, count)
        outputs, gradients = np.zeros((len(x), self.network.output_size)), np.zeros((len(x), count, x.shape[1]))
        with np.errstate(over="ignore", invalid="ignore"):
            for first in range(0, len(x), self._rows):
                part = slice(first, first + self._rows)
                values = self.network.values(self._convert(x[part]))
                outputs[part] = to_numpy(values[-1])
                for m, weights in enumerate(weigh(part, outputs[part])):
                    gradients[part, m] = to_numpy(adjoint(self.network, values, self._convert(weights)))
        return outputs, np.where(np.isfinite(gradients), gradients, 0.0)

    def _difference(self, owners: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Weights of the lead of `classes` over the labels."""
        rows, weights = np.arange(len(owners)), np.zeros((len(owners), self.network.output_size))
        weights[rows, self.problem.labels[owners]] -= 1.0
        weights[rows, classes] += 1.0
        return weights

    def _shares(self, owners: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """The softmax over the other classes, and -1 for the label; 0 where nothing leads anywhere."""
        leads = self.leads(owners, logits)
        top = np.nan_to_num(leads.max(axis=1, keepdims=True))
        shares = np.exp(np.minimum(leads - top, 0.0))
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1.0)
        shares[np.arange(len(owners)), self.problem.labels[owners]] = -shares.sum(axis=1)
        return shares
