"""Facts of a root: bounds of what functions take, each by lines of its own that an ascent looks for (alpha-CROWN).

Node after node, as the checker sharpens them: what is proved of one node decides the lines of all that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.bounds.enclosure import Interval
from verifier.bounds.intermediate import Engines
from verifier.bounds.lagrangian import Lagrangian, Relaxation, Rows, first_choice
from verifier.bounds.layout import layout, open_in
from verifier.bounds.optimise import Ascent, AscentOptions
from verifier.checker.bounds import Bounder, State
from verifier.checker.check import About, narrow, proven
from verifier.deadline import Deadline
from verifier.proofs.choices import Choices
from verifier.proofs.draft import Draft, Fact

ASCENT = AscentOptions(steps=10)
CHUNK = 1 << 20
"""Values of all nodes of the rows that are bounded together."""
WORTHWHILE = 0.005
"""Part of an interval that a fact has to take off."""
MOST = 1 << 24
"""Slopes of all facts of a proof."""


@dataclass(eq=False)
class FactWriter:
    """Writes facts of roots.

    Attributes:
        engines: the graph as a network.
        names: of quantities, by node.
        bounder: the checker's.
        choices: to write slopes by.
        draft: to write to.
        room: slopes that may still be written.
    """

    engines: Engines
    names: dict[int, str]
    bounder: Bounder
    choices: Choices
    draft: Draft
    room: int = MOST

    def sharpened(self, root: int, state: State, deadline: Deadline) -> State:
        """The state of one box with what facts about its root add, as far as the time goes."""

        def more(state: State, k: int) -> None:
            entries = np.flatnonzero(open_in(self.engines.exact, self._intervals(state, k), k)[0])
            size = max(1, CHUNK // sum(node.size for node in self.engines.exact.nodes[: k + 1]) // 2)
            for start in range(0, len(entries), size):
                if deadline.expired or self.room <= 0:
                    return
                self._prove(root, state, k, np.tile(entries[start : start + size], 2))

        return self.bounder.sharpened(state, more)

    def _prove(self, root: int, state: State, k: int, entries: np.ndarray) -> None:
        """Bounds entries of a node from below, in the first half, and from above."""
        about = About(0, k, entries, np.arange(len(entries)) >= len(entries) // 2)
        slopes = self._ascended(state, about)
        least = proven(self.bounder, state, about, self.choices.hints(slopes))
        lower, upper = state.lower[k][0, entries], state.upper[k][0, entries]
        gained = np.where(about.above, upper + least, least - lower)
        kept = np.flatnonzero(gained > WORTHWHILE * (upper - lower))
        narrow(state, replace(about, entries=entries[kept], above=about.above[kept]), least[kept])
        self.room -= len(kept) * slopes.shape[1]
        for n in kept.tolist():
            self.draft.facts.append(Fact(root, self.names[k], int(entries[n]), bool(about.above[n]), (), slopes[n]))

    def _ascended(self, state: State, about: About) -> np.ndarray:
        """Slopes that bound each entry well."""
        engines, k, count = self.engines, about.k, len(about.entries)
        intervals = self._intervals(state, k)
        relaxation = Relaxation(engines.exact, intervals, layout(engines.exact, intervals).below(k))
        rows = np.zeros((count, 1, engines.exact.nodes[k].size), np.float32)
        rows[np.arange(count), 0, about.entries] = np.where(about.above, -1.0, 1.0)
        asked = Rows(k, rows, np.zeros((count, 1), np.float32), np.zeros((count, 0), np.int64))
        lagrangian = Lagrangian(engines.fast, relaxation, asked)
        ascent = Ascent(lagrangian, first_choice(lagrangian), ASCENT)
        ascent.run()
        return self.choices.slopes(lagrangian.evaluate(ascent.best).lines, k, count)

    def _intervals(self, state: State, k: int) -> list[Interval]:
        return [Interval(low, high) for low, high in zip(state.lower[: k + 1], state.upper[: k + 1], strict=True)]
