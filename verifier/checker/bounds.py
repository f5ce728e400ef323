"""Bounds of a network's values over parts of its input set, rounding covered.

A batch has N parts. Intervals of a node have shape (N, size), rows on a node (N, R, size); a first dimension of 1
stands for all parts alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from verifier.checker.graph import Function, Graph, Input, Linear, Product
from verifier.checker.linear import Array, Map
from verifier.checker.lines import TINY, Lines, interval, product_lines, relu_lines, smooth_lines, step_lines
from verifier.checker.steps import STEPS, ends

UNIT = 2.0**-53
LARGEST = 1e150
"""Values beyond are refused, so that underflow costs next to nothing."""
ROOM = 1 << 16
"""Entries of an array of rows: as many as stay in a processor's cache."""
FEWEST = 16
"""Rows that are bounded together at least."""


class Weak(Exception):
    """A bound does not do what the proof says; the text says which."""


@dataclass(eq=False)
class State:
    """What is known of N parts.

    Attributes:
        lower, upper: of each node, shape (N, size); node 0's is the box.
        terms: what the terms of linear nodes add up to, made when it is asked for.
        lines: of nonlinear nodes, those that are best by themselves, likewise. Where intervals are narrowed later,
            both still hold.
    """

    lower: list[Array]
    upper: list[Array]
    terms: dict[int, Array] = field(default_factory=dict)
    lines: dict[int, Lines] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return max(len(a) for a in self.lower)

    def take(self, which: Array) -> State:
        """Some of the parts."""
        lower, upper = ([a if len(a) == 1 else a[which] for a in ends] for ends in (self.lower, self.upper))
        return State(lower, upper)


@dataclass(eq=False)
class Hints:
    """What a proof chooses for N parts.

    Attributes:
        slopes: for a nonlinear node, of its lines, one array for each operand, shape (N, size).
        pressures: for an operand, multipliers of its intervals, shape (N, size): above 0 of the upper end.
    """

    slopes: dict[int, tuple[Array, ...]] = field(default_factory=dict)
    pressures: dict[int, Array] = field(default_factory=dict)


