"""Subproblems of a search on neurons, as arrays, and the pool of those that are open.

A domain is a part of one disjunct: the root's intervals, cut at some operand entries. All that a bound needs to go on
from its parent is kept beside it: places, multipliers, weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class Domains:
    """M subproblems, on the host.

    Attributes:
        disjunct: of which each is a part, int64, shape (M,).
        leaf: each one's number in the tree, int64, shape (M,).
        age: cuts since the intervals were last tightened, int64, shape (M,).
        bound: the best proven lower bound of the margin, float64, shape (M,).
        lower, upper: intervals of the layout's operand entries, float64, shape (M, open_count).
        cuts: positions of those that were cut, int32, shape (M, C), -1 where there are fewer.
        places, multipliers, weights: the best choice so far (`bounds.lagrangian.Choice`), float32.
        candidates: operand entries to cut next, best first, int64, shape (M, C); -1 where there is none.
    """

    disjunct: np.ndarray
    leaf: np.ndarray
    age: np.ndarray
    bound: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    cuts: np.ndarray
    places: np.ndarray
    multipliers: np.ndarray
    weights: np.ndarray
    candidates: np.ndarray

    def __len__(self) -> int:
        return len(self.disjunct)

    def take(self, chosen: np.ndarray | slice) -> Domains:
        """Those of the given indices, or where a mask holds."""
        return Domains(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def parts(self, count: int) -> list[Domains]:
        """The same in `count` parts of about equal size, none empty."""
        pieces = np.array_split(np.arange(len(self)), max(1, min(count, len(self))))
        return [self.take(piece) for piece in pieces]

    def widened(self, width: int) -> Domains:
        """The same with room for so many cuts."""
        more = width - self.cuts.shape[1]
        if more <= 0:
            return self
        cuts, multipliers = (
            np.pad(a, ((0, 0), (0, more)), constant_values=fill) for a, fill in ((self.cuts, -1), (self.multipliers, 0))
        )
        return replace(self, cuts=cuts, multipliers=multipliers)

    @classmethod
    def joined(cls, several: Iterable[Domains]) -> Domains:
        """All of them, in order."""
        several = list(several)
        if len(several) == 1:
            return several[0]
        width = max(d.cuts.shape[1] for d in several)
        several = [d.widened(width) for d in several]
        return cls(*(np.concatenate([getattr(d, f.name) for d in several]) for f in fields(cls)))


class Pool:
    """The open domains, in arrays that grow by doubling; taking and putting costs only what is taken and put.

    Args:
        example: domains of the shapes to come.
        most: bytes it should not exceed; beyond, `take` narrows the search.
    """

    def __init__(self, example: Domains, most: float) -> None:
        self._most = max(64, int(most // max(1, sum(_row_bytes(getattr(example, f.name)) for f in fields(example)))))
        self._store = example.take(np.zeros(0, np.int64))
        self._used = np.zeros(0, bool)
        self._rank = np.zeros(0)
        self.put(example)

    def __len__(self) -> int:
        return int(self._used.sum())

    @property
    def domains(self) -> Domains:
        """The open domains."""
        return self._store.take(self._used)

    @property
    def bound(self) -> np.ndarray:
        """The bounds of the open domains, shape (open,)."""
        return self._store.bound[self._used]

    @property
    def narrow(self) -> bool:
        """Whether the pool is so full that the search must go down rather than broad."""
        return len(self) > self._most // 2

    def put(self, domains: Domains) -> None:
        """Adds domains."""
        width = max(domains.cuts.shape[1], self._store.cuts.shape[1])
        domains, self._store = domains.widened(width), self._store.widened(width)
        free = np.flatnonzero(~self._used)
        if len(free) < len(domains):
            self._grow(max(len(domains) - len(free), len(self._used), 64))
            free = np.flatnonzero(~self._used)
        where = free[: len(domains)]
        for f in fields(Domains):
            getattr(self._store, f.name)[where] = getattr(domains, f.name)
        self._used[where] = True

    def take(self, count: int) -> Domains:
        """Removes up to `count` domains: those of the worst bounds, or where memory is short those nearest a proof."""
        open_ones = np.flatnonzero(self._used)
        bounds = self._store.bound[open_ones]
        order = -bounds if self.narrow else bounds
        if len(open_ones) > count:
            open_ones = open_ones[np.argpartition(order, count - 1)[:count]]
        taken = self._store.take(open_ones)
        self._used[open_ones] = False
        return taken

    def _grow(self, more: int) -> None:
        def extended(a: np.ndarray) -> np.ndarray:
            return np.concatenate([a, np.zeros((more, *a.shape[1:]), a.dtype)])

        self._store = Domains(*(extended(getattr(self._store, f.name)) for f in fields(Domains)))
        self._used = extended(self._used)


def _row_bytes(a: np.ndarray) -> int:
    return a.itemsize * int(np.prod(a.shape[1:], dtype=np.int64))
