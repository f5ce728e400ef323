"""Quotients written as a constant and what is left: h / s = t + (h - t s) / s, for any constant t and s other than 0.

A network that normalises (q_i / sum_j q_j) and weighs the result reads as products q_i * (1 / s), added up with
weights c_i. Bounded one by one, these products lose that q_i and s grow together: if all q_i double, no quotient
changes, but every product's box is as wide as the doubling. So they are added up first, which leaves one product for
each weighted sum, h = sum_i c_i q_i times 1 / s, and then t s is taken off, where t is the quotient at some point: what
remains is small, a linear function of q in which the common growth has cancelled, and so is what the product's planes
lose. It is the step of Dinkelbach, *On Nonlinear Fractional Programming*, 1967 (h / s >= t if and only if
h - t s >= 0, for s > 0). The identity holds for every t, so the point decides tightness only.

No weight is computed: h - t s is an affine node of *two* operands, the numerators with the old weights and the
denominators with -t, so that bounds cover the rounding of c_i - t as that of any sum. The rewriting is made where it
leaves fewer products than there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from verifier.network.functions.powers import Reciprocal
from verifier.network.graph import Affine, Elementwise, Network, Node, Product
from verifier.network.linear_maps import Dense, LinearMap, Selection
from verifier.network.simplify import drop_dead, renamed
from verifier.tolerances import LARGEST_VALUE, WEIGHT_ROUNDINGS

LARGEST_MATRIX = 1 << 22
"""Entries of the weights up to which a sum of quotients is looked at."""


@dataclass(frozen=True, eq=False)
class Quotients:
    """A product node q * (1 / s)[group], by the indices of its parts.

    Attributes:
        numerator, reciprocal, denominator: the nodes of q, 1 / s and s.
        group: which denominator each entry has, shape (size,).
    """

    numerator: int
    reciprocal: int
    denominator: int
    group: np.ndarray


@dataclass(frozen=True, eq=False)
class _Sums:
    """P weighted sums of quotients of the same denominator, each a part of an entry of an affine node.

    Attributes:
        quotients: what is added up.
        weights: of the numerators, shape (P, size).
        row: the entry of the affine node, shape (P,).
        group: the denominator, shape (P,).
    """

    quotients: Quotients
    weights: np.ndarray
    row: np.ndarray
    group: np.ndarray

    def centre(self, values: list[np.ndarray]) -> np.ndarray:
        """The sums at a point, given every node's value there; 0 where they are not defined; shape (P,)."""
        with np.errstate(all="ignore"):
            centre = (self.weights @ values[self.quotients.numerator]) / values[self.quotients.denominator][self.group]
        return np.where(np.abs(centre) < LARGEST_VALUE, centre, 0.0)


def centred_quotients(network: Network, point: Callable[[], np.ndarray]) -> Network:
    """The network with weighted sums of quotients written around their values at a point; the outputs are the same.

    Args:
        network: its weights NumPy arrays.
        point: gives the point, shape (input_size,); asked only where there is something to rewrite.
    """
    found = _all_sums(network)
    if not found:
        return network
    with np.errstate(all="ignore"):
        values = [value[0] for value in network.values(np.asarray(point(), np.float64)[None, :])]
    nodes: list[Node] = []
    names: dict[int, int] = {}
    for k, node in enumerate(network.nodes):
        new = renamed(node, names)
        for place, sums in found.get(k, {}).items():
            assert isinstance(new, Affine)
            start = len(nodes)
            nodes += _centred_product(sums, sums.centre(values), names, start, network)
            new = _with_sums(new, place, start + 2, sums.row, sums.centre(values))
        names[k] = len(nodes)
        nodes.append(new)
    return drop_dead(replace(network, nodes=tuple(nodes)))


def _all_sums(network: Network) -> dict[int, dict[int, _Sums]]:
    """For each affine node, by index, and each of its operands, by place, the sums of quotients to rewrite."""
    uses = Counter(i for node in network.nodes for i in node.operands)
    found: dict[int, dict[int, _Sums]] = {}
    for k, node in enumerate(network.nodes):
        if isinstance(node, Affine):
            for place, (operand, linear_map) in enumerate(zip(node.operands, node.maps, strict=True)):
                quotients = quotients_at(network, operand) if uses[operand] == 1 else None
                sums = _sums(quotients, linear_map) if quotients else None
                if sums is not None:
                    found.setdefault(k, {})[place] = sums
    return found


def quotients_at(network: Network, k: int) -> Quotients | None:
    """The parts of node k if it is a product of some node and copied entries of a reciprocal."""
    node = network.nodes[k]
    if not isinstance(node, Product):
        return None
    for numerator, copies in (node.operands, node.operands[::-1]):
        copy = network.nodes[copies]
        if not isinstance(copy, Affine) or len(copy.maps) != 1 or copy.bias_magnitude.any():
            continue
        source, linear_map = network.nodes[copy.operands[0]], copy.maps[0]
        if not isinstance(source, Elementwise) or not isinstance(source.function, Reciprocal):
            continue
        if isinstance(linear_map, Selection) and (linear_map.indices >= 0).all():
            return Quotients(numerator, copy.operands[0], source.operands[0], linear_map.indices)
    return None


def _sums(quotients: Quotients, linear_map: LinearMap) -> _Sums | None:
    """The sums that a matrix makes of quotients, None where it makes no fewer than there are quotients."""
    size, group = linear_map.in_size, quotients.group
    if not isinstance(linear_map, Dense) or linear_map.out_size * size > LARGEST_MATRIX:
        return None
    matrix = linear_map.adjoint(np.eye(linear_map.out_size))  # the weights as they are: each a sum with zeros
    rows, columns = np.nonzero(matrix)
    row, of = np.unique(np.stack([rows, group[columns]]), axis=1)
    if len(row) >= size:
        return None
    weights = np.where(group[None, :] == of[:, None], matrix[row], 0.0)
    return _Sums(quotients, weights, row, of)


def _centred_product(
    sums: _Sums, centre: np.ndarray, names: dict[int, int], start: int, network: Network
) -> tuple[Affine, Affine, Product]:
    """(h - t s) * (1 / s), the nodes `start` to `start` + 2; `names` are the new indices of old nodes."""
    parts, count = sums.quotients, len(sums.row)
    taken = np.zeros((count, network.nodes[parts.denominator].size))
    taken[np.arange(count), sums.group] = -centre
    operands = names[parts.numerator], names[parts.denominator]
    copies = Selection(sums.group, network.nodes[parts.reciprocal].size)
    return (
        Affine(operands, (Dense(sums.weights), Dense(taken)), np.zeros(count)),
        Affine((names[parts.reciprocal],), (copies,), np.zeros(count)),
        Product((start, start + 1), count),
    )


def _with_sums(node: Affine, place: int, product: int, row: np.ndarray, centre: np.ndarray) -> Affine:
    """The affine node with its operand at `place` replaced by a product and its centres, of the entries `row`.

    The centres join the bias. A sum of n terms needs gamma(n), and whoever uses the magnitude of a bias is sure to take
    gamma(0), which holds WEIGHT_ROUNDINGS: hence the factor.
    """
    back = np.zeros((node.size, len(row)))
    back[row, np.arange(len(row))] = 1.0
    operands, maps = list(node.operands), list(node.maps)
    operands[place], maps[place] = product, Dense(back)
    terms = 1.0 + np.bincount(row).max(initial=0)
    magnitude = (1.0 + terms / WEIGHT_ROUNDINGS) * (node.bias_magnitude + back @ np.abs(centre))
    return Affine(tuple(operands), tuple(maps), node.bias + back @ centre, magnitude)
