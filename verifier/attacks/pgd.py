"""Projected gradient descent on the margin of every disjunct at once (Madry et al., arXiv 1706.06083).

A disjunct is violated where all its rows' excesses (form - threshold) are at most 0. Each start descends the sum of
its positive excesses by signed steps in proportion to the box's widths; the step shrinks by a cosine schedule. A batch
holds several starts of many disjuncts. Points that seem to violate are given to the judge, which replays them; the
descent goes on where the judge says no, so that a start that only touches the boundary gets a strict witness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.attacks.gradient import outputs_and_gradient
from verifier.deadline import Deadline
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.verdict import Witness

Judge = Callable[[int, np.ndarray], Witness | None]
"""Given a disjunct's index and a point (float64), the witness it makes, or None."""


@dataclass(frozen=True)
class AttackOptions:
    """How hard to try.

    Attributes:
        starts: starts for each disjunct in one round: the centre, then uniformly random points of the box.
        steps: gradient steps of a round.
        rounds: rounds, each with new starts; the deadline may end them earlier.
        first_step: the first step as a share of the box's width.
        batch_entries: the most values of the widest node in one batch.
    """

    starts: int = 8
    steps: int = 40
    rounds: int = 1
    first_step: float = 0.25
    batch_entries: int = 1 << 21


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
    target: Target, disjuncts: Sequence[int], options: AttackOptions, rng: np.random.Generator, deadline: Deadline
) -> Witness | None:
    """The first witness found for one of `disjuncts`, or None when the rounds or the time are used up."""
    widest = max(node.size for node in target.forms.nodes)
    batch = max(1, options.batch_entries // (widest * options.starts))
    for number in range(options.rounds):
        for first in range(0, len(disjuncts), batch):
            if deadline.expired:
                return None
            chosen = np.repeat(np.asarray(disjuncts[first : first + batch]), options.starts)
            witness = _Descent(target, chosen, rng, first_round=number == 0).run(options, deadline)
            if witness is not None:
                return witness
    return None


class _Descent:
    """One batch of starts: row n works on disjunct `owners[n]`."""

    def __init__(self, target: Target, owners: np.ndarray, rng: np.random.Generator, first_round: bool) -> None:
        self.target, self.owners = target, owners
        convert = convert_like(target.example)
        boxes = [target.query.disjuncts[d].box for d in owners]
        lower, upper = np.stack([b.lower for b in boxes]), np.stack([b.upper for b in boxes])
        share = rng.random(lower.shape)
        if first_round:  # the first start of each disjunct is its centre
            share[np.r_[True, owners[1:] != owners[:-1]]] = 0.5
        self.lower, self.upper, self.width = convert(lower), convert(upper), convert(upper - lower)
        self.x = convert(lower + share * (upper - lower))
        self.thresholds = convert(self._table_of_thresholds())
        self.judged = np.full(len(owners), math.inf)

    def _table_of_thresholds(self) -> np.ndarray:
        """Thresholds of each start's forms, shape (N, K); infinite for the forms its disjunct does not use."""
        patterns = self.target.query.patterns
        table = np.full((len(self.owners), patterns.count), math.inf)
        for n, d in enumerate(self.owners):
            np.minimum.at(table[n], patterns.rows[d], patterns.thresholds[d])
        return table

    def run(self, options: AttackOptions, deadline: Deadline) -> Witness | None:
        xp = namespace(self.x)
        for step in range(options.steps + 1):
            forms, gradient = outputs_and_gradient(self.target.forms, self.x, self._weights)
            for n, point in self._promising(forms):
                witness = self.target.judge(int(self.owners[n]), point)
                if witness is not None:
                    return witness
            if deadline.expired:
                return None
            size = options.first_step * 0.5 * (1 + math.cos(math.pi * step / (options.steps + 1)))
            moved = self.x - size * self.width * xp.sign(gradient)
            self.x = xp.minimum(xp.maximum(moved, self.lower), self.upper)
        return None

    def _weights(self, forms: Array) -> Array:
        """1 for every row still in excess; where none is, for the row nearest to being so."""
        xp = namespace(forms)
        excess = forms - self.thresholds
        worst = xp.max(excess, axis=1, keepdims=True)
        return xp.astype((excess > 0) | (excess >= worst), forms.dtype)

    def _promising(self, forms: Array) -> Iterator[tuple[int, np.ndarray]]:
        """Starts whose margin is (nearly) at most 0 and lower than when they were last judged, best first."""
        excess = to_numpy(namespace(forms).max(forms - self.thresholds, axis=1))
        scale = 1e-6 * (1.0 + np.abs(to_numpy(forms)).max(axis=1, initial=0.0))
        candidates = np.flatnonzero((excess <= scale) & (excess < self.judged))
        for n in candidates[np.argsort(excess[candidates])][:16]:
            self.judged[n] = excess[n]
            yield int(n), to_numpy(self.x[int(n)])
