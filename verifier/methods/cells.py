"""The finitely many cells of inputs that reach the network through jumps alone, each a box of its own.

An interval of such an input is cut at float32 numbers until every jump that it reaches is on one step in each part, by
sound intervals. Between two neighbouring floats there are real numbers too: where one jump alone lies there, they do as
one of the two floats does; where more do, what lies between is a cell of its own, in which all of them are open.
So a query over the box is the disjunction of the same query over the cells, in each of which the input is fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.bounds.interval import interval_bounds
from verifier.deadline import Deadline
from verifier.network.graph import Network
from verifier.network.stepped import first_jumps, has_jumps, stepped_entries
from verifier.network.whole import has_types
from verifier.property.forms import with_forms
from verifier.property.query import Box, Disjunct, Query
from verifier.property.whole import integral_entries

if TYPE_CHECKING:
    from verifier.methods.task import Task

MOST_CELLS = 20_000
"""Cells of a box beyond which they are not enumerated."""

MOST_WHOLE = 16
"""Width up to which an integer input that does not only matter through jumps is fixed to each of its numbers."""

PROMISING = 1e-6
"""Cells whose middle comes within this of a violation, as computed, are replayed."""

BATCH = 64
"""Cells whose middles are evaluated together, between two looks at the clock."""

REPLAYS = 32
"""Cells that are replayed at most."""

Span = tuple[float, float]


def with_cells(query: Query, network: Network, deadline: Deadline) -> tuple[Query, np.ndarray | None]:
    """The query with a disjunct for each cell of its boxes, the nearest to a violation first; itself without any.

    With the former, the margin of each disjunct in the middle of its cell as computed, ascending, shape (D,).

    Args:
        query: about `network`.
        network: its weights NumPy arrays.
        deadline: when it expires, boxes that are not cut stay whole, and cells without a margin come last.
    """
    if not query.disjuncts or not has_jumps(network):
        return query, None
    forms = with_forms(network, query.patterns, query.change)
    stepped = stepped_entries(forms)[0]
    boxes = {id(d.box): d.box for d in query.disjuncts}
    whole = integral_entries(network.inputs)
    whole = whole if query.change is None else query.change.integral(whole)
    cells = {key: [box] if deadline.expired else _cells(box, forms, stepped, whole) for key, box in boxes.items()}
    if all(found == [box] for found, box in zip(cells.values(), boxes.values(), strict=True)):
        return query, None
    split = [(disjunct, cell, d) for d, disjunct in enumerate(query.disjuncts) for cell in cells[id(disjunct.box)]]
    values = _values(forms, query, split, deadline)
    order = np.argsort(values, kind="stable")
    cut = replace(query, disjuncts=tuple(replace(split[k][0], box=split[k][1]) for k in order))
    return cut, values[order]


def centres(task: Task) -> None:
    """Replays the middles of the cells that come nearest to a violation, as computed, or are one.

    Where integers may wrap around, which is not computed, being nearest is all that counts.
    """
    margins = task.cell_margins
    if margins is None:
        return
    task.explain(f"inputs that matter through jumps alone take {len(margins)} cells, the nearest to a violation first")
    promising = len(margins) if has_types(task.forms) else int((margins <= PROMISING).sum())
    for d in range(min(promising, REPLAYS)):
        box = task.query.disjuncts[d].box
        if box.has_float32_point and task.accepts(d, box.middle):
            return


def _values(forms: Network, query: Query, split: Sequence[tuple[Disjunct, Box, int]], deadline: Deadline) -> np.ndarray:
    """The margin of each disjunct in the middle of each cell, as computed; infinite where there was no time."""
    margins = np.full(len(split), math.inf)
    for start in range(0, len(split), BATCH):
        if deadline.expired:
            break
        part = split[start : start + BATCH]
        with np.errstate(all="ignore"):
            outputs = forms.forward(np.stack([np.nan_to_num(cell.middle) for _, cell, _ in part]))
        margins[start : start + BATCH] = [query.patterns.margin(d, y) for (*_, d), y in zip(part, outputs, strict=True)]
    return np.nan_to_num(margins, nan=math.inf, posinf=math.inf)


def _cells(box: Box, forms: Network, stepped: np.ndarray, whole: np.ndarray) -> list[Box]:
    """The cells of a box: itself where there are none, or too many.

    Integers that matter in other ways too, such as in a row, are fixed to each of their numbers where these are few.

    Args:
        stepped, whole: inputs that matter through jumps alone, and those of integer types, booleans.
    """
    bounded = (box.lower < box.upper) & np.isfinite(box.lower) & np.isfinite(box.upper)
    varying = np.flatnonzero(bounded & (stepped | (whole & (box.upper - box.lower < MOST_WHOLE))))
    if box.ball is not None or not len(varying):
        return [box]
    spans: dict[int, list[Span]] = {}
    room = float(MOST_CELLS)
    for j in varying:
        found = spans_of(forms, box, int(j), int(room)) if stepped[j] else _whole_numbers(box, int(j), room)
        if found is None:
            return [box]  # some inputs fixed and others not would make many boxes, none much easier
        spans[int(j)] = [_whole(span, box, int(j)) for span in found if _has_whole(span)] if whole[j] else found
        room /= max(1, len(spans[int(j)]))
    return [_fixed(box, tuple(spans), chosen) for chosen in itertools.product(*spans.values())]


def _whole_numbers(box: Box, entry: int, room: float) -> list[Span] | None:
    """The whole numbers between an integer input's bounds, None where there are more than `room`."""
    numbers = np.arange(np.ceil(box.lower[entry]), np.floor(box.upper[entry]) + 1)
    return [(float(n), float(n)) for n in numbers] if 0 < len(numbers) <= room else None


