"""The slopes that the engine's ascents choose, as a proof stores them: one for each operand of a nonlinear entry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.choosers import Line
from verifier.checker.bounds import Hints
from verifier.checker.check import slots_of
from verifier.checker.graph import Function, Graph


class Choices:
    """Translates choices about one graph."""

    def __init__(self, graph: Graph) -> None:
        self.slots = slots_of(graph)
        self._relus = {k for k, node in enumerate(graph.nodes) if isinstance(node, Function) and node.kind == "relu"}

    def slopes(self, lines: Mapping[int, Line], last: int, count: int) -> np.ndarray:
        """The slopes of N rows' lines below node `last`, float32, shape (N, slopes); 0 where none is needed."""
        before = [k for k in self.slots if k < last]
        slopes = np.zeros((count, self.slots[before[-1]][-1].stop if before else 0), np.float32)
        for k in before:
            if k in lines:
                row = to_numpy(lines[k].row)
                used = row > 0 if k in self._relus else row != 0  # the line above a relu cannot be chosen
                for part, slope in zip(self.slots[k], lines[k].whole_slopes(), strict=True):
                    slopes[:, part] = np.where(used, to_numpy(slope), 0)
        return trimmed(np.nan_to_num(slopes, posinf=0.0, neginf=0.0))

    def hints(self, slopes: np.ndarray) -> Hints:
        """The same as the checker reads it."""
        hints = Hints()
        for k, parts in self.slots.items():
            if parts[-1].stop <= slopes.shape[1]:
                hints.slopes[k] = tuple(slopes[:, part].astype(float) for part in parts)
        return hints


def trimmed(slopes: np.ndarray) -> np.ndarray:
    """Slopes to eight binary digits, which are enough for a proof and take half the room."""
    return ((slopes.astype(np.float32).view(np.uint32) + np.uint32(1 << 15)) & np.uint32(0xFFFF0000)).view(np.float32)
