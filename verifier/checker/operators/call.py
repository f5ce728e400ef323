"""What operators are made of: tensors, nodes of the graph, and the model's nodes as calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from verifier.checker.graph import Function, Graph, Linear, Product
from verifier.checker.linear import Array, Map, move

HALF_UNIT = 2.0**-52
"""More than one rounding of a weight."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """Entries of a node, in the tensor's shape; -1 is a zero."""

    node: int
    index: Array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape


Value = Tensor | Array
Attributes = dict[str, Any]


class Builder:
    """Adds nodes to a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def tensor(self, value: Value | None) -> Tensor:
        """A value as a tensor; a constant becomes a node."""
        if isinstance(value, Tensor):
            return value
        if value is None:
            raise ValueError("an operand is missing")
        flat = real(value)
        return Tensor(self.graph.add(Linear((), (), flat)), np.arange(flat.size).reshape(value.shape))

    def whole(self, tensor: Tensor) -> int:
        """A node whose entries are the tensor's, in order."""
        index = tensor.index.ravel()
        size = self.graph.nodes[tensor.node].size
        if index.size == size and (index == np.arange(size)).all():
            return tensor.node
        return self.graph.add(Linear((tensor.node,), (move(index, size),), np.zeros(index.size)))

    def linear(self, parts: list[tuple[int, Map]], bias: Array, shape: tuple[int, ...], slack: float = 0.0) -> Tensor:
        """The value of a new linear node."""
        nodes, maps = tuple(k for k, _ in parts), tuple(m for _, m in parts)
        number = self.graph.add(Linear(nodes, maps, np.asarray(bias, float).ravel(), slack))
        return Tensor(number, np.arange(int(np.prod(shape))).reshape(shape))

    def moved(self, tensor: Tensor, factor: Array | None, bias: Array | None, slack: float = 0.0) -> Tensor:
        """Factor * tensor + bias, entry by entry."""
        size = self.graph.nodes[tensor.node].size
        index = tensor.index.ravel()
        by = None if factor is None else np.broadcast_to(shaped(factor), tensor.shape).ravel()
        add = np.zeros(index.size) if bias is None else np.broadcast_to(shaped(bias), tensor.shape).ravel()
        return self.linear([(tensor.node, move(index, size, by, slack))], add, tensor.shape)

    def function(self, kind: str, tensor: Tensor, name: str) -> Tensor:
        """A function of every entry; `name` is how proofs call what it is taken of."""
        operand = self.whole(tensor)
        self.graph.quantities[name] = operand
        number = self.graph.add(Function((operand,), kind, tensor.index.size, name))
        return Tensor(number, np.arange(tensor.index.size).reshape(tensor.shape))

    def product(self, a: Tensor, b: Tensor, name: str) -> Tensor:
        """Both, broadcast, entry by entry."""
        if a.node == b.node and np.array_equal(a.index, b.index):
            return self.function("square", a, f"{name}.square")
        a, b = self.broadcast(a, b)
        x, y = self.whole(a), self.whole(b)
        names = f"{name}.left", f"{name}.right"
        self.graph.quantities.update(zip(names, (x, y), strict=True))
        number = self.graph.add(Product((x, y), a.index.size, names))
        return Tensor(number, np.arange(a.index.size).reshape(a.shape))

    def sum(self, a: Tensor, b: Tensor, sign: float = 1.0) -> Tensor:
        """A + sign b, broadcast."""
        a, b = self.broadcast(a, b)
        nodes = self.graph.nodes
        minus = None if sign == 1.0 else np.full(b.index.size, sign)
        left = move(a.index.ravel(), nodes[a.node].size)
        right = move(b.index.ravel(), nodes[b.node].size, minus)
        return self.linear([(a.node, left), (b.node, right)], np.zeros(a.index.size), a.shape)

    @staticmethod
    def broadcast(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        shape = np.broadcast_shapes(a.shape, b.shape)
        return Tensor(a.node, np.broadcast_to(a.index, shape)), Tensor(b.node, np.broadcast_to(b.index, shape))

    def joined(self, parts: list[Tensor], axis: int) -> Tensor:
        """One after another along an axis."""
        if len({p.node for p in parts}) == 1:
            whole = Tensor(parts[0].node, np.concatenate([p.index for p in parts], axis))
            return Tensor(self.whole(whole), np.arange(whole.index.size).reshape(whole.shape))
        number = np.concatenate([np.full(p.shape, k) for k, p in enumerate(parts)], axis)
        index = np.concatenate([p.index for p in parts], axis)
        maps: list[tuple[int, Map]] = []
        for k, part in enumerate(parts):
            own = np.where(number == k, index, -1).ravel()
            maps.append((part.node, move(own, self.graph.nodes[part.node].size)))
        return self.linear(maps, np.zeros(index.size), index.shape)


@dataclass(frozen=True, eq=False)
class Call:
    """One node of the model: its output's name, operands and attributes."""

    build: Builder
    version: int
    name: str
    operands: list[Value | None]
    attributes: Attributes

    def __getitem__(self, k: int) -> Value:
        value = self.operands[k] if k < len(self.operands) else None
        if value is None:
            raise ValueError(f"operand {k} is missing")
        return value

    def tensor(self, k: int) -> Tensor:
        return self.build.tensor(self[k])

    def constant(self, k: int, attribute: str = "") -> Array:
        """An operand, or in older versions an attribute, that must be constant."""
        if k < len(self.operands) and self.operands[k] is not None:
            value = self.operands[k]
            if isinstance(value, Tensor):
                raise ValueError(f"operand {k} depends on the input")
            return np.asarray(value)
        if attribute in self.attributes:
            return np.asarray(self.attributes[attribute])
        raise ValueError(f"operand {k} is missing")

    def has(self, k: int) -> bool:
        return k < len(self.operands) and self.operands[k] is not None

    @property
    def all_constant(self) -> bool:
        return not any(isinstance(v, Tensor) for v in self.operands)


Operator = Callable[[Call], Any]
"""Gives an output's value, or a list of several."""


def real(value: Array) -> Array:
    """A constant's entries as doubles, which they must be exactly."""
    flat = np.asarray(value).ravel()
    real = flat.astype(np.float64)
    if not np.isfinite(real).all() or (flat.dtype.kind in "iu" and (np.abs(flat.astype(object)) > 2**53).any()):
        raise ValueError("a constant is not finite")
    return real


def shaped(value: Array) -> Array:
    return real(value).reshape(np.shape(value))
