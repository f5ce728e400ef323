"""The course of a minimal attack: the closest adversarial point known of each sample, and how it becomes a witness."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.classifier import Classifier
from verifier.attacks.minimal.geometry import dual, lengths, to_hyperplane
from verifier.attacks.minimal.problem import Perturbation, Problem, distance_up
from verifier.attacks.minimal.restoring import restored
from verifier.deadline import Deadline
from verifier.errors import UsageError

SECANTS = 12
"""Steps to the boundary on a segment."""
SLACK = 1e-7
"""The margin aimed at, as a share of the sample's own: about float32's rounding, so that most witnesses hold."""
SMALLEST_MARGIN = 1e-100
PUSHES = 10
"""How often a witness that fails is pushed on, each time four times as far; the last one by 3 % of its distance."""


class Hunt:
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

    def linear(self, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The steps to the boundary were the margin linear, shape (R, input_size), and their lengths, shape (R,).

        Where the gradient vanishes, the length is a share of the box, or of 1.
        """
        problem = self.problem
        margins, gradients = self.classifier.margins_and_gradients(owners, problem.x[owners])
        steps = to_hyperplane(gradients, -margins, self.room(problem.x[owners]), problem.norm)
        slopes = lengths(gradients, dual(problem.norm))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            estimate = -margins / slopes
        sides = problem.upper - problem.lower
        diameter = lengths(np.where(np.isfinite(sides), sides, 1.0), problem.norm)
        usable = (estimate > 0) & (estimate < 10.0 * diameter)
        return np.where(np.isfinite(steps), steps, 0.0), np.where(usable, estimate, 0.1 * diameter)

    def room(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far each entry of `x` may go down and up in the box, each of the shape of `x`."""
        return np.maximum(x - self.problem.lower, 0.0), np.maximum(self.problem.upper - x, 0.0)

    def aim(self, owners: np.ndarray) -> np.ndarray:
        """The margins, shape (R,), from which on points count as adversarial enough."""
        return SLACK * self.sizes[owners]

    def to_boundary(self, owners: np.ndarray, x: np.ndarray) -> np.ndarray:
        """The points moved towards their samples as far as they stay adversarial, by secants and bisection.

        In the 0-norm a segment leads nowhere nearer; entries go back one by one instead (`restored`).

        Args:
            owners: of the rows, shape (R,).
            x: adversarial points, shape (R, input_size).

        Returns:
            Adversarial points on the segments, shape (R, input_size); each is also offered.
        """
        if self.problem.norm == 0:
            return restored(self, owners, x)
        problem, start = self.problem, self.problem.x[owners]
        aim = self.aim(owners)
        low, at_low = np.zeros(len(owners)), np.minimum(self.margins[owners], 0.0) - aim
        high, at_high = np.ones(len(owners)), self.classifier.margins(owners, x) - aim
        for step in range(SECANTS):
            secant = low - at_low * (high - low) / np.where(at_high > at_low, at_high - at_low, 1.0)
            middle = 0.5 * (low + high)
            use = (step % 3 > 0) & np.isfinite(secant) & (secant > low) & (secant < high)
            share = np.where(use, secant, middle)
            active = np.flatnonzero(high - low > 1e-9 * high)
            if not len(active) or self.deadline.expired:
                break
            tried = problem.clip(start[active] + share[active, None] * (x[active] - start[active]))
            margins = self.classifier.margins(owners[active], tried)
            self.offer(owners[active], tried, margins)
            value, over = margins - aim[active], margins > aim[active]
            up, down = active[over], active[~over]
            high[up], at_high[up] = share[up], value[over]
            low[down], at_low[down] = share[down], value[~over]
        return problem.clip(start + high[:, None] * (x - start))

    def holds(self, n: int, point: np.ndarray) -> bool:
        """Whether a float32 point is a witness for sample n: inside the box, adversarial for the judge and for us."""
        if not (np.isfinite(point).all() and self.problem.box.contains(point)):
            return False
        label, exact = self.problem.labels[n], point.astype(np.float64)[None, :]
        with np.errstate(over="ignore", invalid="ignore"):
            ours = self.problem.network.forward(exact)[0]
        return _misclassified(self.problem.judge(point), label) and _misclassified(ours, label)

    def finish(self) -> list[Perturbation]:
        """Replays what was found, each sample alone."""
        found = self.open[np.isfinite(self.distances[self.open])]
        before = self.points.copy()
        self.to_boundary(found, self.points[found])
        return [self._result(n, before[n]) for n in range(len(self.distances))]

    def witness(self, n: int, x: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray | None, float]:
        """A witness for sample n at, or close by, a point on the boundary; and its distance, rounded up.

        Args:
            n: the sample.
            x: float64, shape (input_size,).
            others: points that are tried as they are where none close to `x` is a witness.

        Returns:
            A float32 point, and the norm of its step; None and infinity where none is found.
        """
        for candidate in chain(self._candidates(n, x), others):
            point = self.problem.clip(candidate).astype(np.float32)
            if self.holds(n, point):
                return point, distance_up(self.problem.norm, self.problem.x[n], point.astype(np.float64))
        return None, math.inf

    def _result(self, n: int, before: np.ndarray) -> Perturbation:
        point, distance = None, math.inf
        if np.isfinite(self.distances[n]):
            point, distance = self.witness(n, self.points[n], before)
        return Perturbation(point, distance, *self._passes(n), float(self.estimates[n]))

    def _candidates(self, n: int, point: np.ndarray) -> Iterator[np.ndarray]:
        """A point, then the same pushed on: away from the sample, and up the margin's gradient."""
        yield point
        x, owner = self.problem.x[n], np.array([n])
        margin, gradient = self.classifier.margins_and_gradients(owner, point[None, :])
        if self.problem.norm == 0:  # entries that are changed already can go farther for nothing
            gradient = np.where(point != x, gradient, 0.0)
        size, distance = self.sizes[n], float(lengths(point - x, self.problem.norm))
        for push in range(PUSHES):
            share = 4.0**push * SLACK
            rise = np.maximum(share * size - margin, 0.0)
            step = to_hyperplane(gradient, rise, self.room(point[None, :]), self.problem.norm)[0]
            length = float(lengths(step, self.problem.norm))
            yield point + share * (point - x) + step * min(1.0, share * distance / length if length > 0 else 0.0)

    def _passes(self, n: int) -> tuple[int, int]:
        return int(self.classifier.forward[n]), int(self.classifier.backward[n])


class Search(ABC):
    """What all the attacks share; each one's own work is `search`."""

    name: ClassVar[str]
    norms: ClassVar[tuple[float, ...]] = (1, 2, math.inf)

    def run(self, problem: Problem, rng: np.random.Generator, deadline: Deadline) -> list[Perturbation]:
        """See `MinimalAttack.run`."""
        if problem.norm not in self.norms:
            known = ", ".join(str(norm) for norm in self.norms)
            raise UsageError(f"{self.name} does not work in the {problem.norm}-norm", fix=f"use one of {known}")
        hunt = Hunt(problem, deadline)
        if len(hunt.open):
            self.search(hunt, rng)
        return hunt.finish()

    @abstractmethod
    def search(self, hunt: Hunt, rng: np.random.Generator) -> None:
        """Offers adversarial points to the hunt, for the samples that are open; looks at its deadline between steps."""


def _misclassified(logits: np.ndarray, label: int) -> bool:
    """Whether some other class strictly exceeds the label; False where the label's output, or all others, are NaN."""
    others = np.delete(logits, label)
    return bool((others > logits[label]).any())
