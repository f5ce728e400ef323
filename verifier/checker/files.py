"""Reading files, no more of them than there is room for."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

import onnx

from verifier.checker.graph import Unreadable

MODEL, PROPERTY, PROOF = 1 << 31, 1 << 28, 1 << 29
"""Bytes of each at most, unzipped; protobuf knows no larger models."""


def contents(path: Path, most: int) -> bytes:
    """A file's bytes, unzipped.

    Raises:
        Unreadable: there are more than `most`, or it is not what its name says.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path}: {error}") from error
    if len(data) > most:
        raise Unreadable(f"{path}: more than {most} bytes")
    return data


def digest(path: Path, most: int) -> str:
    """SHA-256 of what is in a file, unzipped; of a model with tensors in other files, of those too, by name."""
    data = contents(path, most)
    total = hashlib.sha256(data)
    for name in sorted(_external(path, data)):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Unreadable(f"{path}: tensors outside its folder ({name})")
        total.update(name.encode() + b"\0" + contents(path.parent / name, most))
    return total.hexdigest()


def _external(path: Path, data: bytes) -> set[str]:
    if ".onnx" not in path.name or path.suffix == ".gz":
        return set()
    model = onnx.load_model_from_string(data)
    tensors = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    return {entry.value for t in tensors for entry in t.external_data if entry.key == "location"}
