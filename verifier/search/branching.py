"""Chooses where to cut: the candidates of a cheap estimate are tried out, and the best try wins.

Filtered smart branching (De Palma et al., arXiv 2104.06718): both children of every candidate are bounded once with
their parent's choice, without an ascent; the cut whose worse child is best is made.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.arrays import to_numpy
from verifier.search.bounding import Bounder
from verifier.search.domains import Domains


def children(bounder: Bounder, parents: Domains, positions: np.ndarray) -> Domains:
    """Both halves of each parent, cut at the operand entry `positions[m]`: first all lower halves, then all upper."""
    rows = np.arange(len(parents))
    cut = bounder.cuts(parents)[rows, positions]
    upper, lower = parents.upper.copy(), parents.lower.copy()
    upper[rows, positions] = cut
    lower[rows, positions] = cut
    halved = replace(_noted(parents, positions), age=parents.age + 1)
    return Domains.joined([replace(halved, upper=upper), replace(halved, lower=lower)])


def _noted(parents: Domains, positions: np.ndarray) -> Domains:
    """The parents with the positions among their cuts, once each."""
    new = ~(parents.cuts == positions[:, None]).any(axis=1)
    count = (parents.cuts >= 0).sum(axis=1)
    wider = parents.widened(int((count + new).max(initial=0)))
    cuts = wider.cuts.copy()
    cuts[np.flatnonzero(new), count[new]] = positions[new]
    return replace(wider, cuts=cuts)


def chosen(bounder: Bounder, parents: Domains) -> np.ndarray:
    """Of each parent's candidates the one whose worse child has the best bound, shape (M,)."""
    candidates = parents.candidates
    tries, width = [], candidates.shape[1]
    if width < 2:
        return candidates[:, 0]
    for c in range(width):  # a missing candidate repeats the first, and cannot win over it
        tries.append(children(bounder, parents, np.where(candidates[:, c] >= 0, candidates[:, c], candidates[:, 0])))
    together = Domains.joined(tries)
    lagrangian = bounder.lagrangian(together, bounder.relaxation(together))
    bounds = to_numpy(lagrangian.evaluate(bounder.choice(together)).bound).reshape(width, 2, len(parents))
    low, high = bounds.min(axis=1), bounds.max(axis=1)
    best = np.argmax(np.where(low > 0, np.inf, low) + 1e-3 * np.minimum(high, 0.0), axis=0)
    return np.where(candidates >= 0, candidates, candidates[:, :1])[np.arange(len(parents)), best]
