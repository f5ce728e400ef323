"""The course of a minimal attack: the closest adversarial point known of each sample, and how it becomes a witness."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import chain
from typing import ClassVar

import numpy as np

from verifier.attacks.minimal.geometry import dual, lengths, to_hyperplane
from verifier.attacks.minimal.known import SLACK, Known
from verifier.attacks.minimal.problem import Perturbation, Problem, distance_up
from verifier.attacks.minimal.restoring import restored
from verifier.deadline import Deadline
from verifier.errors import UsageError

SECANTS = 12
"""Steps to the boundary on a segment."""
PUSHES = 10
"""How often a witness that fails is pushed on, each time four times as far; the last one by 3 % of its distance."""


class Hunt(Known):
    """What is known, and how the closest points become witnesses."""

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
            point = self.problem.witness_at(candidate)
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
