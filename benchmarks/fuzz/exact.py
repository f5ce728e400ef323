"""Exact truth about small piecewise-linear networks: every region of linearity, its vertices in rational arithmetic.

A region is kept as points whose convex hull it is. Cutting it by a half-space keeps the points inside, and adds where
the segments between points inside and outside meet the boundary: that is the cut hull, with some points too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

Point: TypeAlias = tuple[Fraction, ...]
Form: TypeAlias = tuple[Fraction, ...]
"""Coefficients, and the constant at the end."""

MOST_POINTS = 80
MOST_REGIONS = 300


class TooMany(Exception):
    """More points or regions than are worth the time: take another case."""


@dataclass(frozen=True)
class Region:
    """A convex hull of points, and the linear forms that the network's values are there."""

    points: tuple[Point, ...]
    forms: tuple[Form, ...]


def value(form: Form, point: Point) -> Fraction:
    return sum((a * x for a, x in zip(form[:-1], point, strict=True)), form[-1])


def combine(forms: Sequence[Form], weights: Sequence[Fraction], constant: Fraction = Fraction(0)) -> Form:
    """sum_i weights[i] * forms[i] + constant."""
    width = len(forms[0])
    total = [sum((w * f[k] for w, f in zip(weights, forms, strict=True)), Fraction(0)) for k in range(width)]
    total[-1] += constant
    return tuple(total)


def cut(points: tuple[Point, ...], form: Form) -> tuple[Point, ...]:
    """The part of the hull where the form is at most 0."""
    values = [(point, value(form, point)) for point in points]
    kept = {point for point, v in values if v <= 0}
    inside = [(p, v) for p, v in values if v < 0]
    outside = [(p, v) for p, v in values if v > 0]
    for p, v in inside:
        for q, w in outside:
            share = v / (v - w)
            kept.add(tuple(a + share * (b - a) for a, b in zip(p, q, strict=True)))
    if len(kept) > MOST_POINTS:
        raise TooMany
    return tuple(sorted(kept))


def split(points: tuple[Point, ...], form: Form) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The parts where the form is at most and at least 0; () for one that is no more than a face of the other."""
    values = [value(form, point) for point in points]
    if max(values) <= 0:
        return points, ()
    if min(values) >= 0:
        return (), points
    return cut(points, form), cut(points, combine([form], [Fraction(-1)]))


def maximum(points: tuple[Point, ...], forms: Sequence[Form]) -> list[tuple[tuple[Point, ...], Form]]:
    """The parts of a hull on each of which one of the forms is the largest."""
    parts = [(points, forms[0])]
    for form in forms[1:]:
        refined = []
        for part, best in parts:
            below, above = split(part, combine([form, best], [Fraction(1), Fraction(-1)]))
            refined += [(p, f) for p, f in ((below, best), (above, form)) if p]
        parts = refined
    return parts


def satisfiable(regions: Sequence[Region], rows: Sequence[tuple[Form, bool]]) -> tuple[bool, list[Point]]:
    """Whether some point of some region obeys all rows, and points that do.

    Args:
        regions: their `forms` are the outputs.
        rows: (coefficients of the outputs and a constant, strict): the sum is to be <= 0, or < 0 where strict.
    """
    found: list[Point] = []
    for region in regions:
        cuts = [(combine(region.forms, row[:-1], row[-1]), strict) for row, strict in rows]
        points = region.points
        for form, _ in cuts:
            points = cut(points, form)
        if points and all(any(value(form, p) < 0 for p in points) for form, strict in cuts if strict):
            middle = tuple(sum(x, Fraction(0)) / len(points) for x in zip(*points, strict=True))
            candidates = (*points, middle)
            found += [p for p in candidates if all(value(f, p) < 0 or (value(f, p) == 0 and not s) for f, s in cuts)]
    return bool(found), found
