"""What is asked: is there an input in one of these boxes whose output obeys these linear rows?

A `Query` is a disjunction. Each `Disjunct` is a box of inputs and a conjunction of linear rows over inputs and outputs;
together they describe a *violation*. Constants are kept exactly (as fractions) where a witness is judged, and enclosed
in float64 where bounds are computed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np

from verifier.errors import PropertyError
from verifier.property.balls import Ball
from verifier.tolerances import SMALLEST_FORM_COEFFICIENT

SMALLEST_MARGIN = float(np.finfo(np.float64).tiny)
"""The margin of what is excluded without room: a strict row whose bound equals its threshold, rows that cannot hold
together although each alone might."""


@dataclass(frozen=True, eq=False)
class Box:
    """Input bounds, and a ball that the input has to lie in as well, if there is one.

    Whatever ignores the ball works on a larger input set: its bounds still prove. Every array has shape (input_size,).

    Attributes:
        lower, upper: float64, an enclosure: never inside the exact bounds.
        inner_lower, inner_upper: float32, the smallest and largest float32 that obey the exact bounds (strict ones
            strictly). `inner_lower > inner_upper` in an entry means that no float32 lies between the exact bounds.
            For inputs of 16 bits a task makes them numbers of these types (`property.nearest`).
            float64 arrays where a float64 input is fixed to a number that is no float32 (`property.nearest`).
        ball: the bounds are then finite, and as a rule those of its bounding box or tighter.
        widened: how many entries were widened to hold the nearest float (`property.nearest`).

    Raises:
        PropertyError: on construction, where a ball has another size, or bounds that are infinite.
    """

    lower: np.ndarray
    upper: np.ndarray
    inner_lower: np.ndarray
    inner_upper: np.ndarray
    ball: Ball | None = None
    widened: int = 0

    def __post_init__(self) -> None:
        if self.ball is None:
            return
        if self.ball.centre.shape != self.lower.shape:
            raise PropertyError(f"a ball in {len(self.ball.centre)} dimensions and a box in {self.size}")
        if not (np.isfinite(self.lower).all() and np.isfinite(self.upper).all()):
            raise PropertyError("a ball in a box with infinite bounds", fix="intersect the box with the ball's own")

    @classmethod
    def exact(cls, lower: np.ndarray, upper: np.ndarray) -> Box:
        """The box whose exact bounds are these float64 arrays."""
        lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
        return cls(lower, upper, float32_at_least(lower), float32_at_most(upper))

    @property
    def size(self) -> int:
        return int(self.lower.shape[0])

    @property
    def has_float32_point(self) -> bool:
        """Whether some float32 vector lies in the exact box; where there is a ball, whether one was found."""
        if not (self.inner_lower <= self.inner_upper).all():
            return False
        ball = self.ball
        return ball is None or ball.contains(ball.float32_near(self.middle, self.inner_lower, self.inner_upper))

    @property
    def middle(self) -> np.ndarray:
        """The middle of the bounds, or their point nearest to the ball's centre; float64, shape (input_size,)."""
        if self.ball is not None:
            return np.clip(self.ball.centre, self.lower, self.upper)
        return 0.5 * self.lower + 0.5 * self.upper

    def contains(self, x: np.ndarray) -> bool:
        """Whether the float32 vector `x` lies in the exact box, and in the ball."""
        if not ((x >= self.inner_lower) & (x <= self.inner_upper)).all():
            return False
        return self.ball is None or self.ball.contains(x)

    def distance(self, x: np.ndarray) -> float:
        """How far the float32 vector `x` lies outside the box, in the largest entry, or the ball; 0.0 inside."""
        if self.contains(x):
            return 0.0
        x = x.astype(np.float64)
        outside = np.maximum(self.lower - x, x - self.upper).max(initial=0.0)
        if self.ball is not None:
            outside = np.maximum(outside, self.ball.excess(x))  # NaN stays
        return float(np.maximum(outside, np.finfo(np.float64).tiny))


