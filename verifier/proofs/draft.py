"""A proof that is being written: the tree grows, leaves are added, and at last it becomes a file's arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from verifier.checker.proof import Proof

T = TypeVar("T")


class GivenUp(Exception):
    """There is no proof, for want of time or room; the text says why."""


@dataclass(frozen=True, eq=False)
class Leaf:
    """A disjunct that is closed on a node.

    Attributes:
        weights: of its rows.
        pressures: multipliers of the cuts at functions on the way from the root, or none.
        slopes: of the lines of all nonlinear nodes, float32; None for those that are best by themselves.
    """

    node: int
    disjunct: int
    weights: tuple[float, ...]
    pressures: tuple[float, ...] = ()
    slopes: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Fact:
    """A bound of an entry that holds on a node: of its upper end where `above`, else of its lower one.

    Attributes:
        pressures: as of leaves.
        slopes: as of leaves, of the nonlinear nodes before the quantity.
    """

    node: int
    quantity: str
    entry: int
    above: bool
    pressures: np.ndarray
    slopes: np.ndarray | None


@dataclass
class Draft:
    """Grows by appending; nodes and disjuncts are numbers.

    Attributes:
        parent, quantity, entry, cut, above, sharpened: of each node; a root's parent is -1.
        roots: of each root, a disjunct whose box it is.
        leaves: what is closed.
        facts: what is proved of intervals.
        presses: of some quantities the name of another one, on which multipliers of their cuts press.
    """

    parent: list[int] = field(default_factory=list)
    quantity: list[str] = field(default_factory=list)
    entry: list[int] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)
    above: list[bool] = field(default_factory=list)
    sharpened: list[bool] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    presses: Mapping[str, str] = field(default_factory=dict)

    def root(self, disjunct: int) -> int:
        """A new root, the box of a disjunct; its number."""
        self.roots.append(disjunct)
        return self._node(-1, "", 0, 0.0, above=False)

    def split(self, node: int, quantity: str, entry: int, cut: float) -> tuple[int, int]:
        """The parts of a node below and above a cut."""
        return self._node(node, quantity, entry, cut, above=False), self._node(node, quantity, entry, cut, above=True)

    def on_way(self, node: int, given: Mapping[tuple[str, int], T]) -> list[T | float]:
        """What is given for entries, at the last of each one's cuts at functions on the way from the root to a node.

        Other cuts at functions get 0.
        """
        path, left = [], dict(given)
        while self.parent[node] >= 0:
            if self.quantity[node]:
                name = self.presses.get(self.quantity[node], self.quantity[node])
                path.append(left.pop((name, self.entry[node]), 0.0))
            node = self.parent[node]
        return path[::-1]

    def way(self, node: int) -> Iterator[tuple[str, int, float, bool]]:
        """The cuts from a node up to its root, each as quantity, entry, cut, and whether the node is above it."""
        while self.parent[node] >= 0:
            yield self.quantity[node], self.entry[node], self.cut[node], self.above[node]
            node = self.parent[node]

    def _node(self, parent: int, quantity: str, entry: int, cut: float, above: bool) -> int:
        self.parent.append(parent)
        self.quantity.append(quantity)
        self.entry.append(entry)
        self.cut.append(cut)
        self.above.append(above)
        self.sharpened.append(False)
        return len(self.parent) - 1

    def proof(self, model: str, prop: str) -> Proof:
        """The file's contents, for a model and a property of these hashes."""
        names = sorted({*self.quantity, *(fact.quantity for fact in self.facts)})
        number = {name: k for k, name in enumerate(names)}
        leaves, facts = self.leaves, self.facts
        chosen: dict[bytes, int] = {}  # alike choices are written once

        def choices(several: Sequence[Leaf | Fact]) -> np.ndarray:
            packed = [None if one.slopes is None else one.slopes.tobytes() for one in several]
            return np.array([-1 if p is None else chosen.setdefault(p, len(chosen)) for p in packed], np.int32)

        arrays: dict[str, np.ndarray] = {
            "tree_parent": np.array(self.parent, np.int32),
            "tree_quantity": np.array([number[name] for name in self.quantity], np.int32),
            "tree_entry": np.array(self.entry, np.int32),
            "tree_cut": np.array(self.cut, np.float64),
            "tree_above": np.array(self.above, bool),
            "tree_sharpened": np.array(self.sharpened, bool),
            "root_disjunct": np.array(self.roots, np.int32),
            "leaf_node": np.array([leaf.node for leaf in leaves], np.int32),
            "leaf_disjunct": np.array([leaf.disjunct for leaf in leaves], np.int32),
            "leaf_choice": choices(leaves),
            "fact_node": np.array([fact.node for fact in facts], np.int32),
            "fact_quantity": np.array([number[fact.quantity] for fact in facts], np.int32),
            "fact_entry": np.array([fact.entry for fact in facts], np.int32),
            "fact_above": np.array([fact.above for fact in facts], bool),
            "fact_choice": choices(facts),
        }
        arrays |= _ragged("leaf_weights", [leaf.weights for leaf in leaves])
        arrays |= _ragged("leaf_pressures", [leaf.pressures for leaf in leaves])
        arrays |= _ragged("fact_pressures", [fact.pressures for fact in facts])
        arrays |= _ragged("choice_slopes", [np.frombuffer(packed, np.float32) for packed in chosen])
        return Proof(model, prop, names, arrays)


def _ragged(name: str, parts: Sequence[Sequence[float] | np.ndarray]) -> dict[str, np.ndarray]:
    """Parts one after another, and where each ends."""
    joined = np.concatenate([np.zeros(0, np.float32), *(np.asarray(part, np.float32) for part in parts)])
    return {name: joined, f"{name}_end": np.cumsum([len(part) for part in parts], dtype=np.int64)}
