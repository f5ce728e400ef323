"""How commands declare what they take: a frozen dataclass for each group of options, shared by those that ask alike.

    @dataclass(frozen=True, kw_only=True)
    class Limits:  # its docstring is the heading in the help
        timeout: float = option(number(least=0.001), 60.0, "Seconds for a sample.")
        resume: bool = flag("Go on with the folder's answers.")

    def radius(limits: Limits) -> int: ...

`verifier.cli.parser` reads such a function and gives it its groups, filled in.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")
DECLARED = "verifier.cli"
"""Where a field's metadata has what is declared of it."""


@dataclass(frozen=True)
class Declared:
    """What the shell is to know of one field.

    Attributes:
        kind: an option with a value, one without, one word without a name, or at least one such word.
        help: a short description.
        read: makes a value of a word; raises ArgumentTypeError where it cannot.
        default: the value where none is given.
        metavar: how help calls the value; by the field's name if empty.
        name: the option's name, such as "--list"; by the field's name if empty.
        required: whether it must be given.
        many: whether it may be given several times; its value is then a list.
    """

    kind: Literal["option", "flag", "word", "words"]
    help: str
    read: Callable[[str], object] = str
    default: object = None
    metavar: str = ""
    name: str = ""
    required: bool = False
    many: bool = False


def _declare(declared: Declared) -> Any:
    return field(default=declared.default, metadata={DECLARED: declared})


def option(read: Callable[[str], T], default: T, help: str, metavar: str = "", name: str = "") -> T:
    """An option with a value: `--name VALUE`."""
    declared: T = _declare(Declared("option", help, read, default, metavar, name))
    return declared


def several(read: Callable[[str], T], help: str, metavar: str = "", name: str = "") -> Sequence[T]:
    """An option with a value that may be given any number of times."""
    declared: Sequence[T] = _declare(Declared("option", help, read, (), metavar, name, many=True))
    return declared


def required(read: Callable[[str], T], help: str, metavar: str = "", name: str = "") -> T:
    """The same where there is no default."""
    declared: T = _declare(Declared("option", help, read, None, metavar, name, required=True))
    return declared


def flag(help: str, name: str = "") -> bool:
    """An option without a value."""
    declared: bool = _declare(Declared("flag", help, default=False, name=name))
    return declared


def word(read: Callable[[str], T], metavar: str, help: str) -> T:
    """A word that must be given."""
    declared: T = _declare(Declared("word", help, read, None, metavar, required=True))
    return declared


def optional_word(read: Callable[[str], T], default: T, metavar: str, help: str) -> T:
    """A word that may be left out."""
    declared: T = _declare(Declared("word", help, read, default, metavar))
    return declared


def words(read: Callable[[str], T], metavar: str, help: str) -> list[T]:
    """At least one word."""
    declared: list[T] = _declare(Declared("words", help, read, None, metavar, required=True))
    return declared


def number(least: float = -math.inf, most: float = math.inf) -> Callable[[str], float]:
    """Reads a number between two others."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise ArgumentTypeError(f"{text!r} is no number") from error
        return _within(value, text, least, most)

    return read


def whole(least: float = -math.inf) -> Callable[[str], int]:
    """Reads a whole number that is not below another."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError as error:
            raise ArgumentTypeError(f"{text!r} is no whole number") from error
        return _within(value, text, least, math.inf)

    return read


Number = TypeVar("Number", int, float)


def _within(value: Number, text: str, least: float, most: float) -> Number:
    if least > -math.inf and not value >= least:
        raise ArgumentTypeError(f"{text} is not at least {least:g}")
    if most < math.inf and not value <= most:
        raise ArgumentTypeError(f"{text} is not at most {most:g}")
    return value


def named_file(text: str) -> tuple[str, Path]:
    """Reads NAME=FILE."""
    name, joined, path = text.partition("=")
    if not (joined and name.strip() and path):
        raise ArgumentTypeError(f"{text!r} is not NAME=FILE")
    return name.strip(), Path(path)


def listed(text: str) -> tuple[str, ...]:
    """Reads names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
