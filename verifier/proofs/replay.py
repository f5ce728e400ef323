"""A search on neurons as a proof has it: its cuts, facts where it tightened intervals, and its leaves' choices.

The search worked on the checker's own graph, so that what it cut is what a proof names. Disjuncts that were cut alike
share the cases.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from verifier.bounds.layout import Layout
from verifier.checker.bounds import State
from verifier.proofs.draft import Draft
from verifier.proofs.facts import FactWriter
from verifier.search.domains import Domains
from verifier.search.record import Leaves, Record


@dataclass(frozen=True, eq=False)
class Case:
    """A node of the search's tree, of one disjunct.

    Attributes:
        node, disjunct: in the search.
        here: in the draft.
        state: what is known there, up to the last tightening, with the cuts since then.
        positions: that were cut on the way.
    """

    node: int
    disjunct: int
    here: int
    state: State
    positions: tuple[int, ...] = ()


@dataclass(eq=False)
class Replay:
    """Writes down one search.

    Attributes:
        record: of the search.
        shape: of its domains.
        facts: writes facts, and knows how cuts are said.
        draft: to write to.
    """

    record: Record
    shape: Layout
    facts: FactWriter
    draft: Draft
    _halves: dict[tuple[int, int, float], tuple[int, int]] = field(default_factory=dict)
    _states: dict[int, State] = field(default_factory=dict)

    def leaves(self, root: int, state: State) -> Domains:
        """The tree below a root of the draft, with a state; its leaves, which name nodes of the draft."""
        tree, children = self.record.tree, defaultdict(list)
        for node, parent in enumerate(tree.parent.tolist()):
            children[parent].append(node)
        closed = {int(leaf): (some, n) for some in self.record.leaves for n, leaf in enumerate(some.leaf)}
        waiting = [Case(d, d, root, state) for d in children[-1]]
        found = []
        while waiting:
            self.facts.bounder.between()
            case = waiting.pop()
            if case.node in self.record.tightened:
                case = self._tightened(case)
            halves = children.get(case.node, [])
            if halves:
                waiting += self._cut(case, halves)
            else:
                found.append(self._leaf(case, *closed[case.node]))
        return Domains.joined(found)

    def _cut(self, case: Case, halves: list[int]) -> list[Case]:
        tree = self.record.tree
        position, cut = int(tree.dimension[halves[0]]), float(tree.cut[halves[0]])
        k, entry = self.shape.entry(position)
        k, cut = self.facts.cuts.written(k, cut)
        key = case.here, position, cut
        if key not in self._halves:
            self._halves[key] = self.draft.split(case.here, self.facts.cuts.names[k], entry, cut)
        positions = case.positions if position in case.positions else (*case.positions, position)
        parts = []
        for half in halves:
            above = bool(tree.above[half])
            state = self.facts.bounder.narrowed(case.state, k, entry, cut, above)
            parts.append(Case(half, case.disjunct, self._halves[key][above], state, positions))
        return parts

    def _tightened(self, case: Case) -> Case:
        if case.here not in self._states:
            known = self.facts.bounder.propagated(case.state.lower[0], case.state.upper[0], case.state)
            self._states[case.here] = self.facts.sharpened(case.here, known, self.shape, case.positions)
        return Case(case.node, case.disjunct, case.here, self._states[case.here], case.positions)

    def _leaf(self, case: Case, some: Leaves, n: int) -> Domains:
        lower, upper = np.zeros((1, self.shape.open_count)), np.zeros((1, self.shape.open_count))
        for k, slot in self.shape.operands.items():
            lower[:, slot.part] = case.state.lower[k][:, slot.columns]
            upper[:, slot.part] = case.state.upper[k][:, slot.columns]
        one = slice(n, n + 1)
        return Domains(
            disjunct=np.array([case.disjunct]),
            leaf=np.array([case.here]),
            age=np.zeros(1, np.int64),
            bound=some.bound[one],
            lower=lower,
            upper=upper,
            cuts=some.cuts[one],
            places=some.places[one],
            multipliers=some.multipliers[one],
            weights=some.weights[one],
            candidates=np.full((1, 1), -1),
        )
