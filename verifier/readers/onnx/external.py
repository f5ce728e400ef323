"""The files beside a model in which it keeps tensors, and which of them may be read.

A model comes from strangers, and names files. Read is only what lies in the model's own folder or below it and is a
plain file: no absolute path, no `..`, no link that leads elsewhere, no device or pipe.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath

MARK = b"location"
"""A tensor's place outside its model is stored under this key: a file without these bytes has none."""


def refusal(location: str, folder: Path) -> str:
    """Why the file at a location, as a model gives it, is not read; "" where it is.

    Args:
        location: relative to the model's folder, as a model has it.
        folder: the model's.
    """
    parts = PurePosixPath(location)
    if not location or "\0" in location:
        return "it has no name"
    if parts.is_absolute() or PureWindowsPath(location).drive or ".." in PureWindowsPath(location).parts:
        return "it lies outside the model's folder"
    file = folder / location
    try:
        kind = os.lstat(file).st_mode
        inside = os.path.realpath(file) == os.path.join(os.path.realpath(folder), os.path.normpath(location))
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # what no path can hold
        return str(error)
    if stat.S_ISLNK(kind) or not inside:
        return "it is, or lies behind, a symbolic link"
    return "" if stat.S_ISREG(kind) else "it is no plain file"


def external_files(data: bytes, path: Path) -> tuple[Path, ...]:
    """The files that a model's tensors are in and that may be read, each once, by name.

    Args:
        data: the serialised model; one that is damaged has none.
        path: where it lies.
    """
    if MARK not in data:
        return ()
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    from verifier.readers.onnx.model import external_locations

    try:
        locations = external_locations(onnx.load_model_from_string(data))
    except (DecodeError, ValueError):
        return ()
    return tuple(sorted(path.parent / place for place in locations if not refusal(place, path.parent)))
