"""Linear bounds (CROWN) of many small boxes, where every box asks about rows of its own.

In a small box few entries of a function are still open, and other ones than in the box beside it. So each box gets
backward rows for its own open entries only; shorter lists are padded. A row goes back through a function in mean and
half-difference form: with lines (m - h) x + (c - d) below and (m + h) x + (c + d) above, a row `a` becomes
a m - |a| h with the constant a c - |a| d. That takes one pass less over the rows than a case distinction by sign, and
has room for the rounding error in d. Errors are those of `bounds.backward`, bounded by norms where that saves a pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from verifier.arrays import Array, convert_like, namespace, zeros
from verifier.bounds.enclosure import Interval, intersected, minimum
from verifier.bounds.interval import affine_magnitude, node_interval
from verifier.bounds.layout import open_entries
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.relaxations.lines import Policy, lines
from verifier.relaxations.products import chosen_planes
from verifier.tolerances import TINY_NORM, UNDERFLOW, UNIT_ROUNDOFF, gamma

DENSE_ENTRIES = 1 << 20
"""Affine nodes of at most this many weights have their rows gathered from a matrix."""

ROW_ENTRIES = 1 << 19
"""Rows are propagated for at most this many coefficients at a time (4 MB: what a core's cache holds, about)."""


@dataclass(frozen=True, eq=False)
class LinearForms:
    """For each of N boxes, R rows of a node's value bounded below by linear functions of the input, in real arithmetic.

    Attributes:
        coefficients: shape (N, R, input_size).
        constant: shape (N, R); the errors of the coefficients, times any input of the box, are in it.
        bound: the least value over the box, rounding covered, shape (N, R); -inf where it is not known.
    """

    coefficients: Array
    constant: Array
    bound: Array


@dataclass(frozen=True, eq=False)
class Dependence:
    """How entries of a node depend on the inputs, by the linear bounds of each box.

    Attributes:
        entries: integers, shape (N, R); padded with entries that need not be open.
        slopes: the mean absolute slope of the bounds below and above, shape (N, R, input_size).
    """

    entries: Array
    slopes: Array


@dataclass(frozen=True, eq=False)
class _Slab:
    """(mean - spread) x + (centre - reach) below a node's entries and the same with plus above, rounding covered.

    Attributes:
        means, spreads: for each operand, shape (N, 1, size); a spread is None where it is 0 throughout.
        centre, reach: shape (N, 1, size).
        infinite: where the reach is infinite (and stored as 0), shape (N, 1, size), or None.
    """

    means: tuple[Array, ...]
    spreads: tuple[Array, ...]
    centre: Array
    reach: Array
    infinite: Array | None


@dataclass(eq=False)
class _Sum:
    """What rows have collected on their way: shape (N, R) each."""

    total: Array
    error: Array

    def add(self, constant: Array, slack: Array) -> None:
        self.total = self.total + constant
        self.error = self.error + slack + 2 * UNIT_ROUNDOFF * abs(self.total)


class Plan:
    """What does not depend on the boxes: which entries are worth rows, and matrices to gather rows from.

    Args:
        network: with its weights in the array library of the boxes.
        example: an array of that library.
        ball: whether inputs lie in a ball as well, so that intervals of maps of the input can be tightened too.
    """

    def __init__(self, network: Network, example: Array, ball: bool = False) -> None:
        self.network = network
        self.consumers: dict[int, list[Elementwise | Product]] = {}
        for node in network.nodes:
            if isinstance(node, (Elementwise, Product)):
                for operand in node.operands:
                    self.consumers.setdefault(operand, []).append(node)
        exact = ((),) if ball else ((), (0,))
        self.tightened = tuple(k for k in sorted(self.consumers) if network.nodes[k].operands not in exact and k > 0)
        self.convert = convert_like(example)
        self._matrices: dict[int, list[Array] | None] = {}

    def matrices(self, k: int) -> list[Array] | None:
        """The matrices of an affine node's maps, shape (size, in_size) each; None where they are too large."""
        if k not in self._matrices:
            node = self.network.nodes[k]
            small = isinstance(node, Affine) and all(node.size * m.in_size <= DENSE_ENTRIES for m in node.maps)
            unit = self.convert(np.eye(node.size)) if small else None
            self._matrices[k] = [m.adjoint(unit) for m in node.maps] if isinstance(node, Affine) and small else None
        return self._matrices[k]

    def open_entries(self, k: int, interval: Interval) -> Array:
        """Where a tighter interval of node k would change some consumer's relaxation, booleans, shape (N, size)."""
        xp = namespace(interval.lower)
        wanted = xp.zeros_like(interval.lower, dtype=xp.bool)
        for node in self.consumers[k]:
            wanted = wanted | open_entries(node, interval)
        return wanted


class BoxwisePass:
    """Backward linear bounds over one batch of boxes.

    Args:
        plan: of the network.
        intervals: sound intervals, one per node up to the highest asked about, shape (N, size) each.
        policy: which lines functions take.

    Attributes:
        costs: where a dictionary is put here, the next rows leave in it, for each function and product by index, what
            the distance between its lines costs them, shape (N, R, size).
    """

    def __init__(self, plan: Plan, intervals: list[Interval], policy: Policy = Policy.ADAPTIVE) -> None:
        self.plan, self.network, self.intervals, self.policy = plan, plan.network, intervals, policy
        self.costs: dict[int, Array] | None = None
        self._slabs: dict[int, _Slab] = {}
        self._norms: dict[int, Array] = {}
        self._magnitudes: dict[int, Array] = {}

    def forms(self, node: int, rows: Array) -> LinearForms:
        """Lower linear forms of `rows`, shape (N, R, size) or (1, R, size), times the value of `node`."""
        xp = namespace(rows)
        count = self.intervals[0].lower.shape[0]
        pending = {node: xp.broadcast_to(rows, (count, *rows.shape[1:]))}
        return self._down(node, pending, _Sum(zeros(rows, (count, rows.shape[1])), zeros(rows, (count, rows.shape[1]))))

    def entry_forms(self, k: int, entries: Array) -> LinearForms:
        """Forms of the `entries` of node k, integers, shape (N, R), and then of their negatives; shape (N, 2 R)."""
        xp = namespace(self.intervals[0].lower)
        node, matrices = self.network.nodes[k], self.plan.matrices(k)
        count, width = entries.shape
        boxes = self.plan.convert(np.arange(count))[:, None]
        if matrices is None or not isinstance(node, Affine):
            unit = zeros(self.intervals[0].lower, (count, width, node.size))
            unit[boxes, self.plan.convert(np.arange(width))[None, :], entries] = 1.0
            return self.forms(k, xp.concat([unit, -unit], axis=1))
        bias = node.bias[entries]
        rounding = gamma(sum(m.adjoint_terms for m in node.maps) + len(self.network.nodes))
        slack = rounding * self._affine_magnitude(k, node)[boxes, entries]
        collected = _Sum(xp.concat([bias, -bias], axis=1), xp.concat([slack, slack], axis=1))
        pending: dict[int, Array] = {}
        for operand, matrix in zip(node.operands, matrices, strict=True):
            part = matrix[entries]
            _put(pending, operand, xp.concat([part, -part], axis=1))
        return self._down(k - 1, pending, collected)

    def _down(self, start: int, pending: dict[int, Array], collected: _Sum) -> LinearForms:
        """Takes rows down to the input, from node `start` on."""
        for k in range(start, 0, -1):
            if k in pending:
                self._step_back(k, pending.pop(k), pending, collected)
        total = collected.total
        rows = pending.get(0)
        if rows is None:
            rows = zeros(total, (*total.shape, self.network.input_size))
        return self._concretised(rows, collected)

    def _concretised(self, rows: Array, collected: _Sum) -> LinearForms:
        xp = namespace(rows)
        box = self.intervals[0]
        if box.ball is None:
            lower, upper = box.lower[:, None, :], box.upper[:, None, :]
            lowest = xp.sum(xp.minimum(rows * lower, rows * upper), axis=-1)
        else:
            lowest = minimum(box, rows).bound
        rounding = gamma(self.network.input_size + len(self.network.nodes))
        size = xp.sum(xp.abs(rows) * box.magnitude[:, None, :], axis=-1)
        error = collected.error + 2 * rounding * (size + xp.abs(collected.total)) + UNDERFLOW
        constant = collected.total - error * (1 + 2 * rounding)
        constant = xp.where(xp.isfinite(constant), constant, -math.inf)
        bound = constant + lowest
        return LinearForms(rows, constant, xp.where(xp.isfinite(bound), bound, -math.inf))

    def _step_back(self, k: int, rows: Array, pending: dict[int, Array], collected: _Sum) -> None:
        """Moves `rows` from node k to its operands."""
        node = self.network.nodes[k]
        xp = namespace(rows)
        if isinstance(node, Affine):
            rounding = gamma(node.size + sum(m.adjoint_terms for m in node.maps) + len(self.network.nodes))
            collected.add(rows @ node.bias, rounding * self._size(k, node, rows))
            for operand, linear_map in zip(node.operands, node.maps, strict=True):
                _put(pending, operand, linear_map.adjoint(rows))
            return
        if k not in self._slabs:
            self._slabs[k] = self._slab(k)
        slab = self._slabs[k]
        absolute = xp.abs(rows)
        if self.costs is not None:
            self.costs[k] = absolute * slab.reach
        collected.add(xp.vecdot(rows, slab.centre) - xp.vecdot(absolute, slab.reach), zeros(rows, (1,)))
        if slab.infinite is not None:
            used = xp.any((absolute > 0) & slab.infinite, axis=-1)
            collected.error = xp.where(used, math.inf, collected.error)
        for number, (operand, mean, spread) in enumerate(zip(node.operands, slab.means, slab.spreads, strict=True)):
            last = number == len(slab.means) - 1
            moved = rows * mean
            moved -= absolute.__imul__(spread) if last else absolute * spread
            _put(pending, operand, moved)

    def _size(self, k: int, node: Affine, rows: Array) -> Array:
        """At least |rows| times the magnitudes of the node's terms (Cauchy and Schwarz), shape (N, R)."""
        xp = namespace(rows)
        if k not in self._norms:
            magnitude = self._affine_magnitude(k, node)
            self._norms[k] = xp.sqrt(xp.sum(magnitude * magnitude, axis=-1))[:, None]
        norms = xp.sqrt(xp.vecdot(rows, rows))
        if xp.all(xp.isfinite(self._norms[k])):
            return (norms + TINY_NORM) * (self._norms[k] + TINY_NORM) * (1 + gamma(node.size))
        magnitude = self._affine_magnitude(k, node)[:, None, :]
        return xp.sum(xp.where(rows == 0, 0.0, xp.abs(rows) * magnitude), axis=-1)

    def _affine_magnitude(self, k: int, node: Affine) -> Array:
        if k not in self._magnitudes:
            self._magnitudes[k] = affine_magnitude(node, [self.intervals[i] for i in node.operands])
        return self._magnitudes[k]

    def _slab(self, k: int) -> _Slab:
        """The node's lines in mean and half-difference form."""
        node = self.network.nodes[k]
        operands = [self.intervals[i] for i in node.operands]
        if isinstance(node, Elementwise):
            line = lines(node.function, operands[0].lower, operands[0].upper, self.policy)
            low: tuple[Array, ...] = (line.lower_slope,)
            high: tuple[Array, ...] = (line.upper_slope,)
            below, above = line.lower_intercept, line.upper_intercept
        elif isinstance(node, Product):
            x, y = operands
            lower, upper = chosen_planes(x.lower, x.upper, y.lower, y.upper, self.policy)
            low, high = (lower.x_slope, lower.y_slope), (upper.x_slope, upper.y_slope)
            below, above = lower.intercept, upper.intercept
        else:
            raise TypeError(f"node {k} has no relaxation: {node}")
        xp = namespace(below)
        means = tuple(0.5 * (a + b) for a, b in zip(low, high, strict=True))
        spreads = tuple(0.5 * (b - a) for a, b in zip(low, high, strict=True))
        centre, reach = 0.5 * (below + above), 0.5 * (above - below)
        size = xp.abs(below) + xp.abs(above)
        for a, b, operand in zip(low, high, operands, strict=True):
            steepest = xp.abs(a) + xp.abs(b)
            size = size + xp.where(steepest == 0, 0.0, steepest * operand.magnitude)
        reach = reach + 2 * gamma(node.size + len(self.network.nodes)) * size
        bad = ~(xp.isfinite(reach) & xp.isfinite(centre))
        infinite = None
        if xp.any(bad):
            centre, reach, infinite = xp.where(bad, 0.0, centre), xp.where(bad, 0.0, reach), bad[:, None, :]
        expanded = tuple(a[:, None, :] for a in means), tuple(a[:, None, :] for a in spreads)
        return _Slab(*expanded, centre[:, None, :], reach[:, None, :], infinite)


def _put(pending: dict[int, Array], operand: int, part: Array) -> None:
    pending[operand] = pending[operand] + part if operand in pending else part


def boxwise_intervals(
    plan: Plan, box: Interval, known: dict[int, Interval], deadline: Deadline | None = None
) -> tuple[list[Interval], dict[int, list[Dependence]]]:
    """An interval for every node, shape (N, size) each, and how open entries depend on the inputs.

    Args:
        plan: of the network.
        box: the input bounds, shape (N, input_size).
        known: sound intervals from before, of some nodes; all are intersected with what is found.
        deadline: when it expires, the remaining entries keep their propagated intervals.
    """
    deadline = deadline or Deadline()
    network, intervals, dependences = plan.network, [box], {}
    for k in range(1, len(network.nodes)):
        interval = node_interval(network, k, intervals)
        if k in known:
            interval = intersected(interval, known[k])
        intervals.append(interval)
        if k in plan.tightened:
            intervals[k], dependences[k] = _tightened(plan, intervals, deadline)
    return intervals, dependences


def _tightened(plan: Plan, intervals: list[Interval], deadline: Deadline) -> tuple[Interval, list[Dependence]]:
    """The last interval with the open entries of each box bounded backward, and what these depend on."""
    last, k = intervals[-1], len(intervals) - 1
    xp = namespace(last.lower)
    wanted = plan.open_entries(k, last)
    most = int(xp.max(xp.sum(xp.astype(wanted, xp.int64), axis=1)))
    if not most:
        return last, []
    count = last.lower.shape[0]
    order = xp.argsort(xp.astype(~wanted, xp.int8), axis=1, stable=True)[:, :most]  # the open entries, then others
    step = max(1, ROW_ENTRIES // (2 * count * max(node.size for node in plan.network.nodes[: k + 1])))
    rows = plan.convert(np.arange(count))[:, None]
    backward, dependences = BoxwisePass(plan, intervals), []
    lower, upper = xp.asarray(last.lower, copy=True), xp.asarray(last.upper, copy=True)
    for start in range(0, most, step):
        if deadline.expired:
            break
        entries = order[:, start : start + step]
        forms, width = backward.entry_forms(k, entries), entries.shape[1]
        lower[rows, entries] = xp.maximum(lower[rows, entries], forms.bound[:, :width])
        upper[rows, entries] = xp.minimum(upper[rows, entries], -forms.bound[:, width:])
        slopes = xp.abs(forms.coefficients)
        dependences.append(Dependence(entries, 0.5 * (slopes[:, :width] + slopes[:, width:])))
    return intersected(last, Interval(lower, upper)), dependences
