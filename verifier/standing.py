"""How much a number about robustness can be relied on; every bound on a minimal perturbation says it."""

from __future__ import annotations

from enum import StrEnum


class Standing(StrEnum):
    """What a number's claim rests on; of bounds from below, the strongest first."""

    EXACT = "exact"
    """The value itself: bounds from both sides meet, up to a gap that is told beside it."""

    CERTIFIED = "certified"
    """A proof about the network as a function of real numbers; the rounding of its own computation is covered."""

    REAL = "certified in real arithmetic"
    """A proof, had all numbers been computed without rounding."""

    PROBABLE = "certified with probability 1 - alpha"
    """A proof about the smoothed network, wrong for at most a share alpha of the random draws it rests on."""

    ESTIMATE = "estimate"
    """No proof: the number may lie on either side of what it estimates."""

    ATTACK = "attack"
    """A bound from above: an input that some other class leads at, replayed alone in ONNX Runtime."""
