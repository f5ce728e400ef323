"""Optimised linear bounds: ascent on the dual function, then one proven evaluation of what it found.

alpha-CROWN (Xu et al., arXiv 2011.13824) optimises the slopes, beta-CROWN (Wang et al., arXiv 2103.06624) multipliers
of split constraints; both are the same ascent here (`bounds.lagrangian`). The ascent may run in float32, as nothing
rests on it: its result is a choice, and `proven` bounds with that choice in float64, rounding covered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import reduce

import numpy as np

from verifier.arrays import Array, convert_like, namespace, zeros
from verifier.bounds.backward import BackwardPass, Enclosure, Pressure
from verifier.bounds.choosers import Columns
from verifier.bounds.enclosure import Interval
from verifier.bounds.lagrangian import Choice, Evaluation, Lagrangian, Rows
from verifier.bounds.layout import Slot
from verifier.bounds.relaxation import Relaxation
from verifier.network.graph import Network
from verifier.property.support import Minimum
from verifier.relaxations.families import Family
from verifier.tolerances import UNDERFLOW, gamma


@dataclass(frozen=True)
class AscentOptions:
    """How an ascent moves (Adam; Kingma & Ba, arXiv 1412.6980).

    Attributes:
        steps: gradient steps.
        place_rate: first step of a place, which lives in [0, 1].
        multiplier_rate: first step of a multiplier, in units of the size of its node's row.
        weight_rate: first exponent of a weight's growth.
        decay: of the rates, per step.
    """

    steps: int = 20
    place_rate: float = 0.25
    multiplier_rate: float = 0.25
    weight_rate: float = 0.5
    decay: float = 0.93


class _Adam:
    """First and second moments of one array of variables."""

    def __init__(self, like: Array) -> None:
        xp = namespace(like)
        self.first, self.second, self.step = xp.zeros_like(like), xp.zeros_like(like), 0

    def direction(self, gradient: Array) -> Array:
        """The next step at rate 1."""
        xp = namespace(gradient)
        self.step += 1
        self.first = 0.9 * self.first + 0.1 * gradient
        self.second = 0.999 * self.second + 0.001 * gradient * gradient
        scale = (1 - 0.999**self.step) ** 0.5 / (1 - 0.9**self.step)
        return scale * self.first / (xp.sqrt(self.second) + 1e-20)

    def of(self, rows: Array) -> _Adam:
        """The same for some rows."""
        part = copy(self)
        part.first, part.second = self.first[rows], self.second[rows]
        return part


class Ascent:
    """Gradient ascent on the dual function of a batch.

    Args:
        lagrangian: the dual function.
        start: where to begin.
        options: how to move.

    Attributes:
        best: the choice with the greatest bound so far, of each subproblem.
        bound: that bound, shape (N,).
        done: whether there is no step left, or none was needed.
    """

    def __init__(self, lagrangian: Lagrangian, start: Choice, options: AscentOptions) -> None:
        self.lagrangian, self.options = lagrangian, options
        self.now = self.best = start
        self._places, self._multipliers = _Adam(start.places), _Adam(start.multipliers)
        self._rate, self._step = 1.0, 0
        self._units: Array | None = None
        self.done = False
        self.bound = namespace(start.weights).full_like(start.weights[:, 0], -float("inf"))

    def run(self, enough: float = 0.0, most: int | None = None) -> None:
        """Ascends until every bound exceeds `enough` or the steps are used up; `best` and `bound` hold the best.

        With `most`, so many steps of it at once; `done` tells whether there is more.
        """
        xp = namespace(self.bound)
        last = self.options.steps + 1 if most is None else self._step + most
        while self._step < last and not self.done:
            evaluation = self.lagrangian.evaluate(self.now)
            self._remember(evaluation)
            self.done = self._step == self.options.steps or bool(xp.all(self.bound > enough))
            if not self.done:
                self._move(self.lagrangian.gradient(self.now, evaluation), evaluation)
                self._step += 1

    def of(self, rows: Array, lagrangian: Lagrangian) -> Ascent:
        """The same ascent of some of its subproblems, whose dual function it is given."""
        part = copy(self)
        part.lagrangian, part.bound = lagrangian, self.bound[rows]
        part.now, part.best = (Choice(*(a[rows] for a in _arrays(choice))) for choice in (self.now, self.best))
        part._places, part._multipliers = self._places.of(rows), self._multipliers.of(rows)
        part._units = None if self._units is None else self._units[rows]
        return part

    def _remember(self, evaluation: Evaluation) -> None:
        xp = namespace(self.bound)
        better = evaluation.bound > self.bound
        self.bound = xp.where(better, evaluation.bound, self.bound)
        if bool(xp.all(better)):
            self.best = self.now
            return
        pairs = zip(_arrays(self.now), _arrays(self.best), strict=True)
        self.best = Choice(*(xp.where(better[:, None], new, old) for new, old in pairs))

    def _move(self, gradient: Choice, evaluation: Evaluation) -> None:
        xp, options, now = namespace(self.bound), self.options, self.now
        if self._units is None:
            self._units = self._row_sizes(evaluation)
        places = now.places + self._rate * options.place_rate * self._places.direction(gradient.places)
        multipliers, weights = now.multipliers, now.weights
        if multipliers.shape[1] > 0:
            step = self._rate * options.multiplier_rate * self._units
            multipliers = now.multipliers + step * self._multipliers.direction(gradient.multipliers)
            multipliers = xp.where(multipliers * now.multipliers < 0, xp.zeros_like(multipliers), multipliers)
        if weights.shape[1] > 1:
            weights = _grown(weights, gradient.weights, self._rate * options.weight_rate)
        self.now = Choice(xp.clip(places, 0.0, 1.0), multipliers, weights)
        self._rate *= options.decay

    def _row_sizes(self, evaluation: Evaluation) -> Array:
        """A unit for each multiplier: the size of its node's row, or of those of the functions that it feeds."""
        lagrangian, units = self.lagrangian, namespace(self.bound).zeros_like(self.now.multipliers)
        fed: dict[int, list[Array]] = {k: [row] for k, row in evaluation.rows.items()}
        for k, line in evaluation.lines.items():
            for operand in lagrangian.network.nodes[k].operands:
                if operand in fed:
                    fed[operand].append(line.row)
        for k, rows in fed.items():
            pressed, sizes = lagrangian.pressed[k], _largest(_root_mean_square(row) for row in rows)
            unit = lagrangian.exchange(k) if k in lagrangian.later else sizes[pressed.subproblem]
            units[pressed.subproblem, pressed.cut] = unit
        return units


