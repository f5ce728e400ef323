"""`verifier completion SHELL`: the script by which a shell completes commands, options and files."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from verifier.cli.options import word
from verifier.cli.output import say
from verifier.cli.parser import declare
from verifier.errors import UsageError

SHELLS = ("bash", "zsh", "tcsh")


@dataclass(frozen=True, kw_only=True)
class Shell:
    """The shell."""

    shell: str = word(str, "SHELL", "bash, zsh or tcsh.")


def completion(shell: Shell) -> int:
    """Print the script that completes commands, options and file names in a shell.

    Examples:

    verifier completion bash > ~/.local/share/bash-completion/completions/verifier

    verifier completion zsh > ~/.zfunc/_verifier
    """
    if shell.shell not in SHELLS:
        raise UsageError(f"there is no script for {shell.shell}", "SHELL", f"choose from {', '.join(SHELLS)}")
    import shtab

    say(shtab.complete(_everything(shtab.FILE), shell.shell).rstrip())
    return 0


def _everything(files: object) -> ArgumentParser:
    """One parser of all commands; words and options that are paths complete to files."""
    from verifier.cli.main import COMMANDS

    parser = ArgumentParser("verifier", add_help=False)
    parser.add_argument("-h", "--help", action="help", help="Show this.")
    parser.add_argument("--version", action="store_true", help="Show the version.")
    commands = parser.add_subparsers()
    for name, about in COMMANDS.items():
        function = name.replace("-", "_")
        command = commands.add_parser(name, help=about, add_help=False)
        declare(command, getattr(import_module(f"verifier.cli.{function}"), function))
        for action in command._actions:
            if action.type is Path:
                action.complete = files  # type: ignore[attr-defined]  # where shtab looks
            elif action.dest == "shell":
                action.choices = SHELLS
    return parser