class Bounder:
    """Bounds values of one graph.

    Args:
        graph: whose numbers are doubles, or rational numbers in arrays of objects.
        exact: whether the arithmetic is that of rational numbers.

    Attributes:
        between: called between pieces of long work; what it raises ends that.
    """

    def __init__(self, graph: Graph, exact: bool = False) -> None:
        self.graph = graph
        self.unit: float = 0 if exact else UNIT
        self.tiny: float = 0 if exact else TINY
        self._number: Callable[[Any], Any] = Fraction if exact else float
        self.between: Callable[[], None] = lambda: None
        self._absolute: dict[int, tuple[Map, ...]] = {
            k: tuple(m.absolute for m in node.maps) for k, node in enumerate(graph.nodes) if isinstance(node, Linear)
        }

    def gamma(self, terms: int, slack: float = 0.0) -> Any:
        """The relative error of a sum of products of rounded weights."""
        return self._number(2 * (terms + 4) * self.unit + 2 * slack)

    def pressed(self, k: int) -> int:
        """Where the multipliers of cuts at node k press: of a step's value at its operand, if that is not the input."""
        node = self.graph.nodes[k]
        return (node.operands[0] or k) if isinstance(node, Function) and node.kind in STEPS else k

    def ends(self, k: int, cut: float, above: bool) -> list[tuple[int, Any]]:
        """What follows where an entry of node k is at least (above) or at most a number: such ends, by node."""
        node = self.graph.nodes[k]
        if not isinstance(node, Function) or node.kind not in STEPS:
            return [(k, self._number(cut))]
        value, place = ends(node.kind, cut, above)
        of_operand = [] if place is None else [(node.operands[0], self._number(place))]
        return [(k, self._number(value)), *of_operand]

    def narrowed(self, state: State, k: int, entry: int, cut: float, above: bool) -> State:
        """The part of a single part in which an entry of node k is at least (above) or at most a number."""
        lower, upper = list(state.lower), list(state.upper)
        sides, better = (lower, max) if above else (upper, min)
        for i, end in self.ends(k, cut, above):
            sides[i] = sides[i].copy()
            sides[i][0, entry] = better(sides[i][0, entry], end)
        return State(lower, upper)

    # Forward: intervals.

    def propagated(self, lower: Array, upper: Array, known: State | None = None) -> State:
        """Intervals of all nodes over boxes, within those already known; shape (N, inputs) each."""
        state = State([lower], [upper])
        for k in range(1, len(self.graph.nodes)):
            low, high = self._interval(k, state)
            if known is not None:
                low, high = np.maximum(low, known.lower[k]), np.minimum(high, known.upper[k])
            state.lower.append(low)
            state.upper.append(high)
        return state

    def _interval(self, k: int, state: State) -> tuple[Array, Array]:
        """A node's interval from those of its operands."""
        low, high = self._computed(k, state)
        return _without_nan(low, -np.inf), _without_nan(high, np.inf)

    def _computed(self, k: int, state: State) -> tuple[Array, Array]:
        node = self.graph.nodes[k]
        operands = [(state.lower[i], state.upper[i]) for i in node.operands]
        if isinstance(node, Function):
            return interval(node.kind, *operands[0], self.unit)
        if isinstance(node, Product):
            corners = [x * y for x in operands[0] for y in operands[1]]
            low = np.minimum(np.minimum(*corners[:2]), np.minimum(*corners[2:]))
            high = np.maximum(np.maximum(*corners[:2]), np.maximum(*corners[2:]))
            error = 2 * self.unit * np.maximum(abs(low), abs(high)) + self.tiny
            return low - error, high + error
        assert isinstance(node, Linear)
        half = self._number(0.5)
        middle, reach, size = node.bias[None], np.zeros_like(node.bias)[None], abs(node.bias)[None]
        slack, terms = node.slack, 1
        for m, absolute, (low, high) in zip(node.maps, self._absolute[k], operands, strict=True):
            self._check(low, high, k)
            centre = low * half + high * half
            radius = np.maximum(high - centre, centre - low)
            middle = middle + m.apply(centre)
            reach = reach + absolute.apply(radius)
            size = size + absolute.apply(np.maximum(abs(low), abs(high)))
            slack, terms = max(slack, m.slack), terms + m.terms
        error = 4 * self.gamma(terms, slack) * size + self.tiny
        return middle - reach - error, middle + reach + error

    def _check(self, low: Array, high: Array, k: int) -> None:
        if not bool(((low > -LARGEST) & (high < LARGEST)).all()):
            raise Weak(f"values that reach node {k} are not bounded")

    # Backward: rows.

    def lines(self, k: int, state: State, hints: Hints) -> Lines:
        """The lines of a nonlinear node."""
        if k in hints.slopes:
            return self._lines(k, state, hints.slopes[k])
        if k not in state.lines:
            state.lines[k] = self._lines(k, state, None)
        return state.lines[k]

    def _lines(self, k: int, state: State, slopes: tuple[Array, ...] | None) -> Lines:
        node = self.graph.nodes[k]
        operands = [(state.lower[i], state.upper[i]) for i in node.operands]
        for low, high in operands:
            self._check(low, high, k)
        if isinstance(node, Product):
            return product_lines(operands[0], operands[1], slopes, self.unit)
        assert isinstance(node, Function)
        if node.kind == "relu":
            return relu_lines(*operands[0], slopes, self.unit)
        if node.kind in STEPS:
            low, high = self._interval(k, state)
            values = np.maximum(low, state.lower[k]), np.minimum(high, state.upper[k])
            return step_lines(node.kind, operands[0], values, slopes, self.unit)
        return smooth_lines(node.kind, *operands[0], slopes, self.unit)

    def least(self, state: State, node: int, rows: Array, hints: Hints | None = None) -> Array:
        """Lower bounds of rows on a node's value, shape (N, R): the better one of backward and by its interval."""
        return np.maximum(self.minimum(state, node, rows, hints)[0], self.by_interval(state, node, rows))

    def by_interval(self, state: State, node: int, rows: Array) -> Array:
        """The same from the node's interval alone."""
        tally, (low, high) = _Tally(self.unit, rows), (a[node][:, None] for a in (state.lower, state.upper))
        self._check(low, high, node)
        tally.add(
            np.minimum(rows * low, rows * high).sum(-1), self.gamma(rows.shape[-1]), abs(rows), self._size(state, node)
        )
        return tally.bound()

    def minimum(self, state: State, node: int, rows: Array, hints: Hints | None = None) -> tuple[Array, Array]:
        """Lower bounds of rows on a node's value, shape (N, R), and the rows on the inputs that they come from."""
        hints = hints or Hints()
        tally = _Tally(self.unit, rows)
        pending: dict[int, Array] = {node: rows}
        for k in range(node, 0, -1):
            if k not in pending:
                continue
            row = pending.pop(k)
            if k in hints.pressures:
                row = self._pressed(state, k, row, hints.pressures[k], tally)
            for operand, part in self._moved(state, k, row, hints, tally):
                if operand in pending:
                    part = pending[operand] + part
                    tally.wrong(2 * self.unit, abs(part), self._size(state, operand))
                pending[operand] = part
        row = pending.get(0, np.zeros((1, rows.shape[1], self.graph.nodes[0].size), rows.dtype))
        if 0 in hints.pressures:
            raise Weak("multipliers on inputs")
        low, high = state.lower[0][:, None], state.upper[0][:, None]
        tally.add(np.minimum(row * low, row * high).sum(-1), self.gamma(row.shape[-1]), abs(row), self._size(state, 0))
        return tally.bound(), row

    def _size(self, state: State, k: int) -> Array:
        """The largest absolute values of a node, shape (N, size)."""
        return np.maximum(abs(state.lower[k]), abs(state.upper[k]))

    def _pressed(self, state: State, k: int, row: Array, pressure: Array, tally: _Tally) -> Array:
        """A row with multipliers added, each times something that is not positive in the part."""
        side = np.where(pressure > 0, state.upper[k], state.lower[k])
        cost = -(pressure * side).sum(-1)[:, None]
        row = row + pressure[:, None]
        size = abs(row) + abs(pressure)[:, None]
        tally.add(cost, self.gamma(row.shape[-1]), size, self._size(state, k))
        return row

    def _terms(self, state: State, k: int, node: Linear) -> Array:
        """What the terms of a linear node add up to in absolute value at most, shape (N, size)."""
        if k not in state.terms:
            size = abs(node.bias)[None]
            for absolute, i in zip(self._absolute[k], node.operands, strict=True):
                size = size + absolute.apply(self._size(state, i))
            state.terms[k] = size
        return state.terms[k]

    def _moved(self, state: State, k: int, row: Array, hints: Hints, tally: _Tally) -> list[tuple[int, Array]]:
        """A row on a node as rows on its operands."""
        node = self.graph.nodes[k]
        if isinstance(node, Linear):
            terms = max((m.terms for m in node.maps), default=1)
            slack = max((m.slack for m in node.maps), default=0.0) + node.slack
            size = self._terms(state, k, node)
            tally.add(_dot(row, node.bias[None]), self.gamma(terms + row.shape[-1], slack), abs(row), size)
            return [(i, m.adjoint(row)) for i, m in zip(node.operands, node.maps, strict=True)]
        assert not isinstance(node, Input)
        lines = self.lines(k, state, hints)
        above_zero = np.maximum(row, 0)
        below_zero = row - above_zero
        size = np.maximum(abs(lines.low), abs(lines.high))
        for low, high, i in zip(lines.below, lines.above, node.operands, strict=True):
            size = size + np.maximum(abs(low), abs(high)) * self._size(state, i)
        value = _dot(above_zero, lines.low) + _dot(below_zero, lines.high)
        tally.add(value, self.gamma(2 * row.shape[-1]), above_zero - below_zero, size)
        pairs = zip(lines.below, lines.above, strict=True)
        # One of the two summands is zero.
        parts = [above_zero * low[:, None] + below_zero * high[:, None] for low, high in pairs]
        return list(zip(node.operands, parts, strict=True))

    # Sharpening.

    def sharpened(self, state: State, more: Callable[[State, int], None] = lambda state, k: None) -> State:
        """The same with intervals of what nonlinear nodes take bounded backward, in the order of the nodes.

        `more` may narrow those of a node further, before the nodes after it are bounded.
        """
        state = State(list(state.lower), list(state.upper))
        wanted = sorted({i for node in self.graph.nodes if isinstance(node, Function | Product) for i in node.operands})
        others = {
            i
            for n in self.graph.nodes
            if isinstance(n, Product) or (isinstance(n, Function) and n.kind != "relu")
            for i in n.operands
        }
        stale = False
        for k in range(1, len(self.graph.nodes)):
            if stale:
                low, high = self._interval(k, state)
                state.lower[k], state.upper[k] = np.maximum(low, state.lower[k]), np.minimum(high, state.upper[k])
            if k not in wanted:
                continue
            if not self.is_linear(k):
                is_open = (
                    state.lower[k] < state.upper[k] if k in others else (state.lower[k] < 0) & (state.upper[k] > 0)
                )
                self._sharpen(state, k, np.broadcast_to(is_open, (state.count, is_open.shape[1])))
            more(state, k)
            stale = True
        return state

    def is_linear(self, k: int) -> bool:
        """Whether a node is linear in the inputs alone, so that its interval is the best there is on a box."""
        node = self.graph.nodes[k]
        return isinstance(node, Input) or (isinstance(node, Linear) and set(node.operands) <= {0})

    def _sharpen(self, state: State, k: int, is_open: Array) -> None:
        """Bounds the open entries of a node, a mask of shape (N, size), from both sides."""
        size, count = self.graph.nodes[k].size, state.count
        widest = max(node.size for node in self.graph.nodes[: k + 1])
        chunk = max(FEWEST, ROOM // (2 * count * widest))
        low, high = (np.array(np.broadcast_to(a[k], (count, size))) for a in (state.lower, state.upper))
        entries = np.argsort(~is_open, axis=1, kind="stable")[:, : int(is_open.sum(1).max(initial=0))]
        each = np.arange(len(entries))[:, None]
        for start in range(0, entries.shape[1], chunk):
            self.between()
            part = entries[:, start : start + chunk]
            half = part.shape[1]
            rows, number = np.zeros((len(part), 2 * half, size), low.dtype), np.arange(half)
            rows[each, number, part], rows[each, half + number, part] = 1, -1
            least = self.minimum(state, k, rows)[0]
            # Not for the others, so that a part's bounds do not depend on those beside it.
            wanted = np.take_along_axis(is_open, part, 1)
            low[each, part] = np.where(wanted, np.maximum(low[each, part], least[:, :half]), low[each, part])
            high[each, part] = np.where(wanted, np.minimum(high[each, part], -least[:, half:]), high[each, part])
        state.lower[k], state.upper[k] = low, high


class _Tally:
    """A sum with what its rounding, and that of the rows, can have cost."""

    def __init__(self, unit: float, rows: Array) -> None:
        self._unit = unit
        self._total: Array = np.zeros_like(rows[..., 0])
        self._error = self._sizes = self._total
        self._steps = 2

    def add(self, value: Array, factor: float, row: Array, size: Array) -> None:
        """Adds a value; it and the row that it leaves behind are wrong by `factor` times row . size."""
        self._total = self._total + value
        self._steps += 1
        if self._unit:
            self._sizes = self._sizes + abs(value)
        self.wrong(factor, row, size)

    def wrong(self, factor: float, row: Array, size: Array) -> None:
        """Notes an error of `factor` times row . size."""
        if factor:
            self._error = self._error + factor * _dot(row, size)
            self._steps += 1

    def bound(self) -> Array:
        """The sum, less all of that."""
        error = self._error
        if self._unit:
            error = (error + self._steps * 2 * self._unit * self._sizes) * 1.001 + self._steps * TINY
        least = self._total - error
        if least.dtype == object:
            return _without_nan(least, -np.inf)
        least = np.nextafter(least, -np.inf)
        return np.where(np.isfinite(least), least, -np.inf)


def _without_nan(x: Array, instead: float) -> Array:
    """What is known where something is not a number: NumPy's maxima of objects would drop it."""
    if x.dtype == object:
        return np.array([instead if v != v else v for v in x.ravel()], object).reshape(x.shape)
    return np.where(np.isnan(x), instead, x)


def _dot(row: Array, size: Array) -> Array:
    """Rows (N, R, n) by vectors (N, n): (N, R)."""
    if len(size) == 1:
        return row @ size[0]
    return (row @ size[:, :, None])[..., 0]
