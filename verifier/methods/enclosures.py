"""The bounds of every node of a network over boxes, as far as anybody has asked for them or sharpened them."""

from __future__ import annotations

from collections.abc import Sequence

from verifier.arrays import Array, convert_like
from verifier.bounds.enclosure import Interval, intersected
from verifier.deadline import Deadline
from verifier.network.graph import Network
from verifier.property.query import Box

FORWARD_INPUTS = 32
"""Varying inputs up to which forward linear bounds come first: they leave fewer entries to bound backward. In deep
networks zonotopes leave fewer still: CROWN of cifar_biasfield 24 takes 7.3 s of CPU after them, 21.5 s otherwise."""

SHARE = 0.5
"""Of the time left, for the backward bounds of one box: what has not come by then is bounded by intervals."""


class Enclosures:
    """Keeps what is known of each box.

    Args:
        network: whose nodes are bounded.
        example: an array of the library and device to work on.
        deadline: of the task.
        counting: whether the entries that bounds leave open are counted.
    """

    def __init__(self, network: Network, example: Array, deadline: Deadline, counting: bool) -> None:
        self.network = network
        self._example = example
        self._deadline = deadline
        self._counting = counting
        self._kept: dict[int, tuple[Box, list[Interval]]] = {}  # the box is kept so that its id stays its own
        self._own: dict[int, tuple[Box, dict[int, list[Interval]]]] = {}
        self._open: dict[int, int] = {}

    def of(self, box: Box) -> list[Interval]:
        """Linear bounds of every node over one box, made once; arrays of shape (1, size)."""
        if id(box) not in self._kept:
            self.keep(box, self._made(box))
        return self._kept[id(box)][1]

    def keep(self, box: Box, intervals: list[Interval]) -> None:
        """Takes bounds of every node over one box in the place of those it has."""
        self._kept[id(box)] = box, intervals

    def keep_own(self, box: Box, disjunct: int, intervals: list[Interval]) -> None:
        """Takes bounds of every node over the inputs of a box that obey a disjunct's rows: for that disjunct alone."""
        self._own.setdefault(id(box), (box, {}))[1][disjunct] = intervals

    def own(self, box: Box) -> dict[int, list[Interval]]:
        """What there is of a box's disjuncts, each for itself, within the bounds of the box."""
        _, found = self._own.get(id(box), (box, {}))
        return {d: [intersected(i, o) for i, o in zip(self.of(box), own, strict=True)] for d, own in found.items()}

    def known(self, box: Box) -> list[Interval] | None:
        """What there is of a box already."""
        kept = self._kept.get(id(box))
        return kept and kept[1]

    def count(self, boxes: Sequence[Box], intervals: Sequence[Interval]) -> None:
        """Takes note of how open bounds of all nodes over boxes are, shape (N, size), where that is wanted."""
        if self._counting:
            from verifier.bounds.layout import undecided

            counts = undecided(self.network, intervals)
            self._open.update((id(box), int(n)) for box, n in zip(boxes, counts, strict=True))

    @property
    def undecided(self) -> int | None:
        """Entries on whose bounds some function is not linear, over all boxes; None where nobody counted."""
        for key, (box, intervals) in self._kept.items():
            if key not in self._open:
                self.count([box], intervals)
        return sum(self._open.values()) if self._open else None

    def _made(self, box: Box) -> list[Interval]:
        from verifier.bounds import forward
        from verifier.bounds.linear import bounds_within
        from verifier.bounds.zonotope import zonotope_bounds

        convert = convert_like(self._example)
        ends = convert(box.lower[None, :]), convert(box.upper[None, :])
        known = None
        if int((box.lower < box.upper).sum()) <= FORWARD_INPUTS:
            deep = sum(node.size for node in self.network.nodes) > forward.FORWARD_VALUES
            known = (zonotope_bounds if deep else forward.forward_bounds)(self.network, *ends)
        deadline = self._deadline.within(SHARE * self._deadline.remaining)
        return bounds_within(self.network, Interval(*ends, box.ball), deadline, known)
