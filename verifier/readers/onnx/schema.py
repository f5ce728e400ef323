"""What the ONNX standard says of an operator in a version: which inputs and attributes it takes.

Every node is held against it before it is lowered, so lowerings can rely on required inputs, on attribute types and on
defaults.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import onnx
from onnx import AttributeProto, helper

from verifier.readers.onnx.standard import Schema, standard_schema


@lru_cache(maxsize=512)
def schema_of(op: str, opset: int, domain: str = "") -> Schema | None:
    """The schema of an operator of the standard's domains as `opset` knows it, or None where it knows none."""
    return standard_schema(op, opset, domain) or library_schema(op, opset, domain)


def library_schema(op: str, opset: int, domain: str = "") -> Schema | None:
    """The same from the onnx library's own registry, which takes a while to load."""
    try:
        found = onnx.defs.get_schema(op, opset, domain)
    except (onnx.defs.SchemaError, TypeError):  # a name that is no UTF-8 is read as bytes
        return None
    attributes = found.attributes
    return Schema(
        since=found.since_version,
        least=found.min_input,
        most=found.max_input,
        types={name: int(a.type.value) for name, a in attributes.items()},  # type: ignore[attr-defined]
        defaults={name: attribute_value(a.default_value) for name, a in attributes.items() if a.default_value.name},
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
