"""From a command's function to its parser: argparse, with errors of one line and help that can be copied from.

What differs from plain argparse: no abbreviations; values may begin with a dash (`--clip -1,1`); options may stand
between words; an option that does not exist is told with the one that was meant; examples are broken before an option
only.
"""

from __future__ import annotations

import re
from argparse import ArgumentError, ArgumentParser, HelpFormatter
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from pathlib import Path
from textwrap import wrap
from typing import Any, NoReturn, get_type_hints

from verifier.cli.options import DECLARED, Declared
from verifier.cli.output import say
from verifier.errors import UsageError

Command = Callable[..., int]
EXAMPLES = re.compile(r"\n\s*\n\s*Examples?:")


def run_command(name: str, command: Command, words: Sequence[str], program: str = "verifier") -> int:
    """Fills a command's groups from words of the shell and calls it; the exit status.

    Raises:
        UsageError: a word or an option is wrong or missing.
    """
    parser = Parser(name, command, program)
    try:
        found = vars(parser.parse_args(_sorted(parser, words)))
    except ArgumentError as error:
        raise UsageError(error.message, error.argument_name or name, f"see {parser.prog} --help") from error
    filled = {
        key: group(**{item.name: _value(found, item) for item in fields(group)}) for key, group in parser.groups.items()
    }
    return command(**filled)


def _value(found: dict[str, Any], item: Field[Any]) -> Any:
    value = found[item.name]
    return tuple(value or ()) if item.metadata[DECLARED].many else value


def declare(parser: ArgumentParser, command: Command) -> dict[str, Any]:
    """Adds a command's options to a parser; its groups by the names of the function's parameters."""
    hints = get_type_hints(command)
    hints.pop("return", None)
    shown = [parser.prog, "[OPTIONS]"]
    for group in hints.values():
        title = group.__doc__.strip().partition("\n")[0].rstrip(".")
        section = parser.add_argument_group(title)
        for item in fields(group):
            declared: Declared = item.metadata[DECLARED]
            section.add_argument(*_names(item.name, declared), **_settings(item.name, declared))
            shown += _in_usage(item.name, declared)
    parser.add_argument_group("Help").add_argument("-h", "--help", action="help", help="Show this.")
    parser.usage = " ".join(shown)
    return hints


def _names(field: str, declared: Declared) -> list[str]:
    if declared.kind in ("word", "words"):
        return [field]
    return [_option(field, declared)]


def _option(field: str, declared: Declared) -> str:
    return declared.name or "--" + field.replace("_", "-")


def _settings(field: str, declared: Declared) -> dict[str, Any]:
    """What `add_argument` is to be told."""
    text = declared.help.replace("%", "%%")
    if declared.kind == "flag":
        return {"dest": field, "action": "store_true", "help": text}
    if declared.default not in (None, "", ()):
        text += f" [{_shown(declared.default)}]"
    settings: dict[str, Any] = {"type": declared.read, "default": declared.default, "help": text}
    settings["metavar"] = declared.metavar or _kind(declared.read)
    if declared.kind == "words":
        return settings | {"nargs": "+"}
    if declared.kind == "word":
        return settings if declared.required else settings | {"nargs": "?"}
    if declared.many:
        settings |= {"action": "append", "default": None}
    return settings | {"dest": field, "required": declared.required}


def _shown(default: object) -> str:
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def _kind(read: Callable[[str], object]) -> str:
    if read is Path:
        return "FILE"
    return (
        "TEXT" if read is str else {"number": "NUMBER", "whole": "N"}.get(read.__qualname__.partition(".")[0], "A,B..")
    )


def _in_usage(field: str, declared: Declared) -> list[str]:
    if declared.kind == "word":
        return [declared.metavar if declared.required else f"[{declared.metavar}]"]
    if declared.kind == "words":
        return [f"{declared.metavar}..."]
    return [f"{_option(field, declared)} {declared.metavar or _kind(declared.read)}"] if declared.required else []


def _sorted(parser: ArgumentParser, words: Sequence[str]) -> list[str]:
    """The same with options first, their values joined to them, and nothing that looks like an option after them.

    Raises:
        UsageError: there is no such option, or it has no value.
    """
    known = parser._option_string_actions
    options: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            others += rest
        elif not word.startswith("-") or word == "-":
            others.append(word)
        else:
            name, joined, _ = word.partition("=")
            if name not in known:
                raise UsageError("there is no such option", name, _meant(name, list(known), parser.prog))
            if known[name].nargs == 0:
                if joined:
                    raise UsageError("it takes no value", name, "leave out what follows the =")
                options.append(word)
            elif joined:
                options.append(word)
            else:
                value = next(rest, None)
                if value is None:
                    raise UsageError("its value is missing", name, f"see {parser.prog} --help")
                options.append(f"{name}={value}")
    return [*options, "--", *others] if others else options


def _meant(name: str, known: list[str], program: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"see {program} --help"


class Parser(ArgumentParser):
    """A parser that raises what is wrong, and shows help by `say`."""

    def __init__(self, name: str, command: Command, program: str = "verifier") -> None:
        settings: dict[str, Any] = {"add_help": False, "allow_abbrev": False, "exit_on_error": False}
        super().__init__(f"{program} {name}", description=command.__doc__, formatter_class=Formatter, **settings)
        self.groups = declare(self, command)

    def error(self, message: str) -> NoReturn:
        """Raises it.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, self.prog.split()[-1], f"see {self.prog} --help")

    def print_help(self, file: object = None) -> None:
        """Prints help to standard output."""
        say(self.format_help().rstrip())


class Formatter(HelpFormatter):
    """Wraps paragraphs each by itself, and breaks examples before an option only."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28)

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrap(" ".join(text.split()), width, break_on_hyphens=False)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        about, *examples = EXAMPLES.split(text, 1)
        paragraphs = [super(Formatter, self)._fill_text(part, width, indent) for part in _paragraphs(about)]
        if examples:
            lines = [_broken(line, width) for line in _paragraphs(examples[0])]
            paragraphs.append("Examples:\n" + "\n".join(lines))
        return "\n\n".join(paragraphs)


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip()]


def _broken(example: str, width: int) -> str:
    """An example on lines that a shell takes as one."""
    first, *options = re.split(r" (?=--)", example)
    lines = ["  " + first]
    for option in options:
        if len(lines[-1]) + 1 + len(option) + len(" \\") <= width:
            lines[-1] += " " + option
        else:
            lines[-1] += " \\"
            lines.append("      " + option)
    return "\n".join(lines)
