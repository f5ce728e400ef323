"""Tensors within a model that are asked about: they become outputs of it, of the one that is read and the one replayed."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from verifier.errors import UsageError


def with_hidden(
    model: onnx.ModelProto, data: bytes, names: Sequence[str], place: str
) -> tuple[onnx.ModelProto, bytes, tuple[str, ...]]:
    """The model, its serialised form with the same further outputs, and what those outputs are called, in order.

    Args:
        model: as it is read.
        data: as it is replayed.
        names: of tensors, or of nodes with one output.

    Raises:
        UsageError: a name is that of nothing in the model, or of a node with several outputs.
    """
    tensors = tuple(_tensor(model.graph, name, place) for name in names)
    known = {value.name for value in model.graph.output}
    added = [name for name in dict.fromkeys(tensors) if name not in known]
    if not added:
        return model, data, tensors
    types = _types(model)
    outputs = [_output(name, types.get(name, TensorProto.UNDEFINED)) for name in added]
    replayed = onnx.load_model_from_string(data)
    replayed.graph.output.extend(outputs)
    model.graph.output.extend(outputs)
    return model, replayed.SerializeToString(), tensors


def output_names(model: onnx.ModelProto) -> tuple[str, ...]:
    """What a model's outputs are called, in its order."""
    return tuple(value.name for value in model.graph.output)


def _tensor(graph: onnx.GraphProto, name: str, place: str) -> str:
    made = [output for node in graph.node for output in node.output]
    if name in made or name in {value.name for value in graph.input}:
        return name
    of_node = [[o for o in node.output if o] for node in graph.node if node.name == name]
    if len(of_node) == 1 and len(of_node[0]) == 1:
        return of_node[0][0]
    cause = f"the node '{name}' has several outputs" if len(of_node) == 1 else f"no tensor or node is called '{name}'"
    raise UsageError(cause, place, "name the tensor, as `verifier info` or an ONNX viewer shows it")


def _types(model: onnx.ModelProto) -> dict[str, int]:
    """The element types of the tensors that are known without running anything."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    return {value.name: value.type.tensor_type.elem_type for value in values}


def _output(name: str, kind: int) -> onnx.ValueInfoProto:
    if kind == TensorProto.UNDEFINED:
        return onnx.ValueInfoProto(name=name)
    return helper.make_tensor_value_info(name, kind, None)
