"""Closes disjuncts by the checker's own bounds: cases are split until every leaf holds.

A part that is not closed is cut at an input, where few of them vary, and else at the operand of a function. Each part
has all its intervals bounded anew, so that nothing but the cuts needs to be written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verifier.checker.bounds import Bounder, State
from verifier.checker.check import rounded
from verifier.checker.claim import Disjunct
from verifier.checker.graph import Function, Graph, Product
from verifier.deadline import Deadline
from verifier.proofs.draft import Draft, Leaf
from verifier.proofs.neurons import GivenUp, Neurons, relus_only

FEW_INPUTS = 16
"""Varying inputs up to which inputs are cut."""
RESERVE = 1e-9
"""By which a bound exceeds its threshold, relatively: the checker may add up in another order."""
VALUES = 1 << 20
"""Values of all nodes of the parts that are bounded together."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of several disjuncts, each row once.

    Attributes:
        coefficients: shape (1, R, outputs).
        thresholds: shape (R,).
        of: for each disjunct, the numbers of its rows.
    """

    coefficients: np.ndarray
    thresholds: np.ndarray
    of: dict[int, list[int]]

    @classmethod
    def several(cls, disjuncts: Sequence[Disjunct], which: Sequence[int], outputs: int) -> Rows:
        """The rows of some disjuncts."""
        numbers: dict[tuple[tuple[tuple[int, Fraction], ...], Fraction], int] = {}
        of = {
            d: [numbers.setdefault((r.coefficients, r.threshold), len(numbers)) for r in disjuncts[d].rows]
            for d in which
        }
        coefficients = np.zeros((1, len(numbers), outputs))
        for (row, _), n in numbers.items():
            for j, value in row:
                coefficients[0, n, j] = float(value)
        thresholds = rounded(np.array([t for _, t in numbers], object), np.inf) if numbers else np.zeros(0)
        return cls(coefficients, thresholds, of)

    def margins(self, least: np.ndarray) -> np.ndarray:
        """By how much bounds of the rows, shape (N, R), exceed what they must."""
        return least - self.thresholds - RESERVE * (np.abs(least) + np.abs(self.thresholds))


class Refiner:
    """Writes the tree of one distinct box.

    Args:
        graph, disjuncts: the claim, as the checker reads it.
        draft: to write to.
        deadline: when to give up.
        most: nodes of the tree at most.
    """

    def __init__(
        self, graph: Graph, disjuncts: Sequence[Disjunct], draft: Draft, deadline: Deadline, most: int = 1_000_000
    ) -> None:
        self.graph, self.disjuncts, self.draft, self.deadline, self.most = graph, disjuncts, draft, deadline, most
        self.bounder = Bounder(graph)
        self.bounder.between = self._in_time
        self.names = {node: name for name, node in graph.quantities.items()}
        self.batch = max(1, min(128, VALUES // sum(node.size for node in graph.nodes)))

    def prove(self, which: Sequence[int]) -> None:
        """Closes disjuncts that have the same box.

        Raises:
            GivenUp: it takes too long or too much.
        """
        box = self.disjuncts[which[0]]
        root = self.draft.root(which[0])
        lower = rounded(np.array(box.lower, object)[None], -np.inf)
        upper = rounded(np.array(box.upper, object)[None], np.inf)
        state = self.bounder.propagated(lower, upper)
        left = self._close([root], state, [set(which)])[0][0]
        if not left:
            return
        if len(left) < len(which):  # what is closed so far is with the bounds of a root that is not sharpened
            root = self.draft.root(which[0])
        self.draft.sharpened[root] = True
        state = self.bounder.sharpened(state)
        (left,), rows, found = self._close([root], state, [left])
        if left and relus_only(self.graph) and self._many_vary(state):
            left = Neurons(self.graph, self.disjuncts, self.draft, self.deadline).prove(root, state, sorted(left))
        stack = self._children([root], state, [left], rows, found)
        while stack:
            stack = stack[: -self.batch] + self._expand(stack[-self.batch :])

    def _in_time(self) -> None:
        if self.deadline.expired:
            raise GivenUp("the time ran out")

    @staticmethod
    def _many_vary(state: State) -> bool:
        return int((state.lower[0] < state.upper[0]).sum()) > FEW_INPUTS

    def _expand(self, parts: list[Part]) -> list[Part]:
        """Bounds parts anew and closes what can be; the halves of those that stay open."""
        self._in_time()
        if len(self.draft.parent) > self.most:
            raise GivenUp(f"more than {self.most} cases")
        every = range(len(self.graph.nodes))
        lower = [np.concatenate([p.state.lower[k] for p in parts]) for k in every]
        upper = [np.concatenate([p.state.upper[k] for p in parts]) for k in every]
        known = State(lower, upper)
        fresh = self.bounder.sharpened(self.bounder.propagated(known.lower[0], known.upper[0], known))
        nodes = [p.node for p in parts]
        left, rows, found = self._close(nodes, fresh, [p.open for p in parts])
        return self._children(nodes, fresh, left, rows, found)

    def _close(self, nodes: list[int], state: State, wanted: list[set[int]]) -> tuple[list[set[int]], Rows, Found]:
        """Adds leaves for the disjuncts that bounds close; those that stay open, for each node."""
        rows = Rows.several(self.disjuncts, sorted(set().union(*wanted)), self.graph.nodes[self.graph.output].size)
        seen: dict[int, np.ndarray] = {}
        output = self.graph.output
        least, on_inputs = self.bounder.minimum(state, output, rows.coefficients, None, seen)
        least = np.maximum(least, self.bounder.by_interval(state, output, rows.coefficients))
        margins = rows.margins(least)
        left: list[set[int]] = []
        for n, (node, some) in enumerate(zip(nodes, wanted, strict=True)):
            still = set()
            for d in some:
                own = margins[n, rows.of[d]]
                if own.size and own.max() > 0:
                    best = int(own.argmax())
                    self.draft.leaves.append(Leaf(node, d, tuple(float(k == best) for k in range(len(own)))))
                else:
                    still.add(d)
            left.append(still)
        return left, rows, Found(margins, on_inputs, seen)

    def _children(self, nodes: list[int], state: State, left: list[set[int]], rows: Rows, found: Found) -> list[Part]:
        """Both halves of every part that is still open."""
        parts = []
        for n, (node, some) in enumerate(zip(nodes, left, strict=True)):
            if not some:
                continue
            worst = min(some, key=lambda d: found.margins[n, rows.of[d]].max())
            row = max(rows.of[worst], key=lambda r: found.margins[n, r])
            k, entry, cut = self._chosen(state, n, row, found)
            for half, above in zip(self.draft.split(node, self.names[k], entry, cut), (False, True), strict=True):
                self.draft.sharpened[half] = True
                parts.append(Part(half, _narrowed(state, n, k, entry, cut, above), some))
        return parts

    def _chosen(self, state: State, n: int, row: int, found: Found) -> tuple[int, int, float]:
        """Where to cut a part: a node, an entry, a number."""
        low, high = (a[0][min(n, len(a[0]) - 1)] for a in (state.lower, state.upper))
        varying = low < high
        if 0 < varying.sum() <= FEW_INPUTS:
            gain = np.where(
                varying, np.abs(found.on_inputs[min(n, len(found.on_inputs) - 1), row]) * (high - low), -1.0
            )
            gain = gain + np.where(varying, 1e-9 * (high - low), 0.0)
            entry = int(gain.argmax())
            middle = low[entry] / 2 + high[entry] / 2
            if low[entry] < middle < high[entry]:
                return 0, entry, float(middle)
            raise GivenUp("an input's interval cannot be cut any further")
        best: tuple[float, int, int, float] | None = None
        for k, rows in found.seen.items():
            node = self.graph.nodes[k]
            coefficient = np.abs(rows[min(n, len(rows) - 1), row])
            for operand in node.operands:
                a, b = (ends[operand][min(n, len(ends[operand]) - 1)] for ends in (state.lower, state.upper))
                relu = isinstance(node, Function) and node.kind == "relu"
                is_open = (a < 0) & (b > 0) if relu else a < b
                gap = np.where(is_open, np.minimum(-a, b), 0.0) if relu else np.where(is_open, (b - a) ** 2 / 8, 0.0)
                if isinstance(node, Product):
                    gap = np.where(is_open, b - a, 0.0)
                score = coefficient * gap
                entry = int(score.argmax())
                if score[entry] > 0 and (best is None or score[entry] > best[0]):
                    best = float(score[entry]), operand, entry, 0.0 if relu else float(a[entry] / 2 + b[entry] / 2)
        if best is None:
            raise GivenUp("nothing is left to cut")
        return best[1:]


@dataclass(frozen=True, eq=False)
class Part:
    """A part that is to be bounded: its node, what is known of it, the disjuncts that are open there."""

    node: int
    state: State
    open: set[int]


@dataclass(frozen=True, eq=False)
class Found:
    """Margins of rows, shape (N, R), and their rows on the inputs and on nonlinear nodes."""

    margins: np.ndarray
    on_inputs: np.ndarray
    seen: dict[int, np.ndarray]


def _narrowed(state: State, n: int, k: int, entry: int, cut: float, above: bool) -> State:
    """One part of a state, cut."""
    lower, upper = ([a[min(n, len(a) - 1)][None] for a in ends] for ends in (state.lower, state.upper))
    ends = lower if above else upper
    ends[k] = ends[k].copy()
    ends[k][0, entry] = cut
    return State(lower, upper)
