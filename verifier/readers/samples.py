"""Sample file -> vector: an input that a query is asked around."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from verifier.errors import PropertyError, UsageError

KINDS = (".npy", ".npz", ".csv", ".txt")


def load_sample(path: str | Path) -> np.ndarray:
    """All numbers of a ``.npy``, ``.npz`` (of one array), ``.csv`` or ``.txt`` file, row by row; float64, shape (n,).

    Numbers in text are separated by commas, semicolons or blanks, on any number of lines; ``#`` begins a comment.

    Raises:
        UsageError: there is no such file, or its name ends otherwise.
        PropertyError: it does not hold finite numbers.
    """
    path = Path(path)
    if path.suffix.lower() not in KINDS:
        raise UsageError("a sample of unknown kind", str(path), f"give a file that ends in {', '.join(KINDS)}")
    if not path.is_file():
        raise UsageError("there is no such file", str(path), "give a file of numbers")
    try:
        values = _text(path) if path.suffix.lower() in (".csv", ".txt") else _arrays(path)
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise PropertyError(f"no readable sample ({error})", str(path), "give a file of numbers") from error
    if not (np.issubdtype(values.dtype, np.number) or values.dtype == bool) or np.iscomplexobj(values):
        raise PropertyError(f"a sample of type {values.dtype}", str(path), "give real numbers")
    sample = values.astype(np.float64).ravel()
    if not len(sample):
        raise PropertyError("the sample is empty", str(path), "give a number for each input")
    if not np.isfinite(sample).all():
        raise PropertyError("the sample has an entry that is not finite", str(path), "give finite numbers")
    return sample


def _arrays(path: Path) -> np.ndarray:
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        return found
    with found:
        if len(found.files) != 1:
            raise ValueError(f"{len(found.files)} arrays in it instead of one")
        return np.asarray(found[found.files[0]])


def _text(path: Path) -> np.ndarray:
    lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
    words = " ".join(lines).replace(",", " ").replace(";", " ").split()
    return np.array([float(word) for word in words])
