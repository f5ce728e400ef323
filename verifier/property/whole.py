"""Inputs of integer types: only whole numbers are asked about, so that a box ends at such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verifier.errors import PropertyError
from verifier.network.functions.steps import LONG
from verifier.network.graph import Port
from verifier.property.query import Box, Query


def integral_entries(ports: Sequence[Port]) -> np.ndarray:
    """Which entries of the input are of an integer type, booleans, shape (input_size,)."""
    return np.repeat([port.integral for port in ports], [port.size for port in ports])


def with_whole_ends(query: Query, ports: Sequence[Port]) -> Query:
    """The query whose boxes end at whole numbers for inputs of integer types; an interval without one stays.

    Args:
        query: boxes that end so are kept, as objects.
        ports: the network's inputs, whose sizes add up to the query's.

    Raises:
        PropertyError: an input of 64 bits may be a number that float64 does not hold, or a boolean is neither 0 nor 1.
    """
    integral = integral_entries(ports)
    if not integral.any():
        return query
    boxes = {id(d.box): d.box for d in query.disjuncts}
    for box in boxes.values():
        _require_held(box, ports)
    truths = np.repeat([port.dtype == "bool" for port in ports], [port.size for port in ports])
    whole = {key: _with_whole_ends(_of_truths(box, truths), integral) for key, box in boxes.items()}
    if all(whole[key] is box for key, box in boxes.items()):
        return query
    return replace(query, disjuncts=tuple(replace(d, box=whole[id(d.box)]) for d in query.disjuncts))


def _require_held(box: Box, ports: Sequence[Port]) -> None:
    """Makes sure that what is computed from the inputs stays far from the ends of 64-bit types."""
    first = 0
    for port in ports:
        part = slice(first, first := first + port.size)
        if port.integral and port.dtype != "bool" and np.iinfo(port.dtype).max > LONG and not _within(box, part):
            cause = f"the input '{port.name}', of {port.dtype}, may be beyond 2^53, where it is not followed"
            raise PropertyError(cause, fix="give it bounds in the property that are within")


def _within(box: Box, part: slice) -> bool:
    """Whether a part of a box is between -`LONG` and `LONG`."""
    return bool((box.lower[part] >= -LONG).all() and (box.upper[part] <= LONG).all())


def _of_truths(box: Box, truths: np.ndarray) -> Box:
    """The box of which booleans are 0 or 1."""
    if not (truths & ((box.lower < 0) | (box.upper > 1))).any():
        return box
    lower, upper = (
        np.where(truths, np.maximum(box.lower, 0), box.lower),
        np.where(truths, np.minimum(box.upper, 1), box.upper),
    )
    if (lower > upper).any():
        raise PropertyError("a boolean input is neither 0 nor 1", fix="mend its bounds")
    inner = np.maximum(box.inner_lower, lower), np.minimum(box.inner_upper, upper)
    kind = box.inner_lower.dtype
    return replace(box, lower=lower, upper=upper, inner_lower=inner[0].astype(kind), inner_upper=inner[1].astype(kind))


def _with_whole_ends(box: Box, integral: np.ndarray) -> Box:
    low, high = np.ceil(box.lower), np.floor(box.upper)
    inner_low, inner_high = np.ceil(box.inner_lower), np.floor(box.inner_upper)
    moved = integral & (low <= high)
    same = (low == box.lower) & (high == box.upper) & (inner_low == box.inner_lower) & (inner_high == box.inner_upper)
    if not (moved & ~same).any():
        return box
    return replace(
        box,
        lower=np.where(moved, low, box.lower),
        upper=np.where(moved, high, box.upper),
        inner_lower=np.where(moved, inner_low, box.inner_lower).astype(box.inner_lower.dtype),
        inner_upper=np.where(moved, inner_high, box.inner_upper).astype(box.inner_upper.dtype),
    )
