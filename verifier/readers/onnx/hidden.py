"""Tensors within a model that are asked about: they become outputs of it, as it is read and as it is replayed."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from verifier.errors import UsageError


def with_hidden(model: onnx.ModelProto, data: bytes, names: Sequence[str], place: str) -> bytes:
    """Makes tensors outputs of a model as it is read, in place, and of it as it is replayed, which is returned.

    Args:
        model: as it is read.
        data: as it is replayed, serialised.
        names: of the tensors; those that are outputs already stay.

    Raises:
        UsageError: no tensor is called so.
    """
    for name in names:
        _check(model.graph, name, place)
    known = output_names(model)
    added = [name for name in dict.fromkeys(names) if name not in known]
    if not added:
        return data
    types = _types(model)
    outputs = [_output(name, types.get(name, TensorProto.UNDEFINED)) for name in added]
    replayed = onnx.load_model_from_string(data)
    replayed.graph.output.extend(outputs)
    model.graph.output.extend(outputs)
    return bytes(replayed.SerializeToString())


def output_names(model: onnx.ModelProto) -> tuple[str, ...]:
    """What a model's outputs are called, in its order."""
    return tuple(value.name for value in model.graph.output)


def _check(graph: onnx.GraphProto, name: str, place: str) -> None:
    made = {output for node in graph.node for output in node.output} | {value.name for value in graph.input}
    if name in made:
        return
    outputs = [o for node in graph.node if node.name == name for o in node.output if o]
    fix = f"of the node of that name say which tensor: {', '.join(outputs)}" if outputs else "name a node's output"
    raise UsageError(f"no tensor is called '{name}'", place, fix)


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """The element types of the tensors that are known without running anything."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def _output(name: str, kind: int) -> onnx.ValueInfoProto:
    if kind == TensorProto.UNDEFINED:
        return onnx.ValueInfoProto(name=name)
    return helper.make_tensor_value_info(name, kind, None)


def with_outputs_of(content: bytes, names: Sequence[str], place: str) -> bytes:
    """A serialised model with tensors of these names among its outputs; `with_hidden` says what is raised."""
    return with_hidden(onnx.load_model_from_string(content), content, names, place)
