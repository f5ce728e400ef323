"""A network as a directed acyclic graph of three kinds of node.

Every value is a flat vector: node k of a batch of N subproblems has shape (N, sizes[k]). Reshapes therefore vanish,
and a linear map alone knows the shapes it needs inside. Nodes are in topological order and refer to their operands by
index; node 0 is the input, all model inputs concatenated; the last node is the output, likewise concatenated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.network.functions.base import ScalarFunction
from verifier.network.linear_maps import LinearMap

if TYPE_CHECKING:
    from verifier.network.affine_forms import Form
    from verifier.network.shares import Shares


COARSENESS = ("", "float16", "bfloat16").index
"""The order of `Network.rounds_to`, by how much a type rounds off."""


@dataclass(frozen=True)
class Input:
    """The network's input, a vector of `size` entries."""

    size: int
    operands: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Affine:
    """y = sum_i maps[i](x[operands[i]]) + bias; with no operands, a constant.

    Attributes:
        operands, maps: as many of one as of the other.
        bias: shape (size,).
        bias_magnitude: what the terms of which the bias was computed add up to in absolute value, shape (size,): |bias|
            for a bias as stored in the model, more where a pass has summed it up. Bounds cover its rounding by it.
    """

    operands: tuple[int, ...]
    maps: tuple[LinearMap, ...]
    bias: Array = field(repr=False)
    bias_magnitude: Array = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.bias_magnitude is None:
            object.__setattr__(self, "bias_magnitude", namespace(self.bias).abs(self.bias))

    @property
    def size(self) -> int:
        return int(self.bias.shape[0])


@dataclass(frozen=True)
class Elementwise:
    """y = function(x[operands[0]]), entry by entry."""

    operands: tuple[int]
    function: ScalarFunction
    size: int


@dataclass(frozen=True)
class Product:
    """y = x[operands[0]] * x[operands[1]], entry by entry."""

    operands: tuple[int, int]
    size: int


Node: TypeAlias = Input | Affine | Elementwise | Product


