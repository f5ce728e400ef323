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
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise Unreadable(f"{path}: {error}") from error
    if len(data) > most:
        raise Unreadable(f"{path}: more than {most} bytes")
    return data


def digest_of_property(path: Path) -> str:
    """SHA-256 of what is in the file, unzipped."""
    return hashlib.sha256(contents(path, PROPERTY)).hexdigest()


def digest_of_model(path: Path) -> str:
    """The same; where tensors are in other files, of those too, by name."""
    data = contents(path, MODEL)
    total = hashlib.sha256(data)
    tensors = [t for t in decoded(path, data).graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    for name in sorted({entry.value for t in tensors for entry in t.external_data if entry.key == "location"}):
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise Unreadable(f"{path}: tensors outside its folder ({name})")
        total.update(name.encode() + b"\0" + contents(path.parent / name, MODEL))
    return total.hexdigest()


def decoded(path: Path, data: bytes) -> onnx.ModelProto:
    """A model, without what is in other files."""
    try:
        return onnx.load_model_from_string(data)
    except Exception as error:
        raise Unreadable(f"{path}: no ONNX model ({type(error).__name__}: {error})") from error
