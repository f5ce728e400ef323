"""The files beside a model in which it keeps tensors."""

from __future__ import annotations

from pathlib import Path

_MARK = b"location"
"""A tensor's place outside its model is stored under this key: a file without these bytes has none."""


def external_files(data: bytes, path: Path) -> tuple[Path, ...]:
    """The files that a model's tensors are in, each once, by name; they need not exist.

    Args:
        data: the serialised model; one that is damaged has none.
        path: where it lies.
    """
    if _MARK not in data:
        return ()
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx.external_data_helper import ExternalDataInfo, uses_external_data

    from verifier.readers.onnx.model import stored_tensors

    try:
        model = onnx.load_model_from_string(data)
        external = [tensor for tensor in stored_tensors(model) if uses_external_data(tensor)]
        return tuple(sorted({path.parent / ExternalDataInfo(tensor).location for tensor in external}))
    except (DecodeError, ValueError):
        return ()
