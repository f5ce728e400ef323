"""What a VNN-LIB 2.0 property declares of networks: inputs, hidden tensors, outputs, and how they are related."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from verifier.network.graph import Port

ELEMENTS = {"F16": "float16", "F32": "float32", "F64": "float64", "BF16": "bfloat16", "Real": "", "Bool": "bool"}
ELEMENTS |= {
    f"{sign}{bits}": f"{name}{bits}" for sign, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
}
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


def interfaces_of(networks: tuple[_Node, ...], isomorphic: Mapping[str, str]) -> tuple[Interface, ...]:
    """The declared networks of a syntax tree, in its order.

    Args:
        networks: of the tree; the parser has seen to it that equal ones are declared alike.
        isomorphic: for networks declared so, which one they are isomorphic to.

    Raises:
        ValueError: what is wrong with the latter.
    """
    found = tuple(
        Interface(
            network.name,
            _tensors(network.inputs),
            _tensors(network.hidden),
            _tensors(network.outputs),
            network.equal_to,
            isomorphic.get(network.name, ""),
        )
        for network in networks
    )
    for number, interface in enumerate(found):
        if interface.isomorphic_to:
            _check_isomorphic(interface, found[:number])
    return found


def _check_isomorphic(interface: Interface, before: Sequence[Interface]) -> None:
    other = next((i for i in before if i.name == interface.isomorphic_to), None)
    said = f"{interface.name} is declared isomorphic to {interface.isomorphic_to}, which"
    if other is None:
        raise ValueError(f"{said} is not declared before it")
    if interface.equal_to or other.isomorphic_to or other.equal_to:
        raise ValueError(f"{said} is itself related to another, or {interface.name} is twice")
    for kind in ("inputs", "outputs"):
        if [t.shape for t in getattr(interface, kind)] != [t.shape for t in getattr(other, kind)]:
            raise ValueError(f"{said} has other {kind}")
    shapes = {tensor.onnx_name: tensor.shape for tensor in other.hidden}
    for tensor in interface.hidden:
        if shapes.get(tensor.onnx_name, tensor.shape) != tensor.shape:
            raise ValueError(f"{said} has the hidden tensor {tensor.onnx_name} in another shape")


def _tensors(definitions: tuple[_Node, ...]) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(d.name, ELEMENTS.get(d.dtype.name, d.dtype.name), tuple(d.shape), (d.onnx_name or "").strip('"'))
        for d in definitions
    )


def narrower(tensor: Tensor, port: Port) -> bool:
    """Whether a declared float type is a shorter one than the model's, so that the model takes all its numbers."""
    return port.dtype in WITHIN.get(tensor.dtype, ())
