"""Sums of relus seen as maxima and minima of affine forms, so that what is read as several nodes keeps its range.

Max, Min, MaxPool, Abs and PRelu are affine nodes of relus once they are read, and a sum of intervals loses that its
terms depend on each other: a in [0, 1] plus relu(b - a) in [0, 1] gives 2, where max(a, b) is at most 1. But

    c + r relu(p) = max(c, c + r p) for r >= 0, and min(c, c + r p) for r <= 0,

entry by entry. In c + r p what c and p have in common cancels, a + (b - a) = b, and an interval of a maximum follows
from those of its two forms. So whoever lowers an operator declares nothing: the forms are read off the network, that of
a model that writes max(a, b) by hand included. With two relus in an entry either may be resolved first, and both orders
hold: for relu(x + 1) - relu(x), which is in [0, 1], one gives the lower end and the other the upper.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.arrays import to_numpy
from verifier.network.affine_forms import SMALL, Choice, Form, Part, added_up, after
from verifier.network.functions.relu import Relu
from verifier.network.fusion import Monomial
from verifier.network.graph import Affine, Elementwise, Network
from verifier.network.linear_maps import Composition, Dense, LinearMap, Scaling, Selection
from verifier.network.simplify import with_moved_bias

MOST_RELUS = 2
"""Relus in an entry up to which they are resolved: each doubles the forms, and their orders multiply them."""

DEEPEST = 3
"""Relus resolved one within another."""


def with_choices(network: Network, node: Affine, form: Form) -> Form:
    """The form of an affine node, with the maxima and minima of relus that meet what they depend on.

    Args:
        network: its weights NumPy arrays.
        node: the affine node.
        form: what is known of it.
    """
    parts = _separated(network, node) if any(is_relu(network, i) for i in node.operands) else None
    if parts is None:
        return form
    found = _resolved(network, parts, node.bias, node.bias_magnitude, (), DEEPEST)
    return replace(form, choices=found.choices)


def is_relu(network: Network, k: int) -> bool:
    """Whether node k is a relu."""
    node = network.nodes[k]
    return isinstance(node, Elementwise) and isinstance(node.function, Relu)


def _separated(network: Network, node: Affine) -> list[Part] | None:
    """The node's parts, one for each relu of an entry; None where an entry has too many."""
    parts: list[Part] = []
    relus = 0
    for operand, linear_map in zip(node.operands, node.maps, strict=True):
        if not is_relu(network, operand):
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
    network: Network, parts: list[Part], bias: np.ndarray, magnitude: np.ndarray, errors: tuple[Part, ...], depth: int
) -> Form:
    """The form of these parts, with a choice for each relu that meets what it depends on."""
    node = Affine(tuple(i for i, _ in parts), tuple(m for _, m in parts), bias, magnitude)
    form = Form(node, errors)
    places = [place for place, (operand, _) in enumerate(parts) if is_relu(network, operand)]
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
        moved = [(i, after(factor, m)) for i, m in zip(inner.operands, inner.maps, strict=True)]
        if inner.bias_magnitude.any():
            bias, magnitude = with_moved_bias(bias, magnitude, factor, inner)
    else:
        moved = [(source, factor)]
    added, errors = added_up([*parts, *moved])
    rising = np.ones(node.size, bool) if monomial.factors is None else to_numpy(monomial.factors) >= 0
    without = _resolved(network, parts, node.bias, node.bias_magnitude, form.errors, depth)
    return Choice(rising, without, _resolved(network, added, bias, magnitude, (*form.errors, *errors), depth))


def _beneath(network: Network, k: int) -> tuple[int, ...]:
    """What a relu is taken of, and what that is made of."""
    if not is_relu(network, k):
        return ()
    (source,) = network.nodes[k].operands
    inner = network.nodes[source]
    return (source, *inner.operands) if isinstance(inner, Affine) else (source,)
