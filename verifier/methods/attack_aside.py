"""Attacks beside a search, from the best points that those before it have left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from verifier.arrays import convert_like, to_numpy
from verifier.attacks.pgd import Best, attack
from verifier.deadline import Deadline
from verifier.methods.falsify import THOROUGH, best_of, reachable
from verifier.methods.task import Task
from verifier.search.aside import Turns
from verifier.verdict import Witness

MOST_CANDIDATES = 16
"""Points of a turn that are judged though they hardly violate anything."""

SURE = -1e-6
"""Margin, relative to the forms, from which on a point is taken for a violation before it is judged."""


@dataclass(frozen=True, eq=False)
class _Turn:
    """What a process needs for a turn, or has found in one.

    Attributes:
        disjuncts: to be attacked.
        seconds: of the turn.
        random: of its starts.
        margins, points, minimisers, rounds: as in `Best`.
        candidates: disjuncts and points that are to be judged.
    """

    disjuncts: list[int]
    seconds: float
    random: np.random.Generator
    margins: dict[int, float]
    points: dict[int, np.ndarray]
    minimisers: dict[int, np.ndarray]
    rounds: int
    candidates: list[tuple[int, np.ndarray]] = field(default_factory=list)


class AttackAside:
    """Attacks beside a search (`search.aside.Aside`): they descend in a process of its crew and are judged here.

    Args:
        task: whose best points are gone on from.
        disjuncts: those of the search.
    """

    def __init__(self, task: Task, disjuncts: Sequence[int]) -> None:
        self.task, self.disjuncts = task, [int(d) for d in disjuncts]
        self._target = best_of(task).target  # made before the processes, which inherit it
        self._began = self._lowest

    @property
    def _lowest(self) -> float:
        return min((m for d, m in self._best.margins.items() if d in self.disjuncts), default=math.inf)

    @property
    def _best(self) -> Best:
        assert self.task.nearest is not None
        return self.task.nearest

    def part(self, seconds: float) -> _Turn:
        """A turn on what is open."""
        best, targets = self._best, [d for d in reachable(self.task) if d in self.disjuncts]
        return _Turn(targets, seconds, self.task.random(), best.margins, best.points, self.task.minimisers, best.rounds)

    def work(self, part: _Turn) -> _Turn:
        """Descends until the time is up or something is a violation by the network's own arithmetic."""
        candidates: list[tuple[int, np.ndarray]] = []

        def judge(disjunct: int, point: np.ndarray) -> Witness | None:
            if len(candidates) < MOST_CANDIDATES:
                candidates.append((disjunct, point))
            forms = self._target.forms.forward(convert_like(self._target.example)(point[None]))
            margin = self.task.query.patterns.margin(disjunct, to_numpy(forms)[0])
            if margin > SURE * (1.0 + float(np.abs(to_numpy(forms)).max())):
                return None
            candidates.append((disjunct, point))
            return Witness(point.astype(np.float32), np.zeros(0))

        best = Best(
            replace(self._target, judge=judge), dict(part.margins), dict(part.points), part.minimisers, part.rounds
        )
        attack(best, part.disjuncts, THOROUGH, part.random, Deadline(part.seconds))
        return replace(
            part, margins=best.margins, points=best.points, minimisers={}, rounds=best.rounds, candidates=candidates
        )

    def taken(self, result: _Turn) -> bool:
        """Takes note of what came nearest, and judges what may be a violation, the surest first."""
        best = self._best
        best.margins, best.points, best.rounds = result.margins, result.points, result.rounds
        return any(self.task.accepts(d, point) for d, point in reversed(result.candidates))

    def pointed_out(self, disjunct: int, point: np.ndarray) -> None:
        """The next turn begins there too."""
        self.task.minimisers[disjunct] = point

    def explain(self, turns: Turns) -> None:
        """Tells how the time was shared, and what came of it."""
        if not turns.count:
            return
        bounds = f"its bound rose from {turns.first:.4g} to {turns.last:.4g}"
        nearest = f"attacks came from {self._began:.4g} to {self._lowest:.4g}"
        self.task.explain(
            f"beside the search attacks had {turns.count} turns, {turns.seconds:.1f} s: {bounds}, {nearest}"
        )
