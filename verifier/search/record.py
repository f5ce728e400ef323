"""What a proof by cases can be written from: the tree of cuts, and for each closed leaf the choice that bounds it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.search.domains import Domains
from verifier.search.tree import Tree


@dataclass(frozen=True, eq=False)
class Leaves:
    """Closed domains: their nodes in the tree, bounds, cuts and choices (`Domains`), in the order of closing."""

    leaf: np.ndarray
    bound: np.ndarray
    cuts: np.ndarray
    places: np.ndarray
    multipliers: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class InputCuts:
    """The cuts of B boxes, which are the roots of the tree; it grows while the search goes on.

    Attributes:
        lower, upper: shape (B, input_size).
        tree: its dimensions are inputs.
    """

    lower: np.ndarray
    upper: np.ndarray
    tree: Tree


class Record:
    """Keeps the tree, and the leaves' choices as long as there is room.

    Args:
        roots: number of root domains, which are the tree's nodes 0, 1, ...
        memory: bytes that the choices may take; beyond, no more are kept and `complete` is False.

    Attributes:
        tightened: nodes, other than roots, on which all intervals were tightened.
    """

    def __init__(self, roots: int, memory: float) -> None:
        self.tree = Tree(roots)
        self.leaves: list[Leaves] = []
        self.complete = True
        self.tightened: set[int] = set()
        self._room, self._roots = memory, roots

    def grown(self, halves: Domains, cut: np.ndarray, positions: np.ndarray) -> Domains:
        """The halves of M parents, lower ones first, with their own nodes; `cut` and `positions` have shape (M,)."""
        count = len(positions)
        self._note_tightened(halves.leaf[halves.age == 1])
        below = self.tree.add(halves.leaf[:count], positions, cut, False)
        above = self.tree.add(halves.leaf[count:], positions, cut, True)
        return replace(halves, leaf=np.concatenate([below, above]))

    def close(self, domains: Domains) -> None:
        """Takes note of closed domains."""
        self._note_tightened(domains.leaf[domains.age == 0])
        closed = Leaves(domains.leaf, domains.bound, domains.cuts, domains.places, domains.multipliers, domains.weights)
        self._room -= sum(a.nbytes for a in vars(closed).values())
        if self._room < 0:
            self.complete = False
        elif len(domains):
            self.leaves.append(closed)

    def _note_tightened(self, nodes: np.ndarray) -> None:
        """Nodes whose domains had no cut since they were tightened."""
        self.tightened.update(nodes[nodes >= self._roots].tolist())