@dataclass(frozen=True)
class LinearConstraint:
    """sum_i a_i X_i + sum_j b_j Y_j <= constant (< where `strict`), with exact coefficients.

    Attributes:
        inputs, outputs: (index, coefficient) pairs, indices ascending, coefficients not 0.
    """

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    constant: Fraction
    strict: bool = False

    def excess(self, x: np.ndarray, y: np.ndarray) -> Fraction:
        """Left side minus right side, exactly; `x` and `y` are vectors of floats."""
        total = -self.constant
        for index, coefficient in self.inputs:
            total += coefficient * Fraction(float(x[index]))
        for index, coefficient in self.outputs:
            total += coefficient * Fraction(float(y[index]))
        return total

    def holds(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether the constraint holds exactly at these floats; False where one is NaN or infinite."""
        used = [float(x[i]) for i, _ in self.inputs] + [float(y[j]) for j, _ in self.outputs]
        if not np.isfinite(used).all():
            return False
        excess = self.excess(x, y)
        return excess < 0 if self.strict else excess <= 0


@dataclass(frozen=True, eq=False)
class Disjunct:
    """A box (with its ball) of inputs and rows that must all hold. No rows: all its inputs are violations."""

    box: Box
    rows: tuple[LinearConstraint, ...]

    def holds(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether the float32 input `x` with output `y` is a violation, exactly."""
        return self.box.contains(x) and all(row.holds(x, y) for row in self.rows)


@dataclass(frozen=True)
class Declaration:
    """A tensor that a property declares, and its part of the vector of all inputs, or of all outputs.

    Attributes:
        name, dtype, shape: as declared; row-major. Version 1.0 of VNN-LIB has no types: there `dtype` is empty.
        is_output: whether it belongs to the outputs.
        start: where it begins in that vector.
        first: the number of its first entry in the names of version 1.0, such as 1 for Y_1.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    is_output: bool
    start: int
    first: int = 0


BY_NETWORK, BY_DATA, BY_LABEL = "the network", "the data", "label="
"""Who says which class a sample has."""


@dataclass(frozen=True, eq=False)
class Kept:
    """The class that a question of robustness asks to be kept.

    Attributes:
        label: the class.
        sample: float64, shape (input_size,), that is said to have it.
        source: who says so: `BY_NETWORK`, `BY_DATA` or `BY_LABEL`.
    """

    label: int
    sample: np.ndarray
    source: str


@dataclass(frozen=True, eq=False)
class Query:
    """A violation to look for: any of `disjuncts`. Disjuncts that share a box share the `Box` object.

    Attributes:
        disjuncts: none means that the set of violations is empty, and the query is vacuously `unsat`.
        input_size, output_size: of the network asked about.
        note: what a user should know of the property, e.g. that its input set is empty.
        name: for messages.
        empty: what leaves no input at all, where that looks like a mistake: bounds that cross, a ball away from the
            box. Empty for all other queries.
        kept: the class that is asked to be kept around a sample, for messages.
        declarations: the tensors of a VNN-LIB 2.0 property in its order; for version 1.0 none, but where the outputs
            are not numbered from 0 on.
        source: the file that this is all of, or None. What is made from a query has none.
    """

    disjuncts: tuple[Disjunct, ...]
    input_size: int
    output_size: int
    note: str = ""
    name: str = "property"
    declarations: tuple[Declaration, ...] = ()
    empty: str = ""
    kept: Kept | None = None
    source: Path | None = field(default=None, init=False, repr=False)

    def read_from(self, source: Path) -> Query:
        """The query itself, which remembers its file from now on."""
        object.__setattr__(self, "source", source)
        return self

    def __str__(self) -> str:
        """The query as VNN-LIB, which `load_property` reads back as the same query; balls cannot be said."""
        from verifier.property.vnnlib_text import text_of

        return text_of(self)

    def __repr__(self) -> str:
        count, boxes = len(self.disjuncts), len({id(d.box) for d in self.disjuncts})
        several = f"{count} disjunct{'s' * (count != 1)} over {boxes} box{'es' * (boxes != 1)}"
        return f"<Query {self.name}: {several}, {self.input_size} inputs, {self.output_size} outputs>"

    @cached_property
    def patterns(self) -> Patterns:
        """The rows' distinct left sides and, for each disjunct, its thresholds on them."""
        return Patterns.of(self.disjuncts, self.input_size, self.output_size)

    @property
    def centre(self) -> np.ndarray:
        """The mean of the middles of the boxes, shape (input_size,)."""
        boxes = {id(d.box): d.box for d in self.disjuncts}.values()
        if not boxes:
            return np.zeros(self.input_size)
        return np.mean([box.middle for box in boxes], axis=0)

    @property
    def fixed(self) -> np.ndarray:
        """The inputs that all boxes fix to the same number, and NaN for the others; shape (input_size,)."""
        boxes = list({id(d.box): d.box for d in self.disjuncts}.values())
        if not boxes:
            return np.full(self.input_size, np.nan)
        lower = np.min([box.lower for box in boxes], axis=0)
        upper = np.max([box.upper for box in boxes], axis=0)
        return np.where((lower == upper) & np.isfinite(lower), lower, np.nan)

    def not_empty(self, allow_empty: bool = False) -> Query:
        """The query itself.

        Raises:
            PropertyError: its input set is empty, which looks like a mistake and would prove anything.
        """
        if self.empty and not allow_empty:
            fix = "mend it, or give allow_empty=True to have it answered unsat"
            raise PropertyError(f"the input set is empty: {self.empty}", self.name, fix)
        return self

    def violated(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether the float32 input `x` with output `y` is a violation, exactly."""
        return any(d.holds(x, y) for d in self.disjuncts)


@dataclass(frozen=True, eq=False)
class Patterns:
    """The left sides of all rows, each distinct one once: K linear forms of inputs and outputs.

    Thousands of disjuncts often ask about a handful of forms with different constants; a bound on the K forms over a
    box serves all of them. A row holds exactly where its form is at most its threshold.

    Attributes:
        inputs: shape (K, input_size), float64, each entry within one rounding of the exact one; likewise
        outputs: shape (K, output_size).
        rows: for each disjunct the indices of its forms, integers, shape (rows,).
        thresholds: for each disjunct the constants of its rows, float64, rounded up, shape (rows,).
        strict: for each disjunct, whether a form equal to the threshold is no violation, booleans, shape (rows,).
        exact: whether the coefficients are the exact ones throughout.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    rows: tuple[np.ndarray, ...]
    thresholds: tuple[np.ndarray, ...]
    strict: tuple[np.ndarray, ...]
    exact: bool = False

    @classmethod
    def of(cls, disjuncts: Iterable[Disjunct], input_size: int, output_size: int) -> Patterns:
        numbers: dict[tuple, int] = {}
        rows, thresholds, strict = [], [], []
        for disjunct in disjuncts:
            rows.append(
                np.array([numbers.setdefault((r.inputs, r.outputs), len(numbers)) for r in disjunct.rows], np.int64)
            )
            rounded = [float_at_least(r.constant) for r in disjunct.rows]
            thresholds.append(np.array(rounded, np.float64))
            exact = [r.strict and Fraction(t) == r.constant for r, t in zip(disjunct.rows, rounded, strict=True)]
            strict.append(np.array(exact, bool))
        of_inputs, of_outputs = np.zeros((len(numbers), input_size)), np.zeros((len(numbers), output_size))
        for (inputs, outputs), k in numbers.items():
            for index, coefficient in inputs:
                of_inputs[k, index] = _rounded(coefficient)
            for index, coefficient in outputs:
                of_outputs[k, index] = _rounded(coefficient)
        terms = (coefficient for form in numbers for side in form for _, coefficient in side)
        unrounded = all(Fraction(_rounded(coefficient)) == coefficient for coefficient in terms)
        return cls(of_inputs, of_outputs, tuple(rows), tuple(thresholds), tuple(strict), unrounded)

    @property
    def count(self) -> int:
        return int(self.outputs.shape[0])

    def excluded(self, disjunct: int, lower: np.ndarray) -> bool:
        """Whether lower bounds on the K forms over the disjunct's box show that some row cannot hold there."""
        return self.margin(disjunct, lower) > 0

    def margin(self, disjunct: int, lower: np.ndarray) -> float:
        """Max over the disjunct's rows of (lower bound - threshold); positive means excluded. -inf without rows."""
        found = gaps(lower[self.rows[disjunct]], self.thresholds[disjunct], self.strict[disjunct])
        return float(np.max(found, initial=-np.inf))


def gaps(lower: np.ndarray, thresholds: np.ndarray, strict: np.ndarray) -> np.ndarray:
    """How far lower bounds of forms exceed their rows' thresholds; positive where the row cannot hold.

    A strict row cannot hold either where the bound *equals* its threshold: the gap is then `SMALLEST_MARGIN`.

    Args:
        lower: bounds of the forms themselves, rounding covered, float64.
        thresholds, strict: of the rows, shapes to which that of `lower` broadcasts.
    """
    difference = lower - thresholds
    return np.where(strict & (difference == 0), SMALLEST_MARGIN, difference)


def _rounded(coefficient: Fraction) -> float:
    """The nearest float64, within one relative rounding of the coefficient.

    Raises:
        PropertyError: it is too small or too large for that (and for products with it not to vanish or overflow).
    """
    if not SMALLEST_FORM_COEFFICIENT <= abs(coefficient) <= 1 / SMALLEST_FORM_COEFFICIENT:
        cause = f"a coefficient of about {coefficient.numerator / coefficient.denominator:g} is out of range"
        raise PropertyError(cause, fix="multiply the constraint by a constant")
    return float(coefficient)


def float_at_most(value: Fraction) -> float:
    """The largest float64 that is at most `value`; minus infinity below the smallest."""
    return -float_at_least(-value)


def float_at_least(value: Fraction) -> float:
    """The smallest float64 that is at least `value`; infinity beyond the largest."""
    try:
        nearest = float(value)
    except OverflowError:
        return float("inf") if value > 0 else -float(np.finfo(np.float64).max)
    return nearest if Fraction(nearest) >= value else float(np.nextafter(nearest, np.inf))


def float32_at_least(value: np.ndarray) -> np.ndarray:
    """The smallest float32 that are at least the float64 `value`."""
    with np.errstate(over="ignore"):
        nearest = value.astype(np.float32)
        return np.where(nearest.astype(np.float64) >= value, nearest, np.nextafter(nearest, np.float32(np.inf)))


def float32_at_most(value: np.ndarray) -> np.ndarray:
    """The largest float32 that are at most the float64 `value`."""
    return -float32_at_least(-np.asarray(value))
