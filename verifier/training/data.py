"""The samples a network is trained and tested on: a data set, split the same way every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.errors import PropertyError, UsageError
from verifier.radii.data import load_data
from verifier.radii.known_data import KNOWN, TEST_SHARE
from verifier.training.recipe import DataRecipe


@dataclass(frozen=True, eq=False)
class Split:
    """Samples in two parts.

    Attributes:
        x, y: to train on, float32, shape (N, features), and classes, int64, shape (N,).
        test_x, test_y: the others, alike.
        image: (channels, height, width) of a sample; (1, 1, features) where it is no image.
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


def load_split(recipe: DataRecipe) -> Split:
    """The data set of a recipe, a fifth of each class for testing.

    Raises:
        UsageError: there is no such set, or a package for it is missing.
        PropertyError: a file holds something else.
    """
    x, y = _samples(recipe.set)
    train, test = stratified(y)
    if recipe.limit:
        train = train[: recipe.limit]
    x = x.astype(np.float32)
    inside = x.min() >= 0.0 and x.max() <= 1.0
    side = round(x.shape[1] ** 0.5)
    image = (1, side, side) if side * side == x.shape[1] else (1, 1, x.shape[1])
    clip = (0.0, 1.0) if inside else None
    return Split(x[train], y[train], x[test], y[test], image, int(y.max()) + 1, clip)


def stratified(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and to test on, both in random order; a fifth of each class, rounded, is for testing.

    The parts are those of `radii.known_data.split`, which ``digits:test`` names.
    """
    rng = np.random.default_rng(0)
    train, test = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(TEST_SHARE * len(members))
        test.append(members[:count])
        train.append(members[count:])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))


def _samples(name: str) -> tuple[np.ndarray, np.ndarray]:
    """All samples, shape (N, features), and their classes."""
    if name in KNOWN:
        return KNOWN[name]()
    if not name.lower().endswith(".npz"):
        fix = f"give set = {' or '.join(KNOWN)}, or a file that ends in .npz"
        raise UsageError(f"there is no data set {name!r}", "[data]", fix)
    data = load_data(name, _features(name))
    if data.labels is None:
        raise PropertyError("there are no labels", name, "give classes as an array y")
    if data.labels.min() < 0 or data.labels.max() < 1:
        raise PropertyError("there are not two classes", name, "give classes from 0 on in y")
    return data.x, data.labels


def _features(name: str) -> int:
    """How many numbers a sample of an NPZ file has; 0 where the file is unreadable, which `load_data` tells."""
    try:
        with np.load(name, allow_pickle=False) as found:
            return int(np.prod(found["x"].shape[1:]))
    except (OSError, ValueError, EOFError, KeyError):
        return 0
