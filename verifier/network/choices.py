"""Sums of relus seen as maxima and minima of affine forms, so that what is read as several nodes keeps its range.

Max, Min, MaxPool, Abs and PRelu are affine nodes of relus once they are read, and a sum of intervals loses that its
terms depend on each other: a in [0, 1] plus relu(b - a) in [0, 1] gives 2, where max(a, b) is at most 1. But

    c + r relu(p) = max(c, c + r p) for r >= 0, and min(c, c + r p) for r <= 0,

entry by entry. In c + r p what c and p have in common cancels, a + (b - a) = b, and an interval of a maximum follows
from those of its two forms. So whoever lowers an operator declares nothing: the forms are read off the network, that of
a model that writes max(a, b) by hand included. With two relus in an entry either may be resolved first, and both orders
hold: for relu(x + 1) - relu(x), which is in [0, 1], one gives the lower end and the other the upper.

Terms of the same operand are added up here, once, where that is exact; what rounding the sums have goes into `errors`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.arrays import Convert, convert_like, namespace, to_numpy
from verifier.network.functions.relu import Relu
from verifier.network.fusion import Monomial, compose, roundings
from verifier.network.graph import Affine, Elementwise, Network
from verifier.network.linear_maps import Composition, Dense, Identity, LinearMap, Scaling, Selection, Sparse
from verifier.network.simplify import with_moved_bias
from verifier.tolerances import WEIGHT_ROUNDINGS, gamma

MOST_RELUS = 2
"""Relus in an entry up to which they are resolved: each doubles the forms, and their orders multiply them."""

DEEPEST = 3
"""Relus resolved one within another."""

SMALL = 1 << 18
"""Entries of a matrix up to which maps of the same operand are added up."""

_Part = tuple[int, LinearMap]
"""An operand and its map."""


@dataclass(frozen=True, eq=False)
class Form:
    """An affine function of nodes, and what else is known of its range.

    Attributes:
        node: the function; its operands are nodes of the network.
        errors: maps E, entries at least 0, by operand x: the weights are off by so much that E |x| covers it.
        choices: for the same values, maxima and minima of two forms each.
    """

    node: Affine
    errors: tuple[_Part, ...] = ()
    choices: tuple[Choice, ...] = ()

    def converted(self, convert: Convert) -> Form:
        """The same form with its arrays passed through `convert`."""
        node = self.node
        maps = tuple(m.converted(convert) for m in node.maps)
        moved = Affine(node.operands, maps, convert(node.bias), convert(node.bias_magnitude))
        errors = tuple((operand, m.converted(convert)) for operand, m in self.errors)
        return Form(moved, errors, tuple(choice.converted(convert) for choice in self.choices))


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


def choices_of(network: Network) -> dict[int, Form]:
    """For the affine nodes, by index, in which relus meet what they depend on, the maxima and minima that these are."""
    sums = {k: n for k, n in enumerate(network.nodes) if isinstance(n, Affine) and _has_relus(network, n.operands)}
    if not sums:
        return {}
    example = next(iter(sums.values())).bias
    on_host = namespace(example).__name__.endswith("numpy")
    host = network if on_host else network.like(np.zeros(0))
    found: dict[int, Form] = {}
    for k in sums:
        node = host.nodes[k]
        assert isinstance(node, Affine)
        parts = _separated(host, node)
        if parts is not None:
            form = _resolved(host, parts, node.bias, node.bias_magnitude, (), DEEPEST)
            if form.choices:
                found[k] = form if on_host else form.converted(convert_like(example))
    return found


def _has_relus(network: Network, operands: tuple[int, ...]) -> bool:
    return any(_is_relu(network, i) for i in operands)


def _is_relu(network: Network, k: int) -> bool:
    node = network.nodes[k]
    return isinstance(node, Elementwise) and isinstance(node.function, Relu)


def _separated(network: Network, node: Affine) -> list[_Part] | None:
    """The node's parts, one for each relu of an entry; None where an entry has too many."""
    parts: list[_Part] = []
    relus = 0
    for operand, linear_map in zip(node.operands, node.maps, strict=True):
        if not _is_relu(network, operand):
            parts.append((operand, linear_map))
            continue
        singles = _singles(linear_map)
        relus += len(singles or ())
        if singles is None or relus > MOST_RELUS:
            return None
        parts += [(operand, single) for single in singles]
    return parts


