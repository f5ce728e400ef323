"""Differences of nodes that are the same function of different things: phi(u) - phi(v), M u - M v.

A property that compares two runs of one network, or a network with a shifted copy of a part, asks about such
differences, and bounded apart the two sides differ by their whole range. But phi(u) - phi(v) is u - v times a slope of
phi, and M u - M v = M (u - v), so that from the inputs on a difference has bounds of its own: where u - v is at least 0
and phi rises, the difference of the values is at least 0, exactly.
"""

from __future__ import annotations

from itertools import combinations
from typing import TypeGuard

import numpy as np

from verifier.network.affine_forms import Form, Part, Twin, added_up
from verifier.network.fusion import Monomial, compose, roundings
from verifier.network.graph import Affine, Elementwise, Network, Node
from verifier.network.linear_maps import Composition, Convolution, Dense, Identity, LinearMap, Scaling
from verifier.tolerances import WEIGHT_ROUNDINGS, gamma

MOST = 64
"""Differences that one node is traced back to."""


def with_twins(network: Network, node: Affine) -> Form:
    """The form of an affine node, the differences of twins among its operands bounded as such.

    Args:
        network: its weights NumPy arrays.
        node: the affine node.
    """
    return _Tracing(network).form(list(zip(node.operands, node.maps, strict=True)), node.bias, node.bias_magnitude)


class _Tracing:
    """One node traced back to the differences that it is made of."""

    def __init__(self, network: Network) -> None:
        self.network, self.left = network, MOST

    def form(self, parts: list[Part], bias: np.ndarray, magnitude: np.ndarray) -> Form:
        """The sum of the parts and the bias, with twins taken out of the parts."""
        found, errors = added_up(self._seen_through(parts))
        twins: list[Twin] = []
        rest: list[tuple[int, LinearMap | None]] = [*found]
        for i, j in combinations(range(len(rest)), 2):
            (a, m), (b, n) = rest[i], rest[j]
            if m is None or n is None or not self.left or not self._alike(a, b):
                continue
            common = _opposite(m, n)
            if common is not None:
                self.left -= 1
                weights, *left = common
                rest[i], rest[j] = (a, left[0]), (b, left[1])
                twins.append(self._twin(a, b, weights))
                errors += _roundings_of(weights, a, b)
        kept = [(i, m) for i, m in rest if m is not None]
        node = Affine(tuple(i for i, _ in kept), tuple(m for _, m in kept), bias, magnitude)
        return Form(node, tuple(errors), (), tuple(twins))

    def _seen_through(self, parts: list[Part]) -> list[Part]:
        """The parts, with nodes that only put entries together, such as those of several outputs, taken apart."""
        apart: list[Part] = []
        for operand, linear_map in parts:
            node = self.network.nodes[operand]
            composed = [compose(linear_map, m) for m in node.maps] if only_moves(node) else [None]
            plain = [c[0] for c in composed if c is not None]
            if len(plain) < len(composed):
                apart.append((operand, linear_map))
            else:
                apart += list(zip(node.operands, plain, strict=True))
        return apart

    def _alike(self, a: int, b: int) -> bool:
        first, second = self.network.nodes[a], self.network.nodes[b]
        if isinstance(first, Elementwise) and isinstance(second, Elementwise):
            return a != b and first.function == second.function
        return a != b and isinstance(first, Affine) and isinstance(second, Affine)

    def _twin(self, a: int, b: int, weights: LinearMap) -> Twin:
        first, second = self.network.nodes[a], self.network.nodes[b]
        if isinstance(first, Elementwise) and isinstance(second, Elementwise):
            u, v = first.operands[0], second.operands[0]
            return Twin(weights, a, b, first.function, (u, v), self._gap(u, v))
        return Twin(weights, a, b, None, (a, b), self._gap(a, b))

    def _gap(self, u: int, v: int) -> Form:
        """The form of the difference of two nodes."""
        parts_of_u, bias_of_u, size_of_u = self._parts(u, v)
        parts_of_v, bias_of_v, size_of_v = self._parts(v, u)
        parts = [*parts_of_u, *((i, negated(m)) for i, m in parts_of_v)]
        bias = bias_of_u - bias_of_v
        of_v = bias - bias_of_u
        exact = (bias_of_u - (bias - of_v)) - (bias_of_v + of_v) == 0  # TwoSum: the difference is exact
        known = exact & _stored(bias_of_u, size_of_u) & _stored(bias_of_v, size_of_v)
        return self.form(parts, bias, np.where(known, 0.0, size_of_u + size_of_v))

    def _parts(self, u: int, v: int) -> tuple[list[Part], np.ndarray, np.ndarray]:
        """What node u adds up, or u itself where it adds up nothing or v is made of it."""
        node, other = self.network.nodes[u], self.network.nodes[v]
        if isinstance(node, Affine) and not (isinstance(other, Affine) and u in other.operands) and u != v:
            return list(zip(node.operands, node.maps, strict=True)), node.bias, node.bias_magnitude
        return [(u, Identity(node.size))], np.zeros(node.size), np.zeros(node.size)


