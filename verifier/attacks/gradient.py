"""Gradients of weighted outputs by one adjoint pass over the graph; no automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from verifier.arrays import Array, zeros
from verifier.network.graph import Affine, Elementwise, Network

WeighOutputs: TypeAlias = Callable[[Array], Array]


def outputs_and_gradient(network: Network, x: Array, weigh: WeighOutputs) -> tuple[Array, Array]:
    """The outputs at `x` and the gradient in x of sum_k weights[n, k] outputs[n, k].

    Args:
        network: with its weights in the array library of `x`.
        x: shape (N, input_size).
        weigh: makes the weights, shape (N, outputs), from the outputs.

    Returns:
        Outputs, shape (N, outputs), and gradient, shape (N, input_size).
    """
    values = network.values(x)
    pending: dict[int, Array] = {len(network.nodes) - 1: weigh(values[-1])}
    for k in range(len(network.nodes) - 1, 0, -1):
        if k not in pending:
            continue
        gradient, node = pending.pop(k), network.nodes[k]
        if isinstance(node, Affine):
            parts = [m.adjoint(gradient) for m in node.maps]
        elif isinstance(node, Elementwise):
            parts = [gradient * node.function.derivative(values[node.operands[0]])]
        else:
            first, second = node.operands
            parts = [gradient * values[second], gradient * values[first]]
        for operand, part in zip(node.operands, parts, strict=True):
            pending[operand] = pending[operand] + part if operand in pending else part
    return values[-1], pending.get(0, zeros(x, tuple(x.shape)))
