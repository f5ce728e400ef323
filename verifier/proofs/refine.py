"""Closes disjuncts by the checker's own bounds: cases are split until every leaf holds.

Where few inputs vary, cuts of the inputs that a search made are followed, and parts that are not closed by the lines
that are best by themselves, nor by those of an ascent, are cut further. Where many vary, functions are cut (`neurons`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from verifier.checker.bounds import Hints, State
from verifier.checker.check import slots_of
from verifier.checker.claim import Disjunct
from verifier.checker.graph import Function, Product
from verifier.checker.rational import rounded
from verifier.proofs.draft import GivenUp, Leaf
from verifier.proofs.trail import Trail, Trails
from verifier.proofs.work import Work, exceeds

FLAT = 1e-9
"""Added to the steepness of a row, so that of flat ones the widest interval is cut."""
FEW_INPUTS = 16
"""Varying inputs up to which inputs are cut."""
MOST = 1_000_000
"""Nodes of all trees at most."""
VALUES = 1 << 20
"""Values of all nodes of the parts that are bounded together."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of several disjuncts, each form once.

    Attributes:
        coefficients: shape (1, R, outputs).
        of: for each disjunct, the numbers of its rows' forms.
        limits: for each disjunct, its rows' thresholds.
    """

    coefficients: np.ndarray
    of: dict[int, np.ndarray]
    limits: dict[int, np.ndarray]

    @classmethod
    def several(cls, disjuncts: Sequence[Disjunct], which: Sequence[int], outputs: int) -> Rows:
        """The rows of some disjuncts."""
        numbers: dict[tuple[tuple[int, Fraction], ...], int] = {}
        of = {
            d: np.array([numbers.setdefault(r.coefficients, len(numbers)) for r in disjuncts[d].rows], np.int64)
            for d in which
        }
        coefficients = np.zeros((1, len(numbers), outputs))
        for form, n in numbers.items():
            for j, value in form:
                coefficients[0, n, j] = float(value)
        limits = {d: rounded(np.array([r.threshold for r in disjuncts[d].rows], object), np.inf) for d in which}
        return cls(coefficients, of, limits)

    def padded(self, which: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The rows of N disjuncts, shape (N, R, outputs), and their thresholds, (N, R); infinite where padded."""
        most = max(len(self.of[d]) for d in which)
        coefficients = np.zeros((len(which), most, self.coefficients.shape[2]))
        thresholds = np.full((len(which), most), np.inf)
        for n, d in enumerate(which):
            coefficients[n, : len(self.of[d])] = self.coefficients[0, self.of[d]]
            thresholds[n, : len(self.of[d])] = self.limits[d]
        return coefficients, thresholds

    def margins(self, least: np.ndarray, d: int) -> np.ndarray:
        """By how much the rows of a disjunct exceed what they must, where all forms have these lower bounds."""
        return np.asarray(least[self.of[d]] - self.limits[d])

    def closing(self, least: np.ndarray, d: int) -> int | None:
        """The row of a disjunct that exceeds by most what it must, if one does."""
        own, limits = least[self.of[d]], self.limits[d]
        done = exceeds(own, limits)
        return int(np.where(done, own - limits, -np.inf).argmax()) if done.any() else None


