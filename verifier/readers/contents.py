"""What is in a file, plain or gzipped, read as a stream and up to a stated size.

A few kilobytes of gzip can hold gigabytes, and a device such as /dev/zero never ends. So nothing is read beyond a
limit, whatever the file is called and however it is stored.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

GZIP_MAGIC = b"\x1f\x8b"
PIECE = 1 << 20
"""Bytes that are read at a time."""


class TooLargeError(Exception):
    """There is more in a file than is read."""


class DamagedError(Exception):
    """A gzipped file is damaged or cut short."""


def pieces(path: Path, limit: int) -> Iterator[bytes]:
    """The contents of a file in pieces of up to `PIECE` bytes, unzipped where they are gzip.

    Args:
        path: the file; gzip is recognised by its content.
        limit: bytes that are given out at most.

    Raises:
        OSError: the file cannot be opened or read.
        DamagedError: it begins like gzip, and is none or not whole.
        TooLargeError: there is more in it than `limit`.
    """
    with path.open("rb") as stored:
        source: BinaryIO = stored
        if stored.peek(len(GZIP_MAGIC)).startswith(GZIP_MAGIC):
            import gzip

            source = cast(BinaryIO, gzip.GzipFile(fileobj=stored))
        count = 0
        while piece := _next(source):
            count += len(piece)
            if count > limit:
                raise TooLargeError
            yield piece


def _next(source: BinaryIO) -> bytes:
    try:
        return source.read(PIECE)
    except (EOFError, zlib.error) as fault:
        raise DamagedError(str(fault)) from None
    except OSError as fault:
        if fault.errno is None:  # gzip's own
            raise DamagedError(str(fault)) from None
        raise


def contents(path: Path, limit: int) -> bytes:
    """The contents of a file as a whole; see `pieces`."""
    whole = io.BytesIO()
    for piece in pieces(path, limit):
        whole.write(piece)
    return whole.getvalue()


def size_named(limit: int) -> str:
    """A limit for messages: the larger unit of those that divide it."""
    return f"{limit >> 30} GiB" if limit % (1 << 30) == 0 else f"{limit >> 20} MiB"
