"""Facts of a root: bounds of what functions take, each by lines of its own that an ascent looks for (alpha-CROWN).

Node after node, as the checker sharpens them: what is proved of one node decides the lines of all that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.bounds.layout import open_in
from verifier.checker.bounds import Bounder, State
from verifier.checker.check import About, narrow, proven
from verifier.deadline import Deadline
from verifier.proofs.ascents import Ascents, intervals_of
from verifier.proofs.draft import Draft, Fact

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
        ascents: that look for lines.
        names: of quantities, by node.
        bounder: the checker's.
        draft: to write to.
        room: slopes that may still be written.
    """

    ascents: Ascents
    names: dict[int, str]
    bounder: Bounder
    draft: Draft
    room: int = MOST

    def sharpened(self, root: int, state: State, deadline: Deadline) -> State:
        """The state of one box with what facts about its root add, as far as the time goes."""

        def more(state: State, k: int) -> None:
            exact = self.ascents.engines.exact
            entries = np.flatnonzero(open_in(exact, intervals_of(state, k), k)[0])
            size = max(1, CHUNK // sum(node.size for node in exact.nodes[: k + 1]) // 2)
            for start in range(0, len(entries), size):
                if deadline.expired or self.room <= 0:
                    return
                self._prove(root, state, k, np.tile(entries[start : start + size], 2))

        return self.bounder.sharpened(state, more)

    def _prove(self, root: int, state: State, k: int, entries: np.ndarray) -> None:
        """Bounds entries of a node from below, in the first half, and from above."""
        about = About(0, k, entries, np.arange(len(entries)) >= len(entries) // 2)
        rows = np.zeros((len(entries), 1, self.bounder.graph.nodes[k].size))
        rows[np.arange(len(entries)), 0, entries] = np.where(about.above, -1.0, 1.0)
        slopes, _ = self.ascents.found(state, k, rows, np.zeros((len(entries), 1)))
        least = proven(self.bounder, state, about, self.ascents.choices.hints(slopes))
        lower, upper = state.lower[k][0, entries], state.upper[k][0, entries]
        gained = np.where(about.above, upper + least, least - lower)
        kept = np.flatnonzero(gained > WORTHWHILE * (upper - lower))
        narrow(state, replace(about, entries=entries[kept], above=about.above[kept]), least[kept])
        self.room -= len(kept) * slopes.shape[1]
        for n in kept.tolist():
            self.draft.facts.append(Fact(root, self.names[k], int(entries[n]), bool(about.above[n]), (), slopes[n]))
