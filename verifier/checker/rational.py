"""From rational numbers to doubles on one side of them, and a graph's doubles as rational numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from verifier.checker.bounds import Weak
from verifier.checker.graph import Graph, Linear
from verifier.checker.linear import Adjoint, Array, Convolution, Dense, Map, Move
from verifier.checker.lines import exactly


def rounded(x: Array, towards: float) -> Array:
    """Rational numbers as doubles, on one side."""
    flat = []
    for value in x.ravel():
        near = _as_float(value)
        beyond = Fraction(near) > value if towards < 0 else Fraction(near) < value
        flat.append(np.nextafter(near, towards) if beyond else near)
    return np.array(flat).reshape(x.shape)


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Weak("numbers beyond what doubles hold") from None


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
