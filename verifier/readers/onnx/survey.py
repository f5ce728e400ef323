"""Every node of a model that is not read, not the first one alone.

Reading goes on behind such a node with a stand-in for what it would make, where the model's shapes can be inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from verifier.errors import ModelError
from verifier.readers.onnx.files import read_model_bytes
from verifier.readers.onnx.load import GraphReader
from verifier.readers.onnx.model import parse_model
from verifier.readers.onnx.tensors import Tensor, Variable

LARGEST = 1 << 26
"""Entries of the largest stand-in."""


@dataclass(frozen=True)
class Unread:
    """A node that is not read.

    Attributes:
        name: the node's, or its first output's.
        op: its operator.
        cause: why not.
    """

    name: str
    op: str
    cause: str


class UnknownTensor(ModelError):
    """A tensor whose shape is not known, as its node is not read."""


def unread_nodes(path: str | Path, outputs: Sequence[str] = ()) -> list[Unread]:
    """The nodes that are not read, of those that the outputs (all by default) need; in the order in which they run.

    Where the shape of what such a node makes is not known, nodes behind it count as read.

    Raises:
        VerifierError: the model cannot be read before its nodes are.
    """
    path = Path(path)
    model, _ = parse_model(read_model_bytes(path), path)
    reader = _Survey(model, path.name, tuple(outputs))
    reader.read_nodes()
    return list(dict.fromkeys(reader.found))


class _Survey(GraphReader):
    """Reads on behind nodes that are not read."""

    def __init__(self, model: onnx.ModelProto, name: str, wanted: tuple[str, ...]) -> None:
        super().__init__(model, name, wanted)
        self.found: list[Unread] = []
        self.shapes = _inferred(model)
        self.unknown: set[str] = set()

    def tensor(self, name: str, user: str) -> Tensor:
        if name in self.unknown:
            raise UnknownTensor(f"the shape of '{name}' is not known", self.name)
        return super().tensor(name, user)

    def lower(self, node: onnx.NodeProto) -> None:
        try:
            super().lower(node)
        except UnknownTensor:
            self._stand_in(node)
        except ModelError as error:
            name = node.name or next(iter(node.output), "")
            self.found.append(Unread(name, node.op_type, error.cause))
            self._stand_in(node)

    def _stand_in(self, node: onnx.NodeProto) -> None:
        for name in node.output:
            found = self.shapes.get(name)
            if found is None:
                self.unknown.add(name)
            elif name:
                made = self.builder.constant(np.zeros(found[0]))
                self.tensors[name] = Variable(made.node, made.shape, found[1])


def _inferred(model: onnx.ModelProto) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and types of the tensors for which ONNX infers them; a dynamic first dimension is 1."""
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except Exception:  # it raises many kinds on models that it does not like, and is of use without
        graph = model.graph
    found = {}
    for value in (*graph.value_info, *graph.output):
        kind = value.type.tensor_type
        if not kind.HasField("shape") or not kind.elem_type:
            continue
        dims = [d.dim_value if d.WhichOneof("value") == "dim_value" else 0 for d in kind.shape.dim]
        shape = tuple(max(n, 1) if k == 0 else n for k, n in enumerate(dims))
        if all(shape) and np.prod(shape, dtype=np.float64) <= LARGEST:
            found[value.name] = shape, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
    return found
