"""Fewer changed entries: those of adversarial points go back to their samples' values as long as they stay adversarial.

Entries go back in the order of what the margin would lose by them, were it linear, halves of them at a time, and then
one by one. Beforehand the entries that stay are moved to where the margin gains most inside the box, which costs
nothing in the 0-norm.
"""

from __future__ import annotations

import numpy as np

from verifier.attacks.minimal.known import Known

ROUNDS = 4
"""With gradients taken anew."""
SINGLES = 64
"""Entries that are tried one by one, at most, in a round."""


def restored(hunt: Known, owners: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Adversarial points with fewer changed entries, shape (R, input_size); each that is met is also offered.

    Args:
        hunt: whose samples the points belong to.
        owners: of the rows, shape (R,).
        x: adversarial points, shape (R, input_size).
    """
    x = x.copy()
    for _ in range(ROUNDS):
        if hunt.deadline.expired or not len(x):
            break
        before = (x != hunt.problem.x[owners]).sum()
        _spread(hunt, owners, x)
        _round(hunt, owners, x)
        if (x != hunt.problem.x[owners]).sum() == before:
            break
    return x


def _spread(hunt: Known, owners: np.ndarray, x: np.ndarray) -> None:
    """Moves changed entries to the finite end of the box where the margin grows, in place, where it does grow."""
    problem = hunt.problem
    margins, gradients = hunt.classifier.margins_and_gradients(owners, x)
    end = np.where(gradients > 0, problem.upper, problem.lower)
    moved = np.where((x != problem.x[owners]) & (gradients != 0) & np.isfinite(end), end, x)
    better = hunt.classifier.margins(owners, moved) > margins
    x[better] = moved[better]


def _round(hunt: Known, owners: np.ndarray, x: np.ndarray) -> None:
    """Restores entries in place: in the order of their cost, so many at a time as are left, half, a quarter ... one."""
    start = hunt.problem.x[owners]
    gradients = hunt.classifier.margins_and_gradients(owners, x)[1]
    changed = x != start
    order = np.argsort(np.where(changed, gradients * (x - start), np.inf), axis=1, kind="stable")
    count, at = changed.sum(axis=1), np.zeros(len(x), np.int64)
    size = 1 << max(int(count.max()).bit_length() - 1, 0)
    while size:
        _try(hunt, owners, x, order, (at, np.minimum(at + size, count)))
        size //= 2
    for _ in range(min(SINGLES, int(count.max()))):
        if hunt.deadline.expired or (at >= count).all():
            break
        _try(hunt, owners, x, order, (at, np.minimum(at + 1, count)))
        at += 1


def _try(
    hunt: Known, owners: np.ndarray, x: np.ndarray, order: np.ndarray, part: tuple[np.ndarray, np.ndarray]
) -> None:
    """Restores the entries of places from `part[0]` up to `part[1]` in place where that stays adversarial.

    `part[0]` moves on in place by what was restored.
    """
    first, last = part
    places = np.arange(x.shape[1])
    chosen = np.zeros(x.shape, bool)
    np.put_along_axis(chosen, order, (places >= first[:, None]) & (places < last[:, None]), axis=1)
    rows = np.flatnonzero(chosen.any(axis=1))
    tried = np.where(chosen[rows], hunt.problem.x[owners[rows]], x[rows])
    margins = hunt.classifier.margins(owners[rows], tried)
    hunt.offer(owners[rows], tried, margins)
    holds = margins > hunt.aim(owners[rows])
    x[rows[holds]] = tried[holds]
    first[rows[holds]] = last[rows[holds]]
