"""Checks a proof: that its cases cover every disjunct's box, and that every leaf closes its disjunct.

States go down the tree. A *sharpened* node has all its intervals bounded anew over its part, backward where a
function is not linear; any other has those of the nearest such node above it, narrowed by the cuts between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from threading import Lock
from typing import Any

import numpy as np

from verifier.checker.bounds import UNIT, Bounder, Hints, State, Weak
from verifier.checker.claim import Claim, Disjunct
from verifier.checker.graph import Function, Graph, Product
from verifier.checker.linear import Array
from verifier.checker.lines import TINY, exactly
from verifier.checker.narrowing import About, empty, narrow, proven
from verifier.checker.pieces import Piece, work_off
from verifier.checker.proof import Proof
from verifier.checker.rational import rational, rounded

VALUES = 1 << 22
"""Values of all nodes of the parts that are looked at together."""
DEEPEST = 1000
"""Cuts below each other: following them costs as much for every leaf."""
CLOSED = 1 << 30
"""Nodes times disjuncts at most."""
FORMS = 16
"""Different rows that are bounded on all of the parts."""


class Check:
    """Checks one proof against one claim.

    Args:
        graph: of the model.
        claim: of the property.
        proof: to check.
        exact: whether in rational numbers.
        progress: is told how many leaves are done.
        workers: threads that share the parts out among them; most of the time is NumPy's, which lets others work.
    """

    def __init__(
        self,
        graph: Graph,
        claim: Claim,
        proof: Proof,
        exact: bool = False,
        progress: Callable[[int], None] = lambda done: None,
        workers: int = 1,
    ) -> None:
        self.workers = workers
        self.graph = rational(graph) if exact else graph
        self.claim, self.disjuncts = claim, claim.disjuncts
        self.proof, self.exact, self.progress = proof, exact, progress
        self.bounder = Bounder(self.graph, exact)
        self.done, self.counting = 0, Lock()
        self.facts_at: dict[tuple[int, int], list[int]] = {}
        values = sum(node.size for node in graph.nodes)
        self.batch = max(1, min(256, VALUES // values))
        self.slots = slots_of(graph)
        self.combined, self.cuts_to = cache(self._combined), cache(self._cuts_to)

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
        sharpened, roots = self.proof["tree_sharpened"], np.flatnonzero(self.proof["tree_parent"] < 0)
        pieces: list[Piece] = []
        for group in (roots[~sharpened[roots]], roots[sharpened[roots]]):
            starts = range(0, len(group), self.batch)
            pieces += [partial(self._begin, group[i : i + self.batch].tolist()) for i in starts]
        work_off(pieces, self.workers)

    # The tree.

    def _look_at_the_tree(self) -> None:
        """That all numbers in it name something there is."""
        proof, count = self.proof, len(self.proof["tree_parent"])
        self.parent, quantity, entry = (proof[f"tree_{name}"].tolist() for name in ("parent", "quantity", "entry"))
        roots = [k for k in range(count) if self.parent[k] < 0]
        if len(proof["root_disjunct"]) != len(roots):
            raise Weak("root_disjunct has not one entry for each root")
        self.root_disjunct = dict(zip(roots, proof["root_disjunct"].tolist(), strict=True))
        names = [self.graph.quantities.get(name, -1) for name in proof.quantities]
        self.root_of, self.cut_node, self.owner = [0] * count, [-1] * count, [0] * count
        self.children: dict[int, list[int]] = defaultdict(list)
        depth = [0] * count
        for k in range(count):
            if self.parent[k] < 0:
                if not 0 <= self.root_disjunct[k] < len(self.disjuncts):
                    raise Weak(f"root {k} is of disjunct {self.root_disjunct[k]}, which there is not")
                self.root_of[k], self.owner[k] = k, k
                continue
            if self.parent[k] >= k:
                raise Weak(f"node {k} comes before its parent {self.parent[k]}")
            if not 0 <= quantity[k] < len(names) or names[quantity[k]] < 0:
                raise Weak(f"node {k} cuts a quantity that there is not")
            self.cut_node[k] = names[quantity[k]]
            if not 0 <= entry[k] < self.graph.nodes[self.cut_node[k]].size:
                raise Weak(f"node {k} cuts entry {entry[k]}, which there is not")
            depth[k] = depth[self.parent[k]] + 1
            if depth[k] > DEEPEST:
                raise Weak(f"more than {DEEPEST} cuts below each other")
            self.root_of[k] = self.root_of[self.parent[k]]
            self.owner[k] = k if proof["tree_sharpened"][k] else self.owner[self.parent[k]]
            self.children[self.parent[k]].append(k)
        if len(proof["fact_node"]):
            self._look_at_the_facts(names)
        for choices in (proof["leaf_choice"], proof["fact_choice"]):
            if len(choices) and not -1 <= choices.min() <= choices.max() < len(proof["choice_slopes_end"]):
                raise Weak("a choice that there is not")
        self.leaves_at: dict[int, list[int]] = defaultdict(list)
        self.owners_below: dict[int, list[int]] = defaultdict(list)
        for k in range(count):
            if self.owner[k] == k and self.parent[k] >= 0:
                self.owners_below[self.owner[self.parent[k]]].append(k)
        for leaf, (node, d) in enumerate(
            zip(proof["leaf_node"].tolist(), proof["leaf_disjunct"].tolist(), strict=True)
        ):
            if not (0 <= node < count and 0 <= d < len(self.disjuncts)):
                raise Weak(f"leaf {leaf} is at node {node} of disjunct {d}, which there is not")
            root = self.disjuncts[self.root_disjunct[self.root_of[node]]]
            if (root.lower, root.upper) != (self.disjuncts[d].lower, self.disjuncts[d].upper):
                raise Weak(f"leaf {leaf} closes disjunct {d} in a tree of another box")
            self.leaves_at[self.owner[node]].append(leaf)

    def _look_at_the_facts(self, names: list[int]) -> None:
        proof = self.proof
        numbers = (proof[f"fact_{name}"].tolist() for name in ("node", "quantity", "entry"))
        for fact, (node, quantity, entry) in enumerate(zip(*numbers, strict=True)):
            if not 0 <= node < len(proof["tree_parent"]) or not proof["tree_sharpened"][node]:
                raise Weak(f"fact {fact} is at node {node}, which is not sharpened")
            if not 0 <= quantity < len(names) or names[quantity] < 0:
                raise Weak(f"fact {fact} is about a quantity that there is not")
            k = names[quantity]
            if not 0 <= entry < self.graph.nodes[k].size:
                raise Weak(f"fact {fact} is about entry {entry}, which there is not")
            self.facts_at.setdefault((node, k), []).append(fact)

    def _covered(self) -> None:
        """That every disjunct is closed on all of its box."""
        proof, count = self.proof, len(self.proof["tree_parent"])
        if count * len(self.disjuncts) > CLOSED:
            raise Weak(f"{count} nodes for {len(self.disjuncts)} disjuncts are more than there is room for")
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
            node = self.parent[node]
        return path[::-1]

    # States.

    def state_of(self, boxes: Sequence[Disjunct]) -> State:
        """What intervals say over whole boxes."""
        lower, upper = (np.array([getattr(box, end) for box in boxes], object) for end in ("lower", "upper"))
        if not self.exact:
            lower, upper = rounded(lower, -np.inf), rounded(upper, np.inf)
        return self.bounder.propagated(lower, upper)

    def _cut(self, state: State, paths: list[list[int]]) -> State:
        """A state of as many parts as paths, each narrowed by the cuts of its path."""
        lower, upper = list(state.lower), list(state.upper)
        proof, own = self.proof, set()
        for n, path in enumerate(paths):
            for node in path:
                entry, above = int(proof["tree_entry"][node]), bool(proof["tree_above"][node])
                for k, end in self.bounder.ends(self.cut_node[node], float(proof["tree_cut"][node]), above):
                    if k not in own:
                        own.add(k)
                        shape = len(paths), lower[k].shape[1]
                        lower[k], upper[k] = (np.array(np.broadcast_to(a, shape)) for a in (lower[k], upper[k]))
                    sides, better = (lower, max) if above else (upper, min)
                    sides[k][n, entry] = better(sides[k][n, entry], end)
        return State(lower, upper)

    def _begin(self, roots: list[int]) -> list[Piece]:
        return self._descend(roots, self.state_of([self.disjuncts[self.root_disjunct[k]] for k in roots]))

    def _descend(self, owners: list[int], state: State) -> list[Piece]:
        """The leaves of nodes, each a part of the state, to be checked, and the sharpened nodes below."""
        if self.proof["tree_sharpened"][owners[0]]:
            state = self.bounder.sharpened(state, partial(self._prove_facts, owners))
        place = {owner: n for n, owner in enumerate(owners)}
        leaves = [leaf for owner in owners for leaf in self.leaves_at[owner]]
        pieces: list[Piece] = [partial(self._close, group, place, state) for group in self._alike(leaves, "leaf")]
        below = [k for owner in owners for k in self.owners_below[owner]]
        starts = range(0, len(below), self.batch)
        return [*pieces, *(partial(self._sharpen, below[i : i + self.batch], place, state) for i in starts)]

    def _sharpen(self, owners: list[int], place: dict[int, int], state: State) -> list[Piece]:
        """Goes on to sharpened nodes, from what is known of those above them."""
        above = [self.owner[self.parent[k]] for k in owners]
        known = self._cut(
            state.take(np.array([place[k] for k in above])),
            [self._path(k, top) for k, top in zip(owners, above, strict=True)],
        )
        return self._descend(owners, self.bounder.propagated(known.lower[0], known.upper[0], known))

    # Facts.

    def _prove_facts(self, owners: list[int], state: State, k: int) -> None:
        """Narrows a node's intervals by the facts about it, each part's by its own."""
        for n, owner in enumerate(owners):
            facts = self.facts_at.get((owner, k), [])
            for group in self._alike(facts, "fact"):
                about = About(n, k, self.proof["fact_entry"][group], self.proof["fact_above"][group])
                hints = self._hints("fact", group, [owner] * len(group))
                narrow(state, about, proven(self.bounder, state, about, hints))

    # Leaves.

    def _close(self, leaves: list[int], place: dict[int, int], state: State) -> list[Piece]:
        proof = self.proof
        nodes = proof["leaf_node"][leaves].tolist()
        packed = [(int(proof["leaf_disjunct"][leaf]), proof.part("leaf_weights", leaf).tobytes()) for leaf in leaves]
        rows = [self.combined(*one) for one in packed]
        forms = {tuple(row.coefficients.tolist()): row.coefficients for row in rows}
        pressed = any(len(proof.part("leaf_pressures", leaf)) for leaf in leaves)
        if proof["leaf_choice"][leaves[0]] < 0 and not pressed and len(forms) <= FORMS:
            # Lines that are best by themselves: leaves of one node differ in their rows alone.
            several, where = np.unique(nodes, return_inverse=True)
            number = {form: n for n, form in enumerate(forms)}
            least = self._least(several.tolist(), place, state, np.array(list(forms.values()))[None], Hints())
            least = least[where, [number[tuple(row.coefficients.tolist())] for row in rows]]
        else:
            table = np.array([row.coefficients for row in rows])[:, None]
            least = self._least(nodes, place, state, table, self._hints("leaf", leaves, nodes))[:, 0]
        limit, strict = np.array([row.threshold for row in rows]), np.array([row.strict for row in rows])
        holds = (least > limit) | (strict & (least >= limit))
        if not holds.all():
            n = int(np.flatnonzero(~holds)[0])
            told = f"its rows add up to at least {float(least[n]):.9g} there, and must exceed {float(limit[n]):.9g}"
            raise Weak(f"leaf {leaves[n]}, at node {nodes[n]}, does not close disjunct {packed[n][0]}: {told}")
        with self.counting:
            self.done += len(leaves)
            self.progress(self.done)
        return []

    def _least(self, nodes: list[int], place: dict[int, int], state: State, table: Array, hints: Hints) -> Array:
        """Lower bounds of rows, shape (N or 1, R, outputs), on N nodes of the tree."""
        owners = [self.owner[node] for node in nodes]
        part = self._cut(
            state.take(np.array([place[k] for k in owners])),
            [self._path(node, owner) for node, owner in zip(nodes, owners, strict=True)],
        )
        least = self.bounder.least(part, self.graph.output, table, hints)
        least = np.where(empty(part)[:, None], np.inf, least)
        if self.exact:
            return least
        k = self.graph.output  # the rows' coefficients are rounded
        size = np.maximum(abs(part.lower[k]), abs(part.upper[k]))
        error = 4 * UNIT * (abs(table) * size[:, None]).sum(-1) + TINY
        return np.nextafter(least - error, -np.inf)

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

    # Choices.

    def _alike(self, numbers: list[int], kind: str) -> list[list[int]]:
        """Leaves or facts whose choices are of the same length, in batches."""
        groups: dict[int, list[int]] = defaultdict(list)
        lengths = np.diff(self.proof["choice_slopes_end"], prepend=0)
        choices = self.proof[f"{kind}_choice"][numbers]
        of_each = lengths[choices] if len(lengths) else choices
        for n, length in zip(numbers, np.where(choices < 0, -1, of_each).tolist(), strict=True):
            groups[length].append(n)
        return [g[i : i + self.batch] for g in groups.values() for i in range(0, len(g), self.batch)]

    def _hints(self, kind: str, numbers: list[int], nodes: list[int]) -> Hints:
        """The slopes and multipliers of leaves or facts, at these nodes; the choices are of the same length."""
        proof, hints = self.proof, Hints()
        choices = proof[f"{kind}_choice"][numbers].tolist()
        if choices[0] >= 0:
            table = np.array([proof.part("choice_slopes", choice) for choice in choices])
            for k, parts in self.slots.items():
                if parts[-1].stop <= table.shape[1]:
                    hints.slopes[k] = tuple(self._number(table[:, part].astype(float)) for part in parts)
        pressures = [proof.part(f"{kind}_pressures", number) for number in numbers]
        pressed = [n for n, own in enumerate(pressures) if len(own)]
        if not pressed:
            return hints
        cuts = [self.cuts_to(nodes[n]) for n in pressed]
        for n, way in zip(pressed, cuts, strict=True):
            if len(way) != len(pressures[n]):
                raise Weak(f"{kind} {numbers[n]} has {len(pressures[n])} multipliers for {len(way)} cuts")
        way = np.concatenate(cuts)
        row = np.repeat(pressed, [len(own) for own in cuts])
        value = self._number(np.concatenate([pressures[n] for n in pressed]).astype(float))
        of_node = np.array([self.bounder.pressed(self.cut_node[node]) for node in way.tolist()])
        entry = proof["tree_entry"][way]
        for k in set(of_node.tolist()):
            here = of_node == k
            total = self._number(np.zeros((len(numbers), self.graph.nodes[k].size)))
            np.add.at(total, (row[here], entry[here]), value[here])
            hints.pressures[k] = total
        return hints

    def _cuts_to(self, node: int) -> Array:
        """The nodes on the way from the root that are cuts at functions, not at inputs."""
        return np.array([k for k in self._path(node, self.root_of[node]) if self.cut_node[k] > 0], np.int64)

    def _number(self, x: Array) -> Array:
        return exactly(x) if self.exact else x


@dataclass(frozen=True, eq=False)
class Combined:
    """One row: coefficients . y > threshold closes, >= if it is strict."""

    coefficients: Array
    threshold: Any
    strict: bool


def slots_of(graph: Graph) -> dict[int, tuple[slice, ...]]:
    """For each nonlinear node, in their order, where a choice has the slopes for each of its operands."""
    slots, start = {}, 0
    for k, node in enumerate(graph.nodes):
        if isinstance(node, Function | Product):
            starts = [start + i * node.size for i in range(len(node.operands))]
            slots[k] = tuple(slice(a, a + node.size) for a in starts)
            start = slots[k][-1].stop
    return slots
