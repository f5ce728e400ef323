"""Intermediate bounds, each optimised on its own: every open entry is a row with slopes of its own (alpha-CROWN).

Node after node: the entry's interval decides the relaxation of all that follows, so an early gain multiplies. It costs
two rows an open entry, each a few passes through the nodes below; `deadline` ends it anywhere, as all intervals given
stay valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.alike import Alike
from verifier.bounds.enclosure import Interval, intersected
from verifier.bounds.interval import node_interval
from verifier.bounds.lagrangian import Lagrangian, Rows, ancestors, first_choice
from verifier.bounds.layout import Layout, layout, open_entries
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.bounds.relaxation import Relaxation
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.network.linear_maps import Selection

Together: TypeAlias = Callable[[Callable[[Any], Any], list[Any]], Iterable[Any]]
"""Applies a function to parts of the work, possibly in several processes, results in order (`map`)."""

PROMISING = 0.02
"""Part of their widths that the first entries of a node have to lose for the others to be bounded as well."""

TRIED = 2
"""Chunks of entries that are bounded first, where entries are chosen."""

SAMPLED = 24
"""Entries of a node that tell whether the others are worth bounding, where bounds go from the last node back."""

CHUNK_ENTRIES = 1 << 21
"""Values of all nodes of a chunk of rows."""


@dataclass(frozen=True, eq=False)
class Engines:
    """One network twice.

    Attributes:
        exact: in float64; what proves.
        fast: in the dtype that ascents run in.
        example: an empty array of that dtype.
    """

    exact: Network
    fast: Network
    example: Array


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some entries of one node, and what bounding them takes.

    Attributes:
        node: which.
        intervals: of all nodes that the bounds depend on, this one included, shape (N, size) or (1, size) each.
        shape: the layout below the last of these.
        cuts: as in `Tightening.of_domains`.
        entries: subproblems and entries of the node, integers, shape (P,) each.
    """

    node: int
    intervals: list[Interval]
    shape: Layout
    cuts: np.ndarray
    entries: tuple[np.ndarray, np.ndarray]

    def divided(self, size: int) -> list[Chunk]:
        """The same in chunks of at most `size` entries."""
        n, columns = self.entries
        starts = range(0, len(n), size)
        return [replace(self, entries=(n[i : i + size], columns[i : i + size])) for i in starts]


@dataclass(frozen=True, eq=False)
class _Known:
    """What `Tightening.of_domains` is given, intervals as they are by now."""

    intervals: list[Interval]
    shape: Layout
    cuts: np.ndarray


