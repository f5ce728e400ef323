"""Gradients of weighted outputs by one adjoint pass over the graph; no automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from verifier.arrays import Array, namespace, zeros
from verifier.network.functions import ScalarFunction, StepFunction
from verifier.network.graph import Affine, Elementwise, Network

WeighOutputs: TypeAlias = Callable[[Array], Array]


def outputs_and_gradient(network: Network, x: Array, weigh: WeighOutputs) -> tuple[Array, Array]:
    """The outputs at `x` and the gradient in x of sum_k weights[n, k] outputs[n, k].

    Functions that jump have a gradient that is zero wherever it exists; a slope in its place says where they would
    go (`_through`). Where a function overflows, its path adds nothing.

    Args:
        network: with its weights in the array library of `x`.
        x: shape (N, input_size).
        weigh: makes the weights, shape (N, outputs), from the outputs.

    Returns:
        Outputs, shape (N, outputs), and gradient, shape (N, input_size).
    """
    values = network.values(x)
    return values[-1], adjoint(network, values, weigh(values[-1]))


def adjoint(network: Network, values: Sequence[Array], weights: Array) -> Array:
    """The gradient in the input of sum_k weights[n, k] outputs[n, k], as `outputs_and_gradient` has it.

    Args:
        network: with its weights in the array library of `values`.
        values: of every node (`Network.values`).
        weights: shape (N, outputs).

    Returns:
        Shape (N, input_size).
    """
    pending: dict[int, Array] = {len(network.nodes) - 1: weights}
    for k in range(len(network.nodes) - 1, 0, -1):
        if k not in pending:
            continue
        gradient, node = pending.pop(k), network.nodes[k]
        if isinstance(node, Affine):
            parts = [m.adjoint(gradient) for m in node.maps]
        elif isinstance(node, Elementwise):
            parts = [_through(node.function, values[node.operands[0]], gradient)]
        else:
            first, second = node.operands
            parts = [gradient * values[second], gradient * values[first]]
        for operand, part in zip(node.operands, parts, strict=True):
            pending[operand] = pending[operand] + part if operand in pending else part
    return pending.get(0, zeros(values[0], tuple(values[0].shape)))


def _through(function: ScalarFunction, x: Array, gradient: Array) -> Array:
    """The gradient in the argument `x` of a function, given that in its value.

    A step's slope is taken to be 1 / (1 + (x / mean |x|)^2): entries near a jump at 0 count most, and all some (a
    straight-through estimator, Bengio et al., arXiv 1308.3432). In softmaxes of large logits an infinite value meets a
    slope of 0; the rest of the gradient still points the way.
    """
    xp = namespace(x)
    if isinstance(function, StepFunction):
        scale = xp.mean(xp.abs(x), axis=1, keepdims=True)
        return gradient / (1.0 + (x / xp.where(scale > 0, scale, 1.0)) ** 2)
    part = gradient * function.derivative(x)
    if function.pieces is not None:
        return part
    return xp.where(xp.isfinite(part), part, xp.zeros_like(part))
