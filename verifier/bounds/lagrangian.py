"""The dual function of the relaxed network: a lower bound for any places and multipliers, and its gradient.

With every function replaced by one of its lines, chosen by the sign of its coefficient, a linear row on the last node
becomes a linear row on the input, whose minimum over the box is a lower bound. Multipliers add the constraints
lower <= z <= upper of operand entries to the objective (Wang et al., arXiv 2103.06624, beta-CROWN: there for split
relus only), weights combine the rows of a conjunction. The bound is differentiable almost everywhere, and no automatic
differentiation is needed: evaluating the *linearised* network at the minimiser gives a value v for every node, and

    d bound / d place       =  row of the function's entry  *  (rate of the line in its place, at v)
    d bound / d multiplier  =  v - the side of the interval that presses
    d bound / d weight      =  v of the row - its threshold,

and where entries that add up to 1 share their coefficients (`network.shares`), what the v of these exceed 1 by.

Nothing here covers rounding (it may well run in float32): what it finds is a choice of places and multipliers, which
`bounds.optimise` turns into a proven bound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.arrays import Array, convert_like, namespace, zeros
from verifier.bounds.choosers import Chooser, Line
from verifier.bounds.enclosure import Interval, minimiser
from verifier.bounds.relaxation import Relaxation
from verifier.network.graph import Affine, Elementwise, Network, Product, evaluate
from verifier.network.shares import Taken

FIRST_PRESSURE = 0.1
"""Multiplier of a cut entry after the rows' node at first, in units of `Lagrangian.exchange`."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What is bounded: for each subproblem the minimum over inputs of the largest of R (row . node - threshold).

    Attributes:
        node: the node the rows are on.
        coefficients: shape (N, R, size).
        thresholds: shape (N, R); infinite for rows that do not exist.
        cuts: positions in the layout's vector of intervals that have a multiplier, integers on the host, shape (N, C),
            -1 where there are fewer than C, no position twice in a row.
        reach: the last node of which cuts have a multiplier; one before `node` means `node`.
    """

    node: int
    coefficients: Array
    thresholds: Array
    cuts: np.ndarray
    reach: int = 0

    @property
    def top(self) -> int:
        """The node at which a pass starts."""
        return max(self.node, self.reach)

    def combined(self, weights: Array) -> Array:
        """The rows' weighted sum, shape (N, size); a single row is taken as it is."""
        if weights.shape[1] == 1:
            return self.coefficients[:, 0, :]
        return namespace(weights).sum(weights[:, :, None] * self.coefficients, axis=1)


@dataclass(frozen=True, eq=False)
class Choice:
    """What a bound may choose, for N subproblems; any values are sound.

    Attributes:
        places: shape (N, layout.place_count), in [0, 1].
        multipliers: of the rows' cuts, shape (N, C); positive ones press an entry's upper end, negative its lower.
        weights: shape (N, R), not negative, sum 1.
    """

    places: Array
    multipliers: Array
    weights: Array


