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
