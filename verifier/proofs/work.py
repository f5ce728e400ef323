"""What all who write one proof share: the claim, the draft, the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from verifier.checker.bounds import Bounder
from verifier.checker.claim import Disjunct
from verifier.checker.graph import Graph
from verifier.deadline import Deadline
from verifier.proofs.cuts import Cuts
from verifier.proofs.draft import Draft, GivenUp

if TYPE_CHECKING:
    from verifier.proofs.ascents import Ascents

RESERVE, LEAST = 1e-9, 1e-12
"""By which a bound exceeds its threshold, relatively and at least: the checker may add up in another order."""


@dataclass(eq=False)
class Work:
    """One proof that is being written.

    Attributes:
        graph, disjuncts: the claim, as the checker reads it.
        draft: to write to.
        deadline: when to give up.
        progress: is told of the cases so far.
        threads: processes that a search may use.
    """

    graph: Graph
    disjuncts: Sequence[Disjunct]
    draft: Draft
    deadline: Deadline
    progress: Callable[[int], None] = lambda n: None
    threads: int = 1

    def __post_init__(self) -> None:
        self.draft.presses = self.cuts.presses

    @cached_property
    def bounder(self) -> Bounder:
        """The checker's own bounds."""
        bounder = Bounder(self.graph)
        bounder.between = self.in_time
        return bounder

    @cached_property
    def cuts(self) -> Cuts:
        """How the proof says what is cut."""
        return Cuts(self.graph)

    @cached_property
    def ascents(self) -> Ascents:
        """Made only where the checker's own lines do not suffice."""
        from verifier.proofs.ascents import Ascents

        return Ascents(self.graph)

    def in_time(self) -> None:
        """Tells how far it is.

        Raises:
            GivenUp: the time ran out.
        """
        self.progress(len(self.draft.parent))
        if self.deadline.expired:
            raise GivenUp("the time ran out")


def exceeds(least: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Whether bounds exceed what they must by so much that the checker will say so too."""
    return np.asarray(least - limit > RESERVE * (np.abs(least) + np.abs(limit)) + LEAST)
