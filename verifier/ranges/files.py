"""Boxes from files, and ranges as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from verifier.errors import PropertyError, UsageError
from verifier.network.graph import Network
from verifier.property.query import Query
from verifier.questions.ask import query_of
from verifier.questions.conditions import Every
from verifier.questions.inputs import box
from verifier.ranges.result import Ranges
from verifier.readers.vnnlib import load_property
from verifier.text import cell

KINDS = ".npz with lower and upper, .npy of shape (2, ...), .csv of two rows or two columns, or .vnnlib"
COLUMNS = ("name", "lower", "reached_lower", "reached_upper", "upper", "gap", "lower_by", "upper_by")


def load_box(path: Path, network: Network, channels: str = "first") -> Query:
    """The input set in a file: a box, or what a VNN-LIB property says of the inputs.

    Args:
        path: `KINDS`; in text commas, semicolons or blanks separate numbers, ``#`` begins a comment.
        network: whose inputs it bounds.
        channels: of arrays, as for `property.samples.as_inputs`.

    Raises:
        UsageError: there is no such file, or it is of another kind.
        PropertyError: what is in it does not fit the network, or is empty.
    """
    if path.name.endswith((".vnnlib", ".vnnlib.gz")):
        return load_property(path, network, allow_empty=False)
    if not path.is_file():
        raise UsageError("there is no such file", str(path), f"give {KINDS}")
    try:
        lower, upper = _ends(path, network.input_size)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise PropertyError(f"no readable box ({error})", str(path), f"give {KINDS}") from error
    return query_of(network, box(lower, upper, channels), Every(()), path.name)


def _ends(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    kind = path.suffix.lower()
    if kind == ".npz":
        with np.load(path, allow_pickle=False) as found:
            return found["lower"], found["upper"]
    if kind == ".npy":
        both = np.load(path, allow_pickle=False)
    elif kind in (".csv", ".txt"):
        plain = (line.partition("#")[0].replace(",", " ").replace(";", " ") for line in path.read_text().splitlines())
        lines = [line.split() for line in plain if line.strip()]
        columns = [word.lower() for word in lines[0]] == ["lower", "upper"] if lines else False
        if lines and not _are_numbers(lines[0]):
            lines = lines[1:]
        both = np.array([[float(word) for word in line] for line in lines])
        if columns or (both.ndim == 2 and both.shape[0] != 2 and both.shape[1] == 2):
            both = both.T
        elif both.shape == (2, 2) and size == 2:
            raise ValueError("two rows of two numbers may be read either way; begin with a line: lower upper")
    else:
        raise ValueError(f"the ending {kind}")
    if both.ndim < 1 or len(both) != 2:
        raise ValueError(f"an array of shape {both.shape}")
    return both[0], both[1]


def _are_numbers(words: list[str]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def ranges_csv(ranges: Ranges) -> str:
    """A row for each form."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for row in ranges.rows():
        lines.writerow([cell(row[column]) for column in COLUMNS])
    return text.getvalue()


def ranges_json(ranges: Ranges, asked: dict[str, Any]) -> str:
    """Everything, with what was asked."""
    return json.dumps({**asked, **ranges.to_dict()}, indent=1, allow_nan=False) + "\n"
