"""Intermediate bounds, each optimised on its own: every open entry is a row with slopes of its own (alpha-CROWN).

Node after node: the entry's interval decides the relaxation of all that follows, so an early gain multiplies. It costs
two rows an open entry, each a few passes through the nodes below; `deadline` ends it anywhere, as all intervals given
stay valid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.enclosure import Interval, intersected
from verifier.bounds.interval import node_interval
from verifier.bounds.lagrangian import Lagrangian, Rows, first_choice
from verifier.bounds.layout import Layout, layout
from verifier.bounds.optimise import Ascent, AscentOptions, proven
from verifier.deadline import Deadline
from verifier.network.graph import Network

Together: TypeAlias = Callable[[Callable[[np.ndarray], Array], list[np.ndarray]], Iterable[Array]]
"""Applies a function to parts of the work, possibly in several threads, results in order (`map`, `Executor.map`)."""

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


def optimised_intervals(
    engines: Engines,
    intervals: Sequence[Interval],
    options: AscentOptions,
    deadline: Deadline,
    together: Together = map,
) -> list[Interval]:
    """The intervals of one box, tightened; shape (1, size) each.

    Args:
        engines: the network.
        intervals: sound intervals of all nodes (CROWN's), shape (1, size).
        options: of the ascents.
        deadline: looked at between chunks of rows.
        together: runs the chunks of a node.
    """
    network = engines.exact
    tight = [intervals[0]]
    for k, node in enumerate(network.nodes[1:], start=1):
        propagated = node_interval(node, [tight[i] for i in node.operands], intervals[0].lower)
        tight.append(intersected(intervals[k], propagated))
        feeds = layout(network, [*tight, *intervals[k + 1 :]]).operands.get(k)
        if feeds is None or node.operands in ((), (0,)) or deadline.expired:
            continue
        tight[k] = _tightened(engines, tight, feeds.columns, options, deadline, together)
    return tight


def _tightened(
    engines: Engines,
    intervals: list[Interval],
    entries: np.ndarray,
    options: AscentOptions,
    deadline: Deadline,
    together: Together,
) -> Interval:
    """The last interval with those of the open `entries` optimised."""
    xp = namespace(intervals[0].lower)
    k = len(intervals) - 1
    shape = layout(engines.exact, intervals)
    chunk = max(1, CHUNK_ENTRIES // sum(node.size for node in engines.exact.nodes[: k + 1]))
    parts = [entries[i : i + chunk] for i in range(0, len(entries), chunk)]

    def bounds(part: np.ndarray) -> Array:
        if deadline.expired:
            return None
        return _entry_bounds(engines, intervals, shape, part, options)

    lower, upper = (xp.asarray(a, copy=True) for a in (intervals[k].lower, intervals[k].upper))
    for part, found in zip(parts, together(bounds, parts), strict=True):
        if found is not None:
            columns = convert_like(lower)(part)
            lower[0, columns] = xp.maximum(lower[0, columns], found[: len(part)])
            upper[0, columns] = xp.minimum(upper[0, columns], -found[len(part) :])
    return intersected(intervals[k], Interval(lower, upper))


def _entry_bounds(
    engines: Engines, intervals: list[Interval], shape: Layout, part: np.ndarray, options: AscentOptions
) -> Array:
    """Proven lower bounds of the entries, then of their negatives, shape (2 P,)."""
    xp = namespace(intervals[0].lower)
    k, count = len(intervals) - 1, len(part)
    unit = np.zeros((2 * count, 1, engines.exact.nodes[k].size))
    unit[np.arange(count), 0, part] = 1.0
    unit[count + np.arange(count), 0, part] = -1.0
    rows = convert_like(intervals[0].lower)(unit)
    none = xp.zeros_like(rows[:, :, 0])
    fast = Rows(k, xp.astype(rows, engines.example.dtype), xp.astype(none, engines.example.dtype))
    lagrangian = Lagrangian(engines.fast, intervals, shape, fast)
    ascent = Ascent(lagrangian, first_choice(lagrangian), options)
    ascent.run()
    return proven(engines.exact, intervals, shape, Rows(k, rows, none), ascent.best).bound


def widths(intervals: Sequence[Interval], shape: Layout) -> float:
    """The mean width of the open operand entries: how loose the relaxation still is."""
    total, count = 0.0, 0
    for k, slot in shape.operands.items():
        width = to_numpy(intervals[k].upper - intervals[k].lower)[0, slot.columns]
        total, count = total + float(width.sum()), count + len(width)
    return total / max(1, count)
