"""The samples a network is trained and tested on: a data set, split the same way every time."""

from __future__ import annotations

import hashlib
import math
import zipfile
from dataclasses import dataclass

import numpy as np

from verifier.errors import PropertyError, UsageError
from verifier.radii.data import load_data
from verifier.radii.known_data import KNOWN, drawn_parts
from verifier.training.recipe import DataRecipe


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in two parts.

    Attributes:
        x, y: to train on, float32, shape (N, features), and classes, int64, shape (N,).
        test_x, test_y: the others, alike.
        image: (channels, height, width) of a sample, of an NPZ file its own, else a square; or (1, 1, features).
        classes: how many.
        clip: the smallest and the largest value that a feature can have, or None.
    """

    x: np.ndarray
    y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    image: tuple[int, int, int]
    classes: int
    clip: tuple[float, float] | None = (0.0, 1.0)

    @property
    def digest(self) -> str:
        """Of all the samples, in hexadecimal."""
        found = hashlib.sha256()
        for array in (self.x, self.y, self.test_x, self.test_y):
            found.update(f"{array.dtype} {array.shape} ".encode())
            found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


def load_split(recipe: DataRecipe) -> Split:
    """The data set of a recipe, a fifth of each class for testing.

    Raises:
        UsageError: there is no such set, or a package for it is missing.
        PropertyError: a file holds something else.
    """
    x, y, image = _samples(recipe.set)
    train, test = drawn_parts(y)
    if not len(test):
        raise PropertyError(f"{len(y)} samples leave none to test on", recipe.set, "give 3 or more of a class")
    if recipe.limit:
        train = train[: recipe.limit]
    if np.abs(x).max() > np.finfo(np.float32).max:
        raise PropertyError("a number too large for float32", recipe.set, "scale the samples to [0, 1]")
    x = x.astype(np.float32)
    clip = (0.0, 1.0) if x.min() >= 0.0 and x.max() <= 1.0 else None
    return Split(x[train], y[train], x[test], y[test], image, int(y.max()) + 1, clip)


def _samples(name: str) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int]]:
    """All samples, shape (N, features), their classes, and the shape of one as an image."""
    if name in KNOWN:
        x, labels = KNOWN[name]()
        return x, labels, _image(x.shape[1:])
    if not name.lower().endswith(".npz"):
        fix = f"give set = {' or '.join(KNOWN)}, or a file that ends in .npz"
        raise UsageError(f"there is no data set {name!r}", "[data]", fix)
    shape = _shape(name)
    data = load_data(name, shape)
    y = data.labels
    if y is None:
        raise PropertyError("there are no labels", name, "give classes as an array y")
    if y.min() < 0 or y.max() < 1:
        raise PropertyError("there are not two classes", name, "give classes from 0 on in y")
    if y.max() >= len(y):
        raise PropertyError(f"a class {y.max()} among {len(y)} samples", name, "number the classes from 0 on in y")
    return data.x, y, _image(shape)


def _image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    side = math.isqrt(math.prod(shape))
    if len(shape) in (2, 3):
        channels, height, width = (1, *shape)[-3:]
        return channels, height, width
    return (1, side, side) if side * side == math.prod(shape) else (1, 1, math.prod(shape))


def _shape(name: str) -> tuple[int, ...]:
    """Of a sample in an NPZ file; (0,) where the file is unreadable, which `load_data` tells."""
    try:
        with np.load(name, allow_pickle=False) as found:
            return tuple(int(side) for side in found["x"].shape[1:])
    except (OSError, ValueError, EOFError, KeyError, TypeError, zipfile.BadZipFile):
        return (0,)
