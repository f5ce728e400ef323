"""One family of errors: each says what is wrong, where, and what to do about it.

A user's mistake (a truncated model, a malformed property, an unwritable path) is a `VerifierError`; the shell
prints it as one line and exits with status 2. Anything else that escapes is a defect of this project.
"""

from __future__ import annotations

from verifier.text import visible

EXIT_USAGE = 2
"""The exit status of a program whose input or usage is wrong."""
EXIT_DEFECT = 70
"""Of one that fails by a defect of its own (sysexits.h's EX_SOFTWARE): no verdict's status."""


PACKAGES = {
    "jinja2": "jinja2",
    "matplotlib": "matplotlib",
    "plotly": "plotly",
    "psutil": "psutil",
    "rich": "rich",
    "shtab": "shtab",
    "skl2onnx": "skl2onnx",
    "tf2onnx": "tf2onnx",
    "torch": "torch",
    "vnnlib": "vnnlib",
}
"""Modules that only some work needs, and what to install for them."""


class Argument(str):
    """The name of an argument as the place of an error; the shell shows it as the option that it has for it.

    Within a text an argument is written with its value: ``clip=(0,1)``, ``allow_empty=True``.
    """

    __slots__ = ()


class VerifierError(Exception):
    """A problem with the input, told as cause, place and fix.

    Args:
        cause: what is wrong, e.g. ``"operator ArgMax is not supported"``.
        place: where, e.g. ``"node 'pool_3' of net.onnx"`` or ``"prop.vnnlib, line 12"``; may be empty.
        fix: what the user can do, e.g. ``"export the model without its final ArgMax"``; may be empty.
    """

    def __init__(self, cause: str, place: str = "", fix: str = "") -> None:
        super().__init__(cause, place, fix)
        self.cause, self.place, self.fix = cause, place, fix

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        remedy = f"; {self.fix}" if self.fix else ""
        return visible(" ".join(f"{where}{self.cause}{remedy}".split()))


class ModelError(VerifierError):
    """The ONNX model cannot be read as a network."""


class PropertyError(VerifierError):
    """The VNN-LIB property cannot be read, or does not fit the network."""


class UsageError(VerifierError):
    """An option or a path is wrong."""


class SolverError(VerifierError):
    """A solver is missing, or failed in a way that leaves no usable bound."""


def missing_package(error: ImportError) -> UsageError | None:
    """What to say where one of `PACKAGES` is not installed; None for any other module, whose absence is a defect."""
    package = (error.name or "").partition(".")[0]
    if package not in PACKAGES:
        return None
    return UsageError(f"{package} is not installed", fix=f"pip install {PACKAGES[package]}")
