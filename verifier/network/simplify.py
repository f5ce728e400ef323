"""Passes that make a network smaller and keep its outputs.

Exporters write a layer as several nodes (a product, a sum, a scaling, a transposition), and every method pays per node.
Affine nodes are therefore fused where the composed map has *one product in each entry*: a composed weight is then the
product of two weights with one rounding, and `tolerances.WEIGHT_ROUNDINGS` covers it. A chain is fused only as long
as it stays below that number. Two dense matrices in a row stay two nodes, as an entry of their product would be a
rounded sum.

A bias that moves through an outer map becomes such a sum; the magnitude of its terms is kept beside it
(`Affine.bias_magnitude`), so that the methods cover its rounding as they cover that of every other sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from verifier.network.functions import ScalarFunction
from verifier.network.functions.near import Near
from verifier.network.functions.steps import StepFunction
from verifier.network.fusion import add_maps, compose
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Identity, LinearMap, Scaling
from verifier.tolerances import UNDERFLOW, WEIGHT_ROUNDINGS, gamma

Pass: TypeAlias = Callable[[Network], Network]


def simplify(network: Network) -> Network:
    """The network with constants folded, affine chains fused, and nodes without effect dropped.

    Weights must be NumPy arrays. The new network has the same ports and the same outputs, up to rounding.
    """
    for one in PASSES:
        network = one(network)
    return network


def drop_dead(network: Network) -> Network:
    """Without the nodes that the output does not depend on."""
    needed = {0, len(network.nodes) - 1}
    for k in range(len(network.nodes) - 1, 0, -1):
        if k in needed:
            needed.update(network.nodes[k].operands)
    return _kept(network, list(network.nodes), sorted(needed))


def fold_constants(network: Network) -> Network:
    """With every node that does not depend on the input replaced by its value, and that by a bias or a scaling."""
    nodes: list[Node] = []
    known: dict[int, Affine] = {}
    for k, node in enumerate(network.nodes):
        if not isinstance(node, Input):
            node = _with_known_operands(node, known)
            if not node.operands and isinstance(node, Affine):
                known[k] = node
        nodes.append(node)
    return drop_dead(replace(network, nodes=tuple(nodes)))


def _with_known_operands(node: Node, known: dict[int, Affine]) -> Node:
    if not any(i in known for i in node.operands):
        return node
    if isinstance(node, Affine):
        parts = list(zip(node.operands, node.maps, strict=True))
        bias, magnitude = node.bias, node.bias_magnitude
        for operand, linear_map in parts:
            if operand in known:
                bias, magnitude = with_moved_bias(bias, magnitude, linear_map, known[operand])
        kept = [(i, m) for i, m in parts if i not in known]
        return Affine(tuple(i for i, _ in kept), tuple(m for _, m in kept), bias, magnitude)
    if isinstance(node, Elementwise):
        return _value_of(node.function, known[node.operands[0]]) or node
    assert isinstance(node, Product)
    if all(i in known for i in node.operands):
        a, b = (known[i] for i in node.operands)
        value = a.bias * b.bias
        # gamma(0) |a| |b| for the error of each factor, and the product of both errors.
        exact = (a.bias_magnitude == np.abs(a.bias)) & (b.bias_magnitude == np.abs(b.bias))
        size = np.where(exact, np.abs(value), 3.0 * a.bias_magnitude * b.bias_magnitude)
        return Affine((), (), value, size) if np.isfinite(size).all() else node
    factor, other = node.operands if node.operands[0] in known else node.operands[::-1]
    if (known[factor].bias_magnitude > np.abs(known[factor].bias)).any():
        return node  # more rounding than a weight may carry
    return Affine((other,), (Scaling(known[factor].bias),), np.zeros(node.size))


def _value_of(function: ScalarFunction, x: Affine) -> Affine | None:
    """The function of a constant; None where rounding may have moved that across a jump."""
    slack = np.where(x.bias_magnitude == np.abs(x.bias), 0.0, gamma(0) * x.bias_magnitude + UNDERFLOW)
    value = np.asarray(function.value(x.bias))
    low, high = function.image(x.bias - slack, x.bias + slack)
    with np.errstate(all="ignore"):
        away = np.maximum(high - value, value - low)
    if isinstance(function, StepFunction | Near) and (away > 0).any():
        return None
    size = np.abs(value) + away / gamma(0)
    return Affine((), (), value, size) if np.isfinite(size).all() else None


def with_moved_bias(
    bias: np.ndarray, magnitude: np.ndarray, outer: LinearMap, inner: Affine
) -> tuple[np.ndarray, np.ndarray]:
    """A bias and its magnitude with the bias of `inner`, moved through `outer`, added.

    A sum of n terms needs gamma(n); who uses the magnitude may know of fewer terms, but never takes less than
    gamma(0), which holds WEIGHT_ROUNDINGS: hence the factor.
    """
    size = outer.magnitude.apply(inner.bias_magnitude)
    total, error = exact_sum(bias, outer.apply(inner.bias))
    magnitude = magnitude + (1 + outer.terms / WEIGHT_ROUNDINGS) * size
    return total, np.where(error == 0, magnitude, np.nextafter(magnitude, np.inf))  # |bias| alone would say: exact


def exact_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sum as computed, and what it lacks of the sum of real numbers (Knuth's TwoSum)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def drop_identities(network: Network) -> Network:
    """Without affine nodes that only repeat their operand."""
    stands_for: dict[int, int] = {}
    for k, node in enumerate(network.nodes):
        if isinstance(node, Affine) and _only_repeats(node):
            source = stands_for.get(node.operands[0], node.operands[0])
            if source > 0 or k < len(network.nodes) - 1:  # the output must not be node 0 itself
                stands_for[k] = source
    if not stands_for:
        return network
    nodes = [renamed(node, stands_for) for node in network.nodes]
    last = stands_for.get(len(nodes) - 1, len(nodes) - 1)
    return drop_dead(_kept(network, nodes, list(range(last + 1))))


def merge_operands(network: Network) -> Network:
    """With an operand that an affine node takes twice taken once, where the sum of the two maps is a plain map."""
    return replace(network, nodes=tuple(_merged(n) if isinstance(n, Affine) else n for n in network.nodes))


def _merged(node: Affine) -> Affine:
    if len(set(node.operands)) == len(node.operands):
        return node
    kept: list[tuple[int, LinearMap]] = []
    for operand, linear_map in zip(node.operands, node.maps, strict=True):
        for k, (other, existing) in enumerate(kept):
            total = add_maps(existing, linear_map) if other == operand else None
            if total is not None:
                kept[k] = (operand, total)
                break
        else:
            kept.append((operand, linear_map))
    return Affine(tuple(i for i, _ in kept), tuple(m for _, m in kept), node.bias, node.bias_magnitude)


@dataclass
class _Fusing:
    """The state of `fuse_affine`.

    Attributes:
        nodes: those done so far.
        uses: how many operands of live nodes each node is.
        roundings: for each node those in the weights of its maps, one number a map; None where nothing was fused.
    """

    nodes: list[Node]
    uses: Counter[int]
    roundings: dict[int, list[int | None]]


def fuse_affine(network: Network) -> Network:
    """With every affine node merged into the affine nodes that take it, where the composed maps stay exact products.

    A node is merged if it has one consumer, or if it only moves or scales entries of one operand.
    """
    state = _Fusing([], Counter(i for node in network.nodes for i in node.operands), {})
    for k, node in enumerate(network.nodes):
        state.nodes.append(_fused(state, k, node) if isinstance(node, Affine) else node)
    return drop_dead(replace(network, nodes=tuple(state.nodes)))


def _fused(state: _Fusing, k: int, node: Affine) -> Affine:
    """The node with its operands merged into it, and theirs in turn, as far as they go."""
    waiting: list[_Part] = [(i, m, None) for i, m in zip(node.operands, node.maps, strict=True)]
    done: list[_Part] = []
    bias, magnitude = node.bias, node.bias_magnitude
    while waiting:
        operand, linear_map, roundings = waiting.pop(0)
        inner = state.nodes[operand]
        composed = None
        if isinstance(inner, Affine) and _may_merge(inner, linear_map, state.uses[operand]):
            composed = _composed(linear_map, roundings, inner, state.roundings[operand])
        if composed is None:
            done.append((operand, linear_map, roundings))
            continue
        assert isinstance(inner, Affine)
        waiting = composed + waiting
        state.uses[operand] -= 1
        if state.uses[operand] > 0:  # it stays for others, and its operands have one consumer more
            state.uses.update(inner.operands)
        if inner.bias_magnitude.any():
            bias, magnitude = with_moved_bias(bias, magnitude, linear_map, inner)
    state.roundings[k] = [r for _, _, r in done]
    return Affine(tuple(i for i, _, _ in done), tuple(m for _, m, _ in done), bias, magnitude)


_Part: TypeAlias = tuple[int, LinearMap, int | None]
"""An operand, its map, and the roundings in the map's weights where they are known."""


