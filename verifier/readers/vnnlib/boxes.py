"""From bounds in columns to boxes, thousands at a time.

A box is the intersection of the bounds of some conjunctions. Bounds of the same input are intersected by maximum and
minimum, which commute with the roundings of `Bounds`. Whether a box is empty is a question on exact values; rounding
keeps their order, so only where the nearest float64 of a lower and an upper bound are equal can the question be open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from verifier.property.query import Box
from verifier.readers.vnnlib.bounds import Bounds

_ENTRIES = 2_000_000
"""About how many bounds, or box entries, are worked on at a time; bounds the memory of intermediate arrays."""

Key = tuple[int, ...]


class Unbounded(ValueError):
    """A box has no lower, or no upper, bound on an input."""

    def __init__(self, variable: int, upper: bool) -> None:
        super().__init__(variable, upper)
        self.variable, self.upper = variable, upper


@dataclass(frozen=True, eq=False)
class Ends:
    """What inputs are at least and at most where a property does not say; arrays of shape (input_size,).

    Attributes:
        lower, upper: in real numbers, float64, perhaps infinite.
        inner_lower, inner_upper: as float32.
    """

    lower: np.ndarray
    upper: np.ndarray
    inner_lower: np.ndarray
    inner_upper: np.ndarray


def boxes(
    bounds: Bounds, counts: Sequence[int], keys: Sequence[Key], size: int, ends: Ends | None = None
) -> list[Box | None]:
    """The box of each key, None where it is empty; equal boxes are one object.

    Args:
        bounds: the bounds of all conjunctions, one conjunction after the other.
        counts: how many each conjunction has.
        keys: for each box the conjunctions that it must obey.
        size: how many inputs there are.
        ends: of inputs without bounds, where that is allowed.

    Raises:
        Unbounded: a box that is not empty misses a bound, and there are no `ends`.
    """
    starts = np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))])
    known: dict[bytes, Box] = {}
    result: list[Box | None] = []
    for part in _parts(keys, counts, size):
        result.extend(_Part.of(bounds, starts, part, size).boxes(known, ends))
    return result


def crossing(bounds: Bounds, counts: Sequence[int], key: Key) -> tuple[int, float, float] | None:
    """An input whose lower bound is above its upper bound in the box of a key, with both; None where there is none.

    A box that is empty by a strict bound alone has none.
    """
    starts = np.concatenate([[0], np.cumsum(np.asarray(counts, np.int64))])
    where = np.concatenate([np.arange(starts[n], starts[n + 1]) for n in key]) if key else np.zeros(0, np.int64)
    order = where[np.argsort(bounds.variable[where], kind="stable")]
    for variable in np.unique(bounds.variable[order]).tolist():
        own = order[bounds.variable[order] == variable].tolist()
        low = [bounds.value(p) for p in own if not bounds.upper[p]]
        high = [bounds.value(p) for p in own if bounds.upper[p]]
        if low and high and max(low) > min(high):
            return int(variable), float(max(low)), float(min(high))
    return None


def _parts(keys: Sequence[Key], counts: Sequence[int], size: int) -> Iterator[Sequence[Key]]:
    """The keys, cut where their entries add up."""
    first = entries = 0
    for k, key in enumerate(keys):
        entries += size + sum([counts[number] for number in key])
        if entries > _ENTRIES:
            yield keys[first : k + 1]
            first, entries = k + 1, 0
    if first < len(keys):
        yield keys[first:]


@dataclass(frozen=True, eq=False)
class _Side:
    """The lower bounds of all boxes, or the mirrored (negated) upper ones; arrays of shape (boxes * size,).

    `mark` and `plain` settle the common tie, an input fixed to one number, without exact arithmetic: `plain` says that
    all bounds that attain `nearest` are not strict and spelled as `mark` says.
    """

    nearest: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    mark: np.ndarray
    plain: np.ndarray

    @classmethod
    def of(cls, bounds: Bounds, upper: bool, where: np.ndarray, at: np.ndarray, entries: int) -> _Side:
        """Intersects the bounds at positions `where`, each of which concerns the entry `at`."""
        own = bounds.upper[where] == upper
        where, at, sign = where[own], at[own], -1.0 if upper else 1.0
        nearest, outer = np.full(entries, -np.inf), np.full(entries, -np.inf)
        inner = np.full(entries, -np.inf, np.float32)
        values = sign * bounds.nearest[where]
        np.maximum.at(nearest, at, values)
        np.maximum.at(outer, at, sign * bounds.outer[where])
        np.maximum.at(inner, at, np.float32(sign) * bounds.inner[where])
        attained = values == nearest[at]
        where, at = where[attained], at[attained]
        mark, plain = np.zeros(entries, np.int64), np.ones(entries, bool)
        mark[at] = bounds.mark[where]
        plain[at[bounds.strict[where] | (bounds.mark[where] != mark[at])]] = False
        return cls(nearest, outer, inner, mark, plain)


@dataclass(frozen=True, eq=False)
class _Part:
    """Some boxes at once. `where` lists the positions of their bounds, `at` the entry (box * size + input) of each."""

    bounds: Bounds
    where: np.ndarray
    at: np.ndarray
    count: int
    size: int

    @classmethod
    def of(cls, bounds: Bounds, starts: np.ndarray, keys: Sequence[Key], size: int) -> _Part:
        numbers = np.array([number for key in keys for number in key], np.int64)
        owners = np.repeat(np.arange(len(keys)), np.array([len(key) for key in keys], np.int64))
        lengths = starts[numbers + 1] - starts[numbers]
        ends = np.cumsum(lengths)
        where = np.arange(int(lengths.sum())) + np.repeat(starts[numbers] - (ends - lengths), lengths)
        at = np.repeat(owners, lengths) * size + bounds.variable[where]
        return cls(bounds, where, at, len(keys), size)

    def boxes(self, known: dict[bytes, Box], ends: Ends | None) -> Iterator[Box | None]:
        entries = self.count * self.size
        lower = _Side.of(self.bounds, False, self.where, self.at, entries)
        upper = _Side.of(self.bounds, True, self.where, self.at, entries)
        empty = self._empty(lower, upper)
        for side, is_upper in ((lower, False), (upper, True)):
            missing = np.isinf(side.nearest.reshape(self.count, self.size)) & ~empty[:, None]
            if missing.any() and ends is None:
                raise Unbounded(int(np.argmax(missing.any(axis=0))), is_upper)
        shape = (self.count, self.size)
        arrays = [a.reshape(shape) for a in (lower.outer, -upper.outer, lower.inner, -upper.inner)]
        if ends is not None:
            arrays = _with_ends(arrays, ends)
        contents = np.concatenate([a.view(np.uint8) for a in arrays], axis=1)
        for k, is_empty in enumerate(empty.tolist()):
            content = contents[k].tobytes()
            box = None if is_empty else known.get(content)
            if box is None and not is_empty:
                box = known[content] = Box(*[a[k] for a in arrays])
            yield box

    def _empty(self, lower: _Side, upper: _Side) -> np.ndarray:
        """Which boxes are empty, exactly; shape (count,)."""
        excluded = lower.nearest > -upper.nearest
        spelled_alike = lower.plain & upper.plain & (lower.mark == upper.mark)
        settled = spelled_alike | (lower.inner <= -upper.inner)
        open_ties = np.flatnonzero((lower.nearest == -upper.nearest) & ~settled)
        if open_ties.size:
            order = np.argsort(self.at, kind="stable")
            starts, ends = (np.searchsorted(self.at[order], open_ties, side) for side in ("left", "right"))
            for entry, start, end in zip(open_ties.tolist(), starts.tolist(), ends.tolist(), strict=True):
                excluded[entry] = self._excludes_all(self.where[order[start:end]].tolist())
        return np.asarray(excluded.reshape(self.count, self.size).any(axis=1))

    def _excludes_all(self, positions: list[int]) -> bool:
        """Whether no real number obeys all bounds at these positions; there are lower and upper ones."""
        low = [(self.bounds.value(p), bool(self.bounds.strict[p])) for p in positions if not self.bounds.upper[p]]
        high = [(self.bounds.value(p), not self.bounds.strict[p]) for p in positions if self.bounds.upper[p]]
        (lower, open_below), (upper, closed_above) = max(low), min(high)
        return lower > upper or (lower == upper and (open_below or not closed_above))


def _with_ends(arrays: list[np.ndarray], ends: Ends) -> list[np.ndarray]:
    """Bounds of boxes, shape (boxes, inputs), with `ends` where they are infinite."""
    lower, upper, inner_lower, inner_upper = arrays
    below, above = np.isneginf(lower), np.isposinf(upper)
    return [
        np.where(below, ends.lower, lower),
        np.where(above, ends.upper, upper),
        np.where(below, ends.inner_lower, inner_lower).astype(np.float32),
        np.where(above, ends.inner_upper, inner_upper).astype(np.float32),
    ]
