"""Bounds on single inputs, in columns, with the exact decimals rounded both ways.

A property's constant is a decimal, hardly ever a float. A bound that proves something must enclose the decimal
(`outer`, float64, rounded away from the box); a witness must obey it (`inner`, float32, rounded into the box).

Both follow from the float64 nearest to the decimal, `nearest`, nearly always without exact arithmetic: no float64, so
no float32, lies strictly between a decimal and its nearest float64. So where `nearest` is no float32, the float32 next
to it is also next to the decimal, and one step of float64 encloses it. Only where `nearest` is a float32 must the
decimal itself be compared with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate
from typing import TypeAlias, cast

import numpy as np

from verifier.property.rounding import float32_at_least
from verifier.readers.vnnlib.linear import LARGEST_CONSTANT, NumberTooLarge

Exact: TypeAlias = str | Fraction
"""An exact number: the text of a decimal, or a fraction."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """B bounds; arrays have shape (B,).

    Attributes:
        variable: the input's index, int64.
        upper: whether it bounds from above, boolean.
        strict: whether equality is excluded, boolean.
        nearest: float64, the nearest to the exact value; ordered as the exact values are, up to ties.
        outer: float64, at the exact value or outside the box.
        inner: float32, the next that obeys the bound.
        mark: int64, the same for the same spelling of a value, and hardly ever for two.
        exact: the exact values in blocks, each a tuple of fractions or the decimals' texts joined by spaces (which
            takes a third of the memory).
        starts: where each block starts, and B.
    """

    variable: np.ndarray
    upper: np.ndarray
    strict: np.ndarray
    nearest: np.ndarray
    outer: np.ndarray
    inner: np.ndarray
    mark: np.ndarray
    exact: tuple[str | tuple[Fraction, ...], ...]
    starts: tuple[int, ...]
    _words: dict[int, list[str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, variable: np.ndarray, upper: np.ndarray, strict: np.ndarray, values: Sequence[Exact]) -> Bounds:
        """Bounds with these exact values, all texts or all fractions.

        Raises:
            NumberTooLarge: a value is, for float64.
        """
        nearest = np.fromiter(map(float, values), np.float64, len(values)) + 0.0  # turns -0.0 into 0.0
        large = ~(np.abs(nearest) <= float(LARGEST_CONSTANT))
        if large.any():
            raise NumberTooLarge(str(values[int(np.argmax(large))]))
        outer, inner = _rounded(nearest, upper, strict, values)
        mark = np.fromiter(map(hash, values), np.int64, len(values))
        exact = " ".join(cast(Sequence[str], values)) if _are_texts(values) else tuple(cast(Sequence[Fraction], values))
        return cls(variable, upper, strict, nearest, outer, inner, mark, (exact,), (0, len(values)))

    @classmethod
    def joined(cls, blocks: Sequence[Bounds]) -> Bounds:
        """All bounds of the blocks, in order."""
        if len(blocks) == 1:
            return blocks[0]

        def column(name: str) -> np.ndarray:
            return np.concatenate([getattr(block, name) for block in blocks])

        return cls(
            variable=column("variable"),
            upper=column("upper"),
            strict=column("strict"),
            nearest=column("nearest"),
            outer=column("outer"),
            inner=column("inner"),
            mark=column("mark"),
            exact=tuple(e for block in blocks for e in block.exact),
            starts=tuple(accumulate((block.count for block in blocks), initial=0)),
        )

    @property
    def count(self) -> int:
        return int(self.variable.shape[0])

    def value(self, position: int) -> Fraction:
        """The exact value of one bound."""
        block = bisect_right(self.starts, position) - 1
        values, own = self.exact[block], position - self.starts[block]
        if not isinstance(values, str):
            return values[own]
        if block not in self._words:
            self._words.clear()  # one block's words at a time: all would take far more memory than the texts
            self._words[block] = values.split()
        return Fraction(self._words[block][own])


def _rounded(
    nearest: np.ndarray, upper: np.ndarray, strict: np.ndarray, values: Sequence[Exact]
) -> tuple[np.ndarray, np.ndarray]:
    """`outer` and `inner`. Upper bounds are mirrored, so that all are lower bounds, and mirrored back."""
    mirror = np.where(upper, -1.0, 1.0)
    v = mirror * nearest
    outer = np.nextafter(v, -np.inf)
    inner = float32_at_least(v)
    ties = np.flatnonzero(inner == v)
    side = mirror[ties] * _sides([values[i] for i in ties.tolist()], nearest[ties])
    outer[ties] = np.where(side >= 0, v[ties], outer[ties])
    step = (side > 0) | ((side == 0) & strict[ties])
    with np.errstate(over="ignore"):
        inner[ties] = np.where(step, np.nextafter(inner[ties], np.float32(np.inf)), inner[ties])
    return mirror * outer + 0.0, mirror.astype(np.float32) * inner + np.float32(0.0)


def _sides(values: Sequence[Exact], nearest: np.ndarray) -> np.ndarray:
    """1, 0 or -1: whether the exact value lies above, at or below its nearest float64."""
    texts = _are_texts(values)
    known: dict[Exact, int] = {}
    for value, float64 in zip(values, nearest.tolist(), strict=True):
        if value not in known:
            exact, at = (Decimal(cast(str, value)), Decimal(float64)) if texts else (value, Fraction(float64))
            known[value] = (exact > at) - (exact < at)  # type: ignore[operator]  # both of one kind
    return np.fromiter(map(known.__getitem__, values), np.float64, len(values))


def _are_texts(values: Sequence[Exact]) -> bool:
    return bool(values) and isinstance(values[0], str)
