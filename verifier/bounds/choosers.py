"""Picks a line for every entry of a function or product, by its place and by the sign of the row's coefficient.

This is the inner loop of every ascent, so it is written for time. Closed entries have one line for all subproblems,
whatever the sign; open ones are gathered, and what depends on a sign is computed rather than looked up: a conditional
copy by a random mask takes ten times as long as a product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.arrays import Array, convert_like, namespace, zeros
from verifier.bounds.layout import Slot
from verifier.bounds.relaxation import Relaxation
from verifier.relaxations.families import Family


class Columns:
    """Some entries of arrays of shape (N, size), gathered as arrays of shape (N, P).

    Args:
        columns: integers on the host, rising, shape (P,).
        shape: N and size.
        example: an array of the library and device to work on.
    """

    def __init__(self, columns: np.ndarray, shape: tuple[int, int], example: Array) -> None:
        self.count, self.all, self._shape = len(columns), len(columns) == shape[1], shape
        self._columns = convert_like(example)(columns)
        partly = isinstance(example, np.ndarray) and not self.all
        self._flat = np.reshape(np.arange(shape[0])[:, None] * shape[1] + columns, -1) if partly else columns[:0]

    def of(self, a: Array) -> Array:
        """The entries of an array."""
        return a if self.all else namespace(a).take(a, self._columns, axis=1)

    def put(self, a: Array, values: Array) -> Array:
        """The array, overwritten, with values in these entries."""
        if self.all:
            return values
        if isinstance(a, np.ndarray) and a.flags.c_contiguous:  # one index into the flattened array is quicker than two
            np.reshape(a, -1)[self._flat] = np.reshape(values, -1)
        elif self.count:
            a[:, self._columns] = values
        return a

    def put_into(self, common: Array, values: Array) -> Array:
        """An array of shape (1, size) for all N, with values of their own, shape (N, P) or (1, P), in these entries."""
        if not self.count:
            return common
        values = namespace(common).broadcast_to(values, (self._shape[0], self.count))
        if self.all:
            return values
        return self.put(zeros(common, self._shape) + common, values)


@dataclass(frozen=True, eq=False)
class Line:
    """The line that a row chose for each entry of a function or product.

    Attributes:
        row: the row that met it, shape (N, size).
        closed_slopes: for each operand, shape (1, size); without meaning at open entries.
        closed_intercept: shape (1, size), 0 at open entries; None: 0 everywhere.
        columns: the open entries.
        positive, negative: the parts of the row there, shape (N, P).
        slopes: for each operand, shape (N, P).
        intercept: shape (N, P).
        ends: the intercepts of the lines below and above, shape (N, P); None: 0.
    """

    row: Array
    closed_slopes: tuple[Array, ...]
    closed_intercept: Array | None
    columns: Columns
    positive: Array
    negative: Array
    slopes: tuple[Array, ...]
    intercept: Array
    ends: tuple[Array | None, Array | None]

    def moved(self) -> list[Array]:
        """The row on each operand, shape (N, size)."""
        open_row = self.positive + self.negative
        pairs = zip(self.closed_slopes, self.slopes, strict=True)
        return [self.columns.put(self._times(self.row, closed), open_row * slope) for closed, slope in pairs]

    def constant(self) -> Array:
        """What the intercepts add to the bound, shape (N,)."""
        xp = namespace(self.row)
        total = zeros(self.row, (self.row.shape[0],))
        for part, intercept in zip((self.positive, self.negative), self.ends, strict=True):
            if intercept is not None:
                total = total + _dot(part, intercept)
        if self.closed_intercept is not None:
            total = total + _dot(self.row, xp.broadcast_to(self.closed_intercept, self.row.shape))
        return total

    def at(self, operands: Sequence[Array]) -> Array:
        """Its value at the operands', shape (N, size) each."""
        triples = list(zip(self.closed_slopes, self.slopes, operands, strict=True))
        inside = self.intercept
        for _, slope, operand in triples:
            inside = inside + slope * self.columns.of(operand)
        if self.columns.all:
            return inside
        outside = None if self.closed_intercept is None else self.closed_intercept
        for slope, _, operand in triples:
            product = slope * operand
            outside = product if outside is None else outside + product
        return self.columns.put(outside, inside)

    def whole_slopes(self) -> list[Array]:
        """The slopes of all entries for each operand, shape (N, size)."""
        xp = namespace(self.row)
        pairs = zip(self.closed_slopes, self.slopes, strict=True)
        return [self.columns.put(xp.zeros_like(self.row) + closed, slope) for closed, slope in pairs]

    def _times(self, row: Array, closed: Array) -> Array:
        return row if self.columns.all else row * closed


