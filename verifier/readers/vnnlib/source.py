"""The text of a property file, and errors that name a place in it.

The file may be plain or gzip, whatever its name says. Comments run from `;` to the end of the line; they are cut out
before anything is parsed, line ends stay, so that a position in the text still tells its line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from verifier.errors import PropertyError
from verifier.readers.contents import DamagedError, TooLargeError, contents, size_named

LARGEST_PROPERTY = 1 << 29
"""Bytes of a property, unzipped."""
_COMMENT = re.compile(r";[^\n\r]*+")
_FOREIGN = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, eq=False)
class Source:
    """A property file's text.

    Attributes:
        name: the file's name, for messages.
        raw: the text as it stands in the file.
        text: the same without comments, in ASCII; lines are those of the file.
    """

    name: str
    raw: str
    text: str

    @classmethod
    def of(cls, raw: str, name: str) -> Source:
        """The source of a text.

        Raises:
            PropertyError: the text holds nothing, or characters that no property has outside comments.
        """
        text = _COMMENT.sub("", raw) if ";" in raw else raw
        source = cls(name, raw, text)
        if not text.isascii() and (foreign := _FOREIGN.search(text)):
            raise source.error(f"unexpected character {foreign.group()!a}", foreign.start(), "is this a VNN-LIB file?")
        if not text.strip():
            raise PropertyError(
                "the file holds no property", name, "give a VNN-LIB file with declarations and assertions"
            )
        return source

    @classmethod
    def read(cls, path: Path) -> Source:
        """The source in a file.

        Raises:
            PropertyError: the file cannot be read, is no whole gzip file, larger than `LARGEST_PROPERTY`, or no text.
        """
        return cls.of(_decoded(_content(path), path), path.name)

    def line(self, position: int) -> int:
        """The line, from 1, of a position in `text`."""
        return self.text.count("\n", 0, position) + 1

    def error(self, cause: str, position: int, fix: str = "") -> PropertyError:
        """An error at a position in `text`."""
        return self.error_at_line(cause, self.line(position), fix)

    def error_at_line(self, cause: str, line: int | None, fix: str = "") -> PropertyError:
        """An error at a line, from 1; None where the line is not known."""
        return PropertyError(cause, self.name if line is None else f"{self.name}, line {line}", fix)


def _content(path: Path) -> bytes:
    try:
        return contents(path, LARGEST_PROPERTY)
    except FileNotFoundError:
        raise PropertyError("no such file", str(path), "check the path of the property") from None
    except IsADirectoryError:
        raise PropertyError("is a directory, not a property file", str(path), "name a .vnnlib file in it") from None
    except OSError as fault:
        raise PropertyError(f"cannot be read ({fault.strerror})", str(path)) from None
    except DamagedError as fault:
        raise PropertyError(f"the gzip file is damaged or cut short ({fault})", path.name, "fetch it again") from None
    except TooLargeError:
        cause = f"more than {size_named(LARGEST_PROPERTY)} are in it, which is more than a property may have"
        raise PropertyError(cause, str(path), "split it into several properties") from None


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise PropertyError("is not a text file", f"{path.name}, line {line}", "give a VNN-LIB file in UTF-8") from None
