"""What the ONNX standard says of an operator in a version: which inputs and attributes it takes.

Every node is held against it before it is lowered, so lowerings can rely on required inputs, on attribute types and on
defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import onnx
from onnx import AttributeProto, helper


@dataclass(frozen=True)
class Schema:
    """An operator of the standard set, in the version that an operator set fixes.

    Attributes:
        since: the operator set in which this version of the operator appeared.
        types: for each attribute its AttributeProto type.
        defaults: the values of attributes that a node may leave out and that have a default.
        least, most: how many inputs it takes.
        required: attributes that must be given.
    """

    since: int
    types: dict[str, int]
    defaults: dict[str, Any]
    least: int
    most: int
    required: frozenset[str]


@lru_cache(maxsize=512)
def schema_of(op: str, opset: int, domain: str) -> Schema | None:
    """The schema of an operator as `opset` knows it, or None where it knows none (or has deprecated it)."""
    try:
        found = onnx.defs.get_schema(op, opset, domain)
    except onnx.defs.SchemaError:
        return None
    attributes = found.attributes
    return Schema(
        since=found.since_version,
        types={
            name: int(a.type.value)  # type: ignore[attr-defined]
            for name, a in attributes.items()
        },
        defaults={name: attribute_value(a.default_value) for name, a in attributes.items() if a.default_value.name},
        least=found.min_input,
        most=found.max_input,
        required=frozenset(name for name, a in attributes.items() if a.required),
    )


def attribute_value(attribute: AttributeProto) -> Any:
    """The attribute's value: float, int, str, a list of them, or a TensorProto."""
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if attribute.type == AttributeProto.STRINGS:
        return [v.decode("utf-8", errors="replace") for v in value]
    return list(value) if attribute.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value
