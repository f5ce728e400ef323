"""How a proof says what a search cuts: where a step jumps its value is cut, between two whole numbers."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

import numpy as np

from verifier.checker.graph import Function, Graph
from verifier.checker.steps import STEPS


class Cuts:
    """Names and cuts of one graph's quantities.

    Attributes:
        names: one for each node that has some.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names = {node: name for name, node in graph.quantities.items()}

    @cached_property
    def steps(self) -> dict[int, list[int]]:
        """The steps that take each operand, by its node."""
        found: dict[int, list[int]] = defaultdict(list)
        for k, node in enumerate(self.graph.nodes):
            if isinstance(node, Function) and node.kind in STEPS:
                found[node.operands[0]].append(k)
        return found

    @cached_property
    def presses(self) -> dict[str, str]:
        """By the name of a step's value that of what multipliers of its cuts press on."""
        return {
            self.names[k]: self.names[operand if operand else k] for operand in self.steps for k in self.steps[operand]
        }

    def press(self, k: int) -> bool:
        """Whether multipliers of cuts at node k press there: those of a step's value press on its operand."""
        return k > 0 and self.names[k] not in self.presses

    def written(self, k: int, place: float) -> tuple[int, float]:
        """For a cut of node k's entries the node and the number that a proof has."""
        for step in self.steps.get(k, []):
            node = self.graph.nodes[step]
            assert isinstance(node, Function)
            before, behind = (float(STEPS[node.kind](np.nextafter(place, side))) for side in (-np.inf, np.inf))
            if before < behind:
                return step, before + 0.5
        return k, place
