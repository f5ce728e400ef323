"""What a question depends on, as SHA-256: the contents of its files, however they are stored.

A gzipped file has the hash of what is in it, and a model the hash of itself together with the files that hold its
tensors, so that the same question is known again, and another one is not taken for it. What readers refuse to read, for
its size or its place, is not read here either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from verifier.batch.models import named_models
from verifier.readers.contents import PIECE, DamagedError, TooLargeError, contents, pieces

OnPiece = Callable[[], None]
"""Is called now and then while a file is read."""


def _nothing() -> None:
    pass


def network_hash(path: Path, on_piece: OnPiece = _nothing) -> str:
    """The SHA-256 of a model's contents and of the tensors that it keeps in other files, hexadecimal.

    Of a list of models (`batch.models`) that of all of them and their names.

    Raises:
        OSError: a file cannot be read.
    """
    if models := named_models(path):
        hashes = [f"{name} {network_hash(model, on_piece)}" for name, model in models]
        return hashlib.sha256("\n".join(hashes).encode(errors="surrogateescape")).hexdigest()
    from verifier.readers.onnx.external import MARK, external_files
    from verifier.readers.onnx.files import LARGEST_MODEL

    own, marked = _hashed(path, LARGEST_MODEL, MARK, on_piece)
    if not marked:
        return own
    files = external_files(contents(path, LARGEST_MODEL), path)
    if not files:
        return own
    parts = [own, *(f"{file.relative_to(path.parent)} {_streamed(file, on_piece)}" for file in files)]
    return hashlib.sha256("\n".join(parts).encode(errors="surrogateescape")).hexdigest()


def property_hash(path: Path, on_piece: OnPiece = _nothing) -> str:
    """The SHA-256 of a property's contents, hexadecimal.

    Raises:
        OSError: the file cannot be read.
    """
    from verifier.readers.vnnlib.source import LARGEST_PROPERTY

    return _hashed(path, LARGEST_PROPERTY, b"\n", on_piece)[0]


def _hashed(path: Path, limit: int, mark: bytes, on_piece: OnPiece) -> tuple[str, bool]:
    """The hash of a file, unzipped, and whether there is a mark in it.

    A file that the reader will complain of, as it is damaged or larger than the limit, has the hash of what can be read
    of it, and no mark.
    """
    digest, marked, end = hashlib.sha256(), False, b""
    try:
        for piece in pieces(path, limit):
            digest.update(piece)
            marked = marked or mark in end + piece
            end = piece[-len(mark) :]
            on_piece()
    except (DamagedError, TooLargeError) as fault:
        digest.update(f"{type(fault).__name__} after it".encode())
        marked = False
    return digest.hexdigest(), marked


def _streamed(path: Path, on_piece: OnPiece) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            on_piece()
    return digest.hexdigest()