def _has_whole(span: Span) -> bool:
    """Whether a span stands for a whole number: one number does, as the network rounds it; a gap may hold none."""
    return span[0] == span[1] or math.ceil(span[0]) <= math.floor(span[1])


def _whole(span: Span, box: Box, entry: int) -> Span:
    """The whole number that the network takes for any number in the span of a single one, if it is in the box."""
    nearest = float(np.rint(span[0]))
    inside = span[0] == span[1] and box.inner_lower[entry] <= nearest <= box.inner_upper[entry]
    return (nearest, nearest) if inside else span


def _fixed(box: Box, inputs: tuple[int, ...], spans: tuple[Span, ...]) -> Box:
    """The box with some inputs in one span each; a span is one number but between two floats."""
    lower, upper, inner = box.lower.copy(), box.upper.copy(), (box.inner_lower.copy(), box.inner_upper.copy())
    for j, (low, high) in zip(inputs, spans, strict=True):
        lower[j], upper[j] = low, high
        empty = low < high  # beside floats: there is no witness
        inner[0][j], inner[1][j] = (np.inf, -np.inf) if empty else (low, low)
    return replace(box, lower=lower, upper=upper, inner_lower=inner[0], inner_upper=inner[1])


@dataclass(frozen=True, eq=False)
class _Steps:
    """The jumps that one input reaches first.

    Attributes:
        network: their values.
        box, entry: the input's.
    """

    network: Network
    box: Box
    entry: int

    def ends(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sound bounds of the jumps' values for N intervals of the input, shape (N, jumps)."""
        middle = np.nan_to_num(self.box.middle)
        lower, upper = np.tile(middle, (len(low), 1)), np.tile(middle, (len(low), 1))
        lower[:, self.entry], upper[:, self.entry] = low, high
        with np.errstate(all="ignore"):
            found = interval_bounds(self.network, lower, upper)[-1]
        return found.lower, found.upper


def spans_of(forms: Network, box: Box, entry: int, most: int) -> list[Span] | None:
    """Numbers and intervals of one input that stand for all of its own; None where that would take more than `most`."""
    alone = np.zeros(forms.input_size, bool)
    alone[entry] = True
    network = first_jumps(forms, alone)
    least, greatest = float(box.inner_lower[entry]), float(box.inner_upper[entry])
    if network is None or not least <= greatest:
        return None
    steps = _Steps(network, box, entry)
    outer = [(float(box.lower[entry]), least), (greatest, float(box.upper[entry]))]
    known: dict[bytes, Span] = {}  # by what the jumps are there
    between: list[Span] = []
    low, high = np.array([least]), np.array([greatest])
    while len(low):
        bottom, top = steps.ends(low, high)
        settled = (bottom == top).all(axis=1) | (low == high)
        for n in np.flatnonzero(settled):  # 0.0 is added, so that there is one zero
            key = (np.stack([bottom[n], top[n]]) + 0.0).tobytes()
            if (bottom[n] < top[n]).any():  # a float that rounding leaves between two steps stands for itself alone
                key += low[n].tobytes()
            known.setdefault(key, (low[n], low[n]))
        low, high = low[~settled], high[~settled]
        if len(known) + len(low) > most:
            return None
        middle, after = _halves(low, high)
        between += list(zip(middle, after, strict=True))
        low, high = np.concatenate([low, after]), np.concatenate([middle, high])
    return sorted(known.values()) + _open_gaps(steps, between, [gap for gap in outer if gap[0] < gap[1]])


def _halves(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The float32 in the middle of each interval that is above its lower end, and the next one, as float64."""
    before = np.nextafter(high.astype(np.float32), np.float32(-np.inf))
    middle = np.clip((0.5 * low + 0.5 * high).astype(np.float32), low.astype(np.float32), before)
    return middle.astype(np.float64), np.nextafter(middle, np.float32(np.inf)).astype(np.float64)


def _open_gaps(steps: _Steps, between: list[Span], outer: list[Span]) -> list[Span]:
    """Those gaps beside floats in which some real number may do as none of the floats does.

    Args:
        between: gaps between two neighbouring floats: a single jump of one step is on one of their sides.
        outer: gaps between an end and a float: no jump may be in them.
    """
    if not between and not outer:
        return []
    low, high = (np.array([gap[side] for gap in (*between, *outer)]) for side in (0, 1))
    (bottom, top), (at_low, top_low), (at_high, top_high) = (
        steps.ends(*ends) for ends in ((low, high), (low, low), (high, high))
    )
    moves = bottom < top
    sharp = (at_low == top_low) & (at_high == top_high)
    one_step = (
        sharp & (np.minimum(at_low, at_high) == bottom) & (np.maximum(at_low, at_high) == top) & (top - bottom <= 1)
    )
    covered = (moves.sum(axis=1) <= 1) & (~moves | one_step).all(axis=1)
    covered[len(between) :] = ~moves[len(between) :].any(axis=1)
    return [gap for gap, done in zip((*between, *outer), covered, strict=True) if not done]