def _stored(bias: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """Whether entries of a bias are as a file holds them, not results of rounding; booleans, shape (size,)."""
    return (bias == bias.astype(np.float32)) & (magnitude == np.abs(bias))


def negated(linear_map: LinearMap) -> LinearMap:
    """The map times -1."""
    monomial = Monomial.of(linear_map)
    if monomial is not None:
        factors = np.ones(linear_map.out_size) if monomial.factors is None else monomial.factors
        return Monomial(monomial.indices, -factors, monomial.in_size, monomial.moves).to_map()
    if isinstance(linear_map, Dense):
        return Dense(-linear_map.weight, linear_map.before, linear_map.after, linear_map.exact)
    if isinstance(linear_map, Convolution):
        return Convolution(-linear_map.kernel, linear_map.in_shape, linear_map.window)
    return Composition(Scaling(np.full(linear_map.out_size, -1.0), exact=True), linear_map)


def _opposite(a: LinearMap, b: LinearMap) -> tuple[LinearMap, LinearMap | None, LinearMap | None] | None:
    """What two maps have with opposite signs, and what is left of each (None: nothing); None if they have nothing.

    Of matrices it may be some of the rows, of other maps it is all or nothing.
    """
    if (a.in_size, a.out_size) != (b.in_size, b.out_size):
        return None
    if isinstance(a, Dense) and isinstance(b, Dense) and (a.before, a.after) == (b.before, b.after):
        rows = (a.weight == -b.weight).all(axis=1)
        if rows.all():
            return a, None, None
        if not (a.weight[rows] != 0).any():
            return None
        left = [Dense(np.where(rows[:, None], 0.0, m.weight), m.before, m.after, m.exact) for m in (a, b)]
        return Dense(np.where(rows[:, None], a.weight, 0.0), a.before, a.after, a.exact), left[0], left[1]
    if isinstance(a, Convolution) and isinstance(b, Convolution):
        same = (a.in_shape, a.window) == (b.in_shape, b.window) and np.array_equal(a.kernel, -b.kernel)
        return (a, None, None) if same else None
    first, second = Monomial.of(a), Monomial.of(b)
    if first is None or second is None or not np.array_equal(first.places, second.places):
        return None
    ones = np.ones(a.out_size)
    factors = [ones if m.factors is None else m.factors for m in (first, second)]
    return (a, None, None) if np.array_equal(factors[0], -factors[1]) else None


def only_moves(node: Node) -> TypeGuard[Affine]:
    """Whether each entry of the node is an entry of an operand, or its negative."""
    if not isinstance(node, Affine) or not node.operands or node.bias_magnitude.any():
        return False
    monomials = [Monomial.of(m) for m in node.maps]
    return all(m is not None and m.moves for m in monomials)


def _roundings_of(weights: LinearMap, a: int, b: int) -> list[Part]:
    """What weights that are results of rounding may be off by, each of the twins' in its own way."""
    if not roundings(weights):
        return []
    share = Scaling(np.full(weights.out_size, gamma(2 * WEIGHT_ROUNDINGS)))
    return [(i, Composition(share, weights.absolute())) for i in (a, b)]