@dataclass(frozen=True, eq=False)
class Tightening:
    """How intervals are tightened.

    Attributes:
        engines: the network.
        options: of the ascents.
        deadline: looked at between chunks of rows.
        chosen: for some nodes, by index, the only entries to bound, booleans, shape (size,); None: all, of all nodes.
        reach: the last node of which cuts have a say in the bounds of nodes before it (`Rows.reach`).
    """

    engines: Engines
    options: AscentOptions
    deadline: Deadline
    chosen: Mapping[int, np.ndarray] | None = None
    reach: int = 0

    def of_box(self, intervals: Sequence[Interval], together: Together = map) -> list[Interval]:
        """The intervals of a box, CROWN's, tightened; shape (1, size) each. `together` applies `bounds_of`."""
        first = next((k for k, n in enumerate(self.engines.exact.nodes) if n.operands not in ((), (0,))), 0)
        shape, uncut = layout(self.engines.exact, intervals), np.zeros((1, 0), np.int64)
        tight, _ = self.of_domains(intervals, shape, uncut, first, together)
        return tight

    def of_domains(
        self, intervals: Sequence[Interval], shape: Layout, cuts: np.ndarray, first: int, together: Together = map
    ) -> tuple[list[Interval], np.ndarray]:
        """The intervals of N parts of a box, tightened from node `first` on, and which parts turn out to be empty.

        A part is empty where proven bounds of an entry cross: no input obeys all its cuts.

        Args:
            intervals: sound on the parts, shape (N, size), or (1, size) where they are the same for all.
            shape: of the root box.
            cuts: the positions whose intervals are constraints with a multiplier (`Rows.cuts`), shape (N, C).
            first: nodes before it are left as they are.
            together: applies `bounds_of` to chunks of the entries of a node.

        Returns:
            Intervals, shape (N, size), those of empty parts without meaning; booleans, shape (N,).
        """
        network, tight = self.engines.exact, list(intervals)
        empty = np.zeros(max(i.lower.shape[0] for i in intervals), bool)
        for k in range(max(first, 1), len(network.nodes)):
            propagated = node_interval(network, k, tight)
            empty |= _crossing(tight[k], propagated)
            tight[k] = intersected(tight[k], propagated)
            if k in shape.operands and not self.deadline.expired and self._can_gain(k, shape, cuts):
                tight[k], crossing = self._of_node(k, self._open(k, tight[k]), _Known(tight, shape, cuts), together)
                empty |= crossing
        return tight, empty

    def backward(
        self, intervals: Sequence[Interval], shape: Layout, cuts: np.ndarray, together: Together = map
    ) -> tuple[list[Interval], np.ndarray]:
        """As `of_domains`, from the last node back: what is known of outputs tells most of what is next to them.

        Ends at the first node of which no interval gets much smaller; all others then follow by propagation.
        """
        network, tight = self.engines.exact, list(intervals)
        empty = np.zeros(max(i.lower.shape[0] for i in intervals), bool)
        gaining = True
        for k in sorted(shape.operands, reverse=True):
            if not gaining or self.deadline.expired or empty.all():
                break
            if k > 0 and self._can_gain(k, shape, cuts):
                wanted = self._open(k, tight[k])
                first = _sample(wanted)
                for some in (first, wanted & ~first):
                    found, crossing = self._of_node(k, some, _Known(tight, shape, cuts), together)
                    empty |= crossing
                    gaining = gaining and _narrowed(tight[k], found, some) >= PROMISING
                    tight[k] = found
                    if not gaining:
                        break
        for k in range(1, len(network.nodes)):
            propagated = node_interval(network, k, tight)
            empty |= _crossing(tight[k], propagated)
            tight[k] = intersected(tight[k], propagated)
        return tight, empty

    def _of_node(self, k: int, wanted: np.ndarray, known: _Known, together: Together) -> tuple[Interval, np.ndarray]:
        """The interval of node k with wanted entries bounded, the same where none is; which parts are empty."""
        if not wanted.any():
            return known.intervals[k], np.zeros(1, bool)
        top, (n, columns) = max(k, self.reach), np.nonzero(wanted)
        below = known.intervals[: top + 1], known.shape.below(top)
        found = self._tightened(Chunk(k, *below, known.cuts, (n, columns)), together)
        return intersected(known.intervals[k], found), _crossing(found, found)

    def _can_gain(self, k: int, shape: Layout, cuts: np.ndarray) -> bool:
        """Whether node k depends on lines that can be chosen, and does not just copy what a function gives.

        The image of a function's interval is what its lines can give at best.
        """
        nodes = self.engines.exact.nodes
        node = nodes[k]
        copied = isinstance(node, Affine) and len(node.operands) == 1 and isinstance(node.maps[0], Selection)
        if isinstance(nodes[node.operands[0]] if copied else node, Elementwise):
            return False
        chosen = {*shape.lower_places, *shape.upper_places}
        return bool(cuts.shape[1]) or not chosen.isdisjoint(ancestors(self.engines.exact, k))

    def _open(self, k: int, interval: Interval) -> np.ndarray:
        """Entries of node k to bound, whose interval matters to a function or product, bool, shape (N, size)."""
        nodes = self.engines.exact.nodes
        consumers = [n for n in nodes if isinstance(n, (Elementwise, Product)) and k in n.operands]
        if not consumers:
            return np.zeros(interval.lower.shape, bool)
        wanted = np.any([to_numpy(open_entries(n, interval)) for n in consumers], axis=0)
        if self.chosen is None:
            return wanted
        return wanted & self.chosen[k] if k in self.chosen else np.zeros_like(wanted)

    def _tightened(self, wanted: Chunk, together: Together) -> Interval:
        """The last interval with the wanted entries optimised; the ends may cross."""
        last, (n, columns) = wanted.intervals[wanted.node], wanted.entries
        size = last.lower.shape[1]
        alike = Alike.of(self.engines.exact.nodes[wanted.node])
        distinct, which = np.unique(n * size + alike.like[columns], return_inverse=True)
        values = sum(node.size for node in self.engines.exact.nodes[: len(wanted.intervals)])
        once = replace(wanted, entries=(distinct // size, distinct % size))
        chunks = once.divided(max(1, CHUNK_ENTRIES // values))
        ends = np.full((2, len(distinct)), -np.inf)
        tried = len(chunks) if self.chosen is None and not self.reach else min(TRIED, len(chunks))
        start = 0
        for several in (chunks[:tried], chunks[tried:]):
            for chunk, found in zip(several, together(self.bounds_of, several), strict=True):
                part = slice(start, start := start + len(chunk.entries[0]))
                if found is not None:
                    ends[:, part] = to_numpy(found).reshape(2, -1)
            if not self._gains(last, (distinct[:start] // size, distinct[:start] % size), ends[:, :start]):
                break
        return self._raised(last, wanted.entries, alike.bounds(columns, ends[:, which]))

    @staticmethod
    def _gains(interval: Interval, entries: tuple[np.ndarray, np.ndarray], ends: np.ndarray) -> bool:
        """Whether lower bounds of some entries, and of their negatives, shape (2, P), narrow their intervals enough."""
        n, columns = entries
        lower, upper = (to_numpy(a) for a in (interval.lower, interval.upper))
        place = (n if len(lower) > 1 else np.zeros_like(n)), columns
        narrowed = np.minimum(upper[place], -ends[1]) - np.maximum(lower[place], ends[0])
        width = upper[place] - lower[place]
        return bool(np.mean(1.0 - narrowed / np.where(width > 0, width, 1.0)) >= PROMISING)

    @staticmethod
    def _raised(interval: Interval, entries: tuple[np.ndarray, np.ndarray], ends: np.ndarray) -> Interval:
        """The interval with lower bounds of some entries, and of their negatives, shape (2, P); the ends may cross."""
        xp, convert = namespace(interval.lower), convert_like(interval.lower)
        lower, upper = (xp.asarray(a, copy=True) for a in (interval.lower, interval.upper))
        where, ends = tuple(convert(a) for a in entries), convert(ends)
        lower[where] = xp.maximum(lower[where], ends[0])
        upper[where] = xp.minimum(upper[where], -ends[1])
        return Interval(lower, upper)

    def bounds_of(self, chunk: Chunk) -> Array | None:
        """Proven lower bounds of the entries of a chunk, then of their negatives, shape (2 P,); None if time is up."""
        return None if self.deadline.expired else self._entry_bounds(chunk)

    def _entry_bounds(self, chunk: Chunk) -> Array:
        engines, intervals, (n, columns) = self.engines, chunk.intervals, chunk.entries
        xp, k, count, twice = namespace(intervals[0].lower), chunk.node, len(n), np.tile(n, 2)
        unit = np.zeros((2 * count, 1, engines.exact.nodes[k].size))
        unit[np.arange(count), 0, columns] = 1.0
        unit[count + np.arange(count), 0, columns] = -1.0
        convert = convert_like(intervals[0].lower)
        rows = convert(unit)
        own = [i if i.lower.shape[0] == 1 else _taken(i, convert(twice)) for i in intervals]
        none = xp.zeros_like(rows[:, :, 0])
        dtype, cuts = engines.example.dtype, chunk.cuts[twice]
        fast = Rows(k, xp.astype(rows, dtype), xp.astype(none, dtype), cuts, self.reach)
        relaxation = Relaxation(engines.exact, own, chunk.shape)
        lagrangian = Lagrangian(engines.fast, relaxation, fast)
        ascent = Ascent(lagrangian, first_choice(lagrangian), self.options)
        ascent.run()
        return proven(relaxation, Rows(k, rows, none, cuts, self.reach), ascent.best).bound


def _crossing(one: Interval, other: Interval) -> np.ndarray:
    """Where some entry's largest lower end exceeds its smallest upper end, bool, shape (N,)."""
    xp = namespace(one.lower)
    crossed = xp.maximum(one.lower, other.lower) > xp.minimum(one.upper, other.upper)
    return to_numpy(xp.any(crossed, axis=1))


def _sample(wanted: np.ndarray) -> np.ndarray:
    """About `SAMPLED` of the wanted entries, evenly spaced; all where they are few."""
    where = np.flatnonzero(wanted)
    some = np.zeros(wanted.size, bool)
    some[where[:: len(where) // SAMPLED if len(where) > 8 * SAMPLED else 1]] = True
    return some.reshape(wanted.shape)


def _narrowed(before: Interval, after: Interval, wanted: np.ndarray) -> float:
    """The part of their widths that entries have lost on average; all of it where none is wanted."""
    old, new = (to_numpy(i.upper - i.lower) for i in (before, after))
    old, new = (np.broadcast_to(width, wanted.shape)[wanted] for width in (old, new))
    return float(np.mean(1.0 - new / np.where(old > 0, old, 1.0))) if wanted.any() else 1.0


def _taken(interval: Interval, rows: Array) -> Interval:
    xp = namespace(interval.lower)
    return Interval(xp.take(interval.lower, rows, axis=0), xp.take(interval.upper, rows, axis=0), interval.ball)
