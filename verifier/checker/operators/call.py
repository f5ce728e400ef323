"""What operators are made of: tensors, nodes of the graph, and the model's nodes as calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from verifier.checker.graph import Function, Graph, Input, Linear, Product
from verifier.checker.linear import Array, Dense, Map, Move
from verifier.checker.steps import STEPS

FLOATS = (np.float16, np.float32, np.float64)
"""Floating-point types that NumPy computes in as IEEE 754 says."""
HALF_UNIT = 2.0**-52
"""More than one rounding of a weight."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """Entries of a node, in the tensor's shape; -1 is a zero. `kind` is float, int, or bool, whose truth is 1."""

    node: int
    index: Array
    kind: str = "float"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape


Value = Tensor | Array


class Builder:
    """Adds nodes to a graph.

    Attributes:
        double: whether tensors may have double precision, so that a cast to single precision rounds.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.double = False

    def tensor(self, value: Value) -> Tensor:
        """A value as a tensor; a constant becomes a node."""
        if isinstance(value, Tensor):
            return value
        flat = real(value).ravel()
        self.double = self.double or value.dtype == np.float64
        return Tensor(self.graph.add(Linear((), (), flat)), np.arange(flat.size).reshape(value.shape))

    def whole(self, tensor: Tensor) -> int:
        """A node whose entries are the tensor's, in order."""
        index = tensor.index.ravel()
        size = self.graph.nodes[tensor.node].size
        if index.size == size and (index == np.arange(size)).all():
            return tensor.node
        return self.graph.add(Linear((tensor.node,), (Move(index, size),), np.zeros(index.size)))

    def linear(
        self, parts: list[tuple[int, Map]], bias: Array | None, shape: tuple[int, ...], slack: float = 0.0
    ) -> Tensor:
        """The value of a new linear node."""
        nodes, maps = tuple(k for k, _ in parts), tuple(m for _, m in parts)
        add = np.broadcast_to(0.0 if bias is None else bias, shape).astype(float).ravel()
        return Tensor(self.graph.add(Linear(nodes, maps, add, slack)), np.arange(add.size).reshape(shape))

    def moved(self, tensor: Tensor, factor: Value | float | None, bias: Value | None, slack: float = 0.0) -> Tensor:
        """Factor * tensor + bias, broadcast, entry by entry; `slack` is the factor's relative error."""
        given = [real(np.asarray(x)) for x in (factor, bias) if x is not None]
        shape = np.broadcast_shapes(tensor.shape, *(x.shape for x in given))
        index = np.broadcast_to(tensor.index, shape).ravel()
        by = None if factor is None else np.broadcast_to(given[0], shape).ravel()
        size = self.graph.nodes[tensor.node].size
        return self.linear([(tensor.node, Move(index, size, by, slack))], None if bias is None else given[-1], shape)

    def sum(self, *parts: Tensor, last: float = 1.0) -> Tensor:
        """All, broadcast, the last one times a factor."""
        shape = np.broadcast_shapes(*(x.shape for x in parts))
        maps: list[tuple[int, Map]] = []
        for k, x in enumerate(parts):
            index = np.broadcast_to(x.index, shape).ravel()
            by = np.full(index.size, last) if k == len(parts) - 1 and last != 1.0 else None
            maps.append((x.node, Move(index, self.graph.nodes[x.node].size, by)))
        return self.linear(maps, None, shape)

    def total(self, tensor: Tensor, factor: float = 1.0, slack: float = 0.0, bias: Array | None = None) -> Tensor:
        """The sum along the last axis, times a factor, plus a bias."""
        *before, count = tensor.shape
        by = Dense(np.full((1, count), factor), int(np.prod(before)), 1, slack)
        return self.linear([(self.whole(tensor), by)], bias, tuple(before))

    def function(self, kind: str, tensor: Tensor, name: str) -> Tensor:
        """A function of every entry; `name` is how proofs call what it is taken of; a step's value has one too."""
        operand = self.whole(tensor)
        self.graph.quantities[name] = operand
        number = self.graph.add(Function((operand,), kind, tensor.index.size, name))
        if kind in STEPS:
            self.graph.quantities[f"{name}.value"] = number
        return Tensor(number, np.arange(tensor.index.size).reshape(tensor.shape))

    def is_whole(self, tensor: Tensor) -> bool:
        """Whether all entries of the tensor's node are seen to be whole numbers."""
        waiting, seen = [tensor.node], {tensor.node}
        while waiting:
            node = self.graph.nodes[waiting.pop()]
            if isinstance(node, Input) or (isinstance(node, Function) and node.kind not in (*STEPS, "relu")):
                return False
            if isinstance(node, Linear):
                weights = [m.factor if isinstance(m, Move) else getattr(m, "weight", np.array(0.5)) for m in node.maps]
                numbers = [node.bias, *(w for w in weights if w is not None)]
                if node.slack or any(m.slack for m in node.maps) or any((w % 1).any() for w in numbers):
                    return False
            if not isinstance(node, Function) or node.kind == "relu":
                waiting += {*node.operands} - seen
                seen |= {*node.operands}
        return True

    def product(self, a: Tensor, b: Tensor, name: str) -> Tensor:
        """Both, broadcast, entry by entry."""
        if a.node == b.node and np.array_equal(a.index, b.index):
            return self.function("square", a, f"{name}.square")
        shape = np.broadcast_shapes(a.shape, b.shape)
        x, y = (self.whole(Tensor(t.node, np.broadcast_to(t.index, shape))) for t in (a, b))
        names = f"{name}.left", f"{name}.right"
        self.graph.quantities.update(zip(names, (x, y), strict=True))
        number = self.graph.add(Product((x, y), int(np.prod(shape)), names))
        return Tensor(number, np.arange(int(np.prod(shape))).reshape(shape))

    def joined(self, parts: list[Tensor], axis: int) -> Tensor:
        """One after another along an axis."""
        number = np.concatenate([np.full(p.shape, k) for k, p in enumerate(parts)], axis)
        index = np.concatenate([p.index for p in parts], axis)
        if len({p.node for p in parts}) == 1:
            return Tensor(parts[0].node, index)
        return self.sum(*(Tensor(p.node, np.where(number == k, index, -1)) for k, p in enumerate(parts)))


