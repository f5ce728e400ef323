"""A proof that is being written: the tree grows, leaves are added, and at last it becomes a file's arrays."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from verifier.checker.proof import Proof


@dataclass(frozen=True, eq=False)
class Leaf:
    """A disjunct that is closed on a node.

    Attributes:
        weights: of its rows.
        pressures: multipliers of the cuts at functions on the way from the root, or none.
        places: of all nonlinear nodes, bytes; None for those that are best by themselves.
    """

    node: int
    disjunct: int
    weights: tuple[float, ...]
    pressures: tuple[float, ...] = ()
    places: np.ndarray | None = None


@dataclass
class Draft:
    """Grows by appending; nodes and disjuncts are numbers.

    Attributes:
        parent, quantity, entry, cut, above, sharpened: of each node; a root's parent is -1.
        roots: of each root, a disjunct whose box it is.
        leaves: what is closed.
    """

    parent: list[int] = field(default_factory=list)
    quantity: list[str] = field(default_factory=list)
    entry: list[int] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)
    above: list[bool] = field(default_factory=list)
    sharpened: list[bool] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    leaves: list[Leaf] = field(default_factory=list)

    def root(self, disjunct: int) -> int:
        """A new root, the box of a disjunct; its number."""
        self.roots.append(disjunct)
        return self._node(-1, "", 0, 0.0, above=False)

    def split(self, node: int, quantity: str, entry: int, cut: float) -> tuple[int, int]:
        """The parts of a node below and above a cut."""
        return self._node(node, quantity, entry, cut, above=False), self._node(node, quantity, entry, cut, above=True)

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
        names = sorted(set(self.quantity))
        number = {name: k for k, name in enumerate(names)}
        leaves = self.leaves
        chosen: dict[bytes, int] = {}  # alike choices are written once
        choice = [
            -1 if leaf.places is None else chosen.setdefault(leaf.places.tobytes(), len(chosen)) for leaf in leaves
        ]
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
            "leaf_weights": np.array([w for leaf in leaves for w in leaf.weights], np.float32),
            "leaf_pressures": np.array([p for leaf in leaves for p in leaf.pressures], np.float32),
            "leaf_choice": np.array(choice, np.int32),
            "weights_end": np.cumsum([len(leaf.weights) for leaf in leaves], dtype=np.int64),
            "pressures_end": np.cumsum([len(leaf.pressures) for leaf in leaves], dtype=np.int64),
            "choice_places": np.frombuffer(b"".join(chosen), np.uint8).reshape(len(chosen), -1 if chosen else 0),
        }
        return Proof(model, prop, names, arrays)
