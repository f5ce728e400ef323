"""The cuts of a search on inputs, as a proof has them.

Its tree is followed from the root that holds a disjunct's box. A cut that does not cross the box has nothing on one
side. Where a box was clipped, the search made the cut alone and owes the other side to its bounds there; in a proof
that side is a case like any other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from verifier.search.record import InputCuts


@dataclass(frozen=True, eq=False)
class Trail:
    """The cuts below one root.

    Attributes:
        cuts: of the search.
        root: a node of its tree.
        children: of each node, one or two.
    """

    cuts: InputCuts
    root: int
    children: dict[int, list[int]]

    def cut(self, node: int) -> tuple[int, float, int | None, int | None] | None:
        """How a node is cut: the input, where, and the nodes below and above; None where it is not."""
        below_it = self.children.get(node)
        if not below_it:
            return None
        tree = self.cuts.tree
        sides = {bool(tree.above[k]): k for k in below_it}
        first = below_it[0]
        return int(tree.dimension[first]), float(tree.cut[first]), sides.get(False), sides.get(True)


class Trails:
    """All that searches on inputs cut, by the boxes that they began with."""

    def __init__(self, several: Sequence[InputCuts]) -> None:
        self._several = [cuts for cuts in several if len(cuts.tree) > len(cuts.lower)]
        self._children = [_children(cuts) for cuts in self._several]

    def of(self, lower: np.ndarray, upper: np.ndarray) -> Trail | None:
        """The cuts of the smallest root box that holds this one, shape (inputs,); None where there are none."""
        found = [
            (float((cuts.upper[root] - cuts.lower[root]).sum()), number, int(root))
            for number, cuts in enumerate(self._several)
            for root in np.flatnonzero(_holds(cuts, lower, upper))
            if int(root) in self._children[number]
        ]
        if not found:
            return None
        _, number, root = min(found)
        return Trail(self._several[number], root, self._children[number])


def _holds(cuts: InputCuts, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return np.asarray((cuts.lower <= lower).all(1) & (cuts.upper >= upper).all(1))


def _children(cuts: InputCuts) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for node, parent in enumerate(cuts.tree.parent.tolist()):
        if parent >= 0:
            found[parent].append(node)
    return dict(found)
