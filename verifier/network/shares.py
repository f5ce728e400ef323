"""What backward bounds make of entries that add up to 1: lambda (sum_e p_e - 1) is 0, so it may be added to any row.

Each entry of a softmax is relaxed by itself. A row that has the same coefficient on all of them is constant, and yet
its relaxation loses something in each; what all coefficients share is therefore taken off before lines are chosen. How
much is a number in [0, 1] like any other choice, the *place*: at 0 the least coefficient of a partition, so that all
that is left takes lines below, at 1 the greatest, and in the middle as little as leaves one of them 0 or both signs.
Any place is sound.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.arrays import Array, convert_like, namespace, zeros
from verifier.network.partitions import Partitions


@dataclass(frozen=True, eq=False)
class Taken:
    """What was taken off a row's coefficients.

    Attributes:
        off: of each partition, shape (N, partitions).
        rate: its derivative by the place, the same shape.
        least, greatest: which member has the least and the greatest coefficient, the same shape.
        of_least, of_greatest: its derivatives by these two, the same shape.
    """

    off: Array
    rate: Array
    least: Array
    greatest: Array
    of_least: Array
    of_greatest: Array


@dataclass(frozen=True, eq=False)
class Shares:
    """The partitions of a node's entries.

    Attributes:
        members: the entries of each partition, shape (partitions, most members); short ones have their first repeated.
        partition: of each entry, shape (size,); `count` for one that is in none.
    """

    members: np.ndarray
    partition: np.ndarray

    @classmethod
    def of(cls, found: Partitions) -> Shares:
        """Those found at a node."""
        known = found.partition >= 0
        numbers = np.unique(found.partition[known])
        several = [np.flatnonzero(found.partition == number) for number in numbers]
        most = max(len(entries) for entries in several)
        members = np.stack([np.r_[entries, np.full(most - len(entries), entries[0])] for entries in several])
        partition = np.where(known, np.searchsorted(numbers, found.partition), len(numbers))
        return cls(members, partition)

    @property
    def count(self) -> int:
        return len(self.members)

    def _by_partition(self, values: Array) -> Array:
        xp, members = namespace(values), convert_like(values)(self.members.reshape(-1))
        return xp.reshape(xp.take(values, members, axis=1), (values.shape[0], *self.members.shape))

    def take_off(self, rows: Array, places: Array) -> tuple[Array, Taken]:
        """Rows without what their coefficients share, shape (N, size), and what that is; places: (N, partitions)."""
        xp = namespace(rows)
        by_partition = self._by_partition(rows)
        least, greatest = xp.argmin(by_partition, axis=2), xp.argmax(by_partition, axis=2)
        low, high = xp.min(by_partition, axis=2), xp.max(by_partition, axis=2)
        down, up = xp.clip(1.0 - 2.0 * places, 0.0, 1.0), xp.clip(2.0 * places - 1.0, 0.0, 1.0)
        rest = 1.0 - down - up
        of_least, of_greatest = xp.where(low > 0, down + rest, down), xp.where(high < 0, up + rest, up)
        middle = xp.clip(zeros(low, low.shape), low, high)
        off = of_least * low + of_greatest * high
        rate = 2.0 * xp.where(places < 0.5, middle - low, high - middle)
        return rows - self.spread_out(off), Taken(off, rate, least, greatest, of_least, of_greatest)

    def spread_out(self, off: Array) -> Array:
        """A number of each partition, shape (N, partitions), for each entry; 0 for those that are in none."""
        xp, partition = namespace(off), convert_like(off)(self.partition)
        return xp.take(xp.concat([off, zeros(off, (off.shape[0], 1))], axis=1), partition, axis=1)

    def excess(self, values: Array) -> Array:
        """By how much the values of the entries exceed 1 together, shape (N, partitions)."""
        repeated = self.members == self.members[:, :1]
        repeated[:, 0] = False
        once = convert_like(values)(np.where(repeated, 0.0, 1.0))
        return namespace(values).sum(self._by_partition(values) * once, axis=2) - 1.0

    def balanced(self, values: Array, excess: Array, taken: Taken) -> Array:
        """The derivatives of a bound by the coefficients before something was taken off, which add up to 1 again."""
        xp = namespace(values)
        change = zeros(values, (values.shape[0], *self.members.shape))
        convert = convert_like(values)
        number = convert(np.arange(self.members.shape[1]))
        for which, part in ((taken.least, taken.of_least), (taken.greatest, taken.of_greatest)):
            change = change + (part * excess)[:, :, None] * xp.astype(which[:, :, None] == number, values.dtype)
        balanced = xp.asarray(values, copy=True)
        for m in range(self.members.shape[1]):
            entries = convert(self.members[:, m])
            balanced[:, entries] = balanced[:, entries] - change[:, :, m]
        return balanced
