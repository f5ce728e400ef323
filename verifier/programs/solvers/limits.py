"""Seconds that a solver is given, so that its answer is there when the time is up."""

from __future__ import annotations

from verifier.deadline import Deadline

LONGEST = 1e6
"""Seconds; "no limit" in a number that every solver and timer takes."""

HEADROOM = 0.25
"""Seconds that a solver gets less than there are: it looks at its clock between steps, and its answer wants reading."""


def seconds_allowed(deadline: Deadline) -> float:
    """What to tell a solver that its limit is; at least half of what is left."""
    left = deadline.remaining
    return min(max(left - HEADROOM, left / 2), LONGEST)
