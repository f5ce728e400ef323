"""What a VNN-LIB 2.0 property declares of its networks: their inputs, hidden tensors and outputs, and how they are related."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from verifier.network.graph import Port

ELEMENTS = {"F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16", "Real": "", "Bool": "bool"}
ELEMENTS |= {f"{sign}{bits}": f"{name}{bits}" for sign, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)}
"""The element types that are read, by the parser's names, as a network's ports call them; real fits any."""

WITHIN = {"float16": ("float32", "float64"), "bfloat16": ("float32", "float64"), "float32": ("float64",)}
"""The float types that hold every number of a shorter one."""

_Node: TypeAlias = Any


@dataclass(frozen=True)
class Tensor:
    """A declared tensor.

    Attributes:
        name: what the property calls it.
        dtype: as a port calls it, empty for real numbers; the parser's own word where that type is not read.
        shape: empty for a single number.
        onnx_name: what the model calls it, where the property says so.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    onnx_name: str = ""

    @property
    def size(self) -> int:
        size = 1
        for length in self.shape:
            size *= length
        return size


@dataclass(frozen=True)
class Interface:
    """A declared network.

    Attributes:
        equal_to, isomorphic_to: the network that it is the same as, or the same as but for its weights; or empty.
    """

    name: str
    inputs: tuple[Tensor, ...]
    hidden: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    equal_to: str = ""
    isomorphic_to: str = ""


def interfaces_of(networks: tuple[_Node, ...]) -> tuple[Interface, ...]:
    """The declared networks of a syntax tree, in its order. That those related are alike has been seen by the parser."""
    return tuple(
        Interface(
            network.name,
            _tensors(network.inputs),
            _tensors(network.hidden),
            _tensors(network.outputs),
            network.equal_to,
            network.isometric_to,
        )
        for network in networks
    )


def _tensors(definitions: tuple[_Node, ...]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(d.name, ELEMENTS.get(d.dtype.name, d.dtype.name), tuple(d.shape), (d.onnx_name or "").strip('"'))
        for d in definitions
    )


def narrower(tensor: Tensor, port: Port) -> bool:
    """Whether a declared float type is a shorter one than the model's, so that the model takes all its numbers."""
    return port.dtype in WITHIN.get(tensor.dtype, ())
