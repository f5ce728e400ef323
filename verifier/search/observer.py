"""What a search tells the outside while it runs: bounds, candidates, progress. What is told is true from then on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Progress:
    """How far a search has come.

    Attributes:
        seconds: since the task was made.
        open: subproblems not yet decided.
        explored: subproblems bounded so far.
        bound: the worst proven lower bound of the margin among the open ones; positive once none is left.
    """

    seconds: float
    open: int
    explored: int
    bound: float


class Observer(Protocol):
    """Who asked for a search."""

    def accepts(self, disjunct: int, point: np.ndarray) -> bool:
        """Whether an input, float64, shape (input_size,), is a violation once rounded and replayed: the search ends."""

    def margin_bounded(self, disjunct: int, margin: float) -> None:
        """Takes note of a proven lower bound on the margin of a whole disjunct; a positive one excludes it."""

    def advanced(self, open_count: int, explored: int, bound: float) -> None:
        """Takes note of the state of the search (`Progress`); called a few times a second at most."""
