"""What is left of a run: VNN-COMP's result file, and the verdict as JSON. Files are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verifier.errors import UsageError
from verifier.shown import json_number
from verifier.verdict import Verdict, Witness

if TYPE_CHECKING:
    import numpy as np

    from verifier.property.query import Declaration
    from verifier.verdict import Progress


HISTORY = 200
"""Entries of a search's history that a JSON file holds at most."""

LONGEST_NAME = 255
"""Bytes in a file's name on common file systems."""


def check_writable(path: Path, option: str) -> None:
    """Finds out before the work whether a file can be written there.

    Raises:
        UsageError: the folder does not exist or is not writable, or the path is a folder.
    """
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise UsageError(f"the name {path.name[:20]}... is too long", option, "choose a shorter one")
    target = path.resolve()
    if target.is_dir():
        raise UsageError(f"{path} is a folder", option, "give a file's name")
    if not target.parent.is_dir():
        raise UsageError(f"the folder {target.parent} does not exist", option, "create it first")
    if not os.access(target.parent, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise UsageError(f"{path} cannot be written", option, "choose a writable place")


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes the file by way of a temporary one beside it, so that no reader ever sees half of it.

    A link is followed; what exists and is no regular file (a pipe, a device) is written to directly.

    Raises:
        UsageError: it cannot be written.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    target = path.resolve()
    temporary = target.with_name(f".verifier-{os.getpid()}-{threading.get_ident()}")
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        with temporary.open("xb") as file:
            file.write(data)
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise UsageError(f"cannot be written ({error.strerror})", str(path), "choose a writable place") from error


def result_text(status: str, witness: Witness | None, declarations: Sequence[Declaration] = ()) -> str:
    """The result file: the verdict, and for `sat` the counterexample, in the form of the property's VNN-LIB version."""
    return f"{status}\n" if witness is None else f"{status}\n{counterexample(witness, declarations)}\n"


def counterexample(witness: Witness, declarations: Sequence[Declaration] = ()) -> str:
    """The counterexample as text; every float reads back the same.

    Without declarations, or with those of version 1.0, VNN-COMP's form, ``((X_0 v) (X_1 v) ... (Y_0 v) ...)``, a pair a
    line. With those of a VNN-LIB 2.0 property the standard's: for each tensor a line ``name type [dimensions]``, then
    its values, one a line.
    """
    if not any(tensor.dtype for tensor in declarations):
        pairs = [
            f"({name}_{first + k} {shown(v)})"
            for name, first, values in _named(witness, declarations)
            for k, v in enumerate(values)
        ]
        return "(" + "\n".join(pairs) + ")"
    lines = []
    for tensor in declarations:
        lines.append(f"{tensor.name} {tensor.dtype} [{','.join(map(str, tensor.shape))}]")
        text = whole if tensor.dtype.startswith(("int", "uint", "bool")) else shown
        lines += [text(v) for v in values_of(witness, tensor)]
    return "\n".join(lines)


def _named(witness: Witness, declarations: Sequence[Declaration]) -> list[tuple[str, int, np.ndarray]]:
    """Letters, numbers of the first entries, and values."""
    if not declarations:
        return [("X", 0, witness.x), ("Y", 0, witness.y)]
    return [(tensor.name, tensor.first, values_of(witness, tensor)) for tensor in declarations]


def values_of(witness: Witness, tensor: Declaration) -> np.ndarray:
    """A declared tensor's values, row-major, shape (entries,)."""
    values = witness.y if tensor.is_output else witness.x
    return values[tensor.start : tensor.start + math.prod(tensor.shape)]


def shown(value: float | np.floating[Any]) -> str:
    """The shortest decimal that reads back as the same float64 (and so as the same float32)."""
    return repr(float(value))


def whole(value: float | np.floating[Any]) -> str:
    """A number of an integer type."""
    return str(int(value))


def verdict_json(verdict: Verdict, question: dict[str, Any]) -> str:
    """The verdict with its evidence; `question` holds what was asked (network, property, options)."""
    return json.dumps({**verdict.to_dict(), **question}, indent=1, allow_nan=False) + "\n"


def history_records(history: Sequence[Progress]) -> list[dict[str, float | int | None]]:
    """How a search went, for JSON: at most `HISTORY` entries, evenly thinned, the last one always among them."""
    step = max(1, math.ceil(len(history) / HISTORY))
    chosen = list(history[::-1][::step])[::-1]
    return [
        {"seconds": round(p.seconds, 3), "open": p.open, "explored": p.explored, "bound": json_number(p.bound)}
        for p in chosen
    ]
