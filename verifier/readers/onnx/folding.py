"""Nodes whose operands are all known are computed by ONNX Runtime, in the model's own precision."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from verifier.errors import ModelError
from verifier.readers.onnx.tensors import Tensor
from verifier.readers.onnx.types import type_named
from verifier.runtime import run, session_of, widened, with_float32_ports

RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
"""Operators that have no one value, even where all their operands are known."""


def can_fold(node: onnx.NodeProto, operands: tuple[Tensor | None, ...]) -> bool:
    """Whether the node has one value that a runtime can compute now."""
    has_subgraph = any(a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute)
    known = all(o is None or isinstance(o, np.ndarray) for o in operands)
    return known and node.domain in ("", "ai.onnx") and node.op_type not in RANDOM and not has_subgraph


def fold(node: onnx.NodeProto, operands: tuple[Tensor | None, ...], opset: int) -> list[np.ndarray]:
    """The node's outputs, in the order in which it names them.

    Raises:
        ValueError: the runtime refuses the node.
    """
    node = _without_trailing_gaps(node)
    given = {name: np.asarray(o) for name, o in zip(node.input, operands, strict=False) if name}
    wanted = [name for name in node.output if name]
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in given.items()
    ]
    outputs = [helper.make_empty_tensor_value_info(name) for name in wanted]
    graph = helper.make_graph([node], "fold", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    try:
        if _has_bfloat16(node, given):
            values = _with_bfloat16(model, given)
        else:
            made = run(session_of(model.SerializeToString(), "it"), wanted, given, "it")
            values = dict(zip(wanted, made, strict=True))
    except ModelError as error:
        raise ValueError(error.cause) from None
    return [np.asarray(values[name]) if name else np.zeros(0) for name in node.output]


def _has_bfloat16(node: onnx.NodeProto, given: dict[str, np.ndarray]) -> bool:
    """Whether a node may take or make numbers of a type for which the runtime has no arrays."""
    made = any(a.name in ("to", "dtype") and a.i == TensorProto.BFLOAT16 for a in node.attribute)
    return made or any(value.dtype.name == "bfloat16" for value in given.values())


def _with_bfloat16(model: onnx.ModelProto, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What a model of one node makes of constants, by the outputs' names, with float32 in the runtime's arrays."""
    inferred = onnx.shape_inference.infer_shapes(model)
    short = {v.name for v in inferred.graph.output if v.type.tensor_type.elem_type == TensorProto.BFLOAT16}
    wanted = {v.name: widened(v.name) if v.name in short else v.name for v in inferred.graph.output}
    feed = {name: value for name, value in given.items() if value.dtype.name != "bfloat16"}
    feed |= {widened(name): value.astype(np.float32) for name, value in given.items() if name not in feed}
    session = session_of(with_float32_ports(inferred.SerializeToString()), "it")
    values = dict(zip(wanted, run(session, list(wanted.values()), feed, "it"), strict=True))
    return {name: value.astype(type_named("bfloat16")) if name in short else value for name, value in values.items()}


def _without_trailing_gaps(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node without empty names at the end of its operands, on which some of the runtime's kernels crash."""
    kept = onnx.NodeProto()
    kept.CopyFrom(node)
    while kept.input and not kept.input[-1]:
        del kept.input[-1]
    return kept
