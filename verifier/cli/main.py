"""The `verifier` command: one function a subcommand, each in a file of its own that is loaded when it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

# Searches bring their own threads. Read by OpenBLAS when NumPy is imported; several of its threads on small matrices
# cost more than they gain, and wait for each other in loops where other processes want the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from verifier.cli.output import bear_any_text, complain, say
from verifier.cli.wording import told
from verifier.errors import EXIT_DEFECT, EXIT_USAGE, UsageError, VerifierError, missing_package

COMMANDS = {
    "verify": "decide whether a property of a network holds",
    "check": "check a proof that `verify --proof` wrote",
    "bench": "verify whole benchmarks, several instances at a time",
    "compare": "ask all methods the same question, side by side",
    "compare-runs": "what changed from one run to another",
    "bounds": "the ranges of outputs, hidden tensors or linear forms",
    "radius": "how far samples are from another class, from both sides",
    "accuracy": "the robust accuracy on a data set, certified and attacked",
    "check-radii": "check a published log of certified radii",
    "train": "train a network made to be verified",
    "zoo": "train the line-up of such networks and compare them",
    "report": "report what came of benchmarks: tables, plots, witnesses",
    "solvers": "list the solvers that are installed",
    "convert": "say a property in another version of VNN-LIB",
    "info": "show what a network is made of",
    "completion": "print the script that completes commands in a shell",
}
"""Each is the function of that name in the module of that name here."""
COMPLETE_ALONE = {"zoo", "solvers"}
"""Commands that say something without any option; the others show their help."""
HELP = """Usage: verifier COMMAND ...

Decide properties of neural networks: proved, refuted by a concrete input, or
not known.

Commands:
{commands}

Options:
  -h, --help    Show this, or a command's help after its name.
  --version     Show the version.

Example: verifier verify net.onnx prop.vnnlib --timeout 60"""


def main() -> None:
    """Runs the command line and exits: 0 unsat, 1 sat, 2 wrong input or usage, 3 undecided, 70 a defect of our own."""
    bear_any_text()
    try:
        sys.exit(run(sys.argv[1:]))
    except VerifierError as error:
        say("error")
        complain(f"verifier: {told(error)}")
        sys.exit(EXIT_USAGE)
    except ImportError as error:
        missing = missing_package(error)
        if missing is None:
            _exit_with_defect()
        say("error")
        complain(f"verifier: {told(missing)}")
        sys.exit(EXIT_USAGE)
    except Exception:  # Python's own status for it would be 1, which says sat
        _exit_with_defect()


def _exit_with_defect() -> NoReturn:
    import traceback

    say("error")
    complain(traceback.format_exc())
    complain("verifier: this is a defect of verifier; please report it with the text above")
    sys.exit(EXIT_DEFECT)


def run(words: Sequence[str]) -> int:
    """Runs a command line, given without the program's name; the exit status.

    Raises:
        VerifierError: something is wrong with what was asked.
        SystemExit: likewise, or it is done early.
    """
    first, rest = (words[0], words[1:]) if words else ("", ())
    if first in ("", "-h", "--help"):
        shown = "\n".join(f"  {name:<13} {about}" for name, about in COMMANDS.items())
        (say if first else complain)(HELP.format(commands=shown))
        return 0 if first else EXIT_USAGE
    if first == "--version":
        from verifier.version import __version__

        say(f"verifier {__version__}")
        return 0
    if first not in COMMANDS:
        raise UsageError("there is no such command", first, _meant(first))
    return _run(first, rest)


def _run(name: str, words: Sequence[str]) -> int:
    from verifier.cli.parser import Parser, run_command

    function = name.replace("-", "_")
    command = getattr(import_module(f"verifier.cli.{function}"), function)
    if words or name in COMPLETE_ALONE:
        return run_command(name, command, words)
    complain(Parser(name, command).format_help().rstrip())
    return EXIT_USAGE


def _meant(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, 1)
    return f"did you mean {close[0]}?" if close else "verifier --help lists them"


if __name__ == "__main__":
    main()