class Refiner:
    """Writes the trees of distinct boxes.

    Args:
        work: the proof.
        trails: cuts that a search found to suffice.
    """

    def __init__(self, work: Work, trails: Trails) -> None:
        self.work, self.trails = work, trails
        self.graph, self.disjuncts, self.draft, self.bounder = work.graph, work.disjuncts, work.draft, work.bounder
        functions = [node for node in self.graph.nodes if isinstance(node, Function | Product)]
        self.relus_only = all(isinstance(node, Function) and node.kind == "relu" for node in functions)
        # The other choice that a search tries: 0 below every relu.
        slots = slots_of(self.graph)
        self._no_slopes = np.zeros(max((parts[-1].stop for parts in slots.values()), default=0), np.float32)
        self._flat = Hints({k: (np.zeros((1, self.graph.nodes[k].size)),) for k in slots})
        self.batch = max(1, min(128, VALUES // sum(node.size for node in self.graph.nodes)))

    def prove(self, groups: Sequence[Sequence[int]]) -> None:
        """Closes all disjuncts, those that have the same box in one group.

        Raises:
            GivenUp: it takes too long or too much.
        """
        for start in range(0, len(groups), self.batch):
            some = groups[start : start + self.batch]
            boxes = [self.disjuncts[which[0]] for which in some]
            lower = rounded(np.array([box.lower for box in boxes], object), -np.inf)
            upper = rounded(np.array([box.upper for box in boxes], object), np.inf)
            state = self.bounder.propagated(lower, upper)
            roots = [self.draft.root(which[0]) for which in some]
            wanted = [set(which) for which in some]
            left, _, _ = self._close(roots, state, wanted)
            still = [n for n, those in enumerate(left) if those]
            for n in still:
                if left[n] != wanted[n]:  # what is closed so far rests on the bounds of a root that is not sharpened
                    roots[n] = self.draft.root(some[n][0])
                self.draft.sharpened[roots[n]] = True
            if still:
                from threadpoolctl import threadpool_limits

                with threadpool_limits(limits=1):  # the matrices are small
                    state = self.bounder.sharpened(state.take(np.array(still)))
                    self._prove_sharpened([roots[n] for n in still], state, [left[n] for n in still])

    def _prove_sharpened(self, roots: list[int], state: State, left: list[set[int]]) -> None:
        """Closes what is left of some boxes, their bounds sharpened."""
        left, rows, found = self._close(roots, state, left)
        stack: list[Part] = []
        for n, (root, those) in enumerate(zip(roots, left, strict=True)):
            if not those:
                continue
            own = state.take(np.array([n]))
            trail = self.trails.of(own.lower[0][0], own.upper[0][0])
            if trail is not None:
                stack += self._followed(trail, root, own, those)
                left[n] = set()
            elif self._many_vary(own) or self.work.cuts.steps:
                from verifier.proofs.neurons import Neurons

                Neurons(self.work).prove(root, own, sorted(those))
                left[n] = set()
        stack += self._children(roots, state, left, rows, found)
        while stack:
            stack = stack[: -self.batch] + self._expand(stack[-self.batch :])

    def _followed(self, trail: Trail, root: int, state: State, which: set[int]) -> list[Part]:
        """The parts that a search closed."""
        parts, waiting = [], [(trail.root, root, state)]
        while waiting:
            node, here, state = waiting.pop()
            cut = trail.cut(node)
            if cut is None:
                parts.append(self._part(here, state, which))
                continue
            entry, value, *sides = cut
            if not state.lower[0][0, entry] < value < state.upper[0][0, entry]:
                one = sides[int(value <= state.lower[0][0, entry])]
                if one is None:
                    parts.append(self._part(here, state, which))
                else:
                    waiting.append((one, here, state))
                continue
            halves = self.draft.split(here, "", entry, value)
            for half, side, above in zip(halves, sides, (False, True), strict=True):
                narrowed = self.bounder.narrowed(state, 0, entry, value, above)
                if side is None:
                    parts.append(self._part(half, narrowed, which))
                else:
                    waiting.append((side, half, narrowed))
        return parts

    def _part(self, node: int, state: State, which: set[int]) -> Part:
        self.draft.sharpened[node] = True
        return Part(node, state, which)

    @staticmethod
    def _many_vary(state: State) -> bool:
        return int((state.lower[0] < state.upper[0]).sum()) > FEW_INPUTS

    def _expand(self, parts: list[Part]) -> list[Part]:
        """Bounds parts anew and closes what can be; the halves of those that stay open."""
        self.work.in_time()
        if len(self.draft.parent) > MOST:
            raise GivenUp(f"more than {MOST} cases")
        every = range(len(self.graph.nodes))
        lower = [np.concatenate([p.state.lower[k] for p in parts]) for k in every]
        upper = [np.concatenate([p.state.upper[k] for p in parts]) for k in every]
        known = State(lower, upper)
        fresh = self.bounder.sharpened(self.bounder.propagated(known.lower[0], known.upper[0], known))
        nodes = [p.node for p in parts]
        left, rows, found = self._close(nodes, fresh, [p.open for p in parts])
        left = self._ascend(nodes, fresh, left, rows)
        return self._children(nodes, fresh, left, rows, found)

    def _close(self, nodes: list[int], state: State, wanted: list[set[int]]) -> tuple[list[set[int]], Rows, Found]:
        """Adds leaves for the disjuncts that bounds close; those that stay open, for each node."""
        rows = Rows.several(self.disjuncts, sorted(set().union(*wanted)), self.graph.nodes[self.graph.output].size)
        output = self.graph.output
        least, on_inputs = self.bounder.minimum(state, output, rows.coefficients)
        least = np.maximum(least, self.bounder.by_interval(state, output, rows.coefficients))
        left = self._leaves(nodes, least, rows, wanted, None)
        still = [n for n, those in enumerate(left) if those]
        if still and self.relus_only:
            flat = self.bounder.least(state.take(np.array(still)), output, rows.coefficients, self._flat)
            some = [nodes[n] for n in still], flat, rows, [left[n] for n in still], self._no_slopes
            for n, those in zip(still, self._leaves(*some), strict=True):
                left[n] = those
        return left, rows, Found(least, on_inputs)

    def _ascend(self, nodes: list[int], state: State, left: list[set[int]], rows: Rows) -> list[set[int]]:
        """Adds leaves for what bounds close with lines and weights that an ascent finds; what stays open."""
        from verifier.proofs.ascents import Sought

        pairs = [(n, d) for n, those in enumerate(left) for d in sorted(those)]
        still: list[set[int]] = [set() for _ in left]
        for start in range(0, len(pairs), self.batch):
            some = pairs[start : start + self.batch]
            part = state.take(np.array([n for n, _ in some]))
            coefficients, thresholds = rows.padded([d for _, d in some])
            choice = self.work.ascents.found(part, Sought(self.graph.output, coefficients, thresholds))
            exists, slopes = np.isfinite(thresholds), choice.slopes
            weights = np.where(exists, np.maximum(choice.weights, 0.0), 0.0).astype(np.float32).astype(float)
            combined = np.einsum("nr,nrj->nj", weights, coefficients)[:, None]
            limit = (weights * np.where(exists, thresholds, 0.0)).sum(1)
            least = self.bounder.least(part, self.graph.output, combined, self.work.ascents.choices.hints(slopes))[:, 0]
            closed = exceeds(least, limit)
            for (n, d), done, slope, weight in zip(some, closed, slopes, weights, strict=True):
                if done:
                    self.draft.leaves.append(Leaf(nodes[n], d, tuple(weight[: len(rows.of[d])].tolist()), (), slope))
                else:
                    still[n].add(d)
        return still

    def _leaves(
        self, nodes: list[int], least: np.ndarray, rows: Rows, wanted: list[set[int]], slopes: np.ndarray | None
    ) -> list[set[int]]:
        """Adds leaves for the disjuncts with a row that exceeds what it must; the others, for each node."""
        left: list[set[int]] = []
        for n, (node, some) in enumerate(zip(nodes, wanted, strict=True)):
            still = set()
            for d in some:
                best = rows.closing(least[n], d)
                if best is None:
                    still.add(d)
                    continue
                weights = tuple(float(k == best) for k in range(len(rows.of[d])))
                self.draft.leaves.append(Leaf(node, d, weights, (), slopes))
            left.append(still)
        return left

    def _children(self, nodes: list[int], state: State, left: list[set[int]], rows: Rows, found: Found) -> list[Part]:
        """Both halves of every part that is still open."""
        parts = []
        for n, (node, some) in enumerate(zip(nodes, left, strict=True)):
            if not some:
                continue
            margins = {d: rows.margins(found.least[n], d) for d in some}
            worst = min(some, key=lambda d: margins[d].max())
            row = int(rows.of[worst][margins[worst].argmax()])
            entry, cut = self._chosen(state, n, row, found)
            own = state.take(np.array([n]))
            for half, above in zip(self.draft.split(node, "", entry, cut), (False, True), strict=True):
                parts.append(self._part(half, self.bounder.narrowed(own, 0, entry, cut, above), some))
        return parts

    def _chosen(self, state: State, n: int, row: int, found: Found) -> tuple[int, float]:
        """Where to cut a part: an input, and the middle of its interval."""
        low, high = (a[0][min(n, len(a[0]) - 1)] for a in (state.lower, state.upper))
        steepness = np.abs(found.on_inputs[min(n, len(found.on_inputs) - 1), row])
        gain = np.where(low < high, (steepness + FLAT) * (high - low), -1.0)
        entry = int(gain.argmax())
        middle = float(low[entry] / 2 + high[entry] / 2)
        if not low[entry] < middle < high[entry]:
            raise GivenUp("the inputs' intervals cannot be cut any further")
        return entry, middle


@dataclass(frozen=True, eq=False)
class Part:
    """A part that is to be bounded: its node, what is known of it, the disjuncts that are open there."""

    node: int
    state: State
    open: set[int]


@dataclass(frozen=True, eq=False)
class Found:
    """Lower bounds of forms, shape (N, R), and the rows on the inputs that they come from."""

    least: np.ndarray
    on_inputs: np.ndarray