def _root_mean_square(rows: Array) -> Array:
    xp = namespace(rows)
    return xp.sqrt(xp.vecdot(rows, rows) / rows.shape[1])


def _largest(several: Iterable[Array]) -> Array:
    return reduce(lambda a, b: namespace(a).maximum(a, b), several)


def _arrays(choice: Choice) -> tuple[Array, Array, Array]:
    return choice.places, choice.multipliers, choice.weights


def _grown(weights: Array, gradient: Array, rate: float) -> Array:
    """One step of exponentiated gradient on the simplex; rows with a smaller value lose weight."""
    xp = namespace(weights)
    scale = xp.max(xp.abs(gradient), axis=1, keepdims=True) + 1e-30
    # Ascent in the weights of a maximum over weights: rows with a larger value gain.
    raised = weights * xp.exp(rate * gradient / scale)
    return raised / xp.sum(raised, axis=1, keepdims=True)


def proven(relaxation: Relaxation, rows: Rows, choice: Choice) -> Minimum:
    """A bound of the largest (row . node - threshold), rounding covered, from any choice; shapes (N,), (N, input_size).

    Args:
        relaxation: of the network in float64.
        rows: in float64.
        choice: any numbers; those that are not finite make the bound -inf.
    """
    network, intervals, shape = relaxation.network, relaxation.intervals, relaxation.shape
    xp = namespace(rows.coefficients)
    choice = Choice(*(xp.astype(a, xp.float64) for a in _arrays(choice)))
    places = xp.clip(choice.places, 0.0, 1.0)
    weights = xp.maximum(choice.weights, zeros(choice.weights, (1,)))
    weights = weights / xp.sum(weights, axis=1, keepdims=True)  # so that the bound is in the units of a margin

    def enclose(k: int) -> Enclosure:
        magnitudes = tuple(intervals[i].magnitude for i in network.nodes[k].operands)
        columns = Columns(relaxation.columns(k), (len(places), network.nodes[k].size), places)
        slots = shape.lower_places.get(k), shape.upper_places.get(k)
        sides = []
        families = zip(relaxation.families(k), relaxation.closed(k), slots, (-1.0, 1.0), strict=True)
        for family, closed, slot, outwards in families:
            slopes, intercept = _placed(family, slot, places, tuple(map(columns.of, magnitudes)), outwards)
            pairs = [*zip(closed.slopes[0], slopes, strict=True), (closed.intercepts[0], intercept)]
            sides.append([columns.put_into(whole, part) for whole, part in pairs])
        (*low_slopes, low), (*high_slopes, high) = sides
        return Enclosure(tuple(low_slopes), tuple(high_slopes), low, high)

    cuts = {k: where for k, where in shape.located(rows.cuts).items() if k <= rows.top}
    pressures = _pressures(network, intervals, cuts, choice.multipliers)
    combined = rows.combined(weights)
    shared = {k: places[:, slot.part] for k, slot in shape.shared_places.items()}
    found = BackwardPass(network, intervals, enclose, pressures, shared).minimum(rows.node, combined[:, None, :])
    thresholds = xp.where(xp.isfinite(rows.thresholds), rows.thresholds, 0.0)
    products = weights * thresholds
    constant = xp.sum(products, axis=1)
    # The rows' combination is itself rounded, once a product and once a sum.
    size = xp.sum(weights[:, :, None] * xp.abs(rows.coefficients), axis=1)
    size = xp.where(size == 0, 0.0, size * intervals[rows.node].magnitude)
    error = gamma(weights.shape[1] + rows.coefficients.shape[2]) * (
        xp.sum(size, axis=1) + xp.sum(xp.abs(products), axis=1) + xp.abs(found.bound[:, 0])
    )
    bound = found.bound[:, 0] - constant - error - UNDERFLOW
    return Minimum(xp.where(xp.isfinite(bound), bound, -xp.inf), found.point[:, 0, :])


