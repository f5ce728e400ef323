"""Collects the nodes of a network while an ONNX graph is lowered.

Two moves cover most operators. `combine` adds up multiples of tensors with ONNX broadcasting. `move` rearranges
entries: the NumPy function that says where entries go is applied to arrays of entry *numbers*, so Transpose is
`a.transpose(perm)` and nothing else, and the same function applied to a constant folds it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.relu import Relu
from verifier.network.graph import Affine, Elementwise, Input, Node, Product
from verifier.network.linear_maps import (
    Adjoint,
    Composition,
    Convolution,
    Dense,
    Identity,
    LinearMap,
    Scaling,
    Selection,
    Sparse,
)
from verifier.readers.onnx.tensors import Tensor, Variable


class NotFinite(ValueError):
    """A weight or a bias is NaN or infinite."""


class GraphBuilder:
    """A graph under construction; node 0 is the input of `input_size` entries."""

    def __init__(self, input_size: int) -> None:
        self.nodes: list[Node] = [Input(input_size)]
        self.whole: dict[int, bool] = {0: False}
        """What is known so far of which nodes take whole numbers only (`whole`)."""
        self.ranges: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        """What is known so far of which values nodes may have (`wrapping`)."""

    def affine(
        self,
        parts: Sequence[tuple[Variable, LinearMap]],
        shape: tuple[int, ...],
        bias: np.ndarray | None = None,
        bias_magnitude: np.ndarray | None = None,
    ) -> Variable:
        """The sum of map(variable) + bias, as a tensor of `shape`, to which `bias` and `bias_magnitude` broadcast.

        Args:
            bias_magnitude: see `Affine`; needed where the bias was computed as a sum.

        Raises:
            NotFinite: a weight or a bias is NaN or infinite.
        """

        def flat(a: np.ndarray) -> np.ndarray:
            return np.broadcast_to(np.asarray(a, np.float64), shape).reshape(-1)

        constant = flat(np.zeros(()) if bias is None else bias)
        if not np.isfinite(constant).all() or not all(_finite(m) for _, m in parts):
            raise NotFinite("a weight or bias is NaN or infinite")
        magnitude = None if bias_magnitude is None else flat(bias_magnitude)
        operands, maps = tuple(v.node for v, _ in parts), tuple(m for _, m in parts)
        return self._add(Affine(operands, maps, constant, magnitude), shape)

    def elementwise(self, x: Variable, function: ScalarFunction) -> Variable:
        """function(x), entry by entry."""
        return self._add(Elementwise((x.node,), function, x.size), x.shape)

    def relu(self, x: Variable) -> Variable:
        """max(x, 0)."""
        return self.elementwise(x, Relu())

    def product(self, a: Variable, b: Variable) -> Variable:
        """The product a * b with broadcasting; the square where both are the same tensor."""
        if a == b:
            from verifier.network.functions import Power

            return self.elementwise(a, Power(2.0))
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = self.broadcast(a, shape), self.broadcast(b, shape)
        return self._add(Product((a.node, b.node), a.size), shape)

    def scale(self, x: Variable, factors: np.ndarray) -> Variable:
        """The tensor factors * x with broadcasting, for constant `factors`."""
        shape = np.broadcast_shapes(x.shape, factors.shape)
        with np.errstate(all="ignore"):  # what overflows is caught as NotFinite
            flat = np.broadcast_to(factors.astype(np.float64), shape).reshape(-1)
        return self.affine([(x, after(Scaling(flat), spread(x.shape, shape)))], shape)

    def combine(self, terms: Sequence[tuple[float, Tensor]]) -> Variable:
        """The sum of coefficient * tensor, broadcast to their common shape."""
        shape = np.broadcast_shapes(*(t.shape for _, t in terms))
        parts: list[tuple[Variable, LinearMap]] = []
        bias, magnitude = np.zeros(shape), np.zeros(shape)
        for coefficient, tensor in terms:
            if isinstance(tensor, Variable):
                parts.append((tensor, multiple(coefficient, spread(tensor.shape, shape))))
            else:
                bias = bias + coefficient * tensor.astype(np.float64)
                magnitude = magnitude + np.abs(coefficient * tensor.astype(np.float64))
        return self.affine(parts, shape, bias, magnitude)

    def broadcast(self, x: Variable, shape: tuple[int, ...]) -> Variable:
        """The tensor x repeated to `shape`."""
        return self.affine([(x, spread(x.shape, shape))], shape) if x.shape != shape else x

    def move(self, tensors: Sequence[Tensor], rearrange: Callable[..., np.ndarray]) -> Tensor:
        """The tensor whose every entry is an entry of `tensors`, as `rearrange` puts them.

        `rearrange` takes as many arrays as there are tensors, of their shapes, and returns one; it must only move
        entries, as it is called with arrays of entry numbers.
        """
        if not any(isinstance(t, Variable) for t in tensors):
            return np.asarray(rearrange(*tensors))
        sizes = [math.prod(t.shape) for t in tensors]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        numbered = [np.arange(a, b).reshape(t.shape) for a, b, t in zip(starts, starts[1:], tensors, strict=False)]
        result = np.asarray(rearrange(*numbered))
        if len(tensors) == 1 and isinstance(tensors[0], Variable) and _is_range(result, sizes[0]):
            return Variable(tensors[0].node, result.shape)
        parts, bias, flat = [], np.zeros(result.size), result.reshape(-1)
        for start, size, tensor in zip(starts, sizes, tensors, strict=False):
            here = (flat >= start) & (flat < start + size)
            if isinstance(tensor, np.ndarray):
                bias[here] = tensor.reshape(-1).astype(np.float64)[flat[here] - start]
            elif here.any():
                parts.append((tensor, Selection(np.where(here, flat - start, -1), size)))
        return self.affine(parts, result.shape, bias.reshape(result.shape))

    def constant(self, value: np.ndarray) -> Variable:
        """A node that has this value whatever the input."""
        return self.affine([], value.shape, value)

    def _add(self, node: Node, shape: tuple[int, ...]) -> Variable:
        self.nodes.append(node)
        return Variable(len(self.nodes) - 1, tuple(shape))


def spread(shape: tuple[int, ...], to: tuple[int, ...]) -> LinearMap:
    """The map that broadcasts a tensor of `shape` to the shape `to`."""
    size = math.prod(shape)
    indices = np.broadcast_to(np.arange(size).reshape(shape), to)
    return Identity(size) if indices.size == size else Selection(indices.reshape(-1), size)


def multiple(coefficient: float, of: LinearMap) -> LinearMap:
    """The map times a coefficient."""
    if coefficient == 1.0:
        return of
    return after(Scaling(np.full(of.out_size, float(coefficient)), exact=coefficient == -1.0), of)


def after(outer: LinearMap, inner: LinearMap) -> LinearMap:
    """The map that does `inner` and then `outer`."""
    return outer if isinstance(inner, Identity) else Composition(outer, inner)


def _is_range(indices: np.ndarray, size: int) -> bool:
    return indices.size == size and bool((indices.reshape(-1) == np.arange(size)).all())


def _finite(m: LinearMap) -> bool:
    if isinstance(m, Composition):
        return _finite(m.outer) and _finite(m.inner)
    if isinstance(m, Adjoint):
        return _finite(m.of)
    if isinstance(m, Dense):
        return bool(np.isfinite(m.weight).all())
    if isinstance(m, Convolution):
        return bool(np.isfinite(m.kernel).all())
    if isinstance(m, Scaling):
        return bool(np.isfinite(m.factors).all())
    return bool(np.isfinite(m.matrix.data).all()) if isinstance(m, Sparse) else True
