"""Checks a proof: that its cases cover every disjunct's box, and that every leaf closes its disjunct.

States go down the tree. A *sharpened* node has all its intervals bounded anew over its part, backward where a
function is not linear; any other has those of the nearest such node above it, narrowed by the cuts between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from verifier.checker.bounds import UNIT, Bounder, Hints, State, Weak
from verifier.checker.claim import Claim, Disjunct
from verifier.checker.graph import Function, Graph, Linear, Product
from verifier.checker.linear import Adjoint, Array, Convolution, Dense, Map, Move
from verifier.checker.lines import TINY, exactly
from verifier.checker.proof import Proof

VALUES = 1 << 22
"""Values of all nodes of the parts that are looked at together."""


class Check:
    """Checks one proof against one claim.

    Args:
        graph: of the model.
        claim: of the property.
        proof: to check.
        exact: whether in rational numbers.
        progress: is told how many leaves are done.
    """

    def __init__(
        self,
        graph: Graph,
        claim: Claim,
        proof: Proof,
        exact: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.graph = rational(graph) if exact else graph
        self.claim, self.disjuncts = claim, claim.disjuncts
        self.proof, self.exact, self.progress = proof, exact, progress
        self.bounder = Bounder(self.graph, exact)
        self.done = 0
        values = sum(node.size for node in graph.nodes)
        self.batch = max(1, min(256, VALUES // values))
        self.places = places_of(graph)
        self.combined = cache(self._combined)

    def run(self) -> None:
        """Checks all of it.

        Raises:
            Weak: something does not hold; the text says what and where.
        """
        sizes = [self.graph.nodes[k].size for k in (0, self.graph.output)]
        if [self.claim.inputs, self.claim.outputs] != sizes:
            told = f"{self.claim.inputs} inputs and {self.claim.outputs} outputs"
            raise Weak(f"the property has {told}, the model {sizes[0]} and {sizes[1]}")
        self._look_at_the_tree()
        self._covered()
        for node in np.flatnonzero(self.proof["tree_parent"] < 0):
            box = self.disjuncts[self.root_disjunct[int(node)]]
            self._descend([int(node)], self.state_of(box, bool(self.proof["tree_sharpened"][node])))

    # The tree.

    def _look_at_the_tree(self) -> None:
        """That all numbers in it name something there is."""
        proof, count = self.proof, len(self.proof["tree_parent"])
        parent, quantity, entry = (proof[f"tree_{name}"].tolist() for name in ("parent", "quantity", "entry"))
        roots = [k for k in range(count) if parent[k] < 0]
        if len(proof["root_disjunct"]) != len(roots):
            raise Weak("root_disjunct has not one entry for each root")
        self.root_disjunct = dict(zip(roots, proof["root_disjunct"].tolist(), strict=True))
        names = [self.graph.quantities.get(name, -1) for name in proof.quantities]
        self.root_of, self.cut_node, self.owner = [0] * count, [-1] * count, [0] * count
        self.children: dict[int, list[int]] = defaultdict(list)
        for k in range(count):
            if parent[k] < 0:
                if not 0 <= self.root_disjunct[k] < len(self.disjuncts):
                    raise Weak(f"root {k} is of disjunct {self.root_disjunct[k]}, which there is not")
                self.root_of[k], self.owner[k] = k, k
                continue
            if parent[k] >= k:
                raise Weak(f"node {k} comes before its parent {parent[k]}")
            if not 0 <= quantity[k] < len(names) or names[quantity[k]] < 0:
                raise Weak(f"node {k} cuts a quantity that there is not")
            self.cut_node[k] = names[quantity[k]]
            if not 0 <= entry[k] < self.graph.nodes[self.cut_node[k]].size:
                raise Weak(f"node {k} cuts entry {entry[k]}, which there is not")
            self.root_of[k] = self.root_of[parent[k]]
            self.owner[k] = k if proof["tree_sharpened"][k] else self.owner[parent[k]]
            self.children[parent[k]].append(k)
        self.leaves_at: dict[int, list[int]] = defaultdict(list)
        self.owners_below: dict[int, list[int]] = defaultdict(list)
        for k in range(count):
            if self.owner[k] == k and parent[k] >= 0:
                self.owners_below[self.owner[parent[k]]].append(k)
        for leaf, (node, d) in enumerate(
            zip(proof["leaf_node"].tolist(), proof["leaf_disjunct"].tolist(), strict=True)
        ):
            if not (0 <= node < count and 0 <= d < len(self.disjuncts)):
                raise Weak(f"leaf {leaf} is at node {node} of disjunct {d}, which there is not")
            root = self.disjuncts[self.root_disjunct[self.root_of[node]]]
            if (root.lower, root.upper) != (self.disjuncts[d].lower, self.disjuncts[d].upper):
                raise Weak(f"leaf {leaf} closes disjunct {d} in a tree of another box")
            self.leaves_at[self.owner[node]].append(leaf)

    def _covered(self) -> None:
        """That every disjunct is closed on all of its box."""
        proof, count = self.proof, len(self.proof["tree_parent"])
        closed = [0] * count  # bits: disjuncts that are closed on a node's whole part
        for node, d in zip(proof["leaf_node"].tolist(), proof["leaf_disjunct"].tolist(), strict=True):
            closed[node] |= 1 << d
        everywhere = 0
        for k in range(count - 1, -1, -1):
            for a, b in zip(self.children[k][::2], self.children[k][1::2], strict=False):
                if self._complementary(a, b):
                    closed[k] |= closed[a] & closed[b]
            if k in self.root_disjunct:
                everywhere |= closed[k]
        for d in range(len(self.disjuncts)):
            if not everywhere >> d & 1:
                raise Weak(f"disjunct {d} is not closed on all of its box")

    def _complementary(self, a: int, b: int) -> bool:
        tree = [self.proof[f"tree_{name}"] for name in ("quantity", "entry", "cut")]
        above = self.proof["tree_above"]
        return all(x[a] == x[b] for x in tree) and bool(above[a]) != bool(above[b])

    def _path(self, node: int, top: int) -> list[int]:
        """The nodes below `top` down to a node."""
        path: list[int] = []
        while node != top:
            path.append(node)
            node = int(self.proof["tree_parent"][node])
        return path[::-1]

    # States.

    def state_of(self, box: Disjunct, sharpened: bool) -> State:
        """What is known over a whole box."""
        lower, upper = (np.array(ends, object)[None] for ends in (box.lower, box.upper))
        if not self.exact:
            lower, upper = rounded(lower, -np.inf), rounded(upper, np.inf)
        state = self.bounder.propagated(lower, upper)
        return self.bounder.sharpened(state) if sharpened else state

    def _cut(self, state: State, paths: list[list[int]]) -> State:
        """A state of as many parts as paths, each narrowed by the cuts of its path."""
        lower, upper = list(state.lower), list(state.upper)
        proof, own = self.proof, set()
        for n, path in enumerate(paths):
            for node in path:
                k, entry = self.cut_node[node], int(proof["tree_entry"][node])
                if k not in own:
                    own.add(k)
                    shape = len(paths), lower[k].shape[1]
                    lower[k], upper[k] = (np.array(np.broadcast_to(a, shape)) for a in (lower[k], upper[k]))
                cut = float(proof["tree_cut"][node])
                value: Any = Fraction(cut) if self.exact else cut
                if proof["tree_above"][node]:
                    lower[k][n, entry] = max(lower[k][n, entry], value)
                else:
                    upper[k][n, entry] = min(upper[k][n, entry], value)
        return State(lower, upper)

    def _descend(self, owners: list[int], state: State) -> None:
        """Checks the leaves of sharpened nodes, each a part of the state, and goes on to the sharpened ones below."""
        place = {owner: n for n, owner in enumerate(owners)}
        leaves = [leaf for owner in owners for leaf in self.leaves_at[owner]]
        chosen = self.proof["leaf_choice"]
        for group in ([f for f in leaves if chosen[f] < 0], [f for f in leaves if chosen[f] >= 0]):
            for start in range(0, len(group), self.batch):
                self._close(group[start : start + self.batch], place, state)
        below = [k for owner in owners for k in self.owners_below[owner]]
        for start in range(0, len(below), self.batch):
            some = below[start : start + self.batch]
            above = [self.owner[int(self.proof["tree_parent"][k])] for k in some]
            known = self._cut(
                state.take(np.array([place[k] for k in above])),
                [self._path(k, top) for k, top in zip(some, above, strict=True)],
            )
            fresh = self.bounder.propagated(known.lower[0], known.upper[0], known)
            self._descend(some, self.bounder.sharpened(fresh))

    # Leaves.

    def _close(self, leaves: list[int], place: dict[int, int], state: State) -> None:
        proof = self.proof
        nodes = proof["leaf_node"][leaves].tolist()
        owners = [self.owner[node] for node in nodes]
        part = self._cut(
            state.take(np.array([place[k] for k in owners])),
            [self._path(node, owner) for node, owner in zip(nodes, owners, strict=True)],
        )
        rows, thresholds, strict = [], [], []
        for leaf in leaves:
            row = self.combined(int(proof["leaf_disjunct"][leaf]), proof.ragged("weights", leaf).tobytes())
            rows.append(row.coefficients)
            thresholds.append(row.threshold)
            strict.append(row.strict)
        coefficients = np.array(rows)[:, None]
        least = self.bounder.least(part, self.graph.output, coefficients, self._hints(leaves, nodes))[:, 0]
        limit = np.array(thresholds)
        if not self.exact:  # the row's coefficients are rounded
            k = self.graph.output
            size = np.maximum(abs(part.lower[k]), abs(part.upper[k]))
            least = np.nextafter(least - 4 * UNIT * (abs(coefficients[:, 0]) * size).sum(-1) - TINY, -np.inf)
        holds = (least > limit) | (np.array(strict) & (least >= limit))
        if not holds.all():
            n = int(np.flatnonzero(~holds)[0])
            told = f"its rows add up to at least {float(least[n]):.9g} there, and must exceed {float(limit[n]):.9g}"
            d = int(proof["leaf_disjunct"][leaves[n]])
            raise Weak(f"leaf {leaves[n]}, at node {nodes[n]}, does not close disjunct {d}: {told}")
        self.done += len(leaves)
        self.progress(self.done)

    def _combined(self, d: int, packed: bytes) -> Combined:
        """The rows of a disjunct with a leaf's weights, as one."""
        rows = self.disjuncts[d].rows
        weights = np.frombuffer(packed, self.proof["leaf_weights"].dtype)
        if len(weights) != len(rows) or (weights < 0).any() or not (weights > 0).any():
            raise Weak(f"weights {weights.tolist()} for the {len(rows)} rows of disjunct {d}")
        total = np.zeros(self.graph.nodes[self.graph.output].size, object)
        threshold, strict = Fraction(0), False
        for weight, row in zip(weights.tolist(), rows, strict=True):
            if weight:
                for j, value in row.coefficients:
                    total[j] += Fraction(weight) * value
                threshold += Fraction(weight) * row.threshold
                strict = strict or row.strict
        if self.exact:
            return Combined(total + Fraction(0), threshold, strict)
        return Combined(total.astype(float), float(rounded(np.array([threshold], object), np.inf)[0]), strict)

    def _hints(self, leaves: list[int], nodes: list[int]) -> Hints:
        """The places and multipliers of leaves."""
        proof, hints = self.proof, Hints()
        choices = proof["leaf_choice"][leaves]
        table = proof["choice_places"]
        if choices[0] >= 0:
            if choices.max() >= len(table) or table.shape[1] != sum(self.places.values()):
                raise Weak("choices that there are not, or of another length than the graph's")
            start = 0
            for k, size in self.places.items():
                part = table[choices, start : start + size]
                hints.places[k] = self._number(part.astype(float)) / 255
                start += size
        for n, (leaf, node) in enumerate(zip(leaves, nodes, strict=True)):
            pressures = proof.ragged("pressures", leaf)
            if not len(pressures):
                continue
            cuts = [c for c in self._path(node, self.root_of[node]) if self.cut_node[c] > 0]
            if len(cuts) != len(pressures):
                raise Weak(f"leaf {leaf} has {len(pressures)} multipliers for {len(cuts)} cuts")
            for cut, pressure in zip(cuts, pressures.tolist(), strict=True):
                k = self.cut_node[cut]
                if k not in hints.pressures:
                    hints.pressures[k] = self._number(np.zeros((len(leaves), self.graph.nodes[k].size)))
                hints.pressures[k][n, proof["tree_entry"][cut]] += Fraction(pressure) if self.exact else pressure
        return hints

    def _number(self, x: Array) -> Array:
        return exactly(x) if self.exact else x


