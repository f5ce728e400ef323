"""Facts: bounds of what functions take, each by lines of its own that an ascent looks for (alpha-CROWN).

Node after node, as the checker sharpens them: what is proved of one node decides the lines of all that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.bounds.layout import Layout, open_in
from verifier.checker.bounds import Bounder, State
from verifier.checker.narrowing import About, narrow, proven
from verifier.deadline import Deadline
from verifier.proofs.ascents import Ascents, Choice, Sought, intervals_of
from verifier.proofs.cuts import Cuts
from verifier.proofs.draft import Draft, Fact

CHUNK = 1 << 20
"""Values of all nodes of the rows that are bounded together."""
WORTHWHILE = 0.005
"""Part of an interval that a fact has to take off."""
MOST = 1 << 24
"""Slopes of all facts of a proof."""


@dataclass(eq=False)
class FactWriter:
    """Writes facts.

    Attributes:
        ascents: that look for lines.
        cuts: how a proof says what is cut.
        bounder: the checker's.
        draft: to write to.
        deadline: after which no more are written.
        room: numbers that may still be written.
    """

    ascents: Ascents
    cuts: Cuts
    bounder: Bounder
    draft: Draft
    deadline: Deadline
    room: int = MOST

    def sharpened(self, node: int, state: State, shape: Layout | None = None, cuts: tuple[int, ...] = ()) -> State:
        """The state of a node of the draft, sharpened, and with what facts add, as far as the time goes.

        Args:
            node: of the draft; it becomes a sharpened one.
            state: what is known there.
            shape: the layout in which the cuts on the way to the node have positions.
            cuts: these positions; their intervals may press.
        """
        self.draft.sharpened[node] = True
        sought = Sought(0, np.zeros(0), np.zeros(0), shape, cuts)
        return self.bounder.sharpened(state, lambda state, k: self._more(node, state, replace(sought, k=k)))

    def _more(self, node: int, state: State, sought: Sought) -> None:
        """Narrows the intervals of node k of the graph."""
        exact, k = self.ascents.engines.exact, sought.k
        if k == 0 or (not sought.cuts and self.bounder.is_linear(k)):
            return  # nothing can be better than the intervals there are
        entries = np.flatnonzero(open_in(exact, intervals_of(state, k), k)[0])
        known = State(list(state.lower), list(state.upper))  # no fact rests on another one about the same node
        size = max(1, CHUNK // sum(one.size for one in exact.nodes[: k + 1]) // 2)
        for start in range(0, len(entries), size):
            if self.deadline.expired or self.room <= 0:
                return
            self._prove(node, (known, state), np.tile(entries[start : start + size], 2), sought)

    def _prove(self, node: int, states: tuple[State, State], entries: np.ndarray, sought: Sought) -> None:
        """Bounds entries from below, in the first half, and from above, by the first state; narrows the second."""
        known, state = states
        k, count = sought.k, len(entries)
        about = About(0, k, entries, np.arange(count) >= count // 2)
        rows = np.zeros((count, 1, self.bounder.graph.nodes[k].size))
        rows[np.arange(count), 0, entries] = np.where(about.above, -1.0, 1.0)
        choice = self.ascents.found(known, replace(sought, coefficients=rows, thresholds=np.zeros((count, 1))))
        hints, pressed = self.ascents.choices.hints(choice.slopes), self._pressed(choice, sought)
        for (p, entry), several in pressed.items():
            own = hints.pressures.setdefault(p, np.zeros((count, self.bounder.graph.nodes[p].size)))
            own[:, entry] = several
        least = proven(self.bounder, known, about, hints)
        lower, upper = state.lower[k][0, entries], state.upper[k][0, entries]
        gained = np.where(about.above, upper + least, least - lower)
        kept = np.flatnonzero(gained > WORTHWHILE * (upper - lower))
        narrow(state, replace(about, entries=entries[kept], above=about.above[kept]), least[kept])
        self.room -= len(kept) * (choice.slopes.shape[1] + len(sought.cuts))
        by_name = {(self.cuts.names[p], entry): several for (p, entry), several in pressed.items()}
        pressures = np.zeros((count, 0))
        if pressed:
            pressures = np.stack([np.broadcast_to(p, count) for p in self.draft.on_way(node, by_name)], 1)
        for n in kept.tolist():
            about_it = self.cuts.names[k], int(entries[n]), bool(about.above[n])
            self.draft.facts.append(Fact(node, *about_it, pressures[n], choice.slopes[n]))

    def _pressed(self, choice: Choice, sought: Sought) -> dict[tuple[int, int], np.ndarray]:
        """The multipliers of each entry that was cut before node k or on it."""
        if sought.shape is None:
            return {}
        where = [sought.shape.entry(position) for position in sought.cuts]
        return {
            at: choice.multipliers[:, c] for c, at in enumerate(where) if at[0] <= sought.k and self.cuts.press(at[0])
        }