def _may_merge(inner: Affine, outer: LinearMap, uses: int) -> bool:
    """One consumer, or cheap enough to be done in each; the work of `outer` must not be done once per operand."""
    if len(inner.operands) > 1:
        return uses == 1 and outer.terms == 1
    return uses == 1 or all(m.terms == 1 for m in inner.maps)


def _composed(
    outer: LinearMap, outer_roundings: int | None, inner: Affine, inner_roundings: list[int | None]
) -> list[_Part] | None:
    parts: list[_Part] = []
    for operand, inner_map, known in zip(inner.operands, inner.maps, inner_roundings, strict=True):
        result = compose(outer, inner_map, outer_roundings, known)
        if result is None:
            return None
        parts.append((operand, *result))
    return parts


def _only_repeats(node: Affine) -> bool:
    return len(node.maps) == 1 and isinstance(node.maps[0], Identity) and not node.bias_magnitude.any()


def renamed(node: Node, names: dict[int, int]) -> Node:
    operands = tuple(names.get(i, i) for i in node.operands)
    if operands == node.operands or isinstance(node, Input):
        return node
    if isinstance(node, Affine):
        return Affine(operands, node.maps, node.bias, node.bias_magnitude)
    if isinstance(node, Elementwise):
        return Elementwise((operands[0],), node.function, node.size)
    return Product((operands[0], operands[1]), node.size)


def _kept(network: Network, nodes: list[Node], keep: list[int]) -> Network:
    """The network of the nodes `keep`, ascending, renumbered."""
    names = {old: new for new, old in enumerate(keep)}
    return replace(network, nodes=tuple(renamed(nodes[k], names) for k in keep))


PASSES: tuple[Pass, ...] = (drop_dead, fold_constants, drop_identities, fuse_affine, merge_operands, drop_identities)
"""What `simplify` does, in this order."""
