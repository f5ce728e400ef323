"""A network as the checker sees it: flat vectors, linear nodes, functions of one number, products of two."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from verifier.checker.linear import Array, Map


class Unreadable(Exception):
    """A file is not what it should be, or holds what this checker does not know; the text says what and where."""


@dataclass(frozen=True, eq=False)
class Input:
    """The inputs, `size` of them."""

    size: int
    operands: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Linear:
    """y = sum_i maps[i](x[operands[i]]) + bias; `slack` is the bias's own relative error."""

    operands: tuple[int, ...]
    maps: tuple[Map, ...]
    bias: Array
    slack: float = 0.0

    @property
    def size(self) -> int:
        return len(self.bias)


@dataclass(frozen=True, eq=False)
class Function:
    """y = kind(x), entry by entry; `name` is what proofs call its operand."""

    operands: tuple[int]
    kind: str
    size: int
    name: str


@dataclass(frozen=True, eq=False)
class Product:
    """y = x x', entry by entry; `names` are what proofs call its operands."""

    operands: tuple[int, int]
    size: int
    names: tuple[str, str]


Node = Input | Linear | Function | Product


def renumbered(node: Node, number: Mapping[int, int]) -> Node:
    """The same node where its operands have other numbers."""
    operands = [number[i] for i in node.operands]
    if isinstance(node, Input):
        return node
    if isinstance(node, Linear):
        return replace(node, operands=tuple(operands))
    if isinstance(node, Function):
        return replace(node, operands=(operands[0],))
    return replace(node, operands=(operands[0], operands[1]))


@dataclass(eq=False)
class Graph:
    """Nodes in an order in which operands come first; node 0 is the `Input`.

    Attributes:
        output: the node whose value is the output.
        quantities: for each name that proofs may cut at, the node whose entries are cut; "" is the input.
    """

    nodes: list[Node]
    output: int = 0
    quantities: dict[str, int] = field(default_factory=lambda: {"": 0})

    def add(self, node: Node) -> int:
        """Appends a node; its number."""
        self.nodes.append(node)
        return len(self.nodes) - 1
