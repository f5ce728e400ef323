"""Inputs that a query relates to one another, seen in coordinates of their differences.

A query about two networks relates their inputs: x' = x, |x' - x| <= e, x' >= x; one about a single network may have an
equation between its own. In a box of all of them, bounds know nothing of that. So an input x_j of which a row says how
far it lies from a combination of inputs before it, l <= x_j - sum_i a_i x_i <= u, gives its place to that difference:
x = T z with T unit lower triangular, z_j in [l, u]. Boxes of z hold all inputs that boxes and rows of x allow, so what
is proved of them is proved; bounds, searches, programs and attacks work on z and know of nothing else. A witness is
judged as inputs x, by the rows as they were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from verifier.property.grid import Grid
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.property.rounding import float32_at_least, float32_at_most, float_at_least, float_at_most
from verifier.property.substitution import Expression, substituted

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_DISJUNCTS = 10_000
"""Disjuncts of a query up to which relations are looked for."""

MOST_TERMS = 16
"""Inputs that a difference may be taken from."""

LARGEST_FACTOR = 10**12
"""Of an input that a difference is taken from; the inverse is the smallest."""

MOST_KEPT = 64
"""Rows of inputs alone that each disjunct keeps; a witness has to obey all of them all the same."""

Source: TypeAlias = tuple[tuple[int, Fraction], ...]
"""The combination that an input is compared with."""

Key: TypeAlias = tuple[int, Source]
"""An input and what it is compared with."""

SetKey: TypeAlias = tuple[int, tuple[int, ...]]
"""What disjuncts of one input set share: the box and the rows of inputs alone, by identity."""

Span: TypeAlias = tuple[Fraction | float, Fraction | float]
"""The exact ends of a difference; infinite where unknown."""


@dataclass(frozen=True, eq=False)
class Change:
    """x = T z.

    Attributes:
        size: entries of x and of z.
        sources: for each input that is replaced what it is compared with, by its place.
        equal: those of them that are what they are compared with, so that z's entry is not used.
    """

    size: int
    sources: Mapping[int, Source]
    equal: frozenset[int]

    @cached_property
    def expressions(self) -> dict[int, Expression]:
        """The inputs that are replaced as combinations of z."""
        found: dict[int, Expression] = {}
        for j in sorted(self.sources):
            own: Expression = {} if j in self.equal else {j: Fraction(1)}
            for i, factor in self.sources[j]:
                for k, other in found.get(i, {i: Fraction(1)}).items():
                    own[k] = own.get(k, Fraction(0)) + factor * other
            found[j] = {k: c for k, c in own.items() if c}
        return found

    @cached_property
    def levels(self) -> list[np.ndarray]:
        """The inputs that are replaced, by place: each is compared with others of earlier arrays only."""
        depth: dict[int, int] = {}
        for j in sorted(self.sources):
            depth[j] = 1 + max((depth.get(i, 0) for i, _ in self.sources[j]), default=0)
        return [np.array([j for j, d in depth.items() if d == level]) for level in range(1, max(depth.values()) + 1)]

    @cached_property
    def sums(self) -> csr_array:
        """What inputs that are replaced are compared with, as sums of inputs, float64, shape (size, size)."""
        return _csr([(j, i, float(c)) for j, source in self.sources.items() for i, c in source], self.size)

    @cached_property
    def matrix(self) -> csr_array:
        """T, float64, its entries within a rounding of the exact ones."""
        rows = [self.expressions.get(j, {j: Fraction(1)}) for j in range(self.size)]
        return _csr([(j, k, float(c)) for j, row in enumerate(rows) for k, c in row.items()], self.size)

    @property
    def exact(self) -> bool:
        """Whether the entries of T are the exact ones."""
        return all(Fraction(float(c)) == c for row in self.expressions.values() for c in row.values())

    def inputs(self, z: np.ndarray) -> np.ndarray:
        """The inputs at coordinates z, float64, shape (..., size)."""
        return np.asarray((self.matrix @ z.reshape(-1, self.size).T).T.reshape(z.shape))

    def integral(self, integral: np.ndarray) -> np.ndarray:
        """Which entries of z are whole numbers where those entries of x are, booleans, shape (size,)."""
        found = integral.copy()
        for j, source in self.sources.items():
            found[j] &= all(integral[i] and factor.denominator == 1 for i, factor in source)
        return found


@dataclass(frozen=True, eq=False)
class Origin:
    """A disjunct in its inputs, of which another one is the same in coordinates."""

    disjunct: Disjunct
    change: Change
    spans: Mapping[int, tuple[float, float]] = field(repr=False)

    def inputs(self, z: np.ndarray, grid: Grid) -> np.ndarray:
        """The inputs at z, numbers of the grid in the box, each difference within its span where such a number is."""
        box = self.disjunct.box
        x = np.clip(grid.nearest(z), box.inner_lower, box.inner_upper).astype(np.float64)
        spans = np.array([self.spans.get(j, (-inf, inf)) for j in range(len(x))])
        used = np.array([0.0 if j in self.change.equal else 1.0 for j in range(len(x))])
        for level in self.change.levels:
            base = self.change.sums @ x
            low, high, wanted = base + spans[:, 0], base + spans[:, 1], base + used * z
            nearest = grid.nearest(wanted).astype(np.float64)
            below, above = grid.at_most(float32_at_most(high)), grid.at_least(float32_at_least(low))
            inside = np.where(nearest > high, below, np.where(nearest < low, above, nearest))
            x[level] = np.clip(inside, box.inner_lower, box.inner_upper)[level]
        return x


def with_differences(query: Query, starts: Sequence[int]) -> Query:
    """The query in coordinates of differences; itself where its rows relate no inputs.

    Args:
        starts: where the inputs of each network begin: inputs of different ones are compared, and whatever is equal.
    """
    if not 0 < len(query.disjuncts) <= MOST_DISJUNCTS or any(d.box.ball is not None for d in query.disjuncts):
        return query
    sets = _input_sets(query)
    spans = {key: _spans(rows) for key, (_, rows) in sets.items()}
    chosen = _chosen(list(spans.values()), starts)
    if not chosen:
        return query
    equal = {j for j, key in chosen.items() if all(of[key] == (0, 0) for of in spans.values())}
    change = Change(query.input_size, {j: source for j, (_, source) in chosen.items()}, frozenset(equal))
    moved = {key: _moved_set(*sets[key], spans[key], chosen, change) for key in sets}
    rows: dict[int, LinearConstraint] = {}
    disjuncts = []
    for disjunct in query.disjuncts:
        found = moved[_set_of(disjunct)]
        if found is not None:
            box, own, ends = found
            for row in disjunct.rows:
                if id(row) not in rows and not _of_inputs(row):
                    rows[id(row)] = _substituted(row, change)
            kept = [rows[id(row)] for row in disjunct.rows if not _of_inputs(row)]
            disjuncts.append(Disjunct(box, (*kept, *own), Origin(disjunct, change, ends)))
    return replace(query, disjuncts=tuple(disjuncts), change=change)


def _of_inputs(row: LinearConstraint) -> bool:
    """Whether a row is about inputs alone, and linear."""
    return row.of_inputs and not row.products


def _set_of(disjunct: Disjunct) -> SetKey:
    return id(disjunct.box), tuple(id(row) for row in disjunct.rows if _of_inputs(row))


def _input_sets(query: Query) -> dict[SetKey, tuple[Box, list[LinearConstraint]]]:
    """The distinct input sets: a box and rows of inputs alone."""
    found: dict[SetKey, tuple[Box, list[LinearConstraint]]] = {}
    for disjunct in query.disjuncts:
        key = _set_of(disjunct)
        if key not in found:
            found[key] = disjunct.box, [row for row in disjunct.rows if _of_inputs(row)]
    return found


def _spans(rows: Sequence[LinearConstraint]) -> dict[Key, Span]:
    """What rows of inputs alone say of how far their last input lies from a combination of the others."""
    found: dict[Key, Span] = {}
    for row in rows:
        if (key := _key(row)) is not None:
            last = row.inputs[-1][1]
            low, high = found.get(key, (-inf, inf))
            end = row.constant / last
            found[key] = (low, min(high, end)) if last > 0 else (max(low, end), high)
    return found


def _key(row: LinearConstraint) -> Key | None:
    if not 2 <= len(row.inputs) <= MOST_TERMS:
        return None
    *others, (j, last) = row.inputs
    source = tuple((i, -factor / last) for i, factor in others)
    return (j, source) if all(1 / LARGEST_FACTOR <= abs(factor) <= LARGEST_FACTOR for _, factor in source) else None


def _chosen(found: Sequence[dict[Key, Span]], starts: Sequence[int]) -> dict[int, Key]:
    """For each input at most one comparison that all disjuncts make, equations and narrow ones first."""
    common = set(found[0]).intersection(*found[1:]) if found else set()
    ranked = []
    for key in common:
        widths = [_minus(high, low) for low, high in (spans[key] for spans in found)]
        if max(widths) > 0 and not _compares_networks(key, starts):
            continue
        ranked.append((max(widths), len(key[1]), key))
    chosen: dict[int, Key] = {}
    for *_, key in sorted(ranked):
        chosen.setdefault(key[0], key)
    return chosen


def _compares_networks(key: Key, starts: Sequence[int]) -> bool:
    """Whether two inputs of different networks are set against each other as they are."""
    j, source = key
    if len(source) != 1 or source[0][1] != 1:
        return False
    first, second = np.searchsorted(np.asarray(starts), [source[0][0], j], side="right")
    return bool(first != second)


def _narrowed(span: Span, key: Key, box: Box) -> Span:
    """The span, cut to what the box allows."""
    j, source = key
    low, high = _exact(box.lower[j]), _exact(box.upper[j])
    for i, factor in source:
        ends = sorted((_times(factor, box.lower[i]), _times(factor, box.upper[i])))
        low, high = _minus(low, ends[1]), _minus(high, ends[0])
    return max(span[0], low), min(span[1], high)


def _minus(a: Fraction | float, b: Fraction | float) -> Fraction | float:
    """The difference, of which floats are infinite; a fraction may be beyond float64."""
    if isinstance(a, float):
        return a
    return -b if isinstance(b, float) else a - b


def _exact(end: float) -> Fraction | float:
    return Fraction(float(end)) if np.isfinite(end) else float(end)


def _times(factor: Fraction, end: float) -> Fraction | float:
    return factor * Fraction(float(end)) if np.isfinite(end) else float(factor) * float(end)


def _moved_set(
    box: Box, rows: Sequence[LinearConstraint], spans: Mapping[Key, Span], chosen: Mapping[int, Key], change: Change
) -> tuple[Box, list[LinearConstraint], dict[int, tuple[float, float]]] | None:
    """An input set in coordinates: its box, rows that this does not imply, and its spans; None where it is empty."""
    exact = {j: _narrowed(spans[key], key, box) for j, key in chosen.items()}
    if any(low > high for low, high in exact.values()):
        return None
    ends = {j: (_down(low), _up(high)) for j, (low, high) in exact.items()}
    moved, used = _box(box, ends), set(chosen.values())
    kept = [_substituted(row, change) for row in rows if row.strict or _key(row) not in used]  # boxes are closed
    of_inputs = [row for row in (*kept, *_sides(box, change)) if row.inputs and not _implied(row, moved)]
    return moved, of_inputs[:MOST_KEPT], ends


def _down(end: Fraction | float) -> float:
    return float_at_most(end) if isinstance(end, Fraction) else float(end)


def _up(end: Fraction | float) -> float:
    return float_at_least(end) if isinstance(end, Fraction) else float(end)


def _box(box: Box, spans: Mapping[int, tuple[float, float]]) -> Box:
    lower, upper = box.lower.copy(), box.upper.copy()
    for j, (low, high) in spans.items():
        lower[j], upper[j] = low, high
    inner_lower, inner_upper = box.inner_lower.copy(), box.inner_upper.copy()
    most = np.finfo(np.float32).max
    for j, (low, high) in spans.items():
        inner_lower[j], inner_upper[j] = np.clip(low, -most, most), np.clip(high, -most, most)
    return replace(box, lower=lower, upper=upper, inner_lower=inner_lower, inner_upper=inner_upper)


def _substituted(row: LinearConstraint, change: Change) -> LinearConstraint:
    if not any(i in change.sources for i, _ in row.inputs) and not row.products:
        return row
    return substituted(row, change.expressions)


def _sides(box: Box, change: Change) -> Iterable[LinearConstraint]:
    """The bounds of inputs that are replaced, as rows of z."""
    for j, expression in change.expressions.items():
        terms = tuple(sorted(expression.items()))
        if np.isfinite(box.upper[j]):
            yield LinearConstraint(terms, (), Fraction(float(box.upper[j])))
        if np.isfinite(box.lower[j]):
            yield LinearConstraint(tuple((k, -c) for k, c in terms), (), -Fraction(float(box.lower[j])))


def _implied(row: LinearConstraint, box: Box) -> bool:
    """Whether the box alone keeps a row of inputs, in exact arithmetic."""
    total = Fraction(0)
    for k, factor in row.inputs:
        end = box.upper[k] if factor > 0 else box.lower[k]
        if not np.isfinite(end):
            return False
        total += factor * Fraction(float(end))
    return total < row.constant or (total == row.constant and not row.strict)


def _csr(entries: Sequence[tuple[int, int, float]], size: int) -> csr_array:
    from scipy.sparse import csr_array

    rows, columns, values = zip(*entries, strict=True)
    return csr_array((values, (rows, columns)), shape=(size, size))
