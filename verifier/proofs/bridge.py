"""The checker's graph as a network of the engine's, node for node: the engine can then look for what a proof needs."""

from __future__ import annotations

import numpy as np

from verifier.checker import linear
from verifier.checker.graph import Function, Graph, Linear, Product
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.exponential import Exp, Log, Softplus
from verifier.network.functions.periodic import Cos, Sin
from verifier.network.functions.powers import Power, Reciprocal, Sqrt
from verifier.network.functions.relu import Relu
from verifier.network.functions.sigmoidal import Erf, Sigmoid, Tanh
from verifier.network.functions.steps import Floor, Round, Sign, Step
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.graph import Product as NetworkProduct
from verifier.network.linear_maps import (
    Adjoint,
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Scaling,
    Selection,
)
from verifier.network.linear_maps.convolution import Window

FUNCTIONS: dict[str, ScalarFunction] = {
    "cos": Cos(),
    "erf": Erf(),
    "exp": Exp(),
    "floor": Floor(),
    "log": Log(),
    "reciprocal": Reciprocal(),
    "relu": Relu(),
    "round": Round(),
    "sigmoid": Sigmoid(),
    "sign": Sign(),
    "sin": Sin(),
    "softplus": Softplus(),
    "sqrt": Sqrt(),
    "step": Step(at_zero=False),
    "square": Power(2.0),
    "tanh": Tanh(),
}


def network_of(graph: Graph) -> Network:
    """A network whose nodes are those of the graph up to its output."""
    nodes: list[Node] = []
    for node in graph.nodes[: graph.output + 1]:
        if isinstance(node, Linear):
            sizes = [graph.nodes[i].size for i in node.operands]
            maps = tuple(_map(m, size) for m, size in zip(node.maps, sizes, strict=True))
            nodes.append(Affine(node.operands, maps, node.bias))
        elif isinstance(node, Function):
            nodes.append(Elementwise(node.operands, FUNCTIONS[node.kind], node.size))
        elif isinstance(node, Product):
            nodes.append(NetworkProduct(node.operands, node.size))
        else:
            nodes.append(Input(node.size))
    return Network(tuple(nodes))


def _map(m: linear.Map, size: int) -> LinearMap:
    if isinstance(m, linear.Move):
        same = len(m.index) == size and bool((m.index == np.arange(size)).all())
        moved = Identity(size) if same else Selection(m.index, size)
        if m.factor is None:
            return moved
        return Scaling(m.factor) if same else Composition(Scaling(m.factor), moved)
    if isinstance(m, linear.Dense):
        return Dense(m.weight, m.before, m.after)
    if isinstance(m, linear.Convolution):
        return Convolution(m.kernel, (m.batch, *m.image), Window(m.strides, m.begin, m.end, m.dilations, m.groups))
    return Adjoint(_map(m.of, 0))
