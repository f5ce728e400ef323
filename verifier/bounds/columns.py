"""Columns of zonotopes: stored, or made again from other ones, a few at a time, whenever they are asked for.

Attention has nodes that are far wider than those they are made of: every query beside every key. Their columns would
fill hundreds of megabytes to be read once or twice; made in blocks they never leave the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from verifier.arrays import Array, namespace, zeros

BLOCK = 32
"""Columns that are made at a time."""

STORED = 1 << 21
"""Values of columns up to which they are always stored."""

DEEPEST = 6
"""Columns that are made of others that are made, and so on, are stored at this depth."""

Make: TypeAlias = Callable[[int, int], Array]
"""Makes the columns from one number to another, shape (N, columns, size)."""


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a node, over N boxes.

    Attributes:
        make: gives some.
        shape: (N, columns, size).
        depth: how many times over they are made of others that are not stored; 0 for stored ones.
    """

    make: Make
    shape: tuple[int, int, int]
    depth: int = 0

    @classmethod
    def stored(cls, values: Array) -> Columns:
        """All of them, shape (N, columns, size)."""
        return cls(lambda start, stop: values[:, start:stop, :], tuple(values.shape))

    @classmethod
    def lazily(cls, make: Make, shape: tuple[int, int, int], depth: int, example: Array) -> Columns:
        """Those that `make` gives, stored where they are few or have been made of others too often."""
        made = cls(make, shape, depth)
        few = shape[0] * shape[1] * shape[2] <= STORED
        return made.kept(example) if few or depth >= DEEPEST else made

    @property
    def count(self) -> int:
        return self.shape[1]

    def kept(self, example: Array) -> Columns:
        """The same, stored."""
        values = zeros(example, self.shape)
        for start in range(0, self.count, BLOCK):
            stop = min(start + BLOCK, self.count)
            values[:, start:stop, :] = self.make(start, stop)
        return Columns.stored(values)

    def padded(self, count: int, example: Array) -> Columns:
        """With zero columns at the end, `count` in all."""
        boxes, known, size = self.shape
        if count == known:
            return self

        def make(start: int, stop: int) -> Array:
            more = zeros(example, (boxes, max(0, stop - max(start, known)), size))
            if start >= known:
                return more
            return namespace(more).concat([self.make(start, min(stop, known)), more], axis=1)

        return Columns(make, (boxes, count, size), self.depth)

    def magnitude(self, example: Array) -> Array:
        """The sum of their absolute values, as computed, shape (N, size)."""
        xp = namespace(example)
        total = zeros(example, (self.shape[0], self.shape[2]))
        for start in range(0, self.count, BLOCK):
            total = total + xp.sum(xp.abs(self.make(start, min(start + BLOCK, self.count))), axis=1)
        return total