def _placed(
    family: Family, slot: Slot | None, places: Array, magnitudes: tuple[Array, ...], outwards: float
) -> tuple[tuple[Array, ...], Array]:
    """The lines of open entries at their places, moved outwards by the rounding of the mix."""
    if slot is None or family.count == 1:
        return family.slopes[0], family.intercepts[0]
    mix = family.mixed(places[:, slot.part])
    return mix.slopes, mix.intercept if family.exact else mix.intercept + outwards * family.margin(magnitudes)


def _pressures(
    network: Network, intervals: Sequence[Interval], cuts: Mapping[int, tuple[np.ndarray, ...]], multipliers: Array
) -> dict[int, Pressure]:
    """The multipliers of each node's cuts; an infinite side takes none."""
    xp, convert = namespace(multipliers), convert_like(multipliers)
    pressures: dict[int, Pressure] = {}
    for k, where in cuts.items():
        subproblem, cut, entry = (convert(a) for a in where)
        full = zeros(multipliers, (multipliers.shape[0], network.nodes[k].size))
        full[subproblem, entry] = multipliers[subproblem, cut]
        side = xp.where(full > 0, intervals[k].upper, intervals[k].lower)
        usable = xp.isfinite(side)
        pressures[k] = Pressure(xp.where(usable, full, 0.0), xp.where(usable, side, 0.0))
    return pressures