class Chooser:
    """The lines of one node, those of its open entries at places that can be moved.

    Args:
        relaxation: of the node's network.
        k: the node.
        example: an array of the library and dtype to compute in.
        count: N.
    """

    def __init__(self, relaxation: Relaxation, k: int, example: Array, count: int) -> None:
        xp, shape = namespace(example), relaxation.shape
        columns = relaxation.columns(k)
        self.columns = Columns(columns, (count, relaxation.network.nodes[k].size), example)
        closed = relaxation.closed(k)[0]
        self.closed_slopes = tuple(xp.astype(slope[:1, :], example.dtype) for slope in closed.slopes[0])
        intercept = xp.astype(closed.intercepts[0][:1, :], example.dtype, copy=True)
        intercept[:, convert_like(example)(columns)] = 0.0
        self.closed_intercept = intercept if bool(xp.any(intercept != 0)) else None
        slots = shape.lower_places.get(k), shape.upper_places.get(k)
        self.below, self.above = (
            _Side(family, slot, example, count) for family, slot in zip(relaxation.families(k), slots, strict=True)
        )

    def place(self, places: Array) -> None:
        """Moves the lines to their places in the flat vector."""
        self.below.place(places)
        self.above.place(places)

    def chosen(self, row: Array) -> Line:
        """The lines that bound a row, shape (N, size), from below."""
        xp, below, above = namespace(row), self.below, self.above
        inside = self.columns.of(row)
        positive = xp.maximum(inside, zeros(row, (1,)))
        taken = xp.astype(inside > 0, row.dtype)
        slopes = tuple(high + taken * (low - high) for low, high in zip(below.slopes, above.slopes, strict=True))
        if below.finite and above.finite:
            intercept = above.intercept + taken * (below.intercept - above.intercept)
        else:
            intercept = xp.where(inside > 0, below.intercept, above.intercept)
        ends = None if below.flat else below.intercept, None if above.flat else above.intercept
        closed = self.closed_slopes, self.closed_intercept
        return Line(row, *closed, self.columns, positive, inside - positive, slopes, intercept, ends)

    def rates(self, line: Line, operands: Sequence[Array]) -> Iterator[tuple[slice, Array]]:
        """For each slot of places where it stands and the derivative of the bound by it, shape (N, P)."""
        values = [self.columns.of(operand) for operand in operands] if self.columns.count else []
        for side, part in ((self.below, line.positive), (self.above, line.negative)):
            if side.slot is not None:
                yield side.slot.part, part * side.rate(values)

    def starts(self) -> Iterator[tuple[slice, Array]]:
        """For each slot of places where it stands and the places of the lines that are best by themselves."""
        for side in (self.below, self.above):
            if side.slot is not None:
                yield side.slot.part, side.family.start


class _Side:
    """The lines on one side of a node's open entries.

    Attributes:
        slopes: for each operand, shape (N, P).
        intercept: shape (N, P).
        slot: of the places; None where there is nothing to choose.
        flat: whether all intercepts are 0, wherever the lines are placed.
        finite: whether all intercepts are finite.
    """

    def __init__(self, family: Family, slot: Slot | None, example: Array, count: int) -> None:
        xp = namespace(example)

        def full(a: Array) -> Array:
            return xp.astype(xp.broadcast_to(a, (count, a.shape[-1])), example.dtype)

        slopes = tuple(tuple(full(a) for a in line) for line in family.slopes)
        intercepts = tuple(full(a) for a in family.intercepts)
        self.family = Family(slopes, intercepts, full(family.start), family.exact)
        self.slopes, self.intercept = slopes[0], intercepts[0]
        self.slot = None if family.count == 1 else slot
        self.flat = not any(bool(xp.any(a != 0)) for a in family.intercepts)
        self.finite = all(bool(xp.all(xp.abs(a) < math.inf)) for a in family.intercepts)

    def place(self, places: Array) -> None:
        if self.slot is not None:
            self._mix = self.family.mixed(places[:, self.slot.part])
            self.slopes = self._mix.slopes
            if not self.family.exact:
                self.intercept = self._mix.intercept

    def rate(self, operands: Sequence[Array]) -> Array:
        """The derivative of the line's value at the operands' by its place."""
        assert self._mix.slope_rates is not None
        total = None if self.family.exact else self._mix.intercept_rate
        for rate, value in zip(self._mix.slope_rates, operands, strict=True):
            product = rate * value
            total = product if total is None else total + product
        return total


def _dot(a: Array, b: Array) -> Array:
    """The sum of products in each row, where 0 times infinity is 0."""
    xp = namespace(a)
    total = xp.vecdot(a, b)
    if bool(xp.any(total != total)):
        total = xp.sum(xp.where(a == 0, zeros(a, (1,)), a * b), axis=1)
    return total
