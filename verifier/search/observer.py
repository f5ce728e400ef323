"""What a search tells the outside while it runs: bounds, candidates, progress. What is told is true from then on."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Observer(Protocol):
    """Who asked for a search."""

    def accepts(self, disjunct: int, point: np.ndarray) -> bool:
        """Whether an input, float64, shape (input_size,), is a violation once rounded and replayed: the search ends."""

    def margin_bounded(self, disjunct: int, margin: float) -> None:
        """Takes note of a proven lower bound on the margin of a whole disjunct; a positive one excludes it."""

    def advanced(self, open_count: int, explored: int, bound: float) -> None:
        """Takes note of the state of the search (`Progress`); called a few times a second at most."""
