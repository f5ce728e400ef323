"""What narrows the intervals of a part beyond what bounds by themselves say: facts, each proved by its own choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.checker.bounds import Bounder, Hints, State
from verifier.checker.linear import Array


@dataclass(frozen=True, eq=False)
class About:
    """What facts are about: entries of node k in part n, their upper ends where `above`, else their lower ones."""

    n: int
    k: int
    entries: Array
    above: Array


def proven(bounder: Bounder, state: State, about: About, hints: Hints) -> Array:
    """Lower bounds of the entries, or of their negatives where `above`, each by its own choice; shape (facts,)."""
    count = len(about.entries)
    rows = np.zeros((count, 1, bounder.graph.nodes[about.k].size), state.lower[about.k].dtype)
    rows[np.arange(count), 0, about.entries] = np.where(about.above, -1, 1)
    return bounder.minimum(state.take(np.array([about.n])), about.k, rows, hints)[0][:, 0]


def narrow(state: State, about: About, least: Array) -> None:
    """Narrows the intervals of a part by what is proven."""
    shape = state.count, state.lower[about.k].shape[1]
    lower, upper = (np.array(np.broadcast_to(ends[about.k], shape)) for ends in (state.lower, state.upper))
    below = ~about.above
    np.maximum.at(lower[about.n], about.entries[below], least[below])
    np.minimum.at(upper[about.n], about.entries[about.above], -least[about.above])
    state.lower[about.k], state.upper[about.k] = lower, upper


def empty(state: State) -> Array:
    """Parts in which some interval's ends cross, so that no input is in them; shape (N,)."""
    found = np.zeros(state.count, bool)
    for lower, upper in zip(state.lower, state.upper, strict=True):
        found |= (lower > upper).any(1)
    return found