@dataclass(frozen=True, eq=False)
class Combined:
    """One row: coefficients . y > threshold closes, >= if it is strict."""

    coefficients: Array
    threshold: Any
    strict: bool


def places_of(graph: Graph) -> dict[int, int]:
    """The nonlinear nodes, with their sizes, in the order of a choice's places."""
    return {k: n.size for k, n in enumerate(graph.nodes) if isinstance(n, Function | Product)}


def rounded(x: Array, towards: float) -> Array:
    """Rational numbers as doubles, on one side."""
    flat = []
    for value in x.ravel():
        near = float(value)
        beyond = Fraction(near) > value if towards < 0 else Fraction(near) < value
        flat.append(np.nextafter(near, towards) if beyond else near)
    return np.array(flat).reshape(x.shape)


def rational(graph: Graph) -> Graph:
    """The same with its numbers as rational ones."""
    nodes = [
        replace(n, maps=tuple(_rational(m) for m in n.maps), bias=exactly(n.bias)) if isinstance(n, Linear) else n
        for n in graph.nodes
    ]
    return Graph(nodes, graph.output, graph.quantities)


def _rational(m: Map) -> Map:
    if isinstance(m, Move):
        return m if m.factor is None else replace(m, factor=exactly(m.factor))
    if isinstance(m, Dense):
        return replace(m, weight=exactly(m.weight))
    if isinstance(m, Convolution):
        return replace(m, kernel=exactly(m.kernel))
    of = _rational(m.of)
    assert isinstance(of, Convolution)
    return Adjoint(of)
