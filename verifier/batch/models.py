"""Several models where one stands, in the form of VNN-COMP's lists: [('f', 'f.onnx'), ('g', 'g.onnx')]."""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Sequence
from pathlib import Path

from verifier.errors import UsageError

Models = tuple[tuple[str, Path], ...]
"""The names of a property's networks with their files."""

START, END = "[(", ")]"


def is_list(network: Path | str) -> bool:
    """Whether a network is a list of several."""
    return str(network).startswith(START)


def named_models(network: Path | str) -> Models:
    """The models of a list; none of what is one file.

    Raises:
        UsageError: it begins like a list and is none, or names a network twice.
    """
    if not is_list(network):
        return ()
    try:
        models = tuple((str(name), Path(path)) for name, path in literal_eval(str(network)))
    except (ValueError, SyntaxError, TypeError):
        raise UsageError(f"{network} is no list of networks", "NET", "write [('NAME', 'FILE'), ...]") from None
    if len({name for name, _ in models}) < len(models):
        raise UsageError("a network is given twice", str(network), "give each once")
    return models


def listed(models: Sequence[tuple[str, Path]]) -> Path:
    """A list of models, as one network."""
    return Path(str([(name, str(path)) for name, path in models]))
