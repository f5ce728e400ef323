"""Projected gradient descent on the margins of disjuncts, many at once (Madry et al., arXiv 1706.06083).

A disjunct is violated where all its rows' excesses (form - threshold) are at most 0; the worst of them is its margin.
Every start moves by signed steps in proportion to the box's widths, which a cosine schedule shrinks. In a ball it moves
along the steepest way that box and ball allow (for norm 2 the gradient's, for norm 1 that of its largest entries) and
is held in both. Points that seem to violate are given to the judge, which replays them; the descent goes on where the
judge says no, so that a start that only touches the boundary gets a strict witness; float32 numbers beside it are
judged as well.

What makes starts differ, each found to matter: half begin around the best point known of their disjunct, every other
of these with short steps; half keep some of the directions so far; one begins where a relaxation is least; an eighth,
but at least one, first follows a random mixture of the forms, which leads off plateaus that all random points share
(Tashiro et al., arXiv 2003.06878); every other one minds the worst row alone. Rounds go by successive halving: all
disjuncts, then the more promising half with twice the starts, and so on, then all again with more steps.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy, zeros
from verifier.attacks.gradient import outputs_and_gradient
from verifier.deadline import Deadline
from verifier.network.graph import Network
from verifier.property.balls import Ball
from verifier.property.query import Query
from verifier.property.support import least
from verifier.verdict import Witness

Judge = Callable[[int, np.ndarray], Witness | None]
"""Given a disjunct's index and a point (float64), the witness it makes, or None."""

HALVINGS = 4
"""Rounds until all disjuncts have their turn again."""
GROWTH = 1.5
"""By how much the steps of a round grow whenever all disjuncts had their turn."""
MOMENTUM = 0.75
"""Part of the directions so far that a step keeps (Dong et al., arXiv 1710.06081)."""
BESIDE = 6
"""Inputs beside one that is refused which are judged as well."""
STAYING = 2
"""One of so many starts around the best point begins with steps no longer than it is away from there."""
LEAST_STEP = 0.1
"""The first step of starts around the best point, as a part of that of others, at least."""
NARROWEST = 0.02
"""Of their first width, that of the slopes of jumps at the end of a descent."""
NEAREST, FARTHEST = 1e-3, 0.5
"""How far from the best point the starts around it lie, as shares of the box's width."""


@dataclass(frozen=True)
class AttackOptions:
    """How hard to try.

    Attributes:
        starts: starts for each disjunct in one round, at least.
        most_starts: and at most, where there are few disjuncts and the network is small.
        steps: gradient steps of a round.
        wandering: steps, before these, along random mixtures of the forms, from the second round on.
        rounds: rounds, each with new starts; the deadline may end them earlier.
        most_steps: to which steps and wandering grow, by half whenever all disjuncts had their turn.
        first_step: the first step as a share of the box's width; wandering goes by twice that.
        batch_entries: values of the widest node that a batch is to have.
    """

    starts: int = 4
    most_starts: int = 256
    steps: int = 30
    most_steps: int = 1000
    wandering: int = 5
    rounds: int = 1
    first_step: float = 0.25
    batch_entries: int = 1 << 15


@dataclass(frozen=True)
class Target:
    """What the attack works on.

    Attributes:
        forms: the network whose outputs are the linear forms of the query (`property.forms.with_forms`).
        query: what is to be violated.
        judge: decides what counts.
        example: an array of the library, device and dtype to compute on.
    """

    forms: Network
    query: Query
    judge: Judge
    example: Array


