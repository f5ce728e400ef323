"""Samples in a network's own order of inputs: which shapes are taken, and which would be scrambled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from verifier.errors import Argument, PropertyError, UsageError
from verifier.network.graph import Port

CHANNELS = ("first", "last")


def as_inputs(samples: np.ndarray, ports: Sequence[Port], channels: str = "first", place: str = "") -> np.ndarray:
    """N samples as rows of inputs; float64, shape (N, input_size).

    Args:
        samples: shape (N, ...); each sample flat, or of the input's shape up to axes of length 1. For a flat input
            also of two axes, row by row.
        ports: of the network. Samples of networks with several inputs are flat, the inputs one after the other.
        channels: whether a sample's channels come where the network has them (``"first"``: nothing is moved), or
            ``"last"`` while the network has them before rows and columns.
        place: for messages.

    Raises:
        PropertyError: a sample has another shape, or is no array of finite real numbers.
        UsageError: `channels` is neither.
    """
    if channels not in CHANNELS:
        raise UsageError(f"channels that are {channels!r}", Argument("channels"), "give 'first' or 'last'")
    values = real_numbers(samples, place)
    count, given = len(values), tuple(values.shape[1:])
    size = sum(port.size for port in ports)
    own = tuple(length for length in given if length != 1)
    if channels == "last":
        if len(own) < 2 and len(given) < 3:
            cause = f"a sample of shape {given}, which has no channels"
            raise PropertyError(cause, place, "leave channels=last away")
        values = np.moveaxis(values, -1, -3 if len(given) >= 3 else -2)
        own = tuple(length for length in values.shape[1:] if length != 1)
    if int(np.prod(given, dtype=np.int64)) != size:
        raise PropertyError(_misfit(given, ports, size), place, "give the sample that belongs to this network")
    wanted = tuple(length for length in ports[0].shape if length != 1) if len(ports) == 1 else (size,)
    flat = len(wanted) < 2 and len(own) < 3  # rows of a grey image or a series follow each other in any order of axes
    if len(own) > 1 and own != wanted and not flat:
        swapped = len(ports) == 1 and channels == "first" and (*own[-1:], *own[:-1]) == wanted
        fix = "channels=last moves them" if swapped else "give it in that shape, or flat in the input's order"
        raise PropertyError(_misfit(given, ports, size), place, fix)
    rows = values.reshape(count, size)
    if not np.isfinite(rows).all():
        raise PropertyError("the sample has an entry that is not finite", place, "give finite numbers")
    return rows


def as_input(sample: Any, ports: Sequence[Port], channels: str = "first", place: str = "") -> np.ndarray:
    """One sample as a vector of inputs; float64, shape (input_size,). See `as_inputs`."""
    return as_inputs(real_numbers(sample, place)[None], ports, channels, place)[0]


def real_numbers(values: Any, place: str = "") -> np.ndarray:
    """An array, a tensor of torch or nested lists of real numbers as float64.

    Raises:
        PropertyError: it is none.
    """
    if callable(getattr(values, "detach", None)):  # torch's tensors: on any device, with gradients, of any float type
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise PropertyError(f"the sample is no array ({error})", place, "give an array of numbers") from error
    if not (np.issubdtype(found.dtype, np.number) or found.dtype == bool) or np.iscomplexobj(found):
        raise PropertyError(f"a sample of type {found.dtype}", place, "give real numbers")
    return found.astype(np.float64)


def _misfit(given: tuple[int, ...], ports: Sequence[Port], size: int) -> str:
    told = ", ".join(str(tuple(port.shape)) for port in ports[:4]) + (", ..." if len(ports) > 4 else "")
    count = int(np.prod(given, dtype=np.int64))
    shape = f"{count} entries" if len(given) < 2 else f"shape {given}, {count} entries"
    what = f"input of shape {told}" if len(ports) == 1 else f"inputs of shapes {told}"
    return f"the sample has {shape}; the network has {size} inputs ({what})"
