"""The gradient of a network as a network of its own, and Lipschitz constants from bounds on its outputs.

By the mean value form, c f(x) - c f(y) = g (x - y), where g is what an adjoint pass gives if every function's slope is
its difference quotient, and a factor of a product its value at x or y. So over all points at which bounds on the
nodes' values hold, the constant is at most the largest ||g||_q (q dual to p), with slopes and factors anywhere in
their intervals. That adjoint pass is itself made of affine maps and products, whose inputs are the slopes, the factors
and the row c: a `Network`, which anything that bounds networks can bound. With intervals this is Fast-Lip (Weng et al.,
ICML 2018); with linear bounds, that of Shi et al., NeurIPS 2022 (arXiv 2210.07394). For p = inf, the 1-norm of g is
one output more, so that linear bounds see how its entries go together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from verifier.deadline import NEVER, Deadline
from verifier.lipschitz.rounding import INF, dual, norms
from verifier.lipschitz.slopes import Values, slopes
from verifier.network.functions import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network, Node, Product
from verifier.network.linear_maps import Adjoint, Dense, Identity, LinearMap, Scaling, Selection
from verifier.network.simplify import simplify

Bounder: TypeAlias = Callable[[Network, np.ndarray, np.ndarray, Deadline], tuple[np.ndarray, np.ndarray]]
"""Takes a network and N boxes, shape (N, input_size), to sound bounds of its outputs, shape (N, output_size); by a
deadline, for the want of which they may be coarser."""


@dataclass(frozen=True)
class _Slot:
    """Part of the gradient network's input: the slopes of a function, or the factor of a product's operand."""

    node: int
    operand: int
    start: int


@dataclass(frozen=True, eq=False)
class GradientNetwork:
    """The adjoint pass of `source`.

    Attributes:
        source: the network it belongs to.
        network: its inputs are the slots and then the row c on the outputs of `source`; its output is the gradient,
            of input_size entries, and its 1-norm where that was asked for.
    """

    source: Network
    network: Network
    slots: tuple[_Slot, ...]

    def inputs(self, parts: Callable[[_Slot], np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Inputs for R rows, shape (R, output_size) of `source`, from the values of the slots, shape (size,)."""
        common = np.concatenate([np.zeros(0), *(parts(slot) for slot in self.slots)])
        return np.concatenate([np.broadcast_to(common, (len(rows), len(common))), rows], axis=1)

    def box(self, values: Values, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All slopes and factors that bounds on the values of `source` allow, for each row; shape (R, inputs) each."""

        def end(side: int) -> Callable[[_Slot], np.ndarray]:
            return lambda slot: self._enclosure(slot, values)[side]

        return self.inputs(end(0), rows), self.inputs(end(1), rows)

    def _enclosure(self, slot: _Slot, values: Values) -> tuple[np.ndarray, np.ndarray]:
        node = self.source.nodes[slot.node]
        if isinstance(node, Elementwise):
            return slopes(self.source, values, slot.node)
        return values[node.operands[1 - slot.operand]]

    def gradients(self, x: np.ndarray, row: np.ndarray) -> np.ndarray:
        """The gradients of row . f at points `x`, shape (N, input_size); at kinks a subgradient, at jumps 0."""
        values = self.source.values(x)
        parts = []
        for slot in self.slots:
            node = self.source.nodes[slot.node]
            other = values[node.operands[1 - slot.operand if isinstance(node, Product) else 0]]
            parts.append(node.function.derivative(other) if isinstance(node, Elementwise) else other)
        rows = np.broadcast_to(row, (len(x), len(row)))
        return self.network.forward(np.concatenate([*parts, rows], axis=1))[:, : self.source.input_size]


def gradient_network(source: Network, absolute_sum: bool = False) -> GradientNetwork:
    """The adjoint pass of a network with NumPy weights; with `absolute_sum`, the 1-norm of the gradient as well."""
    writer = _Writer(source)
    for k in range(len(source.nodes) - 1, 0, -1):
        writer.add(k, source.nodes[k])
    gradient = writer.sum_of(0)
    if absolute_sum:
        writer.add_absolute_sum(gradient)
    return GradientNetwork(source, simplify(Network(tuple(writer.nodes))), tuple(writer.slots))


def gradient_constants(
    gradient: GradientNetwork,
    norm: float,
    box: tuple[np.ndarray, np.ndarray],
    bounder: Bounder,
    deadline: Deadline = NEVER,
) -> np.ndarray:
    """Upper bounds of the constants of forms of the outputs, p-norm to absolute value, as sound as the `bounder`.

    Args:
        gradient: with its 1-norm or without.
        norm: p.
        box: of `GradientNetwork.box`, for R forms.
        bounder: bounds the gradient.
        deadline: for it.

    Returns:
        Shape (R,).
    """
    if not all(np.isfinite(end).all() for end in box):
        return np.full(len(box[0]), INF)
    lower, upper = bounder(gradient.network, *box, deadline)
    size = np.maximum(np.abs(lower), np.abs(upper))
    size = np.where(np.isnan(size), INF, size)
    count = gradient.source.input_size
    found = norms(size[:, :count], dual(norm))
    return np.minimum(found, np.maximum(upper[:, count], 0.0)) if norm == INF and size.shape[1] > count else found


class _Writer:
    """Writes the adjoint pass from the last node to the first. `waiting[k]` are the parts of the gradient in node k."""

    def __init__(self, source: Network) -> None:
        self.source, self.slots = source, self._slots(source)
        count = sum(source.nodes[slot.node].size for slot in self.slots)
        self.nodes: list[Node] = [Input(count + source.output_size)]
        row = np.arange(count, count + source.output_size)
        self.waiting: dict[int, list[tuple[int, LinearMap]]] = {
            len(source.nodes) - 1: [(0, Selection(row, count + source.output_size))]
        }

    @staticmethod
    def _slots(source: Network) -> list[_Slot]:
        slots, start = [], 0
        for k, node in enumerate(source.nodes):
            for operand in range({Elementwise: 1, Product: 2}.get(type(node), 0)):
                slots.append(_Slot(k, operand, start))
                start += node.size
        return slots

    def add(self, k: int, node: Node) -> None:
        if k not in self.waiting:
            return
        if isinstance(node, Affine):
            parts = self.waiting.pop(k)
            arrived = parts[0][0] if len(parts) == 1 and isinstance(parts[0][1], Identity) else self._summed(parts, k)
            for operand, linear_map in zip(node.operands, node.maps, strict=True):
                self._wait(operand, arrived, Adjoint(linear_map))
            return
        arrived = self.sum_of(k)
        for operand, slot in zip(node.operands, (s for s in self.slots if s.node == k), strict=True):
            chosen = Selection(np.arange(slot.start, slot.start + node.size), self.nodes[0].size)
            factor = self._new(Affine((0,), (chosen,), np.zeros(node.size)))
            self._wait(operand, self._new(Product((arrived, factor), node.size)), Identity(node.size))

    def sum_of(self, k: int) -> int:
        """The node that adds up the gradient in node k of the source."""
        return self._summed(self.waiting.pop(k, []), k)

    def add_absolute_sum(self, gradient: int) -> None:
        """Makes the output the gradient followed by the sum of its absolute values, relu(g) + relu(-g)."""
        size = self.nodes[gradient].size
        opposite = self._new(Affine((gradient,), (Scaling(np.full(size, -1.0)),), np.zeros(size)))
        sides = [self._new(Elementwise((g,), Relu(), size)) for g in (gradient, opposite)]
        place = np.r_[np.arange(size), -1]
        total = np.zeros((size + 1, size))
        total[size] = 1.0
        maps = (Selection(place, size), Dense(total), Dense(total))
        self._new(Affine((gradient, *sides), maps, np.zeros(size + 1)))

    def _summed(self, parts: Sequence[tuple[int, LinearMap]], k: int) -> int:
        nodes, maps = tuple(node for node, _ in parts), tuple(linear_map for _, linear_map in parts)
        return self._new(Affine(nodes, maps, np.zeros(self.source.nodes[k].size)))

    def _wait(self, operand: int, node: int, linear_map: LinearMap) -> None:
        self.waiting.setdefault(operand, []).append((node, linear_map))

    def _new(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1
