"""What a forked process writes, read by its parent through a pipe: no disk has to hold it."""

from __future__ import annotations

import os
import sys
from types import TracebackType

CHUNK = 1 << 16
"""Bytes read at a time: what a pipe holds on Linux."""
CHUNKS = 16
"""Chunks that may still be in a pipe whose writer has ended; one that was left behind elsewhere may write for ever."""


class Stream:
    """A pipe, and what was read from it so far; a context that closes both ends.

    Args:
        keep: bytes that are kept of the begin, and of the end of what is more than that.

    Raises:
        OSError: the system gives no more pipes.

    Attributes:
        reading, writing: the ends' numbers; reading does not wait.
        size: bytes read so far.
        open: whether more may come.
    """

    def __init__(self, keep: int = sys.maxsize) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.size, self.open = 0, True
        self._keep = keep
        self._begin, self._end = bytearray(), bytearray()
        self._ends = {self.reading, self.writing}

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self._ends:
            os.close(end)

    def only_read(self) -> None:
        """Closes the end that is the other process's to write to."""
        self._ends.remove(self.writing)
        os.close(self.writing)

    def take(self) -> bool:
        """Reads a chunk of what has come; whether there was one."""
        try:
            chunk = os.read(self.reading, CHUNK)
        except BlockingIOError:
            return False
        self.open = bool(chunk)
        self.size += len(chunk)
        room = self._keep - len(self._begin)
        self._begin += chunk[:room]
        if len(chunk) > room:
            self._end = (self._end + chunk[room:])[-self._keep :]
        return self.open

    def take_rest(self) -> None:
        """Reads what was written by a process that has ended."""
        for _ in range(CHUNKS):
            if not self.take():
                return

    @property
    def content(self) -> bytes:
        """What was kept, with a line of dots where something was left out."""
        left_out = self.size > len(self._begin) + len(self._end)
        return bytes(self._begin) + (b"\n...\n" if left_out else b"") + bytes(self._end)
