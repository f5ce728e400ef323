"""Which operators of the standard are read: those with a lowering, those that hold graphs, those defined by others."""

from __future__ import annotations

from typing import Any

import onnx

from verifier.readers.onnx import lowerings  # noqa: F401 - registers the lowerings
from verifier.readers.onnx.control import HOLDERS
from verifier.readers.onnx.folding import RANDOM
from verifier.readers.onnx.registry import supported_operators
from verifier.readers.onnx.standard import NEWEST


def all_operators() -> list[str]:
    """The names of the standard's own domain, sorted."""
    read = {*supported_operators(), *HOLDERS}
    return sorted(read | defined_operators(read))


def defined_operators(read: set[str]) -> set[str]:
    """Those that have no lowering and are read by the standard's own definition of them."""
    standard = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    left = standard - read - RANDOM
    return {name for name in left if _has_definition(name) and not name.startswith("Sequence")}


def newest_opset() -> int:
    """The newest operator set of the standard's own domain that the tables know and the library has."""
    return min(NEWEST, onnx.defs.onnx_opset_version())


def _has_definition(name: str) -> bool:
    schema: Any = onnx.defs.get_schema(name)
    return bool(schema.has_function or schema.has_context_dependent_function)
