"""The bytes of a model file, plain or gzipped, and the messages where they cannot be read."""

from __future__ import annotations

from pathlib import Path

from verifier.errors import ModelError, UsageError
from verifier.readers.contents import DamagedError, TooLargeError, contents, size_named
from verifier.readers.onnx.foreign import foreign

LFS_MAGIC = b"version https://git-lfs.github.com/spec/"
LARGEST_MODEL = 1 << 31
"""Bytes of a model, unzipped: no message of protobuf can have more. Tensors in files of their own do not count."""


def read_model_bytes(path: Path) -> bytes:
    """The serialised model in the file; gzip is recognised by its content, whatever the file is called.

    Raises:
        UsageError: there is no such file, it is a directory, or it cannot be read.
        ModelError: it is empty, larger than `LARGEST_MODEL`, a truncated gzip file, a git-LFS pointer, or another kind
            of file.
    """
    place = str(path)
    try:
        data = contents(path, LARGEST_MODEL)
    except FileNotFoundError:
        raise UsageError("no such file", place, "check the path of the model") from None
    except IsADirectoryError:
        raise UsageError("is a directory, not an ONNX file", place, "give the path of the .onnx file in it") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot be read ({error})", place) from None
    except DamagedError as error:
        raise ModelError(f"truncated or corrupt gzip file ({error})", place, "fetch the file again") from None
    except TooLargeError:
        cause = f"more than {size_named(LARGEST_MODEL)} are in it, which no ONNX model can have"
        raise ModelError(cause, place, "keep large tensors in files beside the model") from None
    if not data.strip():
        raise ModelError("the file is empty", place, "export or fetch the model again")
    if data.startswith(LFS_MAGIC):
        raise ModelError("is a git-LFS pointer, not the model itself", place, "fetch the file with `git lfs pull`")
    if known := foreign(data):
        raise ModelError(known[0], place, known[1])
    return data
