"""How far the rounding of a network's own arithmetic may carry its outputs: an estimate, never a bound.

The network is run as Monte Carlo arithmetic does (Parker, *Monte Carlo Arithmetic*, UCLA CSD-970002, 1997): in float64,
with a random error at every node of the size that its type's rounding typically has there. A worst-case bound grows by
the norm of every layer and exceeds what is seen by orders of magnitude in deep networks; a run does not.
"""

from __future__ import annotations

import numpy as np

from verifier.arrays import Array, convert_like, namespace
from verifier.network.graph import Affine, Elementwise, Network, Node, Product, evaluate


def perturbed(network: Network, points: Array, unit: float, rng: np.random.Generator) -> Array:
    """The outputs as arithmetic with this unit roundoff may compute them, shape (N, output_size), float64.

    The last node is computed without: it is to be the linear forms of a query, which are evaluated exactly.

    Errors of a sum of many terms are random in sign, so that one unit roundoff of the sum of the terms' magnitudes is
    what they come to together.

    Args:
        points: shape (N, input_size).
        unit: of the network's own type, 2**-24 for float32, 2**-11 for float16, 2**-8 for bfloat16.
        rng: of the errors.
    """
    convert = convert_like(points)
    values = [points]
    for k, node in enumerate(network.nodes[1:], start=1):
        operands = [values[i] for i in node.operands]
        value = evaluate(node, operands, points)
        if k < len(network.nodes) - 1 and _rounds(node):
            noise = convert(rng.uniform(-unit, unit, tuple(value.shape)))
            value = value + noise * _magnitude(node, operands, value)
        values.append(value)
    return values[-1]


def _rounds(node: Node) -> bool:
    """Whether a node's value is rounded: what is moved, negated or rectified is not."""
    if isinstance(node, Affine):
        return bool(node.bias_magnitude.any()) or len(node.maps) > 1 or any(m.terms > 1 for m in node.maps)
    return isinstance(node, Product) or (isinstance(node, Elementwise) and node.function.pieces is None)


def _magnitude(node: Node, operands: list[Array], value: Array) -> Array:
    """What the terms of a node's values add up to in absolute value."""
    xp = namespace(value)
    if not isinstance(node, Affine):
        return xp.abs(value)
    total = node.bias_magnitude[None, :]
    for linear_map, operand in zip(node.maps, operands, strict=True):
        total = total + linear_map.magnitude.apply(xp.abs(operand))
    return total


def work(network: Network) -> int:
    """About how many multiplications one point takes."""
    return sum(node.size * sum(m.terms for m in node.maps) for node in network.nodes if isinstance(node, Affine))
