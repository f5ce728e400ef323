"""Which entries of a network an optimised bound has a say in, and where they stand in flat vectors.

A subproblem of a search is described by three vectors: the intervals of all *open* operand entries (those on which
some function or product is not yet linear), a multiplier for each of those intervals, and a place for each line that
can be chosen. The layout, made once from the root's intervals, says which number belongs to which entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from verifier.arrays import Array, namespace, to_numpy
from verifier.bounds.enclosure import Interval
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.near import Near
from verifier.network.functions.steps import StepFunction
from verifier.network.graph import Elementwise, Network, Product


@dataclass(frozen=True, eq=False)
class Slot:
    """Part `start : stop` of a flat vector: the entries `columns` of node `node`."""

    node: int
    columns: np.ndarray
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.columns)

    @property
    def part(self) -> slice:
        return slice(self.start, self.stop)


@dataclass(frozen=True, eq=False)
class Layout:
    """The flat vectors of one network over one root box.

    Attributes:
        operands: a slot for each node that feeds a function or a product, over its open entries.
        lower_places, upper_places: for each function or product node, by index, a slot of lines that can be chosen.
        shared_places: for each node with partitions, by index, a slot of those: what their entries share (`Shares`).
        open_count: length of the vectors of intervals and multipliers.
        place_count: length of the vector of places.
    """

    operands: dict[int, Slot]
    lower_places: dict[int, Slot]
    upper_places: dict[int, Slot]
    shared_places: dict[int, Slot]
    open_count: int
    place_count: int

    def below(self, node: int) -> Layout:
        """Without a say for what comes after a node: the same vector of intervals, a shorter one of places."""
        count, places = 0, []
        for slots in (self.lower_places, self.upper_places, self.shared_places):
            kept: dict[int, Slot] = {}
            for k, slot in slots.items():
                if k <= node:
                    kept[k] = Slot(k, slot.columns, count)
                    count = kept[k].stop
            places.append(kept)
        operands = {k: slot for k, slot in self.operands.items() if k <= node}
        return Layout(operands, places[0], places[1], places[2], self.open_count, count)

    def with_outputs(self, node: int, size: int) -> Layout:
        """With places at the end of the vector of intervals for all entries of the last node, which nothing takes."""
        outputs = Slot(node, np.arange(size), self.open_count)
        return replace(self, operands={**self.operands, node: outputs}, open_count=outputs.stop)

    def located(self, positions: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Positions of the vector of intervals by node; node 0 is left out, its box is minimised over anyway.

        Args:
            positions: integers, shape (N, C), -1 where there is none.

        Returns:
            For each node that has some: which of the N, which of the C, and the node's entry, shape (P,) each.
        """
        found = {}
        for node, slot in self.operands.items():
            here = np.nonzero((positions >= slot.start) & (positions < slot.stop))
            if node > 0 and len(here[0]):
                found[node] = (*here, slot.columns[positions[here] - slot.start])
        return found

    def entry(self, position: int) -> tuple[int, int]:
        """The node and the entry that stand at a position of the vector of intervals."""
        for node, slot in self.operands.items():
            if slot.start <= position < slot.stop:
                return node, int(slot.columns[position - slot.start])
        raise IndexError(position)


def layout(network: Network, intervals: Sequence[Interval], sharing: bool = True) -> Layout:
    """The layout for intervals of shape (N, size); an entry is open if it is so in any of the N subproblems.

    Nodes beyond the intervals given are left out. With `sharing`, so that entries of a softmax add up to 1 is used.
    """
    nodes = list(enumerate(network.nodes[: len(intervals)]))
    wanted: dict[int, np.ndarray] = {}
    lower_places: dict[int, Slot] = {}
    upper_places: dict[int, Slot] = {}
    count = 0
    for k, node in nodes:
        if not isinstance(node, (Elementwise, Product)):
            continue
        open_here = np.zeros(node.size, bool)
        for operand in node.operands:
            is_open = to_numpy(open_entries(node, intervals[operand])).any(axis=0)
            wanted[operand] = wanted.get(operand, np.zeros(node.size, bool)) | is_open
            open_here |= is_open
        columns = np.flatnonzero(open_here)
        if not len(columns):
            continue
        lower_places[k] = Slot(k, columns, count)
        count += len(columns)
        if isinstance(node, Product) or not _convex_pieces(node.function):
            upper_places[k] = Slot(k, columns, count)
            count += len(columns)
    shared_places: dict[int, Slot] = {}
    for k, shares in network.shares.items() if sharing else ():
        if k in lower_places:
            shared_places[k] = Slot(k, np.arange(shares.count), count)
            count += shares.count
    operands: dict[int, Slot] = {}
    open_count = 0
    for k in sorted(wanted):
        columns = np.flatnonzero(wanted[k])
        if len(columns):
            operands[k] = Slot(k, columns, open_count)
            open_count += len(columns)
    return Layout(operands, lower_places, upper_places, shared_places, open_count, count)


def _convex_pieces(function: ScalarFunction) -> bool:
    """Whether a function is piecewise linear and convex: there is one best line above it, its chord."""
    slopes = [piece.slope for piece in function.pieces or ()]
    return bool(slopes) and slopes == sorted(slopes)


def open_entries(consumer: Elementwise | Product, operand: Interval) -> Array:
    """Where the consumer is not linear on an operand's interval; bool, shape (N, size)."""
    xp = namespace(operand.lower)
    if isinstance(consumer, Elementwise) and consumer.function.pieces is not None:
        wanted = xp.zeros_like(operand.lower, dtype=xp.bool)
        for piece in consumer.function.pieces[1:]:
            wanted = wanted | ((operand.lower < piece.start) & (operand.upper > piece.start))
        return wanted
    if isinstance(consumer, Elementwise) and isinstance(consumer.function, StepFunction | Near):
        least, greatest = consumer.function.image(operand.lower, operand.upper)
        return least < greatest
    return operand.lower < operand.upper


def operand_nodes(network: Network) -> list[int]:
    """The nodes that a function or product works on, in their order."""
    return sorted({i for node in network.nodes if isinstance(node, Elementwise | Product) for i in node.operands})


def open_in(network: Network, intervals: Sequence[Interval], k: int) -> np.ndarray:
    """Which entries of node k some function or product is not linear on, bool, shape (N, size)."""
    consumers = [n for n in network.nodes if isinstance(n, Elementwise | Product) and k in n.operands]
    return np.any([to_numpy(open_entries(node, intervals[k])) for node in consumers], axis=0)


def undecided(network: Network, intervals: Sequence[Interval]) -> np.ndarray:
    """Entries on whose interval some function or product is not linear, over N boxes: integers, shape (N,)."""
    counts = [open_in(network, intervals, k).sum(axis=1) for k in operand_nodes(network)]
    return np.sum(counts, axis=0) if counts else np.zeros(len(intervals[0].lower), np.int64)
