"""Messages through a pipe: each has its length before it, so that one which was cut off is known from a whole one."""

from __future__ import annotations

import struct

LENGTH = struct.Struct(">Q")


def framed(message: bytes) -> bytes:
    """The message with its length before it."""
    return LENGTH.pack(len(message)) + message


def whole(content: bytes) -> list[bytes]:
    """The messages that have come whole."""
    found, start = [], 0
    while len(content) - start >= LENGTH.size:
        (length,) = LENGTH.unpack_from(content, start)
        if len(content) - start - LENGTH.size < length:
            break
        found.append(content[start + LENGTH.size : start + LENGTH.size + length])
        start += LENGTH.size + length
    return found
