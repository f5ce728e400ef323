"""What a minimal attack knows while it runs: the closest adversarial point of each sample, and what counts as one."""

from __future__ import annotations

import math

import numpy as np

from verifier.attacks.minimal.classifier import Classifier
from verifier.attacks.minimal.geometry import lengths
from verifier.attacks.minimal.problem import Problem
from verifier.deadline import Deadline

SLACK = 1e-7
"""The margin aimed at, as a share of the sample's own: about float32's rounding, so that most witnesses hold."""
SMALLEST_MARGIN = 1e-100


class Known:
    """What is known while an attack runs.

    Attributes:
        problem: the question.
        classifier: runs the network and counts.
        deadline: by which to stop looking.
        margins: at the samples, shape (N,), negative where they are classified as labelled.
        sizes: of the margins, shape (N,), for units; 1 where a margin is (nearly) 0 or infinite.
        points, distances: the closest adversarial points found in float64, shape (N, input_size), and their distances,
            shape (N,), infinite where there is none.
        estimates: of the least distances, shape (N,), NaN where the attack makes none.
        open: indices of the samples to work on: those that are not misclassified to begin with.
    """

    def __init__(self, problem: Problem, deadline: Deadline | None = None) -> None:
        self.problem, self.classifier, self.deadline = problem, Classifier(problem), deadline or Deadline()
        everyone = np.arange(len(problem.x))
        self.margins = self.classifier.margins(everyone, problem.x)
        usable = np.isfinite(self.margins) & (np.abs(self.margins) > SMALLEST_MARGIN)
        self.sizes = np.where(usable, np.abs(self.margins), 1.0)
        self.points, self.distances = problem.x.copy(), np.full(len(problem.x), math.inf)
        self.estimates = np.full(len(problem.x), math.nan)
        self.distances[[n for n in everyone.tolist() if self.holds(n, problem.x[n].astype(np.float32))]] = 0.0
        self.open = np.flatnonzero(self.distances > 0)

    def offer(self, owners: np.ndarray, x: np.ndarray, margins: np.ndarray) -> np.ndarray:
        """Takes note of points inside the box that are adversarial; which of the rows are, booleans of shape (R,)."""
        adversarial = margins > 0
        distances = lengths(x - self.problem.x[owners], self.problem.norm)
        for r in np.flatnonzero(adversarial & (distances < self.distances[owners])):
            if distances[r] < self.distances[owners[r]]:
                self.points[owners[r]], self.distances[owners[r]] = x[r], distances[r]
        return adversarial

    def aim(self, owners: np.ndarray) -> np.ndarray:
        """The margins, shape (R,), from which on points count as adversarial enough."""
        return SLACK * self.sizes[owners]

    def holds(self, n: int, point: np.ndarray) -> bool:
        """Whether a float32 point is a witness for sample n.

        It is where it lies inside the box, is what the network takes, and is adversarial for the judge and for us.
        """
        if not (np.isfinite(point).all() and self.problem.box.contains(point) and self.problem.takes(point)):
            return False
        label, exact = self.problem.labels[n], point.astype(np.float64)[None, :]
        with np.errstate(over="ignore", invalid="ignore"):
            ours = self.problem.network.forward(exact)[0]
        return _misclassified(self.problem.judge(point), label) and _misclassified(ours, label)


def _misclassified(logits: np.ndarray, label: int) -> bool:
    """Whether some other class strictly exceeds the label; False where the label's output, or all others, are NaN."""
    others = np.delete(logits, label)
    return bool((others > logits[label]).any())