@dataclass(frozen=True)
class Port:
    """A named input or output of the model: its part of the concatenated vector has prod(shape) entries, row-major.

    Attributes:
        batch, row: where the network is one row of a model for a fixed batch, how many rows the model takes along the
            first dimension and which one this is; `shape` has a first dimension of 1 then.
        numbers: a shorter float type whose numbers alone are asked about; empty where all of its own are.
        hidden: whether it is a tensor within the model that is asked about, rather than one of its own outputs.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    batch: int = 1
    row: int = 0
    hidden: bool = False
    numbers: str = ""

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def integral(self) -> bool:
        """Whether its entries are of an integer type, or booleans, which are 0 and 1."""
        return self.dtype.startswith(("int", "uint", "bool"))


def type_ends(dtype: str) -> tuple[float, float]:
    """The least and the greatest number of an integer type, or of booleans; floats stand for all real numbers."""
    if dtype == "bool":
        return 0.0, 1.0
    if dtype.startswith(("int", "uint")):
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return -np.inf, np.inf


@dataclass(frozen=True)
class Label:
    """An output of the model that its network lacks: it says which class, and nothing is asked about it.

    Attributes:
        start: where its entries begin among those of all outputs of the model.
    """

    name: str
    size: int
    start: int


@dataclass(frozen=True, eq=False)
class Network:
    """An immutable network; what every method verifies.

    Attributes:
        nodes: in topological order; the first is the `Input`, the last is the output.
        inputs, outputs: the model's ports, in its order, concatenated in node 0 and the last node.
        name: for messages.
        model: the serialised ONNX model that the network was read from, for replays; empty for a network made in
            memory.
        may_overflow: whether the model, as it is written, may come to infinity or NaN in floats where this network, the
            same function of real numbers, does not.
        rounds_to: float16 or bfloat16 where the model rounds any of its results to it, the coarser of both; empty for
            float32 and float64.
        labels: outputs of the model that the network lacks.
        note: what a user should know of how the model was read, e.g. which of its outputs were.
        parts: the networks that this one is made of side by side (`network.joint`), each with its own model, which
            replays run; empty for a network of one model.
        source: the file that this is all of, or None. What is made from a network has none, nor has part of a model.

    Raises:
        ValueError: on construction, where an invariant is broken.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    name: str = "network"
    model: bytes = field(default=b"", repr=False)
    may_overflow: bool = False
    rounds_to: str = ""
    labels: tuple[Label, ...] = ()
    note: str = ""
    parts: tuple[Network, ...] = field(default=(), repr=False)
    source: Path | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.nodes or not isinstance(self.nodes[0], Input):
            raise ValueError("node 0 must be the Input")
        for k, node in enumerate(self.nodes[1:], start=1):
            if isinstance(node, Input):
                raise ValueError(f"node {k}: a second Input")
            if any(not 0 <= i < k for i in node.operands):
                raise ValueError(f"node {k}: operands {node.operands} are not earlier nodes")
            _check_sizes(k, node, [self.nodes[i].size for i in node.operands])
        if not self.inputs:
            object.__setattr__(self, "inputs", (Port("X", (self.input_size,)),))
        if not self.outputs:
            object.__setattr__(self, "outputs", (Port("Y", (self.output_size,)),))
        if sum(p.size for p in self.inputs) != self.input_size or sum(p.size for p in self.outputs) != self.output_size:
            raise ValueError("the ports do not add up to the sizes of input and output")

    def read_from(self, source: Path) -> Network:
        """The network itself, which remembers its file from now on."""
        object.__setattr__(self, "source", source)
        return self

    @property
    def has_model(self) -> bool:
        """Whether it was read from a model, or all of its parts were, so that inputs can be replayed."""
        return bool(self.model) or (bool(self.parts) and all(part.has_model for part in self.parts))

    @property
    def input_size(self) -> int:
        return self.nodes[0].size

    @property
    def output_size(self) -> int:
        return self.nodes[-1].size

    @cached_property
    def ranges(self) -> dict[int, Form]:
        """What more is known of affine nodes, by index, than intervals of their operands tell (`network.ranges`)."""
        from verifier.network.ranges import ranges_of

        return ranges_of(self)

    @cached_property
    def limits(self) -> dict[int, np.ndarray]:
        """What entries of nodes, by index, never exceed in size (`network.normalised`, `network.partitions`)."""
        from verifier.network.normalised import limits_of
        from verifier.network.partitions import limits_of_shares

        return limits_of(self) | limits_of_shares(self)

    @cached_property
    def shares(self) -> dict[int, Shares]:
        """Which entries of nodes, by index, add up to 1 (`network.partitions`)."""
        from verifier.network.partitions import partitions_at
        from verifier.network.shares import Shares

        found = {k: partitions_at(self, k) for k in range(len(self.nodes))}
        return {k: Shares.of(partitions) for k, partitions in found.items() if partitions is not None}

    def values(self, x: Array) -> list[Array]:
        """The value of every node at the inputs `x` of shape (N, input_size); each of shape (N, node.size)."""
        values = [x]
        for node in self.nodes[1:]:
            values.append(evaluate(node, [values[i] for i in node.operands], x))
        return values

    def forward(self, x: Array) -> Array:
        """The outputs, shape (N, output_size), at the inputs `x` of shape (N, input_size)."""
        last_use = {i: k for k, node in enumerate(self.nodes) for i in node.operands}
        values: dict[int, Array] = {0: x}
        for k, node in enumerate(self.nodes[1:], start=1):
            values[k] = evaluate(node, [values[i] for i in node.operands], x)
            for i in set(node.operands):
                if last_use[i] == k:
                    del values[i]
        return values[len(self.nodes) - 1]

    def like(self, example: Array) -> Network:
        """The same network with its weights in the array library, device and dtype of `example`."""
        convert = convert_like(example)

        def converted(node: Node) -> Node:
            if not isinstance(node, Affine):
                return node
            maps = tuple(m.converted(convert) for m in node.maps)
            bias, magnitude = convert(to_numpy(node.bias)), convert(to_numpy(node.bias_magnitude))
            return Affine(node.operands, maps, bias, magnitude)

        return replace(self, nodes=tuple(converted(node) for node in self.nodes))

    def with_torch(self) -> Network:
        """The same network, its convolutions of NumPy's arrays computed by torch's kernels."""

        def hastened(node: Node) -> Node:
            return replace(node, maps=tuple(m.with_torch() for m in node.maps)) if isinstance(node, Affine) else node

        return replace(self, nodes=tuple(hastened(node) for node in self.nodes))


def evaluate(node: Node, operands: Sequence[Array], x: Array) -> Array:
    """The value of one node; `x`, the batch of network inputs, gives a constant node its batch size."""
    if isinstance(node, Affine):
        xp = namespace(x)
        total = xp.broadcast_to(node.bias, (x.shape[0], node.size))
        for linear_map, operand in zip(node.maps, operands, strict=True):
            total = total + linear_map.apply(operand)
        return total
    if isinstance(node, Elementwise):
        return node.function.value(operands[0])
    if isinstance(node, Product):
        return operands[0] * operands[1]
    raise TypeError(f"an Input has no rule of evaluation: {node}")


def _check_sizes(k: int, node: Node, sizes: list[int]) -> None:
    if isinstance(node, Affine):
        if len(node.maps) != len(sizes):
            raise ValueError(f"node {k}: {len(node.maps)} maps for {len(sizes)} operands")
        for linear_map, size in zip(node.maps, sizes, strict=True):
            if linear_map.in_size != size or linear_map.out_size != node.size:
                raise ValueError(f"node {k}: {linear_map} does not take {size} entries to {node.size}")
    elif any(size != node.size for size in sizes):
        raise ValueError(f"node {k}: operands of {sizes} entries for a node of {node.size}")
