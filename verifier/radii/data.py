"""Labelled samples: NPZ and CSV files of the user's own, and known sets (`known_data.py`)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verifier.errors import PropertyError, UsageError
from verifier.radii.known_data import KNOWN, PARTS, split


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Samples of a data set.

    Attributes:
        name: for messages.
        x: float64, shape (N, input_size), finite.
        labels: the classes, integers, shape (N,); None where the data has none.
    """

    name: str
    x: np.ndarray
    labels: np.ndarray | None

    def label(self, index: int) -> int | None:
        return None if self.labels is None else int(self.labels[index])


def load_data(name: str, input_size: int) -> LabelledData:
    """Reads a data set.

    Args:
        name: ``digits`` or ``mnist5k``, with ``:train`` or ``:test`` a part of it (`split`); an ``.npz`` file with `x`,
            shape (N, ...), and `y`, shape (N,), if there are labels; or a ``.csv`` file, a sample a line, the label
            last if there is a number more than inputs.
        input_size: of the network.

    Raises:
        UsageError: there is no such file, or its name ends otherwise, or the library that has the set is missing.
        PropertyError: what is in it does not fit.
    """
    x: np.ndarray
    labels: np.ndarray | None
    known, colon, part = name.partition(":")
    if known in KNOWN:
        x, labels = _part(*KNOWN[known](), part, name) if colon else KNOWN[known]()
    else:
        x, labels = _from_file(name, input_size)
    if x.shape[1:] != (input_size,) or not len(x):
        raise PropertyError(f"samples of {x.shape[-1]} numbers for a network of {input_size} inputs", name)
    if not np.isfinite(x).all():
        raise PropertyError("a sample has an entry that is not finite", name, "give finite numbers")
    return LabelledData(name, x, None if labels is None else _whole(labels, len(x), name))


def _from_file(name: str, input_size: int) -> tuple[np.ndarray, np.ndarray | None]:
    path = Path(name)
    if path.suffix.lower() not in (".npz", ".csv"):
        fix = f"give a file that ends in .npz or .csv, or {' or '.join(KNOWN)}"
        raise UsageError("data of unknown kind", name, fix)
    if not path.is_file():
        raise UsageError("there is no such file", name, f"give a file of samples, or {' or '.join(KNOWN)}")
    try:
        return _npz(path) if path.suffix.lower() == ".npz" else _csv(path, input_size)
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise PropertyError(f"no readable data ({error})", name, "give x, and y for labels") from error


def _part(x: np.ndarray, labels: np.ndarray, part: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    if part not in PARTS:
        raise UsageError(f"no part {part!r} of a data set", name, f"give {' or '.join(PARTS)} after the colon")
    chosen = split(labels)[PARTS.index(part)]
    return x[chosen], labels[chosen]


def chosen_samples(text: str, count: int) -> list[int]:
    """Indices from ``0,3,5-8``.

    Raises:
        UsageError: it is no such list, or there are no such samples.
    """
    found: list[int] = []
    for word in text.split(","):
        first, dash, last = word.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(
                f"{text!r} is no list of samples", "--samples", "give numbers from 0 on: --samples 0,3,5-8"
            )
        low, high = int(first), int(last or first)
        if high < low or high >= count:
            raise UsageError(f"there are no samples {word.strip()}", "--samples", f"give numbers from 0 to {count - 1}")
        found += range(low, high + 1)
    return list(dict.fromkeys(found))


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    with np.load(path, allow_pickle=False) as found:
        if "x" not in found.files:
            raise ValueError(f"no array 'x' among {', '.join(found.files) or 'none'}")
        x = _real(found["x"])
        labels = _real(found["y"]).ravel() if "y" in found.files else None
    if x.ndim < 2:
        raise ValueError(f"x has shape {x.shape} instead of (samples, inputs)")
    return x.reshape(len(x), -1), labels


def _real(values: np.ndarray) -> np.ndarray:
    if not (np.issubdtype(values.dtype, np.number) or values.dtype == bool) or np.iscomplexobj(values):
        raise ValueError(f"numbers of type {values.dtype}")
    return values.astype(np.float64)


def _csv(path: Path, input_size: int) -> tuple[np.ndarray, np.ndarray | None]:
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [[float(word) for word in line.split(",")] for line in lines if line]
    widths = {len(row) for row in rows}
    if widths == {input_size + 1}:
        table = np.array(rows)
        return table[:, :-1], table[:, -1]
    if widths != {input_size}:
        told = ", ".join(map(str, sorted(widths))) or "no"
        raise ValueError(f"lines of {told} numbers instead of {input_size}, or {input_size + 1} with a label")
    return np.array(rows), None


def _whole(labels: np.ndarray, count: int, name: str) -> np.ndarray:
    if labels.shape != (count,):
        raise PropertyError(f"{labels.size} labels for {count} samples", name, "give one each")
    if not (np.isfinite(labels).all() and (labels == np.rint(labels)).all() and (np.abs(labels) < 2**31).all()):
        raise PropertyError("a label that is no whole number", name, "give classes from 0 on")
    return labels.astype(np.int64)
