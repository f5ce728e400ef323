"""The `verifier-vnnlib` command: the command line that the VNN-LIB 2.0 standard asks of a solver (its chapter 5).

    verifier-vnnlib verify QUERY --network NAME=MODEL ... [--timeout SECONDS] [--serialise-assignments FOLDER]
    verifier-vnnlib supports CAPABILITY
    verifier-vnnlib --name | --version

Standard output has the answer alone; what else there is to say goes to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # see verifier.cli.main

from verifier.cli.output import bear_any_text, complain, say
from verifier.cli.wording import told
from verifier.errors import EXIT_DEFECT, EXIT_USAGE, UsageError, VerifierError, missing_package

PROGRAM = "verifier-vnnlib"
NAME = "verifier, a formal verifier for neural networks built on optimisation solvers"
HELP = f"""Usage: {PROGRAM} COMMAND ...

The command line of the VNN-LIB 2.0 standard.

Commands:
  verify QUERY --network NAME=MODEL ...   decide a query
  supports CAPABILITY                     say what is supported

Options:
  --name        Print the solver's name.
  --version     Print its version.
  -h, --help    Show this, or a command's help after its name."""


def main() -> None:
    """Runs the command line and exits: 0 with an answer, whatever it is, 2 for wrong input, 70 for a defect of ours."""
    bear_any_text()
    try:
        sys.exit(run(sys.argv[1:]))
    except VerifierError as error:
        _fail(error)
    except ImportError as error:
        missing = missing_package(error)
        if missing is None:
            _exit_with_defect()
        _fail(missing)
    except Exception:
        _exit_with_defect()


def _fail(error: VerifierError) -> NoReturn:
    complain(f"{PROGRAM}: {told(error)}")
    sys.exit(EXIT_USAGE)


def _exit_with_defect() -> NoReturn:
    import traceback

    complain(traceback.format_exc())
    complain(f"{PROGRAM}: this is a defect of verifier; please report it with the text above")
    sys.exit(EXIT_DEFECT)


def run(words: Sequence[str]) -> int:
    """Runs a command line, given without the program's name; the exit status.

    Raises:
        VerifierError: something is wrong with what was asked.
    """
    first, rest = (words[0], list(words[1:])) if words else ("--help", [])
    if first in ("-h", "--help"):
        say(HELP)
        return 0
    if first == "--name":
        say(NAME)
        return 0
    if first == "--version":
        from verifier.version import __version__

        say(__version__)
        return 0
    if first == "supports":
        from verifier.cli.supports import supports

        return supports(rest)
    if first == "verify":
        from verifier.cli.parser import run_command
        from verifier.cli.standard_verify import verify

        return run_command("verify", verify, rest, PROGRAM)
    raise UsageError("there is no such command", first, f"{PROGRAM} --help lists them")


if __name__ == "__main__":
    main()
