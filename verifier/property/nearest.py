"""Inputs fixed to decimals: a query whose input sets hold numbers of the network's own types.

A property that fixes an input to 0.1 holds no float32 at all; its author means the nearest one. So an interval that
holds no number of its input's type is widened to the hull of itself and the nearest such number. A proof is then a
proof for all of it, and a witness may use that number and no other. Intervals that hold a number stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verifier.network.graph import Port
from verifier.property.grid import FLOAT32, Grid
from verifier.property.query import Box, Query


def with_nearest(query: Query, ports: Sequence[Port]) -> Query:
    """The query whose boxes hold a number of the network's type for every input, where one is near.

    The inner ends of its boxes are numbers of the inputs' types of 16 bits.

    Args:
        query: boxes for which that is so are kept, as objects.
        ports: the network's inputs, whose sizes add up to the query's.
    """
    double = np.repeat([port.dtype == "float64" for port in ports], [port.size for port in ports])
    boxes, grid = {id(d.box): d.box for d in query.disjuncts}, Grid.of(ports)
    widened = {key: box_with_nearest(box, double, grid) for key, box in boxes.items()}
    if all(widened[key] is box for key, box in boxes.items()):
        return query
    return replace(query, disjuncts=tuple(replace(d, box=widened[id(d.box)]) for d in query.disjuncts))


def box_with_nearest(box: Box, double: np.ndarray, grid: Grid = FLOAT32) -> Box:
    """The box, widened where an entry has no number of the grid (float64 where `double`) between its bounds.

    A ball stays what it is: a witness has to lie in it too. Where the nearest number is an end of an enclosure wider
    than that of one decimal, a strict bound may exclude it, and the entry stays without one.

    Args:
        double: which entries are float64, booleans, shape (input_size,).
        grid: the numbers that the others can be.
    """
    box = _with_ends_on(grid, box)
    empty = box.inner_lower > box.inner_upper
    if not empty.any():
        return box
    low, high = _ends_on(grid, box)
    if (empty & double).any():
        low64, high64 = _float64_ends(box)
        low, high = np.where(double, low64, low), np.where(double, high64, high)
    one = low == high
    decimal = box.upper <= np.nextafter(np.nextafter(box.lower, np.inf), np.inf)
    excluded = one & ~decimal & ((low == box.lower) | (low == box.upper))
    found = empty & np.isfinite(low) & np.isfinite(high) & (low <= high) & ~excluded
    if not found.any():
        return box
    kind = np.float64 if (found & double).any() else np.float32
    return replace(
        box,
        lower=np.where(found, np.minimum(box.lower, low), box.lower),
        upper=np.where(found, np.maximum(box.upper, high), box.upper),
        inner_lower=np.where(found, low, box.inner_lower).astype(kind),
        inner_upper=np.where(found, high, box.inner_upper).astype(kind),
        widened=int((found & ((low < box.lower) | (high > box.upper))).sum()),
    )


def _with_ends_on(grid: Grid, box: Box) -> Box:
    """The box with the smallest and largest number of each entry's type, all of which float32 has."""
    if not grid.short:
        return box
    low, high = grid.at_least(box.inner_lower), grid.at_most(box.inner_upper)
    if (low == box.inner_lower).all() and (high == box.inner_upper).all():
        return box
    return replace(box, inner_lower=low, inner_upper=high)


def _ends_on(grid: Grid, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Twice the number nearest to each middle, and so to each interval that holds none."""
    nearest = grid.nearest(_middle(box)).astype(np.float64)
    return nearest, nearest


def _float64_ends(box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The float64 numbers that certainly lie in each interval or, in one of a number's width, its nearest.

    The enclosure's ends are at most one number off the exact bounds.
    """
    low, high = np.nextafter(box.lower, np.inf), np.nextafter(box.upper, -np.inf)
    narrow = (low == high) | (box.lower == box.upper)
    middle = np.where(box.lower == box.upper, box.lower, low)
    return (
        np.where(narrow, middle, np.nextafter(low, np.inf)),
        np.where(narrow, middle, np.nextafter(high, -np.inf)),
    )


def _middle(box: Box) -> np.ndarray:
    return 0.5 * box.lower + 0.5 * box.upper
