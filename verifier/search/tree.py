"""The cuts of a search, in the order they were made: what a proof by cases has to list.

A node is part of its parent: the part where one quantity (an input, or the operand of a function) is at most, or at
least, a value. A node that has one child only owes the other part to its own linear bounds, which exclude it.
"""

from __future__ import annotations

import numpy as np


class Tree:
    """Grows by doubling; the first `roots` nodes are the roots.

    Args:
        roots: how many there are.
    """

    def __init__(self, roots: int) -> None:
        self._count = roots
        capacity = max(64, 2 * roots)
        self._parent = np.full(capacity, -1, np.int64)
        self._dimension = np.full(capacity, -1, np.int32)
        self._cut = np.zeros(capacity)
        self._above = np.zeros(capacity, bool)

    def __len__(self) -> int:
        return self._count

    @property
    def parent(self) -> np.ndarray:
        """Each node's parent, -1 for a root, shape (nodes,)."""
        return self._parent[: self._count]

    @property
    def dimension(self) -> np.ndarray:
        """The quantity that is cut, -1 for a root, shape (nodes,)."""
        return self._dimension[: self._count]

    @property
    def cut(self) -> np.ndarray:
        """Where it is cut, shape (nodes,)."""
        return self._cut[: self._count]

    @property
    def above(self) -> np.ndarray:
        """Whether the node is the part above the cut, rather than the one below, shape (nodes,)."""
        return self._above[: self._count]

    def add(self, parent: np.ndarray, dimension: np.ndarray | int, cut: np.ndarray, above: bool) -> np.ndarray:
        """New nodes, one for each parent; their numbers."""
        start, self._count = self._count, self._count + len(parent)
        while self._count > len(self._parent):
            for name in ("_parent", "_dimension", "_cut", "_above"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros_like(array)]))
        new = slice(start, self._count)
        self._parent[new], self._dimension[new], self._cut[new], self._above[new] = parent, dimension, cut, above
        return np.arange(start, self._count)
