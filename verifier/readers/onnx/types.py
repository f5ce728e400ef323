"""Which type an operator's outputs have: integers divide, compare and cast otherwise than floats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import TensorProto, helper

from verifier.readers.onnx.tensors import Tensor, Variable

BOOLEAN = frozenset(
    {"And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor"}
)
"""Operators whose outputs are true or false."""

INTEGER = frozenset({"ArgMax", "ArgMin", "NonZero", "Shape", "Size"})
"""Operators whose outputs are int64."""

FOLLOWED = {"Where": 1, "OneHot": 2, "CastLike": 1}
"""Operators whose outputs have the type of another operand than the first."""

EXACT = frozenset(
    {
        "Abs", "Clip", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
        "GlobalMaxPool", "Identity", "If", "Loop", "Max", "MaxPool", "Min", "Neg", "Pad", "Relu", "Reshape", "Scan",
        "ScatterElements", "ScatterND", "Sign", "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose",
        "Unsqueeze", "Where",
    }
)  # fmt: skip
"""Operators that round nothing of their own: they pick, move or negate entries, or hold others that round."""

LIMITS: dict[int, tuple[float, float]] = {
    kind: (float(np.iinfo(dtype).min), float(np.iinfo(dtype).max))
    for kind, dtype in (
        (TensorProto.INT8, np.int8),
        (TensorProto.INT16, np.int16),
        (TensorProto.INT32, np.int32),
        (TensorProto.INT64, np.int64),
        (TensorProto.UINT8, np.uint8),
        (TensorProto.UINT16, np.uint16),
        (TensorProto.UINT32, np.uint32),
        (TensorProto.UINT64, np.uint64),
    )
}
"""The least and the greatest number of each integer type."""


def type_named(name: str) -> np.dtype:
    """The type that a port names, as onnx's own arrays have it."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16) if name == "bfloat16" else name)


def rounded_to(op: str, result: Tensor | None) -> str:
    """Float16 or bfloat16 where an operator rounds a result that depends on the input to it, else nothing."""
    if op in EXACT or not isinstance(result, Variable) or result.dtype is None:
        return ""
    return result.dtype.name if result.dtype.name in ("float16", "bfloat16") else ""


def typed(
    op: str, attributes: dict[str, Any], operands: Sequence[Tensor | None], results: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """The results of an operator, those that have no type yet with the one that the standard gives them."""
    kinds = [_dtype(op, attributes, operands)] * len(results)
    if op == "TopK" and len(kinds) > 1:
        kinds[1] = np.dtype(np.int64)
    return tuple(
        replace(result, dtype=kind) if isinstance(result, Variable) and result.dtype is None else result
        for result, kind in zip(results, kinds, strict=True)
    )


def _dtype(op: str, attributes: dict[str, Any], operands: Sequence[Tensor | None]) -> np.dtype:
    if op in BOOLEAN:
        return np.dtype(bool)
    if op in INTEGER:
        return np.dtype(np.int64)
    if op == "Cast":
        return np.dtype(helper.tensor_dtype_to_np_dtype(attributes["to"]))
    followed = operands[FOLLOWED.get(op, 0) :]
    known = [o.dtype for o in followed if o is not None and o.dtype is not None]
    return np.dtype(known[0]) if known else np.dtype(np.float32)
