"""Labelled samples: files of the user's own (`readers/samples.py`), and known sets (`known_data.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from verifier.errors import Argument, PropertyError, UsageError
from verifier.network.graph import Network, Port
from verifier.radii.known_data import KNOWN, PARTS, split
from verifier.readers.samples import KINDS, load_samples, whole_labels


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


def load_data(name: str, network: Network | int | tuple[int, ...], channels: str = "first") -> LabelledData:
    """Reads a data set.

    Args:
        name: ``digits`` or ``mnist5k``, with ``:train`` or ``:test`` a part of it (`split`); or a file, see
            `readers.samples.load_samples`.
        network: whose inputs the samples are; or how many those are, or their shape.
        channels: ``"last"`` where the samples of a file have them there, and the network before rows and columns.

    Raises:
        UsageError: there is no such file, or its name ends otherwise, or the library that reads it is missing.
        PropertyError: what is in it does not fit.
    """
    if isinstance(network, int):
        network = (network,)
    ports = (Port("X", network),) if isinstance(network, tuple) else network.inputs
    known, colon, part = name.partition(":")
    if known not in KNOWN:
        if not Path(name).suffix:
            fix = f"give {' or '.join(KNOWN)}, or a file that ends in {', '.join(KINDS)}"
            raise UsageError("data of unknown kind", name, fix)
        found = load_samples(name, ports, channels)
        return LabelledData(name, found.x, found.labels)
    x, labels = _part(*KNOWN[known](), part, name) if colon else KNOWN[known]()
    size = sum(port.size for port in ports)
    if x.shape[1:] != (size,):
        raise PropertyError(f"samples of {x.shape[-1]} numbers for a network of {size} inputs", name)
    return LabelledData(name, x, whole_labels(labels, len(x), name))


def load_one(
    name: str, samples: str | None, network: Network, channels: str = "first"
) -> tuple[np.ndarray, int | None]:
    """One sample of a data set, float64, shape (input_size,), and its class where the data has one.

    Args:
        name: as for `load_data`.
        samples: its number; None where there is but one.

    Raises:
        UsageError: as for `load_data`; or there are several to choose from, or no such one.
        PropertyError: as for `load_data`.
    """
    data = load_data(name, network, channels)
    if samples is None and len(data.x) > 1:
        raise UsageError(f"{len(data.x)} samples", name, "pick one: samples=0")
    chosen = chosen_samples("0" if samples is None else samples, len(data.x))
    if len(chosen) != 1:
        raise UsageError(f"{len(chosen)} samples", Argument("samples"), "give the number of one")
    return data.x[chosen[0]], data.label(chosen[0])


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
                f"{text!r} is no list of samples", Argument("samples"), "give numbers from 0 on: samples=0,3,5-8"
            )
        low, high = int(first), int(last or first)
        if high < low or high >= count:
            raise UsageError(
                f"there are no samples {word.strip()}", Argument("samples"), f"give numbers from 0 to {count - 1}"
            )
        found += range(low, high + 1)
    return list(dict.fromkeys(found))
