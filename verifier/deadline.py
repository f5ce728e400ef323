"""A point in time by which a method has to answer, passed down instead of a number of seconds."""

from __future__ import annotations

import time


class OutOfTimeError(Exception):
    """The time is up before there is an answer; whoever shared it out says what is known instead."""


class Deadline:
    """Counts down from its making.

    Args:
        seconds: time allowed; ``float("inf")`` for no limit.

    >>> Deadline(60.0).expired
    False
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self.started = time.monotonic()
        self.seconds = seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the making."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.seconds - self.elapsed)

    @property
    def expired(self) -> bool:
        return self.elapsed >= self.seconds

    def check(self) -> None:
        """Ends work that has no answer before its end.

        Raises:
            OutOfTimeError: the time is up.
        """
        if self.expired:
            raise OutOfTimeError

    def affords(self, seconds: float) -> bool:
        """Whether a step that takes about so many seconds, and cannot be stopped, may begin."""
        return seconds <= self.remaining

    def within(self, seconds: float) -> Deadline:
        """A deadline `seconds` from now, or this one where that is sooner."""
        return Deadline(min(seconds, self.remaining))


NEVER = Deadline()
"""No limit."""
