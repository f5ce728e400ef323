"""What goes on beside a search, in turns with it: an attack, which gets its time by what the search may still reach.

A search that works on the worst bound first raises that bound by about as much with every doubling of its work. So the
work that is left can be told beforehand; where it is far more than there is time for, half of the time is better spent
otherwise, and where the search gets there, next to none. Turns double, as one that is too short finds nothing.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from verifier.deadline import Deadline

WAIT = 5.0
"""Seconds in which a search is left alone."""

LITTLE, HALF = 0.02, 0.5
"""The part of the time for the other work: where the search is expected to end in time, and where it is hopeless."""

HOPELESS = 4.0
"""Times the time left that a search is expected to take, from which on it gets no more than half."""

TURN = 0.5, 8.0
"""Seconds of the first turn, and of the longest."""


class Aside(Protocol):
    """Other work on the same question."""

    def part(self, seconds: float) -> Any:
        """What a turn of so many seconds works on."""

    def work(self, part: Any) -> Any:
        """Does it, in another process perhaps: what matters of the outcome is in the result."""

    def taken(self, result: Any) -> bool:
        """Takes note of a result; whether it has ended the search."""

    def pointed_out(self, disjunct: int, point: np.ndarray) -> None:
        """Takes note of an input, shape (input_size,), at which a relaxation is least."""


class Turns:
    """When the other work has its next turn.

    Args:
        deadline: of both.
        processes: that share them.

    Attributes:
        count, seconds: of the turns so far.
        first, last: the search's worst bound, at first and now.
    """

    def __init__(self, deadline: Deadline, processes: int) -> None:
        self._deadline, self._processes = deadline, processes
        self._began = deadline.elapsed
        self._bounds: list[tuple[float, float]] = []
        self.count, self.seconds = 0, 0.0
        self.first = self.last = -math.inf

    def note(self, bound: float) -> None:
        """Takes note of the search's worst bound."""
        if not self._bounds:
            self.first = bound
        self.last = bound
        self._bounds.append((self._searched, bound))

    def had(self, seconds: float) -> None:
        """Takes note of a turn."""
        self.count, self.seconds = self.count + 1, self.seconds + seconds

    def due(self) -> float:
        """Seconds of the turn that is due now; 0 if none is."""
        elapsed = self._deadline.elapsed - self._began
        if elapsed < WAIT or self.seconds > self.share * elapsed * self._processes:
            return 0.0
        return min(TURN[0] * 2.0 ** min(self.count, 10), TURN[1], 0.5 * self._deadline.remaining)

    @property
    def share(self) -> float:
        """The part of all processes' time that the other work is to have."""
        left = self._deadline.remaining
        times = self.expected() / left if left > 0 else math.inf
        return float(np.interp(times, [1.0, HOPELESS], [LITTLE, HALF]))

    def expected(self) -> float:
        """Seconds that the search alone is expected to go on for; infinite where its bound does not rise."""
        if not self._bounds or math.isinf(self._deadline.remaining):
            return 0.0
        now, bound = self._bounds[-1]
        before = next(b for t, b in reversed(self._bounds) if t <= now / 2 or t == self._bounds[0][0])
        gained = bound - before
        if bound >= 0:
            return 0.0
        if not gained > 0 or not now > 0:
            return math.inf
        return now * (2.0 ** min(-bound / gained, 60.0) - 1.0)

    @property
    def _searched(self) -> float:
        return max(0.0, self._deadline.elapsed - self._began - self.seconds / self._processes)