@dataclass(frozen=True, eq=False)
class Call:
    """One node of the model.

    Attributes:
        name: of its first output.
        outputs: how many it has.
        attributes: those that have not been asked for; what is left in the end is not known here.
    """

    build: Builder
    version: int
    name: str
    outputs: int
    operands: list[Value | None]
    attributes: dict[str, Any]

    def __getitem__(self, k: int) -> Value:
        value = self.operands[k] if self.has(k) else None
        if value is None:
            raise ValueError(f"operand {k} is missing")
        return value

    def has(self, k: int) -> bool:
        return k < len(self.operands) and self.operands[k] is not None

    def take(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.pop(name, default)

    def tensor(self, k: int) -> Tensor:
        return self.build.tensor(self[k])

    def constant(self, k: int, attribute: str = "") -> Array:
        """An operand, or in older versions an attribute, that must be constant."""
        if not self.has(k) and attribute in self.attributes:
            return np.asarray(self.take(attribute))
        value = self[k]
        if isinstance(value, Tensor):
            raise ValueError(f"operand {k} depends on the input")
        return np.asarray(value)

    def optional(self, k: int, attribute: str = "") -> Array | None:
        """The same, if it is there."""
        return self.constant(k, attribute) if self.has(k) or attribute in self.attributes else None

    @property
    def constants(self) -> list[Array] | None:
        """The operands, if all are constant."""
        found = [np.asarray(v) for v in self.operands if not isinstance(v, Tensor) and v is not None]
        return found if len(found) == len(self.operands) else None

    def function(self, kind: str, x: Tensor, name: str = "operand") -> Tensor:
        """A function, whose operand is called after the node."""
        return self.build.function(kind, x, f"{self.name}.{name}")


Operator = Callable[[Call], Any]
"""Gives an output's value, or a list of several."""


def real(value: Array) -> Array:
    """A constant beside the input, as doubles, which hold the numbers of all floating-point types."""
    if not (value.dtype in FLOATS or value.dtype.name == "bfloat16") or not np.isfinite(value).all():
        raise ValueError(f"a constant of type {value.dtype}, or not finite")
    return value.astype(np.float64)


def alike(values: Sequence[Value]) -> str:
    """What kind of tensor all of some values are."""
    kinds = {"b": "bool", "i": "int", "u": "int"}
    found = {v.kind if isinstance(v, Tensor) else kinds.get(v.dtype.kind, "float") for v in values}
    if len(found) != 1:
        raise ValueError("operands of several types")
    return found.pop()


def rearranged(value: Value, act: Callable[[Array], Array]) -> Value:
    """What moves entries of an array, done to a tensor's indices or to a constant."""
    return replace(value, index=act(value.index)) if isinstance(value, Tensor) else act(np.asarray(value))


def positions(axes: Any, rank: int) -> tuple[int, ...]:
    """Axes counted from the first, each once."""
    found = tuple(int(a) + rank if a < 0 else int(a) for a in axes)
    if len(set(found)) < len(found) or not all(0 <= a < rank for a in found):
        raise ValueError(f"axes {list(axes)} of {rank}")
    return found