def attack(
    best: Best, disjuncts: Sequence[int], options: AttackOptions, rng: np.random.Generator, deadline: Deadline
) -> Witness | None:
    """The first witness found for one of `disjuncts`, or None when the rounds or the time are used up.

    What comes nearest is in `best`, whose target is attacked.
    """
    target = best.target
    rows = max(1, options.batch_entries // max(node.size for node in target.forms.nodes))
    best.survey([d for d in disjuncts if d not in best.margins], rows, deadline)
    for number in range(best.rounds, best.rounds + options.rounds):
        chosen = best.ranked(disjuncts)[: max(1, len(disjuncts) >> number % HALVINGS)]
        starts = min(options.most_starts, max(options.starts, rows // max(1, len(chosen))))
        size = max(1, rows // starts)
        for part in _batches(target.query, chosen, size):
            if deadline.expired:
                return None
            descent = _Descent(target, part, starts, best, rng)
            if number:  # most violations are found without
                descent.wander(options, deadline)
            witness = descent.run(options, _steps(options, number), deadline)
            best.update(descent)
            if witness is not None:
                return witness
        best.rounds = number + 1
    return None


def _steps(options: AttackOptions, number: int) -> int:
    """Steps of a round."""
    growth = GROWTH ** min(number // HALVINGS, 50)
    return min(int(options.steps * growth), max(options.steps, options.most_steps))


def _batches(query: Query, disjuncts: Sequence[int], size: int) -> Iterator[list[int]]:
    """The disjuncts in order, `size` at a time; those of different balls apart."""
    sharing: dict[int, list[int]] = {}
    for d in disjuncts:
        sharing.setdefault(id(query.disjuncts[d].box.ball), []).append(d)
    for group in sharing.values():
        yield from (group[first : first + size] for first in range(0, len(group), size))


@dataclass
class Best:
    """The lowest margin found of each disjunct, and where; the centre of the box to begin with.

    Attributes:
        target: what is attacked.
        margins, points: by disjunct.
        minimisers: of some disjuncts an input that is worth a start.
        rounds: how many attacks had so far; they grow.
    """

    target: Target
    margins: dict[int, float] = field(default_factory=dict)
    points: dict[int, np.ndarray] = field(default_factory=dict)
    minimisers: dict[int, np.ndarray] = field(default_factory=dict)
    rounds: int = 0

    def survey(self, disjuncts: Sequence[int], rows: int, deadline: Deadline) -> None:
        """Takes note of the margins at the centres of the boxes, `rows` boxes at a time."""
        query, convert = self.target.query, convert_like(self.target.example)
        sharing: dict[int, list[int]] = {}
        for d in disjuncts:
            sharing.setdefault(id(query.disjuncts[d].box), []).append(d)
        groups = list(sharing.values())
        for first in range(0, len(groups), rows):
            if deadline.expired:
                return
            part = groups[first : first + rows]
            forms = to_numpy(self.target.forms.forward(convert(np.stack([self.point(group[0]) for group in part]))))
            for group, row in zip(part, forms, strict=True):
                self.margins.update((d, query.patterns.margin(d, row)) for d in group)

    def ranked(self, disjuncts: Sequence[int]) -> list[int]:
        """The disjuncts, the most promising first."""
        return sorted(disjuncts, key=self._margin)

    def _margin(self, disjunct: int) -> float:
        """Infinite where nothing is known (or known but for NaN)."""
        margin = self.margins.get(disjunct, math.inf)
        return math.inf if math.isnan(margin) else margin

    def point(self, disjunct: int) -> np.ndarray:
        """The best point known of a disjunct, float64, shape (input_size,)."""
        found = self.points.get(disjunct)
        return self.target.query.disjuncts[disjunct].box.middle if found is None else found

    def update(self, descent: _Descent) -> None:
        """Takes over what a descent has found."""
        for n in np.argsort(-descent.lowest):  # the lowest of each disjunct is written last
            d = int(descent.owners[n])
            if descent.lowest[n] < self._margin(d):
                self.margins[d], self.points[d] = float(descent.lowest[n]), descent.lowest_at[n]


class _Descent:
    """One batch of starts: row n works on disjunct `owners[n]`; all these have the same ball, or none.

    Attributes:
        lowest, lowest_at: the lowest margin that each start has come by, shape (N,), and where, shape (N, input_size).
    """

    def __init__(
        self, target: Target, disjuncts: Sequence[int], starts: int, best: Best, rng: np.random.Generator
    ) -> None:
        self.rng, self.beside_left = rng, 4 * BESIDE
        self.target, self.owners = target, np.repeat(np.asarray(disjuncts), starts)
        convert = convert_like(target.example)
        boxes = [target.query.disjuncts[d].box for d in self.owners]
        lower, upper = np.stack([b.lower for b in boxes]), np.stack([b.upper for b in boxes])
        number = np.tile(np.arange(starts), len(disjuncts))
        self.ball: Ball | None = boxes[0].ball
        self.lowest_at = _starting_points(
            lower, upper, number, np.stack([best.point(int(d)) for d in self.owners]), rng
        )
        for n in np.flatnonzero(number == starts - 1):
            self.lowest_at[n] = best.minimisers.get(int(self.owners[n]), self.lowest_at[n])
        if self.ball is not None:
            self.lowest_at = self.ball.retracted(self.lowest_at, lower, upper)
        self.lowest, self.judged = np.full(len(self.owners), math.inf), np.full(len(self.owners), math.inf)
        self.x, self.width = convert(self.lowest_at.copy()), convert(upper - lower)
        self.lower, self.upper = convert(lower), convert(upper)
        self.middle = convert(np.stack([b.middle for b in boxes]))
        self.thresholds = convert(self._table_of_thresholds())
        self.mixture = convert(rng.normal(size=self.thresholds.shape))
        self.reach, self.direction = convert(self._first_steps(number, starts)), zeros(self.x, tuple(self.x.shape))
        self.keeps = convert(np.where(number // 2 % 2 == 0, MOMENTUM, 0.0)[:, None])
        self.wanders = convert((number % 8 == 3).astype(np.float64)[:, None])
        self.minds_all = convert(number % 2 == 0)[:, None]

    def _first_steps(self, number: np.ndarray, starts: int) -> np.ndarray:
        """The first step of each start, as a part of the usual: some near the best point are not to leave at once."""
        spread = _spread(starts)
        near = np.clip(2 * spread[np.minimum(number, len(spread) - 1)], LEAST_STEP, 1.0)
        return np.where((number < starts // 2) & (number % STAYING == 1), near, 1.0)[:, None]

    def _table_of_thresholds(self) -> np.ndarray:
        """Thresholds of each start's forms, shape (N, K); infinite for the forms its disjunct does not use."""
        patterns = self.target.query.patterns
        table = np.full((len(self.owners), patterns.count), math.inf)
        for n, d in enumerate(self.owners):
            np.minimum.at(table[n], patterns.rows[d], patterns.thresholds[d])
        return table

    def wander(self, options: AttackOptions, deadline: Deadline) -> None:
        """Moves some of the starts along random mixtures of the forms."""
        for _ in range(options.wandering):
            if deadline.expired:
                return
            _, gradient = outputs_and_gradient(self.target.forms, self.x, lambda forms: self.mixture)
            self._move(gradient, 2 * options.first_step * self.wanders)

    def run(self, options: AttackOptions, steps: int, deadline: Deadline) -> Witness | None:
        """Descends; the first witness on the way, if there is one."""
        for step in range(steps + 1):
            share = 0.5 * (1 + math.cos(math.pi * step / (steps + 1)))
            width = NARROWEST + (1 - NARROWEST) * share
            forms, gradient = outputs_and_gradient(self.target.forms, self.x, self._weights, width)
            for n, promising in self._promising(forms):
                for point in itertools.chain((promising,), self._beside(n, promising, gradient)):
                    witness = self.target.judge(int(self.owners[n]), point)
                    if witness is not None:
                        return witness
            if deadline.expired:
                return None
            self._move(self._kept(gradient), options.first_step * share * self.reach)
        return None

    def _beside(self, n: int, point: np.ndarray, gradient: Array) -> Iterator[np.ndarray]:
        """Inputs a few float32 numbers away from one that rounding may have kept from being a violation.

        Some against the gradient, some anywhere, as the runtime's rounding has no direction; a few in each descent.
        """
        against = -np.sign(np.nan_to_num(to_numpy(gradient)[n]))
        spacing = np.spacing(np.abs(point).astype(np.float32)).astype(np.float64)
        for k in range(min(BESIDE, self.beside_left)):
            self.beside_left -= 1
            direction = against * 4.0 ** (k // 2) if k % 2 == 0 else self.rng.integers(-1, 2, size=len(point))
            yield np.clip(point + direction * spacing, to_numpy(self.lower)[n], to_numpy(self.upper)[n])

    def _kept(self, gradient: Array) -> Array:
        """The gradient, of mean magnitude 1, with a part of those before it."""
        xp = namespace(gradient)
        size = xp.mean(xp.abs(gradient), axis=1, keepdims=True)
        usual = xp.isfinite(size) & (size > 0)
        gradient = xp.where(usual, gradient / xp.where(usual, size, 1.0), gradient)
        self.direction = xp.where(xp.isfinite(gradient), gradient, 0.0) + self.keeps * self.direction
        return self.direction

    def _move(self, gradient: Array, size: float | Array) -> None:
        """The steepest step against the gradient, held in box and ball; `size` is a share of their widths.

        In a box each entry moves by its width. In a ball the step is towards where the gradient's linear function is
        least, seen from the middle.
        """
        xp = namespace(self.x)
        if self.ball is None:
            moved = self.x - size * self.width * xp.sign(gradient)
            self.x = xp.minimum(xp.maximum(moved, self.lower), self.upper)
            return
        gradient = xp.where(xp.isfinite(gradient), gradient, 0.0)
        lowest = least(gradient[:, None, :], self.lower, self.upper, self.ball).point[:, 0, :]
        moved = self.x + 2 * size * (lowest - self.middle)
        self.x = self.ball.retracted(moved, self.lower, self.upper)

    def _weights(self, forms: Array) -> Array:
        """1 for the worst row, and for every other start also for the other rows still in excess."""
        xp = namespace(forms)
        excess = forms - self.thresholds
        worst = xp.max(excess, axis=1, keepdims=True)
        return xp.astype((excess >= worst) | ((excess > 0) & self.minds_all), forms.dtype)

    def _promising(self, forms: Array) -> Iterator[tuple[int, np.ndarray]]:
        """Starts whose margin is (nearly) at most 0 and lower than when they were last judged, best first."""
        margin, points = to_numpy(namespace(forms).max(forms - self.thresholds, axis=1)), to_numpy(self.x)
        better = margin < self.lowest
        self.lowest[better], self.lowest_at[better] = margin[better], points[better]
        scale = 1e-6 * (1.0 + np.abs(to_numpy(forms)).max(axis=1, initial=0.0))
        candidates = np.flatnonzero((margin <= scale) & (margin < self.judged))
        for n in candidates[np.argsort(margin[candidates])][:16]:
            self.judged[n] = margin[n]
            yield int(n), points[n]


def _starting_points(
    lower: np.ndarray, upper: np.ndarray, number: np.ndarray, best: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The first half of the starts lies around the best point, from near to far, the others mostly near the faces."""
    share = rng.random(lower.shape)
    count = int(number.max(initial=0)) + 1
    spread = _spread(count)
    around = best + spread[np.minimum(number, len(spread) - 1)][:, None] * (2 * share - 1) * (upper - lower)
    anywhere = lower + (0.5 - 0.5 * np.cos(math.pi * share)) * (upper - lower)
    return np.clip(np.where((number < count // 2)[:, None], around, anywhere), lower, upper)


def _spread(count: int) -> np.ndarray:
    """How far the first half of so many starts lies from the best point, as shares of the box's width."""
    return np.geomspace(NEAREST, FARTHEST, max(1, count // 2))
