"""TOML tables -> frozen dataclasses and back: the fields, with their types and defaults, are the only schema."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from verifier.errors import UsageError

T = TypeVar("T")

WORDS: Mapping[type, str] = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}


def read_table(kind: type[T], table: object, file: str, key: str = "") -> T:
    """An object of a dataclass from a TOML table.

    Args:
        kind: a dataclass whose fields are numbers, texts, tuples of those or of dataclasses, and dataclasses.
        table: as tomllib gives it.
        file: its name, for messages.
        key: of the table within the file, empty for the whole of it.

    Raises:
        UsageError: a key is unknown or missing, or a value of the wrong kind or out of range.
    """
    place = f"{file}, [{key}]" if key else file
    if not isinstance(table, dict):
        raise UsageError(f"{key} is no table", file, f"write a section [{key}]")
    known = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            raise UsageError(f"unknown key {name!r}", place, f"use {', '.join(known) or 'none'}")
    hints, values = typing.get_type_hints(kind), {}
    for name, field in known.items():
        if name in table:
            values[name] = _value(hints[name], table[name], file, f"{key}.{name}" if key else name)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise UsageError(f"{name!r} is missing", place, f"add {name} = ...")
    try:
        return kind(**values)
    except UsageError as error:
        inside = f"{key}.{error.place}" if key else error.place
        raise UsageError(error.cause, f"{file}, {inside}", error.fix) from None


def _value(hint: Any, value: object, file: str, key: str) -> Any:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # of a type and None, which TOML lacks: the key is left out then
        return _value(parts[0], value, file, key)
    if origin is dict:
        if not isinstance(value, dict):
            raise UsageError(f"{key} is no table", file, f"write a section [{key}]")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise UsageError(f"{key} = {value!r} is no list", file, f"write {key.rpartition('.')[2]} = [...]")
        return tuple(_value(parts[0], entry, file, key) for entry in value)
    if dataclasses.is_dataclass(hint):
        return read_table(typing.cast(type, hint), value, file, key)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise UsageError(f"{key} = {value!r} is not {WORDS[hint]}", file, f"give {WORDS[hint]}")
    return value


def written_table(value: Any) -> str:
    """A dataclass of scalars, tuples, dictionaries and dataclasses as TOML that reads back the same."""
    return "\n".join(_sections(as_table(value), "")) + "\n"


def as_table(value: Any) -> dict[str, Any]:
    """The same as a dictionary, without what is None."""
    found: dict[str, Any] = dataclasses.asdict(value)
    return _without_none(found)


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {k: _without_none(v) if isinstance(v, dict) else v for k, v in table.items() if v is not None}


def _sections(table: dict[str, Any], key: str) -> list[str]:
    lines = [f"{name} = {_written(value)}" for name, value in table.items() if not isinstance(value, dict)]
    if key:
        lines = ["", f"[{key}]", *lines]
    for name, value in table.items():
        if isinstance(value, dict) and value:
            lines += _sections(value, f"{key}.{name}" if key else name)
    return lines


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML wants escaped, too
    if isinstance(value, tuple | list):
        return f"[{', '.join(_written(entry) for entry in value)}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_written(entry)}" for name, entry in value.items()) + " }"
    return repr(value)
