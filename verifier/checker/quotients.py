"""Reads a weighted sum of quotients with one divisor as one quotient, centred.

    sum_i w_i (a_i / s) = c + (sum_i (w_i - c) a_i) / s      where s = sum_i a_i

for every c, wherever s is not 0; elsewhere the model has no value either. Bounded one by one, the quotients lose that
they share their divisor, and that they sum to 1. Here c is the middle between the least and the greatest weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.checker.graph import Function, Graph, Linear, Node, Product, renumbered
from verifier.checker.linear import Array, Dense, Map, Move

MOST = 2000
"""Quotients, and sums of them, that are looked at together."""
ROUNDED = 2.0**-52
"""More than the relative error of a difference of two doubles."""


@dataclass(frozen=True, eq=False)
class Quotients:
    """Quotients a[i] / s[divisor[i]]; node `inverse` has 1 / s."""

    dividends: int
    inverse: int
    divisor: Array
    names: tuple[str, str]


def centred(graph: Graph) -> Graph:
    """The same function of the inputs."""
    nodes: list[Node] = []
    number: dict[int, int] = {}
    made = Graph(nodes, quantities=dict(graph.quantities))
    for k, node in enumerate(graph.nodes):
        quotients = _quotients(graph, node)
        parts = None if quotients is None else _weights(node, quotients)
        moved = renumbered(node, number)
        if quotients is None or parts is None:
            number[k] = made.add(moved)
            continue
        weights, centre, divisor = parts
        dividends, zero = number[quotients.dividends], np.zeros(len(weights))
        sums = made.add(Linear((dividends,), (Dense(weights, slack=ROUNDED),), zero))
        inverse = Move(divisor, graph.nodes[quotients.inverse].size)
        inverses = made.add(Linear((number[quotients.inverse],), (inverse,), zero))
        names = f"{quotients.names[0]}.sum", f"{quotients.names[1]}.sum"
        made.quantities.update(zip(names, (-1 - sums, -1 - inverses), strict=True))
        product = made.add(Product((sums, inverses), len(weights), names))
        identity = Move(np.arange(len(weights)), len(weights))
        assert isinstance(node, Linear)
        constant = Move(np.zeros(len(weights), np.int64), 1, centre)
        one = made.add(Linear((), (), np.ones(1)))
        number[k] = made.add(Linear((product, one), (identity, constant), node.bias, node.slack))
    made.quantities = {name: number[k] if k >= 0 else -1 - k for name, k in made.quantities.items()}
    made.output = number[graph.output]
    return made


def _quotients(graph: Graph, node: Node) -> Quotients | None:
    """The quotients that a node sums up, if that is what it does."""
    if not isinstance(node, Linear) or len(node.operands) != 1:
        return None
    product = graph.nodes[node.operands[0]]
    if not isinstance(product, Product) or max(product.size, node.size) > MOST:
        return None
    dividends, spread = product.operands
    inverses = graph.nodes[spread]
    if not isinstance(inverses, Linear) or inverses.bias.any() or len(inverses.operands) != 1:
        return None
    (move,), inverse = inverses.maps, inverses.operands[0]
    reciprocal = graph.nodes[inverse]
    if not isinstance(move, Move) or move.factor is not None or move.slack or (move.index < 0).any():
        return None
    if not isinstance(reciprocal, Function) or reciprocal.kind != "reciprocal":
        return None
    divisors = graph.nodes[reciprocal.operands[0]]
    if not isinstance(divisors, Linear) or divisors.operands != (dividends,) or divisors.bias.any():
        return None
    # Each divisor has to be the plain sum of just those dividends that are divided by it.
    (total,) = divisors.maps
    wanted = move.index[None] == np.arange(divisors.size)[:, None]
    if total.slack or divisors.slack or not np.array_equal(_matrix(total, product.size), wanted.astype(float)):
        return None
    return Quotients(dividends, inverse, move.index, product.names)


def _weights(node: Node, quotients: Quotients) -> tuple[Array, Array, Array] | None:
    """For each sum its centred weights, its centre, and its divisor; None if a sum has quotients of several."""
    assert isinstance(node, Linear)
    if node.maps[0].slack:
        return None
    matrix = _matrix(node.maps[0], len(quotients.divisor))
    weights, centres, divisors = np.zeros_like(matrix), np.zeros(len(matrix)), np.zeros(len(matrix), np.int64)
    for n, row in enumerate(matrix):
        own = quotients.divisor[row != 0]
        if not own.size or (own != own[0]).any():
            return None
        group = quotients.divisor == own[0]
        divisors[n], centres[n] = own[0], row[group].min() / 2 + row[group].max() / 2
        weights[n, group] = row[group] - centres[n]
    return weights, centres, divisors


def _matrix(m: Map, size: int) -> Array:
    return m.apply(np.eye(size)).T
