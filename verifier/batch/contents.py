"""What a question depends on, as SHA-256: the contents of its files, however they are stored.

A gzipped file has the hash of what is in it, and a model the hash of itself together with the files that hold its
tensors, so that the same question is known again, and another one is not taken for it.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

_GZIP = b"\x1f\x8b"


def network_hash(path: Path) -> str:
    """The SHA-256 of a model's contents and of the tensors that it keeps in other files, hexadecimal.

    Raises:
        OSError: a file cannot be read.
    """
    data = _contents(path)
    own = hashlib.sha256(data).hexdigest()
    files = _tensor_files(data, path)
    if not files:
        return own
    parts = [own, *(f"{file.name} {_streamed(file)}" for file in files)]
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def property_hash(path: Path) -> str:
    """The SHA-256 of a property's contents, hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    return hashlib.sha256(_contents(path)).hexdigest()


def _contents(path: Path) -> bytes:
    """The file's bytes, unzipped; as they are where they cannot be unzipped, which the reader will complain of."""
    data = path.read_bytes()
    if not data.startswith(_GZIP):
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return data


def _tensor_files(data: bytes, path: Path) -> list[Path]:
    """The files with a model's tensors; a missing one is no reason to stop, as the reader names it."""
    from verifier.readers.onnx.external import external_files

    return [file for file in external_files(data, path) if file.is_file()]


def _streamed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
