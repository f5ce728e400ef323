"""The bytes of a model file, plain or gzipped, and the ways in which a file disappoints."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from verifier.errors import ModelError, UsageError

GZIP_MAGIC = b"\x1f\x8b"
LFS_MAGIC = b"version https://git-lfs.github.com/spec/"


def read_model_bytes(path: Path) -> bytes:
    """The serialised model in the file; gzip is recognised by its content, whatever the file is called.

    Raises:
        UsageError: there is no such file, it is a directory, or it cannot be read.
        ModelError: it is empty, a truncated gzip file, or a git-LFS pointer.
    """
    place = str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError("no such file", place, "check the path of the model") from None
    except IsADirectoryError:
        raise UsageError("is a directory, not an ONNX file", place, "give the path of the .onnx file in it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read ({error})", place) from None
    if data.startswith(GZIP_MAGIC):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ModelError(f"truncated or corrupt gzip file ({error})", place, "fetch the file again") from None
    if not data.strip():
        raise ModelError("the file is empty", place, "export or fetch the model again")
    if data.startswith(LFS_MAGIC):
        raise ModelError("is a git-LFS pointer, not the model itself", place, "fetch the file with `git lfs pull`")
    return data