@dataclass(frozen=True, eq=False)
class Pressed:
    """The cut entries of one node, shape (P,) each.

    Attributes:
        subproblem, cut: which of the N, and which of its C cuts.
        entries, cuts: where they stand in flattened arrays of shape (N, size) and (N, C): quicker than two indices.
        lower, upper: the ends of their intervals.
    """

    subproblem: Array
    cut: Array
    entries: Array
    cuts: Array
    lower: Array
    upper: Array


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A bound and how it came about.

    Attributes:
        bound: shape (N,).
        point: where the input set has the minimum, shape (N, input_size).
        lines: for each function or product node reached, what the row chose there.
        rows: for each node with cuts, the row that arrived there before its multipliers were added, shape (N, size).
        taken: for each node whose entries add up to 1, what they shared.
    """

    bound: Array
    point: Array
    lines: dict[int, Line]
    rows: dict[int, Array]
    taken: dict[int, Taken]


class Lagrangian:
    """The dual function of N subproblems.

    Args:
        network: with its weights in the array library and dtype to compute in.
        relaxation: of the same network.
        rows: what is bounded, N subproblems.

    Attributes:
        pressed: the cut entries of each node that has some, by index.
        later: of these, the nodes after that of the rows.
    """

    def __init__(self, network: Network, relaxation: Relaxation, rows: Rows) -> None:
        intervals, shape = relaxation.intervals, relaxation.shape
        self.network, self.shape, self.rows = network, shape, rows
        self.example = rows.coefficients
        xp = namespace(self.example)
        self.count = int(rows.coefficients.shape[0])
        lower, upper = (xp.astype(a, self.example.dtype) for a in (intervals[0].lower, intervals[0].upper))
        self.inputs = Interval(lower, upper, intervals[0].ball)
        self.choosers: dict[int, Chooser] = {}
        self.shares = {k: (relaxation.network.shares[k], slot.part) for k, slot in shape.shared_places.items()}
        self.pressed = {
            k: self._cut_entries(k, intervals[k], *where)
            for k, where in shape.located(rows.cuts).items()
            if k <= rows.top
        }
        self.later = [k for k in self.pressed if k > rows.node]
        needed = ancestors(network, rows.node).union(*(ancestors(network, k) for k in self.later))
        for k in sorted(needed):
            node = network.nodes[k]
            if isinstance(node, (Elementwise, Product)):
                self.choosers[k] = Chooser(relaxation, k, self.example, self.count)
        self._thresholds = xp.where(xp.isfinite(rows.thresholds), rows.thresholds, 0.0)
        self._range = self._range_of_rows(intervals[rows.node]) if self.later else None

    def _range_of_rows(self, interval: Interval) -> Array:
        """How far apart the values of each subproblem's rows may lie, shape (N,)."""
        xp = namespace(self.example)
        widths = xp.astype(interval.upper - interval.lower, self.example.dtype)
        sizes = xp.max(xp.abs(self.rows.coefficients), axis=1)
        return xp.sum(xp.where(sizes == 0, 0.0, sizes * widths), axis=1)

    def exchange(self, k: int) -> Array:
        """What a cut entry of a later node weighs beside the rows, by the widths of both, shape (P,)."""
        xp, pressed = namespace(self.example), self.pressed[k]
        assert self._range is not None
        width, ones = pressed.upper - pressed.lower, xp.ones_like(pressed.upper)
        rate = xp.take(self._range, pressed.subproblem) / xp.where(width > 0, width, ones)
        return xp.where(xp.isfinite(rate), rate, ones)

    def _cut_entries(self, k: int, interval: Interval, n: np.ndarray, c: np.ndarray, entry: np.ndarray) -> Pressed:
        convert, xp = convert_like(self.example), namespace(self.example)
        place = convert(n if interval.lower.shape[0] > 1 else np.zeros_like(n)), convert(entry)
        ends = (xp.astype(a[place], self.example.dtype) for a in (interval.lower, interval.upper))
        entries, cuts = n * self.network.nodes[k].size + entry, n * self.rows.cuts.shape[1] + c
        return Pressed(convert(n), convert(c), convert(entries), convert(cuts), *ends)

    def evaluate(self, choice: Choice) -> Evaluation:
        """The bound that a choice gives."""
        xp = namespace(self.example)
        for chooser in self.choosers.values():
            chooser.place(choice.places)
        row = self.rows.combined(choice.weights)
        total = -xp.sum(choice.weights * self._thresholds, axis=1)
        pending: dict[int, Array] = {self.rows.node: row}
        lines: dict[int, Line] = {}
        rows: dict[int, Array] = {}
        taken: dict[int, Taken] = {}
        for k in range(self.rows.top, 0, -1):
            if k in self.later and k not in pending:
                pending[k] = zeros(self.example, (self.count, self.network.nodes[k].size))
            if k not in pending:
                continue
            row = pending.pop(k)
            if k in self.pressed:
                rows[k] = row
                row, constant = self._press(self.pressed[k], row, choice.multipliers)
                total = total + constant
            if k in self.shares:
                shares, part = self.shares[k]
                row, taken[k] = shares.take_off(row, choice.places[:, part])
                total = total + xp.sum(taken[k].off, axis=1)
            node = self.network.nodes[k]
            if isinstance(node, Affine):
                total = total + row @ node.bias
                moved = [m.adjoint(row) for m in node.maps]
            else:
                lines[k] = line = self.choosers[k].chosen(row)
                total = total + line.constant()
                moved = line.moved()
            for operand, part in zip(node.operands, moved, strict=True):
                pending[operand] = pending[operand] + part if operand in pending else part
        row = pending.get(0)
        if row is None:
            row = zeros(self.example, (self.count, self.network.input_size))
        point = minimiser(self.inputs, row)
        return Evaluation(total + xp.vecdot(row, point), point, lines, rows, taken)

    def _press(self, pressed: Pressed, row: Array, multipliers: Array) -> tuple[Array, Array]:
        """The row with the multipliers of one node's cuts added, and the constant they bring."""
        xp = namespace(row)
        pressure = _flat_take(multipliers, pressed.cuts)
        sides = pressure * xp.where(pressure > 0, pressed.upper, pressed.lower)
        row = row + _flat_put(zeros(row, row.shape), pressed.entries, pressure)
        return row, -xp.sum(_flat_put(zeros(multipliers, multipliers.shape), pressed.cuts, sides), axis=1)

    def values(self, evaluation: Evaluation) -> dict[int, Array]:
        """The value of every node reached of the linearised network at the minimiser, shape (N, size).

        It is the derivative of the bound by the node's row; where entries share coefficients, they add up to 1.
        """
        values = {0: evaluation.point}
        for k in range(1, self.rows.top + 1):
            node = self.network.nodes[k]
            if any(i not in values for i in node.operands):
                continue
            if isinstance(node, Affine):
                values[k] = evaluate(node, [values[i] for i in node.operands], evaluation.point)
            elif k in evaluation.lines:
                values[k] = evaluation.lines[k].at([values[i] for i in node.operands])
                if k in evaluation.taken:
                    taken, (shares, _) = evaluation.taken[k], self.shares[k]
                    values[k] = shares.balanced(values[k], shares.excess(values[k]), taken)
        return values

    def gradient(self, choice: Choice, evaluation: Evaluation) -> Choice:
        """The derivatives of the bound by places, multipliers and weights."""
        xp = namespace(self.example)
        values = self.values(evaluation)
        places, multipliers = xp.zeros_like(choice.places), zeros(choice.multipliers, choice.multipliers.shape)
        for k, line in evaluation.lines.items():
            operands = [values[i] for i in self.network.nodes[k].operands]
            for part, rate in self.choosers[k].rates(line, operands):
                places[:, part] = rate
            if k in self.shares:
                shares, part = self.shares[k]
                places[:, part] = -evaluation.taken[k].rate * shares.excess(line.at(operands))
        for k, pressed in self.pressed.items():
            if k in values:
                value, pressure = _flat_take(values[k], pressed.entries), _flat_take(choice.multipliers, pressed.cuts)
                above, below = value - pressed.upper, value - pressed.lower
                at_rest = xp.where(above > 0, above, xp.where(below < 0, below, xp.zeros_like(value)))
                rising = xp.where(pressure > 0, above, below)
                _flat_put(multipliers, pressed.cuts, xp.where(pressure == 0, at_rest, rising))
        weights = xp.zeros_like(choice.weights)
        if weights.shape[1] > 1:
            top = values[self.rows.node][:, None, :]
            weights = xp.sum(self.rows.coefficients * top, axis=2) - self._thresholds
        return Choice(places, multipliers, weights)


