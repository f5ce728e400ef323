"""A network whose outputs are the linear forms of a query, so that every method bounds outputs and nothing else.

Where the query has products, nodes compute them from the network's inputs and outputs first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.network.functions.powers import Power
from verifier.network.graph import Affine, Elementwise, Network, Node, Port, Product
from verifier.network.linear_maps import Composition, Dense, LinearMap, Selection, Sparse
from verifier.network.simplify import simplify
from verifier.property.polynomials import Atom, Linear, Monomial, Square
from verifier.property.query import Patterns
from verifier.property.rounding import float_coefficient

if TYPE_CHECKING:
    from verifier.property.relations import Change

At = tuple[int, int]
"""A node and an entry of it."""


def with_forms(network: Network, patterns: Patterns, change: Change | None = None) -> Network:
    """The network followed by the K left sides of the query's rows; its output has shape (N, K).

    Args:
        change: how the network's inputs are made of those that the rows are about, if they are others.
    """
    network = network if change is None else simplify(_changed(network, change))
    nodes = list(network.nodes)
    output = len(nodes) - 1
    operands, maps = [output], [Dense(patterns.outputs, exact=patterns.exact)]
    if patterns.inputs.any():
        operands.append(0)
        maps.append(Dense(patterns.inputs, exact=patterns.exact))
    if patterns.atoms:
        places = _Products(nodes, output).places(patterns.atoms)
        for node in dict.fromkeys(node for node, _ in places):
            own = [(k, at) for k, (of, at) in enumerate(places) if of == node]
            weights = np.zeros((patterns.count, nodes[node].size))
            for k, at in own:
                weights[:, at] = patterns.products[:, k]
            operands.append(node)
            maps.append(Dense(weights, exact=patterns.exact))
    forms = Affine(tuple(operands), tuple(maps), np.zeros(patterns.count))
    return replace(network, nodes=(*nodes, forms), outputs=(Port("forms", (patterns.count,)),))


def _changed(network: Network, change: Change) -> Network:
    """The network of coordinates; if they can, nodes take their inputs from them, so that what parts share is seen."""
    first, *others = network.nodes
    if not all(isinstance(node, Affine) for node in others if 0 in node.operands):
        inputs = Affine((0,), (Sparse(change.matrix),), np.zeros(change.size))
        shifted = (replace(n, operands=tuple(k + 1 for k in n.operands)) for n in others)  # type: ignore[arg-type]
        return replace(network, nodes=(first, inputs, *shifted))

    def moved(node: Node) -> Node:
        if not isinstance(node, Affine) or 0 not in node.operands:
            return node
        pairs = zip(node.operands, node.maps, strict=True)
        return replace(node, maps=tuple(_after(m, change) if i == 0 else m for i, m in pairs))

    return replace(network, nodes=(first, *(moved(node) for node in others)))


def _after(linear_map: LinearMap, change: Change) -> LinearMap:
    """The map of inputs as one of coordinates."""
    if isinstance(linear_map, Selection) and (linear_map.indices >= 0).all():
        return Sparse(change.matrix[linear_map.indices])
    return Composition(linear_map, Sparse(change.matrix))


class _Products:
    """Appends the nodes that compute atoms to those of a network."""

    def __init__(self, nodes: list[Node], output: int) -> None:
        self._nodes, self._output = nodes, output
        self._in, self._out = nodes[0].size, nodes[output].size

    def places(self, atoms: Sequence[Atom]) -> list[At]:
        """Where each atom is computed."""
        found: dict[Atom, At] = {}
        squares = [atom for atom in atoms if isinstance(atom, Square)]
        if squares:
            node = self._power(self._linear([atom.form for atom in squares]), 2)
            found |= {atom: (node, k) for k, atom in enumerate(squares)}
        found |= self._monomials([atom for atom in atoms if not isinstance(atom, Square)])
        return [found[atom] for atom in atoms]

    def _monomials(self, monomials: Sequence[Monomial]) -> dict[Atom, At]:
        """Powers of single variables first; then products of them, one factor more at a time."""
        factors = {m: list(Counter(m).items()) for m in monomials}
        powers = self._powers(sorted({pair for of in factors.values() for pair in of}))
        current = {m: powers[of[0]] for m, of in factors.items()}
        found: dict[Atom, At] = {m: current[m] for m, of in factors.items() if len(of) == 1}
        depth, left = 1, [m for m in monomials if len(factors[m]) > 1]
        while left:
            first = self._gathered([current[m] for m in left])
            second = self._gathered([powers[factors[m][depth]] for m in left])
            self._nodes.append(Product((first, second), len(left)))
            current = {m: (len(self._nodes) - 1, k) for k, m in enumerate(left)}
            depth += 1
            found |= {m: at for m, at in current.items() if len(factors[m]) == depth}
            left = [m for m in left if len(factors[m]) > depth]
        return found

    def _powers(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], At]:
        """Where each power of a variable, by code and exponent, is computed."""
        found: dict[tuple[int, int], At] = {}
        for exponent in sorted({exponent for _, exponent in pairs}):
            own = [pair for pair in pairs if pair[1] == exponent]
            node = self._gathered([self._variable(code) for code, _ in own])
            if exponent > 1:
                node = self._power(node, exponent)
            found |= {pair: (node, k) for k, pair in enumerate(own)}
        return found

    def _variable(self, code: int) -> At:
        return (0, code) if code >= 0 else (self._output, -1 - code)

    def _power(self, node: int, exponent: int) -> int:
        self._nodes.append(Elementwise((node,), Power(float(exponent)), self._nodes[node].size))
        return len(self._nodes) - 1

    def _gathered(self, places: Sequence[At]) -> int:
        """A node of entries of others."""
        used = list(dict.fromkeys(node for node, _ in places))
        maps = []
        for node in used:
            indices = np.array([at if of == node else -1 for of, at in places], np.int64)
            maps.append(Selection(indices, self._nodes[node].size))
        return self._affine(used, maps, len(places))

    def _linear(self, forms: Sequence[Linear]) -> int:
        """A node of linear forms of inputs and outputs."""
        weights = {0: np.zeros((len(forms), self._in)), self._output: np.zeros((len(forms), self._out))}
        for k, form in enumerate(forms):
            for code, factor in form:
                node, at = self._variable(code)
                weights[node][k, at] = float_coefficient(factor)
        used = [node for node, matrix in weights.items() if matrix.any()]
        return self._affine(used, [Dense(weights[node]) for node in used], len(forms))

    def _affine(self, operands: Sequence[int], maps: Sequence[LinearMap], size: int) -> int:
        self._nodes.append(Affine(tuple(operands), tuple(maps), np.zeros(size)))
        return len(self._nodes) - 1
