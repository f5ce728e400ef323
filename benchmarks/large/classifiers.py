"""Queries about a class that shall not change, in boxes that intervals prove, an attack breaks, and between."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.large.modules import interval
from benchmarks.large.queries import Query, lead, margin, others
from benchmarks.large.training import attack

Box = Callable[[float], tuple[torch.Tensor, torch.Tensor]]
"""From a size to the box of that size, each end of shape (1, ...)."""


def broken(module: nn.Module, box: Box, label: int, most: float) -> tuple[float, torch.Tensor]:
    """The smallest size, to 5 %, at which an attack changes the class clearly, and the point it found.

    Raises:
        ArithmeticError: none up to `most`.
    """

    def least(size: float) -> tuple[torch.Tensor, float]:
        return attack(module, *box(size), lead(label))

    point, value = least(most)
    if value > -0.01:
        raise ArithmeticError(f"no attack within {most}")
    low, high = most / 1e3, most
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        found, value = least(middle)
        low, high, point = (low, middle, found) if value < -0.01 else (middle, high, point)
    return high, point


def proved(module: nn.Module, box: Box, label: int, most: float) -> float:
    """The largest size, to 5 %, for which interval arithmetic proves the class by a clear margin.

    Args:
        module: of layers that `interval` knows.
    """
    exact = copy.deepcopy(module).double()
    low, high = most * 1e-9, most
    while high / low > 1.05:
        middle = (low * high) ** 0.5
        bounds = interval(exact, *(end.double() for end in box(middle)))
        worst = bounds[1].clone()
        worst[0, label] = bounds[0][0, label]
        low, high = (middle, high) if float(margin(worst, label)) > 0.01 else (low, middle)
    return low


def sized(
    module: nn.Module, box: Box, label: int, classes: int, most: float, parts: dict[str, float], intervals: bool = True
) -> Iterator[Query]:
    """Queries of one sample: `easy` (unsat, by intervals), parts of the size that an attack breaks, and `broken` (sat).

    Args:
        parts: by name, the part of the attack's size; at 1.0 and above the witness is known.
        intervals: whether the module is made of layers that `interval` knows.
    """
    size, point = broken(module, box, label, most)
    if intervals:
        yield Query("easy", *box(proved(module, box, label, size)), others(label, classes), "unsat")
    for name, part in parts.items():
        known = ("sat", point) if part >= 1.0 else ("unknown", None)
        yield Query(name, *box(size * part), others(label, classes), *known)
