"""Which outputs a network has where nobody says: all of them, but for labels beside scores.

Classifiers often tell the label beside the scores. It is what the scores say anyway, and where a class is asked about,
scores and labels must not be mixed up. So where one output is left without labels, that is the network's, unless others
are chosen by name; where an output cannot be read, the error says which others can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import onnx
from onnx import TensorProto

from verifier.errors import ModelError
from verifier.network.graph import Label, Network

MOST_TRIED = 8
"""Other outputs that are tried out for a hint."""

LABELS = frozenset(
    {
        *(TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64, TensorProto.STRING),
        *(TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64),
    }
)
"""Types of labels: numbers of classes, or their names."""

Read: TypeAlias = Callable[[tuple[str, ...]], Network]
"""Reads the network with the outputs of these names; with all of them where there is no name."""


def with_outputs(graph: onnx.GraphProto, wanted: tuple[str, ...], read: Read) -> Network:
    """The network with the outputs `wanted`, or, where none are, with those that are read by default.

    Raises:
        ModelError: an output cannot be read; the message says which others can.
    """
    labels = [value for value in graph.output if _is_label(value)]
    scores = [value.name for value in graph.output if not _is_label(value)]
    if not wanted and labels and len(scores) == 1:
        network = read((scores[0],))
        return replace(network, labels=_places(graph, network), note=_note(scores[0], labels))
    try:
        return read(wanted)
    except ModelError as error:
        tried = wanted if len(wanted) > 1 else ()
        others = (*tried, *(value.name for value in graph.output if value.name not in wanted))
        readable = [name for name in others[:MOST_TRIED] if len(graph.output) > 1 and _can_read(name, read)]
        if not readable:
            raise
        hint = f"read {' or '.join(f'outputs={name}' for name in readable)} alone"
        fix = f"{error.fix}, or {hint}" if error.fix else hint
        raise ModelError(error.cause, error.place, fix) from None


def _is_label(value: onnx.ValueInfoProto) -> bool:
    return value.type.WhichOneof("value") == "tensor_type" and value.type.tensor_type.elem_type in LABELS


def _can_read(name: str, read: Read) -> bool:
    try:
        read((name,))
    except ModelError:
        return False
    return True


def _note(name: str, labels: Sequence[onnx.ValueInfoProto]) -> str:
    others = ", ".join(f"'{value.name}'" for value in labels)
    return f"only output '{name}' is read: {others} {'is a label' if len(labels) == 1 else 'are labels'}"


def _places(graph: onnx.GraphProto, network: Network) -> tuple[Label, ...]:
    """The labels that the network lacks; none where the size of one is not known."""
    places: list[Label] = []
    start = 0
    for value in graph.output:
        size = _size(value) if _is_label(value) else network.output_size
        if size is None:
            return ()
        if _is_label(value):
            places.append(Label(value.name, size, start))
        start += size
    return tuple(places)


def _size(value: onnx.ValueInfoProto) -> int | None:
    """How many entries a label has as declared, a dynamic first dimension being 1; None where that is not said."""
    shape = value.type.tensor_type.shape
    if not value.type.tensor_type.HasField("shape"):
        return None
    size = 1
    for axis, dim in enumerate(shape.dim):
        if dim.WhichOneof("value") == "dim_value" and dim.dim_value > 0:
            size *= dim.dim_value
        elif axis:
            return None
    return size