def _singles(linear_map: LinearMap) -> list[LinearMap] | None:
    """Maps that take one entry each and add up to the given one; None where there would be too many."""
    if Monomial.of(linear_map) is not None:
        return [linear_map]
    if not isinstance(linear_map, Dense) or linear_map.before * linear_map.after > 1 or linear_map.weight.size > SMALL:
        return None
    singles: list[LinearMap] = []
    weight = to_numpy(linear_map.weight).copy()
    for _ in range(MOST_RELUS + 1):
        used = weight != 0
        if not used.any():
            return singles
        chosen = np.argmax(used, axis=1)
        rows = np.flatnonzero(used.any(axis=1))
        indices, factors = np.full(weight.shape[0], -1), np.ones(weight.shape[0])
        indices[rows], factors[rows] = chosen[rows], weight[rows, chosen[rows]]
        weight[rows, chosen[rows]] = 0.0
        selection = Selection(indices, linear_map.in_size)
        singles.append(selection if (factors == 1).all() else Composition(_scaling(factors, linear_map), selection))
    return None


def _scaling(factors: np.ndarray, of: Dense) -> Scaling:
    return Scaling(factors, exact=of.exact and bool((np.abs(factors) == 1).all()))


def _resolved(
    network: Network, parts: list[_Part], bias: np.ndarray, magnitude: np.ndarray, errors: tuple[_Part, ...], depth: int
) -> Form:
    """The form of these parts, with a choice for each relu that meets what it depends on."""
    node = Affine(tuple(i for i, _ in parts), tuple(m for _, m in parts), bias, magnitude)
    form = Form(node, errors)
    places = [place for place, (operand, _) in enumerate(parts) if _is_relu(network, operand)]
    if not depth or len(places) > MOST_RELUS:
        return form
    found = [_choice(network, form, place, depth - 1) for place in places]
    return replace(form, choices=tuple(choice for choice in found if choice is not None))


def _choice(network: Network, form: Form, place: int, depth: int) -> Choice | None:
    """The relu at a place resolved; None where nothing that it depends on is met again."""
    node = form.node
    parts = list(zip(node.operands, node.maps, strict=True))
    relu, factor = parts.pop(place)
    monomial = Monomial.of(factor)
    if monomial is None or any(operand == relu for operand, _ in form.errors):  # not r relu(p) with a known r
        return None
    (source,) = network.nodes[relu].operands
    inner = network.nodes[source]
    own = isinstance(inner, Affine)
    operands = inner.operands if own else (source,)
    others = {i for k, _ in parts for i in (k, *_beneath(network, k))}
    if not others & {source, *operands}:
        return None
    bias, magnitude = node.bias, node.bias_magnitude
    if isinstance(inner, Affine):
        moved = [(i, _after(factor, m)) for i, m in zip(inner.operands, inner.maps, strict=True)]
        if inner.bias_magnitude.any():
            bias, magnitude = with_moved_bias(bias, magnitude, factor, inner)
    else:
        moved = [(source, factor)]
    added, errors = _added_up([*parts, *moved])
    rising = np.ones(node.size, bool) if monomial.factors is None else to_numpy(monomial.factors) >= 0
    without = _resolved(network, parts, node.bias, node.bias_magnitude, form.errors, depth)
    return Choice(rising, without, _resolved(network, added, bias, magnitude, (*form.errors, *errors), depth))


def _beneath(network: Network, k: int) -> tuple[int, ...]:
    """What a relu is taken of, and what that is made of."""
    if not _is_relu(network, k):
        return ()
    (source,) = network.nodes[k].operands
    inner = network.nodes[source]
    return (source, *inner.operands) if isinstance(inner, Affine) else (source,)


def _after(outer: LinearMap, inner: LinearMap) -> LinearMap:
    composed = compose(outer, inner)
    return Composition(outer, inner) if composed is None else composed[0]


def _added_up(parts: list[_Part]) -> tuple[list[_Part], list[_Part]]:
    """The parts with those of the same operand added up, where that can be done, and the errors of the sums."""
    groups: dict[int, list[LinearMap]] = {}
    for operand, linear_map in parts:
        groups.setdefault(operand, []).append(linear_map)
    added: list[_Part] = []
    errors: list[_Part] = []
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

    None where the matrices are too large.
    """
    if all(_moves(m) for m in maps):
        return _sum_of_moves(maps), None
    if maps[0].out_size * maps[0].in_size > SMALL:
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
