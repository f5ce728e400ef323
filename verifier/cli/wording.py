"""The library speaks of arguments, the shell of options: here one becomes the other."""

from __future__ import annotations

import re

from verifier.errors import Argument, VerifierError

ARGUMENTS = (
    *("allow_empty", "around", "channels", "clip", "epsilon", "epsilons", "form", "gap", "label", "method", "methods"),
    *("memory", "norm", "number", "samples", "seed", "solver", "threads", "tighten", "tighten_share", "timeout"),
    *("device", "witness_tolerance", "batch_index", "model_output", "outputs", "proof", "workers"),
)
"""Arguments of the library that the shell has an option for."""

RENAMED = {"number": "samples", "outputs": "output"}

_GIVEN = re.compile(rf"(?<![\w`.])({'|'.join(ARGUMENTS)})=(\([^()]*\)|\[[^\[\]]*\]|[^\s;,)]*(?:,[^\s;,)]+)*)")


def as_options(text: str) -> str:
    """A text of the library in the shell's words: ``clip=(0,1)`` becomes ``--clip 0,1``, and so on.

    >>> as_options("give allow_empty=True, or witness_tolerance=1e-6")
    'give --allow-empty, or --witness-tolerance 1e-6'
    """

    def option(match: re.Match[str]) -> str:
        value = match[2].strip("()[]").replace(" ", "")
        return option_of(match[1]) + ("" if value in ("True", "") else f" {value}")

    return _GIVEN.sub(option, text)


def option_of(argument: str) -> str:
    """What the option for an argument is called."""
    return "--" + RENAMED.get(argument, argument).replace("_", "-")


def told(error: VerifierError) -> str:
    """An error in one line, in the shell's words."""
    place = error.place
    if isinstance(place, Argument) and place in ARGUMENTS:
        place = option_of(place)
    return as_options(str(VerifierError(error.cause, place, error.fix)))
