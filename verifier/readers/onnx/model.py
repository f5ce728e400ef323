"""From bytes to a parsed ONNX model that is complete: functions inlined, external tensors loaded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, external_data_helper, numpy_helper

from verifier.errors import ModelError
from verifier.network.graph import Port
from verifier.readers.onnx.checks import check_model, standard_domain
from verifier.readers.onnx.external import refusal
from verifier.readers.onnx.maps import with_tensors_for_maps

OLDEST_OPSET = 7
LARGEST_INPUT = 1 << 28
"""Entries of an input; a model that says more is taken for a corrupt one, before memory runs out."""
FLOATS: dict[int, str] = {
    TensorProto.FLOAT: "float32",
    TensorProto.DOUBLE: "float64",
    TensorProto.FLOAT16: "float16",
    TensorProto.BFLOAT16: "bfloat16",
}
INTEGERS: dict[int, str] = {
    TensorProto.INT8: "int8",
    TensorProto.INT16: "int16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.UINT8: "uint8",
    TensorProto.UINT16: "uint16",
    TensorProto.UINT32: "uint32",
    TensorProto.UINT64: "uint64",
}
TYPES: dict[int, str] = FLOATS | INTEGERS | {TensorProto.BOOL: "bool"}
"""What inputs and outputs may be, as ports name it; booleans are 0 and 1."""


def parse_model(data: bytes, path: Path) -> tuple[onnx.ModelProto, bytes]:
    """The model and the bytes to replay it from, which hold all its tensors.

    Args:
        data: the serialised model.
        path: where it lies; external tensors are looked for beside it.

    Raises:
        ModelError: not an ONNX model, or one that this reader cannot take.
    """
    place = str(path)
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError) as error:
        raise ModelError(f"truncated or corrupt ONNX file ({error})", place, "export or fetch it again") from None
    if not model.HasField("graph") or not model.opset_import:
        raise ModelError("not an ONNX model", place, "give a file exported to the ONNX format")
    check_model(model, path.name)
    version = opset(model)
    if 0 < version < OLDEST_OPSET:
        fix = f"convert it with onnx.version_converter to opset {OLDEST_OPSET} or newer"
        raise ModelError(f"operator set {version} is older than {OLDEST_OPSET}", place, fix)
    if any(t.data_location == TensorProto.EXTERNAL for t in stored_tensors(model)):
        data = _load_external(model, path)
    if _give_empty_batches_an_entry(model.graph):
        data = model.SerializeToString()
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    return model, with_tensors_for_maps(model) or data


def _give_empty_batches_an_entry(graph: onnx.GraphProto) -> bool:
    """Makes a first dimension of 0, by which some exporters mean "any", 1, as a runtime would insist on 0."""
    dims = [v.type.tensor_type.shape.dim[0] for v in graph.input if len(v.type.tensor_type.shape.dim)]
    empty = [d for d in dims if d.WhichOneof("value") == "dim_value" and d.dim_value == 0]
    for dim in empty:
        dim.dim_value = 1
    return bool(empty)


def stored_tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """The tensors that a model brings along: initialisers and attributes, of subgraphs and functions too."""
    yield from _tensors_of(model.graph)
    for function in model.functions:
        yield from _attribute_tensors(function.node)


def _tensors_of(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from _attribute_tensors(graph.node)


def _attribute_tensors(nodes: Iterable[onnx.NodeProto]) -> Iterator[TensorProto]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
            yield from _tensors_of(graph)


def external_locations(model: onnx.ModelProto) -> set[str]:
    """Where a model keeps tensors outside itself, as it says so, relative to its own folder."""
    external = (t for t in stored_tensors(model) if t.data_location == TensorProto.EXTERNAL)
    return {entry.value for t in external for entry in t.external_data if entry.key == "location"}


def _load_external(model: onnx.ModelProto, path: Path) -> bytes:
    for location in sorted(external_locations(model)):
        if why := refusal(location, path.parent):
            fix = "put the external data file beside the model, or save the model with its tensors inside"
            raise ModelError(f"its external tensors in {location!r} are not read ({why})", str(path), fix)
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
        return model.SerializeToString()
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        fix = "put the external data file beside the model, or save the model with its tensors inside"
        raise ModelError(f"its external tensors cannot be read ({error})", str(path), fix) from None


def opset(model: onnx.ModelProto, domain: str = "") -> int:
    """The version of the domain's operator set that the model imports; 0 for none."""
    return max((o.version for o in model.opset_import if standard_domain(o.domain) == domain), default=0)


def initialisers(graph: onnx.GraphProto, place: str) -> dict[str, np.ndarray]:
    """The graph's stored tensors by name, in their own dtypes."""
    if graph.sparse_initializer:
        name = graph.sparse_initializer[0].values.name
        raise ModelError(f"sparse initialiser '{name}' is not supported", place, "store it as a dense tensor")
    return {t.name: tensor_array(t, place) for t in graph.initializer}


def tensor_array(tensor: TensorProto, place: str) -> np.ndarray:
    """The tensor's values; a ModelError where they do not fit its shape or type."""
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except Exception as error:  # onnx raises many kinds on malformed tensors: ValueError, TypeError, KeyError ...
        raise ModelError(f"tensor '{tensor.name}' is malformed ({error})", place, "export the model again") from None


def input_ports(graph: onnx.GraphProto, stored: set[str], place: str) -> tuple[Port, ...]:
    """The inputs that a caller must give, in the graph's order; a dynamic first dimension is 1."""
    ports = tuple(_input_port(value, place) for value in graph.input if value.name not in stored)
    if not ports:
        raise ModelError("the model has no inputs", place, "a network to verify needs an input")
    if len({p.name for p in ports}) < len(ports):
        raise ModelError("two inputs have the same name", place)
    return ports


def _input_port(value: onnx.ValueInfoProto, place: str) -> Port:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise ModelError(f"input '{value.name}' is no tensor ({kind or 'it has no type'})", place)
    tensor = value.type.tensor_type
    if tensor.elem_type not in TYPES:
        known = tensor.elem_type in TensorProto.DataType.values()
        dtype = TensorProto.DataType.Name(tensor.elem_type).lower() if known else f"code {tensor.elem_type}"
        raise ModelError(f"input '{value.name}' has type {dtype}", place, "export it with float32 inputs")
    if not tensor.HasField("shape"):
        raise ModelError(f"input '{value.name}' has no shape", place, "export the model with a fixed input shape")
    return Port(value.name, _static_shape(value.name, tensor.shape.dim, place), TYPES[tensor.elem_type])


def _static_shape(name: str, dims: Sequence[Any], place: str) -> tuple[int, ...]:
    shape = []
    for axis, dim in enumerate(dims):
        size = int(dim.dim_value) if dim.WhichOneof("value") == "dim_value" else 0
        if size <= 0 and axis > 0:
            label = f" ('{dim.dim_param}')" if dim.dim_param else ""
            fix = "fix it, e.g. with onnx.tools.update_model_dims.update_inputs_outputs_dims"
            raise ModelError(f"input '{name}' has dynamic dimension {axis}{label}", place, fix)
        shape.append(max(size, 1))
    if math.prod(shape) > LARGEST_INPUT:
        raise ModelError(f"input '{name}' has {math.prod(shape)} entries", place, "check its shape in the model")
    return tuple(shape)


def output_dtype(value: onnx.ValueInfoProto) -> str:
    """The declared element type of an output, as NumPy calls it."""
    return TYPES.get(value.type.tensor_type.elem_type, "float32")
