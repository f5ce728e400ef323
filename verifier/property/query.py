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
from typing import TYPE_CHECKING

import numpy as np

from verifier.errors import PropertyError
from verifier.property.balls import Ball
from verifier.property.polynomials import Atom, Terms, atoms_of, computed, entry, exact
from verifier.property.rounding import float32_at_least, float32_at_most, float_at_least, float_coefficient

if TYPE_CHECKING:
    from verifier.property.relations import Change, Origin

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
        """The middle of the bounds, or their point nearest to the ball's centre; float64, shape (input_size,).

        Where a bound is infinite, the number nearest to 0.
        """
        if self.ball is not None:
            return np.clip(self.ball.centre, self.lower, self.upper)
        finite = np.isfinite(self.lower) & np.isfinite(self.upper)
        if finite.all():
            return 0.5 * self.lower + 0.5 * self.upper
        with np.errstate(invalid="ignore"):
            return np.where(finite, 0.5 * self.lower + 0.5 * self.upper, np.clip(0.0, self.lower, self.upper))

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
    """sum_i a_i X_i + sum_j b_j Y_j + sum_m c_m M_m <= constant (< where `strict`), with exact coefficients.

    Attributes:
        inputs, outputs: (index, coefficient) pairs, indices ascending, coefficients not 0.
        products: the same of monomials M of inputs and outputs (`property.polynomials`).
    """

    inputs: tuple[tuple[int, Fraction], ...]
    outputs: tuple[tuple[int, Fraction], ...]
    constant: Fraction
    strict: bool = False
    products: Terms = ()

    @property
    def of_inputs(self) -> bool:
        """Whether it is about inputs alone, so that it belongs to the input set."""
        return not self.outputs and all(code >= 0 for monomial, _ in self.products for code in monomial)

    def excess(self, x: np.ndarray, y: np.ndarray) -> Fraction:
        """Left side minus right side, exactly; `x` and `y` are vectors of floats."""
        total = -self.constant
        for index, coefficient in self.inputs:
            total += coefficient * Fraction(float(x[index]))
        for index, coefficient in self.outputs:
            total += coefficient * Fraction(float(y[index]))
        for monomial, coefficient in self.products:
            total += coefficient * exact(monomial, x, y)
        return total

    def holds(self, x: np.ndarray, y: np.ndarray) -> bool:
        """Whether the constraint holds exactly at these floats; False where one is NaN or infinite."""
        used = [float(x[i]) for i, _ in self.inputs] + [float(y[j]) for j, _ in self.outputs]
        used += [entry(code, x, y) for monomial, _ in self.products for code in monomial]
        if not np.isfinite(used).all():
            return False
        excess = self.excess(x, y)
        return excess < 0 if self.strict else excess <= 0


@dataclass(frozen=True, eq=False)
class Disjunct:
    """A box (with its ball) of inputs and rows that must all hold. No rows: all its inputs are violations.

    Attributes:
        origin: where the inputs are coordinates of others (`property.relations`), what a violation has to obey.
    """

    box: Box
    rows: tuple[LinearConstraint, ...]
    origin: Origin | None = None

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
        change: how inputs are made of the coordinates that boxes and rows are about; None where these are the inputs.
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
    change: Change | None = None
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
    """The left sides of all rows, each distinct one once: K linear forms of inputs, outputs and M products of them.

    Thousands of disjuncts often ask about a handful of forms with different constants; a bound on the K forms over a
    box serves all of them. A row holds exactly where its form is at most its threshold.

    Attributes:
        inputs: shape (K, input_size), float64, each entry within one rounding of the exact one; likewise
        outputs: shape (K, output_size).
        products: shape (K, M).
        atoms: the products: monomials, and squares of linear forms.
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
    products: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    atoms: tuple[Atom, ...] = ()

    @classmethod
    def of(cls, disjuncts: Iterable[Disjunct], input_size: int, output_size: int) -> Patterns:
        numbers: dict[tuple, int] = {}
        rows, thresholds, strict = [], [], []
        for disjunct in disjuncts:
            rows.append(
                np.array(
                    [numbers.setdefault((r.inputs, r.outputs, r.products), len(numbers)) for r in disjunct.rows],
                    np.int64,
                )
            )
            rounded = [float_at_least(r.constant) for r in disjunct.rows]
            thresholds.append(np.array(rounded, np.float64))
            tight = [r.strict and Fraction(t) == r.constant for r, t in zip(disjunct.rows, rounded, strict=True)]
            strict.append(np.array(tight, bool))
        of_inputs, of_outputs = np.zeros((len(numbers), input_size)), np.zeros((len(numbers), output_size))
        atoms: dict[Atom, int] = {}
        of_products: list[tuple[int, int, Fraction]] = []
        for (inputs, outputs, products), k in numbers.items():
            for index, factor in inputs:
                of_inputs[k, index] = float_coefficient(factor)
            for index, factor in outputs:
                of_outputs[k, index] = float_coefficient(factor)
            for atom, factor in atoms_of(products):
                of_products.append((k, atoms.setdefault(atom, len(atoms)), factor))
        weights = np.zeros((len(numbers), len(atoms)))
        for k, m, factor in of_products:
            weights[k, m] = float_coefficient(factor)
        factors = [factor for form in numbers for side in form[:2] for _, factor in side]
        unrounded = all(Fraction(float_coefficient(f)) == f for f in (*factors, *(f for *_, f in of_products)))
        sides = of_inputs, of_outputs, tuple(rows), tuple(thresholds), tuple(strict), unrounded
        return cls(*sides, weights, tuple(atoms))

    @property
    def count(self) -> int:
        return int(self.outputs.shape[0])

    def forms(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """The K forms as computed at inputs, shape (N, input_size), and outputs, (N, output_size); shape (N, K)."""
        forms = x @ self.inputs.T + y @ self.outputs.T
        return forms + computed(self.atoms, x, y) @ self.products.T if self.atoms else forms

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
