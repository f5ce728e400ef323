"""Operators that the standard defines by others: what has no lowering of its own is read as that definition says.

The definition is that of exactly the version that the model means, so nothing is guessed of later ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, helper

from verifier.readers.onnx.checks import subgraphs
from verifier.readers.onnx.tensors import Tensor


def function_body(node: NodeProto, opset: int, operands: Sequence[Tensor | None]) -> tuple[GraphProto, int] | None:
    """The graph that does what a node does, and the operator set that it is written in; None where there is none.

    Its inputs and outputs are those of the node that are given, in order.
    """
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    function = _definition(schema, node, operands)
    if function is None:
        return None
    given = {name for name, operand in zip(function.input, operands, strict=False) if operand is not None}
    graph = GraphProto(name=node.op_type)
    graph.input.extend(onnx.ValueInfoProto(name=name) for name in function.input if name in given)
    wanted = [name for name, out in zip(function.output, node.output, strict=False) if out]
    graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    values = _attributes(schema, node)
    missing = set(function.input) - given
    graph.node.extend(_bound(inner, values, missing) for inner in function.node)
    written = max((entry.version for entry in function.opset_import if not entry.domain), default=opset)
    return graph, written


def _definition(schema: Any, node: NodeProto, operands: Sequence[Tensor | None]) -> FunctionProto | None:
    """The newest definition that is written for the schema's version or before a later one."""
    if schema.has_function:
        data = schema.get_function_with_opset_version(max(schema.function_opset_versions))
    elif schema.has_context_dependent_function:
        types = [_type(operand) for operand in operands]
        versions = schema.context_dependent_function_opset_versions
        data = schema.get_context_dependent_function_with_opset_version(max(versions), node.SerializeToString(), types)
    else:
        return None
    function = FunctionProto()
    function.ParseFromString(data)
    return function if function.node else None


def _type(operand: Tensor | None) -> bytes:
    if operand is None:
        return onnx.TypeProto().SerializeToString()
    number = onnx.TensorProto.FLOAT if operand.dtype is None else helper.np_dtype_to_tensor_dtype(operand.dtype)
    return helper.make_tensor_type_proto(number, operand.shape).SerializeToString()


def _attributes(schema: onnx.defs.OpSchema, node: NodeProto) -> dict[str, AttributeProto]:
    """The attributes that the node gives, and the defaults of the others."""
    values = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
    values.update((a.name, a) for a in node.attribute)
    return values


def _bound(node: NodeProto, values: dict[str, AttributeProto], missing: set[str]) -> NodeProto:
    """A node of the definition with the attributes that it takes from outside, and without operands left out."""
    bound = NodeProto()
    bound.CopyFrom(node)
    bound.ClearField("attribute")
    for attribute in node.attribute:
        value = values.get(attribute.ref_attr_name) if attribute.ref_attr_name else attribute
        if value is not None:
            made = bound.attribute.add()
            made.CopyFrom(value)
            made.name = attribute.name
    bound.input[:] = ["" if name in missing else name for name in node.input]
    for graph in subgraphs(bound):
        inner = [_bound(n, values, missing) for n in graph.node]
        graph.ClearField("node")
        graph.node.extend(inner)
    return bound
