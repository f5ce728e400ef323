"""Files of samples, one or many, with or without their classes: NumPy's files, text, and images."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verifier.errors import PropertyError, UsageError
from verifier.network.graph import Port
from verifier.property.samples import as_inputs, real_numbers

TEXTS = (".csv", ".txt")
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
KINDS = (".npy", ".npz", *TEXTS, ".png", ".jpg")
LABELS = ("label", "labels", "class", "target", "y")
"""Headings of a column of classes; without a heading it is the last."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples in the network's order of inputs.

    Attributes:
        x: float64, shape (N, input_size), finite.
        labels: the classes, int64, shape (N,); None where the file has none.
    """

    x: np.ndarray
    labels: np.ndarray | None = None


def load_samples(path: str | Path, ports: Sequence[Port], channels: str = "first") -> Samples:
    """The samples in a file.

    - ``.npy``: one sample, or many of shape (N, ...).
    - ``.npz``: such an array alone, or named `x`, with the classes as `y` if there are any.
    - ``.csv``, ``.txt``: a sample a line, with its class as another number if there is one: the last, or where a
      heading names it `label`, `class`, `target` or `y`. Or one sample on several lines. Commas, semicolons or blanks
      separate numbers, ``#`` begins a comment, a heading is skipped.
    - Images, by Pillow: one sample, grey values from 0 to 1, channels moved to where the network has them.

    Args:
        ports: of the network.
        channels: of arrays; see `property.samples.as_inputs`.

    Raises:
        UsageError: there is no such file, its name ends otherwise, or Pillow is missing.
        PropertyError: what is in it does not fit the network, or is no finite number.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (*KINDS, *IMAGES):
        raise UsageError("samples of unknown kind", str(path), f"give a file that ends in {', '.join(KINDS)}")
    if not path.is_file():
        raise UsageError("there is no such file", str(path), "give a file of numbers")
    try:
        if kind in IMAGES:
            return Samples(_image(path, ports))
        if kind in TEXTS:
            return _from_text(path, ports)
        return _from_arrays(path, ports, channels)
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, zipfile.BadZipFile) as error:
        raise PropertyError(f"no readable samples ({error})", str(path), "give a file of numbers") from error


def _from_arrays(path: Path, ports: Sequence[Port], channels: str) -> Samples:
    found = np.load(path, allow_pickle=False)
    labels = None
    if not isinstance(found, np.ndarray):
        with found:
            if "x" not in found.files and (len(found.files) != 1 or found.files == ["y"]):
                told = ", ".join(found.files) or "none"
                raise ValueError(f"no array 'x' among {told}")
            labels = np.asarray(found["y"]).ravel() if {"x", "y"} <= set(found.files) else None
            found = np.asarray(found["x" if "x" in found.files else found.files[0]])
    values = real_numbers(found, str(path))
    if not values.size:
        raise ValueError("there is none in it")
    if (labels is None or labels.size == 1) and _is_one(values.shape, sum(port.size for port in ports)):
        values = values[None]
    x = as_inputs(values, ports, channels, str(path))
    return Samples(x, None if labels is None else whole_labels(labels, len(x), str(path)))


def _is_one(shape: tuple[int, ...], size: int) -> bool:
    """Whether an array is one sample rather than several."""
    return len(shape) < 2 or (math.prod(shape) == size and math.prod(shape[1:]) != size)


def _from_text(path: Path, ports: Sequence[Port]) -> Samples:
    size = sum(port.size for port in ports)
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    rows = [_words(line) for line in lines if line]
    heading = [word.strip("\"'").lower() for word in rows.pop(0)] if rows and _is_heading(rows[0]) else []
    numbers = [[float(word) for word in row] for row in rows]
    widths = {len(row) for row in numbers}
    if widths == {size}:
        return Samples(as_inputs(np.array(numbers), ports, place=str(path)))
    if widths == {size + 1}:
        table = np.array(numbers)
        named = [k for k, word in enumerate(heading) if word in LABELS] if len(heading) == size + 1 else []
        column = named[0] if named else size
        x = as_inputs(np.delete(table, column, axis=1), ports, place=str(path))
        return Samples(x, whole_labels(table[:, column], len(x), str(path)))
    if sum(map(len, numbers)) == size:
        return Samples(as_inputs(np.array([[v for row in numbers for v in row]]), ports, place=str(path)))
    told = ", ".join(map(str, sorted(widths)[:4])) or "no"
    raise ValueError(f"lines of {told} numbers instead of {size}, or {size + 1} with a class")


def _words(line: str) -> list[str]:
    words = re.split(r"\s*[,;]\s*|\s+", line)
    return words[:-1] if words[-1] == "" else words


def _is_heading(words: list[str]) -> bool:
    """Whether no word of a line is a number: a line with some is a mistake that is worth telling."""
    return not any(_is_number(word) for word in words)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _image(path: Path, ports: Sequence[Port]) -> np.ndarray:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise UsageError("Pillow, which reads images, is missing", str(path), "pip install pillow") from error
    try:
        with Image.open(path) as opened:
            deep = opened.mode.startswith("I")
            plain = opened.convert("RGB") if opened.mode in ("P", "CMYK", "YCbCr") else opened
            values = np.asarray(plain, np.float64) / (65535.0 if deep else 1.0 if opened.mode in ("1", "F") else 255.0)
    except UnidentifiedImageError as error:
        raise ValueError("it is no image that Pillow knows") from error
    wanted = tuple(length for length in ports[0].shape if length != 1) if len(ports) == 1 else ()
    channels = "last" if values.ndim == 3 and values.shape != wanted else "first"
    return as_inputs(values[None], ports, channels, str(path))


def whole_labels(labels: np.ndarray, count: int, place: str) -> np.ndarray:
    """Classes as int64, shape (count,).

    Raises:
        PropertyError: there are more or fewer, or one is no class.
    """
    values = real_numbers(labels, place)
    if values.shape != (count,):
        raise PropertyError(f"{values.size} labels for {count} samples", place, "give one each")
    if not (np.isfinite(values).all() and (values == np.rint(values)).all() and (np.abs(values) < 2**31).all()):
        raise PropertyError("a label that is no whole number", place, "give classes from 0 on")
    return values.astype(np.int64)
