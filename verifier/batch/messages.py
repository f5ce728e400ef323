"""Messages through a pipe: things of ours, each with its length before it, so that what was cut off is known."""

from __future__ import annotations

import pickle
import struct
from typing import TypeVar

LENGTH = struct.Struct(">Q")
T = TypeVar("T")


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


def packed(thing: object) -> bytes:
    """Something of ours as bytes, for another process of ours."""
    return pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)


def unpacked(data: bytes, kind: type[T]) -> T:
    """What `packed` packed, which must be of this kind."""
    thing = pickle.loads(data)
    assert isinstance(thing, kind)
    return thing
