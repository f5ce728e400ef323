"""Outputs that are sequences of maps (ZipMap), as scikit-learn's converters make them: the tensor under them counts."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper

from verifier.readers.onnx.standard import CLASSICAL

PLAIN_OPSET = 13
"""Imported where a model has none of the standard operators, for the one that copies a tensor."""


def with_tensors_for_maps(model: onnx.ModelProto) -> bytes:
    """The serialised model with each output that is made of maps the tensor that they are made of, under its old name.

    The rest is what it was: a replay computes what the model does. Empty where no output is made of maps.
    """
    makers = {name: k for k, node in enumerate(model.graph.node) if _is_zip_map(node) for name in node.output}
    if not any(value.name in makers for value in model.graph.output):
        return b""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for value in changed.graph.output:
        if value.name in makers:
            old = changed.graph.node[makers[value.name]]
            old.CopyFrom(helper.make_node("Identity", list(old.input), list(old.output), old.name))
            value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, None))
    if not any(entry.domain in ("", "ai.onnx") for entry in changed.opset_import):
        changed.opset_import.append(helper.make_opsetid("", PLAIN_OPSET))
    return changed.SerializeToString()


def _is_zip_map(node: onnx.NodeProto) -> bool:
    return node.domain == CLASSICAL and node.op_type == "ZipMap"
