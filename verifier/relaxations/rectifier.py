"""Lines for relu: exact where it is stable, the triangle where it is not.

Source: Ehlers, *Formal Verification of Piece-Wise Linear Feed-Forward Neural Networks*, 2017 (the triangle); Zhang et
al., *Efficient Neural Network Robustness Certification with General Activation Functions*, 2018 (adaptive slopes).
"""

from __future__ import annotations

from verifier.arrays import Array, namespace
from verifier.relaxations.policy import Lines, Policy, ordinary
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF


def relu_lines(lower: Array, upper: Array, policy: Policy) -> Lines:
    """The lines of relu; stable entries get slope 0 or 1 and intercept 0, without a margin."""
    xp = namespace(lower, upper)
    active, inactive = lower >= 0, upper <= 0
    triangle = ordinary(lower, upper) & ~active & ~inactive
    chord, chord_intercept = relu_chord(lower, upper, triangle)
    if policy is Policy.ADAPTIVE:
        chosen = xp.astype(triangle & (upper > -lower), lower.dtype)
    elif policy is Policy.LOWER_END:
        chosen = xp.zeros_like(lower)
    elif policy is Policy.UPPER_END:
        chosen = xp.astype(triangle, lower.dtype)
    else:
        chosen = xp.where(chord > 1.0, 1.0, chord)
    unstable_intercept = xp.where(triangle, chord_intercept, xp.where(upper == upper, upper, xp.inf))
    unknown = (lower != lower) | (upper != upper)
    return Lines(
        lower_slope=xp.where(active & ~unknown, 1.0, chosen),
        lower_intercept=xp.where(unknown, -xp.inf, xp.zeros_like(lower)),
        upper_slope=xp.where(active & ~unknown, 1.0, chord),
        upper_intercept=xp.where((active | inactive) & ~unknown, 0.0, xp.where(unknown, xp.inf, unstable_intercept)),
    )


def relu_chord(lower: Array, upper: Array, triangle: Array) -> tuple[Array, Array]:
    """Slope and intercept of a line above relu on [lower, upper] where `triangle` holds, which asks lower < 0 < upper.

    The slope is rounded up: then a line that is at least 0 at `lower` has risen to at least `upper` at `upper`, and
    the intercept needs a relative margin only, however small `lower` is.
    """
    xp = namespace(lower, upper)
    up = 1.0 + 8.0 * UNIT_ROUNDOFF
    low, high = xp.where(triangle, lower, -1.0), xp.where(triangle, upper, 0.0)
    slope = high / (high - low) * up
    return slope, xp.where(triangle, -low * slope * up + UNDERFLOW, 0.0)
