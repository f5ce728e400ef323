"""Affine functions of a network's nodes, with what more is known of their range than intervals of the operands tell.

Terms of the same operand are added up once, where that can be done; what rounding the sums have goes into `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.arrays import Convert
from verifier.network.functions.base import ScalarFunction
from verifier.network.fusion import Monomial, compose, roundings
from verifier.network.graph import Affine
from verifier.network.linear_maps import Composition, Dense, Identity, LinearMap, Scaling, Selection, Sparse
from verifier.tolerances import WEIGHT_ROUNDINGS, gamma

SMALL = 1 << 18
"""Entries of a matrix up to which maps of the same operand are added up."""

Part: TypeAlias = tuple[int, LinearMap]
"""An operand and its map."""


@dataclass(frozen=True, eq=False)
class Form:
    """An affine function of nodes, and what else is known of its range.

    Attributes:
        node: the function; its operands are nodes of the network.
        errors: maps E, entries at least 0, by operand x: the weights are off by so much that E |x| covers it.
        choices: for the same values, maxima and minima of two forms each.
        twins: what has to be added: differences of two nodes each, which are bounded as such.
    """

    node: Affine
    errors: tuple[Part, ...] = ()
    choices: tuple[Choice, ...] = ()
    twins: tuple[Twin, ...] = ()

    def converted(self, convert: Convert) -> Form:
        """The same form with its arrays passed through `convert`."""
        node = self.node
        maps = tuple(m.converted(convert) for m in node.maps)
        moved = Affine(node.operands, maps, convert(node.bias), convert(node.bias_magnitude))
        errors = tuple((operand, m.converted(convert)) for operand, m in self.errors)
        choices = tuple(choice.converted(convert) for choice in self.choices)
        return Form(moved, errors, choices, tuple(twin.converted(convert) for twin in self.twins))


@dataclass(frozen=True, eq=False)
class Choice:
    """For each entry the larger (where `rising`) or the smaller one of two forms.

    Attributes:
        rising: booleans, shape (size,).
        first, second: the forms; which is which does not matter.
    """

    rising: np.ndarray
    first: Form
    second: Form

    def converted(self, convert: Convert) -> Choice:
        """The same choice with its arrays passed through `convert`."""
        return Choice(convert(self.rising), self.first.converted(convert), self.second.converted(convert))


@dataclass(frozen=True, eq=False)
class Twin:
    """weights (first - second), of two nodes that are the same function of what differs by `gap`.

    Attributes:
        weights: the map.
        first, second: the nodes, by index.
        function: what both apply to their operands, entry by entry; None where `gap` is their own difference.
        sources: the operands, by index; without a function the nodes themselves.
        gap: the difference of the sources.
    """

    weights: LinearMap
    first: int
    second: int
    function: ScalarFunction | None
    sources: tuple[int, int]
    gap: Form

    def converted(self, convert: Convert) -> Twin:
        """The same twin with its arrays passed through `convert`."""
        weights, gap = self.weights.converted(convert), self.gap.converted(convert)
        return Twin(weights, self.first, self.second, self.function, self.sources, gap)


def after(outer: LinearMap, inner: LinearMap) -> LinearMap:
    """The map that does `inner` and then `outer`, one plain map if it is one."""
    composed = compose(outer, inner)
    return Composition(outer, inner) if composed is None else composed[0]


def added_up(parts: list[Part]) -> tuple[list[Part], list[Part]]:
    """The parts with those of the same operand added up, where that can be done, and the errors of the sums."""
    groups: dict[int, list[LinearMap]] = {}
    for operand, linear_map in parts:
        groups.setdefault(operand, []).append(linear_map)
    added: list[Part] = []
    errors: list[Part] = []
    for operand, maps in groups.items():
        sums = _sum(maps) if len(maps) > 1 else None
        if sums is None:
            added += [(operand, m) for m in maps]
            continue
        total, error = sums
        if total is not None:
            added.append((operand, total))
        if error is not None:
            errors.append((operand, error))
    return added, errors


def _sum(maps: list[LinearMap]) -> tuple[LinearMap | None, LinearMap | None] | None:
    """The sum of maps (None if it is 0) and a map that bounds the errors of its weights (None if there are none).

    None where the matrices are too large, or sums themselves.
    """
    if all(_moves(m) for m in maps):
        return _sum_of_moves(maps), None
    if maps[0].out_size * maps[0].in_size > SMALL or not all(_is_plain(m) for m in maps):
        return None
    exact = np.full((maps[0].out_size, maps[0].in_size), all(roundings(m) == 0 for m in maps))
    total, size = np.zeros(exact.shape), np.zeros(exact.shape)
    for linear_map in maps:
        matrix = linear_map.to_sparse().toarray()
        new = total + matrix
        of_matrix = new - total
        exact &= (total - (new - of_matrix)) + (matrix - of_matrix) == 0  # TwoSum: the sum is exact
        total, size = new, size + np.abs(matrix)
    error = np.where(exact, 0.0, gamma(len(maps) + 4 * WEIGHT_ROUNDINGS) * size)
    return (Dense(total, exact=bool(exact.all())) if total.any() else None), (Dense(error) if error.any() else None)


def _is_plain(linear_map: LinearMap) -> bool:
    """Whether each weight of the matrix is a product, and not a sum of such."""
    if isinstance(linear_map, Composition):
        return Monomial.of(linear_map.outer) is not None and _is_plain(linear_map.inner)
    return True


def _moves(linear_map: LinearMap) -> bool:
    """Whether the weights are 1, -1 and 0 in the model itself, a single one in each row."""
    if isinstance(linear_map, Composition):
        return _moves(linear_map.outer) and _moves(linear_map.inner)
    return isinstance(linear_map, (Identity, Selection)) or (isinstance(linear_map, Scaling) and linear_map.exact)


def _sum_of_moves(maps: list[LinearMap]) -> LinearMap | None:
    """The sum, whose weights are whole numbers."""
    matrix = sum(m.to_sparse() for m in maps)
    matrix.eliminate_zeros()
    if not matrix.nnz:
        return None
    counts = np.diff(matrix.indptr)
    if counts.max() > 1 or (np.abs(matrix.data) != 1).any():
        return Sparse(matrix)
    indices, factors = np.full(matrix.shape[0], -1), np.ones(matrix.shape[0])
    indices[counts == 1], factors[counts == 1] = matrix.indices, matrix.data
    selection = Selection(indices, matrix.shape[1])
    return selection if (factors == 1).all() else Composition(Scaling(factors, exact=True), selection)
