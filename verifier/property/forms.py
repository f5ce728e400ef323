"""A network whose outputs are the linear forms of a query, so that every method bounds outputs and nothing else."""

from __future__ import annotations

from dataclasses import replace

from verifier.network.graph import Affine, Network, Port
from verifier.network.linear_maps import Dense
from verifier.property.query import Patterns


def with_forms(network: Network, patterns: Patterns) -> Network:
    """The network followed by the K left sides of the query's rows; its output has shape (N, K)."""
    import numpy as np

    operands, maps = [len(network.nodes) - 1], [Dense(patterns.outputs, exact=patterns.exact)]
    if patterns.inputs.any():
        operands.append(0)
        maps.append(Dense(patterns.inputs, exact=patterns.exact))
    forms = Affine(tuple(operands), tuple(maps), np.zeros(patterns.count))
    return replace(network, nodes=(*network.nodes, forms), outputs=(Port("forms", (patterns.count,)),))
