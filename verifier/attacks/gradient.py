"""Gradients of weighted outputs by one adjoint pass over the graph; no automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from verifier.arrays import Array, namespace, zeros
from verifier.network.functions import ScalarFunction, StepFunction
from verifier.network.functions.near import Near
from verifier.network.functions.steps import JumpAtZero
from verifier.network.graph import Affine, Elementwise, Network

WeighOutputs: TypeAlias = Callable[[Array], Array]

PASSED = 0.1
"""Of the width of a jump's slope, how wide it is where the jump has been passed already."""


def outputs_and_gradient(network: Network, x: Array, weigh: WeighOutputs, width: float = 1.0) -> tuple[Array, Array]:
    """The outputs at `x` and the gradient in x of sum_k weights[n, k] outputs[n, k].

    Functions that jump have a gradient that is zero wherever it exists; a slope in its place says where they would
    go (`_through`). Where a function overflows, its path adds nothing.

    Args:
        network: with its weights in the array library of `x`.
        x: shape (N, input_size).
        weigh: makes the weights, shape (N, outputs), from the outputs.
        width: of the slopes of jumps (`adjoint`).

    Returns:
        Outputs, shape (N, outputs), and gradient, shape (N, input_size).
    """
    values = network.values(x)
    return values[-1], adjoint(network, values, weigh(values[-1]), width)


def adjoint(network: Network, values: Sequence[Array], weights: Array, width: float = 1.0) -> Array:
    """The gradient in the input of sum_k weights[n, k] outputs[n, k], as `outputs_and_gradient` has it.

    Args:
        network: with its weights in the array library of `values`.
        values: of every node (`Network.values`).
        weights: shape (N, outputs).
        width: of the slopes of jumps, in units of their operands' mean magnitudes; a descent that narrows it turns from
            all entries to those that are near a jump.

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
            parts = [_through(node.function, values[node.operands[0]], gradient, width)]
        else:
            first, second = node.operands
            parts = [gradient * values[second], gradient * values[first]]
        for operand, part in zip(node.operands, parts, strict=True):
            pending[operand] = pending[operand] + part if operand in pending else part
    return pending.get(0, zeros(values[0], tuple(values[0].shape)))


def _through(function: ScalarFunction, x: Array, gradient: Array, width: float) -> Array:
    """The gradient in the argument `x` of a function, given that in its value.

    In softmaxes of large logits an infinite value meets a slope of 0; the rest of the gradient still points the way.
    """
    xp = namespace(x)
    if isinstance(function, Near):
        return _towards(x, gradient, width)
    if isinstance(function, StepFunction):
        return gradient * _slope(function, x, gradient, width)
    part = gradient * function.derivative(x)
    if function.pieces is not None:
        return part
    return xp.where(xp.isfinite(part), part, xp.zeros_like(part))


def _slope(function: StepFunction, x: Array, gradient: Array, width: float) -> Array:
    """A slope in the place of that of a function that jumps, positive everywhere.

    It is 1 / (1 + (d / w)^2) for the distance d to the jump: entries near it count most, and all some (a
    straight-through estimator, Bengio et al., arXiv 1308.3432). Where there is one jump, an entry against whose
    gradient it has been passed has little to gain, and counts less. Where jumps follow each other all along, any entry
    is near one: the slope is that of the whole staircase.
    """
    xp = namespace(x)
    if not isinstance(function, JumpAtZero):
        return xp.ones_like(x)
    scale = width * xp.mean(xp.abs(x), axis=1, keepdims=True)
    scale = xp.where(scale > 0, scale, 1.0) * xp.where(x * gradient < 0, PASSED, 1.0)
    return 1.0 / (1.0 + (x / scale) ** 2)


def _towards(x: Array, gradient: Array, width: float) -> Array:
    """The gradient through an equality with 0, which is higher near 0 and lower far from it, on either side."""
    xp = namespace(x)
    scale = width * xp.mean(xp.abs(x), axis=1, keepdims=True)
    return -gradient * xp.where(x < 0, -1.0, 1.0) / (1.0 + (x / xp.where(scale > 0, scale, 1.0)) ** 2)
