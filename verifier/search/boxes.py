"""Subproblems of a search on inputs, as arrays, and the frontier of those that are open."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

from verifier.arrays import Array
from verifier.bounds.enclosure import Interval
from verifier.network.graph import Network
from verifier.property.balls import Ball
from verifier.property.query import Patterns

Root: TypeAlias = tuple[np.ndarray, np.ndarray, list[int]]
"""Lower and upper ends, and disjuncts."""


@dataclass(frozen=True, eq=False)
class Question:
    """What all boxes share: B root boxes, each with some of the disjuncts 0 .. D - 1.

    Attributes:
        forms: the network whose outputs are the property's linear forms.
        example: an array of the library that bounds are computed with.
        lower, upper: of the root boxes, shape (B, input_size).
        table: the disjuncts of each root box, shape (B, most); padded with -1.
        rows: for each disjunct the forms it bounds, shape (D, R); padded with 0.
        thresholds: shape (D, R); infinite where padded.
        strict: whether a form equal to its threshold is no violation, booleans, shape (D, R).
        ball: which the inputs of all root boxes lie in as well.
        known: sound intervals of all nodes over each root box, shape (1, size), or None; empty where there are none.
    """

    forms: Network
    example: Array
    lower: np.ndarray
    upper: np.ndarray
    table: np.ndarray
    rows: np.ndarray
    thresholds: np.ndarray
    strict: np.ndarray
    ball: Ball | None = None
    known: tuple[Sequence[Interval] | None, ...] = ()

    @classmethod
    def of(
        cls,
        forms: Network,
        example: Array,
        patterns: Patterns,
        roots: Sequence[tuple[np.ndarray, np.ndarray, list[int]]],
        ball: Ball | None = None,
    ) -> Question:
        """The question whether each root box (lower, upper, disjuncts) violates any of its disjuncts in the ball."""
        most = max(len(rows) for rows in patterns.rows)
        rows = np.zeros((len(patterns.rows), most), np.int64)
        thresholds, strict = np.full(rows.shape, np.inf), np.zeros(rows.shape, bool)
        for d, of_rows in enumerate(patterns.rows):
            rows[d, : len(of_rows)], thresholds[d, : len(of_rows)] = of_rows, patterns.thresholds[d]
            strict[d, : len(of_rows)] = patterns.strict[d]
        table = np.full((len(roots), max(len(disjuncts) for _, _, disjuncts in roots)), -1, np.int64)
        for line, (_, _, disjuncts) in zip(table, roots, strict=True):
            line[: len(disjuncts)] = disjuncts
        lower, upper = np.stack([low for low, _, _ in roots]), np.stack([high for _, high, _ in roots])
        return cls(forms, example, lower, upper, table, rows, thresholds, strict, ball)


@dataclass(frozen=True, eq=False)
class Boxes:
    """N parts of root boxes, on the host.

    Attributes:
        root: of which box each is a part, shape (N,).
        leaf: each one's number in the tree, shape (N,).
        lower, upper: shape (N, input_size).
        open: which of the root's disjuncts are open, shape (N, most).
        bound: the best proven lower bound of the worst open disjunct's margin, shape (N,).
        unstable: how many entries were open when its parent was bounded, shape (N,).
        known_lower, known_upper: intervals of the tightened nodes, joined, shape (N, entries).
    """

    root: np.ndarray
    leaf: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    open: np.ndarray
    bound: np.ndarray
    unstable: np.ndarray
    known_lower: np.ndarray
    known_upper: np.ndarray

    @classmethod
    def roots(cls, question: Question, entries: int, start: int, stop: int) -> Boxes:
        """The root boxes `start : stop`, about which nothing is known."""
        count = stop - start
        number = np.arange(start, stop)
        unknown = np.full((count, entries), np.inf)
        ends = question.lower[start:stop], question.upper[start:stop]
        is_open = question.table[start:stop] >= 0
        bound, unstable = np.full(count, -np.inf), np.zeros(count, np.int64)
        return cls(number, number.copy(), *ends, is_open, bound, unstable, -unknown, unknown)

    def __len__(self) -> int:
        return len(self.root)

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, f.name).nbytes for f in fields(self))

    def take(self, chosen: np.ndarray | slice) -> Boxes:
        """Those of the given indices, or where a mask holds."""
        return Boxes(*(getattr(self, f.name)[chosen] for f in fields(self)))

    @classmethod
    def joined(cls, several: Iterable[Boxes]) -> Boxes:
        """All of them, in order."""
        several = list(several)
        if len(several) == 1:
            return several[0]
        return cls(*(np.concatenate([getattr(b, f.name) for b in several]) for f in fields(cls)))

    def parts(self, size: int) -> list[Boxes]:
        """The same in parts of at most `size`."""
        return [self.take(slice(i, i + size)) for i in range(0, len(self), size)]


class Frontier:
    """Open boxes in blocks of similar bounds; taking and putting costs what is taken and put.

    Args:
        most: bytes that it should not exceed; from half of it on the search goes down rather than broad.
        block: boxes of a block.
    """

    def __init__(self, most: float, block: int = 64) -> None:
        self._most, self._block = most, block
        self._order: list[tuple[float, int]] = []
        self._blocks: dict[int, Boxes] = {}
        self._bytes = self._made = self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def blocks(self) -> Iterable[Boxes]:
        """All boxes, in blocks."""
        return self._blocks.values()

    @property
    def bound(self) -> float:
        """The worst bound."""
        return self._order[0][0] if self._order else np.inf

    @property
    def narrow(self) -> bool:
        """Whether memory is short."""
        return 2 * self._bytes > self._most

    def put(self, boxes: Boxes) -> None:
        """Adds boxes."""
        for block in boxes.take(np.argsort(boxes.bound, kind="stable")).parts(self._block):
            self._made += 1
            self._blocks[self._made] = block
            insort(self._order, (float(block.bound[0]), self._made))
            self._bytes += block.nbytes
            self._count += len(block)

    def take(self, count: int) -> Boxes:
        """Removes about `count` boxes: those with the worst bounds, or where memory is short those nearest a proof."""
        taken, total = [], 0
        while self._order and total < count:
            _, number = self._order.pop(-1 if self.narrow else 0)
            block = self._blocks.pop(number)
            self._bytes -= block.nbytes
            self._count -= len(block)
            taken.append(block)
            total += len(block)
        return Boxes.joined(taken)
