"""Shrinks boxes by linear bounds: a violation lies where every row's bound is at most its threshold.

A row c x + k lies below a form that must be at most a threshold. So the row can use up no more than its slack: the
threshold minus the row's least value over the box. From the corner where the row is least, input j can move by
slack / |c_j| and no further. Source: Clip-and-Verify (arXiv 2512.11087), relaxed clipping, in closed form.
"""

from __future__ import annotations

import numpy as np

from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF

PASSES = 2
"""Rounds of clipping: what one row cuts off leaves another one less slack."""


def clipped(
    lower: np.ndarray, upper: np.ndarray, coefficients: np.ndarray, constant: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The boxes without those parts where some row cannot be obeyed, in real arithmetic.

    Args:
        lower: lower ends of the inputs, shape (N, d).
        upper: upper ends, the same shape.
        coefficients: of R rows that must all hold, shape (N, R, d).
        constant: such that coefficients x + constant, *as computed* at any x of the box, is at most the form
            (`bounds.boxwise.LinearForms`), shape (N, R); -inf where nothing is known.
        thresholds: which the forms must not exceed, shape (N, R).

    Returns:
        New lower and upper ends inside the old ones, and the boxes of which nothing is left, shape (N,); their ends
        mean nothing.
    """
    start_lower, start_upper, empty = lower, upper, np.zeros(len(lower), bool)
    falling, steepness = coefficients < 0, np.abs(coefficients)
    for _ in range(PASSES):
        corner = np.where(falling, upper[:, None, :], lower[:, None, :])
        slack = thresholds - (constant + (coefficients * corner).sum(axis=-1))
        empty |= (slack < 0).any(axis=1)
        slack = np.where(slack >= 0, slack, np.inf)[:, :, None] * (1 + 4 * UNIT_ROUNDOFF)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            reach = slack / steepness * (1 + 4 * UNIT_ROUNDOFF) + UNDERFLOW
        reach = np.where(reach >= 0, reach, np.inf)  # 0 / 0 says nothing
        from_lower = np.where(falling, np.inf, reach).min(axis=1, initial=np.inf)
        from_upper = np.where(falling, reach, np.inf).min(axis=1, initial=np.inf)
        new_lower = np.maximum(lower, np.nextafter(upper - from_upper, -np.inf))
        new_upper = np.minimum(upper, np.nextafter(lower + from_lower, np.inf))
        crossed = (new_lower > new_upper).any(axis=1)
        empty |= crossed
        lower = np.where(crossed[:, None], lower, new_lower)
        upper = np.where(crossed[:, None], upper, new_upper)
    lower, upper = np.maximum(lower, start_lower), np.minimum(upper, start_upper)
    return lower, upper, empty
