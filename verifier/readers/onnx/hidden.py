"""A model with some of its hidden tensors among its outputs, so that they can be asked about like any other."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from verifier.errors import UsageError

MOST_NAMED = 12
"""Tensors that an error names at most."""


def with_outputs_of(content: bytes, names: Sequence[str], place: str) -> bytes:
    """The model with the tensors of these names among its outputs.

    Args:
        content: a serialised model with all its tensors.
        names: of outputs or of tensors that its nodes make.
        place: what messages call it.

    Raises:
        UsageError: there is no such tensor.
    """
    model = onnx.load_model_from_string(content)
    present = {value.name for value in model.graph.output}
    made = [name for node in model.graph.node for name in node.output if name]
    for name in names:
        if name not in present and name not in made:
            known = ", ".join([*present, *made][:MOST_NAMED])
            raise UsageError(f"no tensor is called '{name}'", place, f"give some of {known}, ...")
    wanted = [name for name in names if name not in present]
    if not wanted:
        return content
    types = {value.name: value for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    for name in wanted:
        model.graph.output.append(types.get(name) or onnx.helper.make_empty_tensor_value_info(name))
    return bytes(model.SerializeToString())