def _flat_take(a: Array, where: Array) -> Array:
    xp = namespace(a)
    return xp.take(xp.reshape(a, (-1,)), where)


def _flat_put(a: Array, where: Array, values: Array) -> Array:
    """`a`, contiguous, with values at places of the flattened array."""
    namespace(a).reshape(a, (-1,), copy=False)[where] = values
    return a


def ancestors(network: Network, node: int) -> set[int]:
    """The node and all that it is computed from."""
    found = {node}
    for k in range(node, 0, -1):
        if k in found:
            found.update(network.nodes[k].operands)
    return found


def first_choice(lagrangian: Lagrangian) -> Choice:
    """The lines that are best by themselves (CROWN's), equal weights, and of multipliers those of later nodes alone.

    These begin above 0, as a row of zeros takes lines that say nothing of where a multiplier leads.
    """
    xp, example, shape = namespace(lagrangian.example), lagrangian.example, lagrangian.shape
    places = xp.zeros_like(zeros(example, (lagrangian.count, shape.place_count)))
    for _, part in lagrangian.shares.values():
        places[:, part] = 0.5
    for chooser in lagrangian.choosers.values():
        for part, start in chooser.starts():
            places[:, part] = start
    exists = xp.astype(xp.isfinite(lagrangian.rows.thresholds), example.dtype)
    weights = exists / xp.sum(exists, axis=1, keepdims=True)
    multipliers = xp.zeros_like(zeros(example, lagrangian.rows.cuts.shape))
    for k in lagrangian.later:
        pressed = lagrangian.pressed[k]
        multipliers[pressed.subproblem, pressed.cut] = FIRST_PRESSURE * lagrangian.exchange(k)
    return Choice(places, multipliers, weights)
