"""A formula brought to disjunctive normal form while it is read.

Both versions of VNN-LIB tell a `Formula` what they see: a connective opens, an atom, a run of atoms, the connective
closes. It keeps *conjunctions*: groups of atoms that were written side by side, numbered as they come, their
bounds on single inputs in columns. A normal form is a list of alternatives, each a tuple of the numbers of conjunctions
that must all hold: `[]` is false, `[()]` is true, "or" appends lists, "and" multiplies them. Nothing is kept of the
text, and no tree is built, so neither the size nor the depth of a formula matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np

from verifier.property.query import LinearConstraint
from verifier.readers.vnnlib.bounds import Bounds
from verifier.readers.vnnlib.linear import LARGEST_CONSTANT, Linear, NumberTooLarge, at_most_zero

MOST_DISJUNCTS = 1_000_000
MOST_REFERENCES = 50_000_000
MOST_BOX_ENTRIES = 100_000_000
"""Limits on a normal form: its alternatives, the conjunctions they name in all (8 bytes each), and the entries of all
their boxes (24 bytes each)."""

Alternatives = list[tuple[int, ...]]


class TooLarge(ValueError):
    """The normal form would be too large to write down."""


class Conjunctions:
    """Numbered conjunctions of atoms.

    Attributes:
        counts: how many bounds on single inputs each one has; they follow one another in the columns.
        rows: by number, the other atoms, as rows; absent where there are none.
    """

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.rows: dict[int, list[LinearConstraint]] = {}
        self._blocks: list[Bounds] = []
        self._single: list[tuple[int, bool, bool, Fraction]] = []

    def new(self) -> int:
        """Opens a conjunction; single atoms are added to the newest."""
        self.counts.append(0)
        return len(self.counts) - 1

    def add_bound(self, variable: int, upper: bool, strict: bool, value: Fraction) -> None:
        if abs(value) > LARGEST_CONSTANT:
            raise NumberTooLarge()
        self._single.append((variable, upper, strict, value))
        self.counts[-1] += 1

    def add_row(self, row: LinearConstraint) -> None:
        self.rows.setdefault(len(self.counts) - 1, []).append(row)

    def add_run(self, counts: Sequence[int], bounds: Bounds, rows: dict[int, list[LinearConstraint]]) -> range:
        """Adds conjunctions in bulk: their counts of bounds, all bounds, and rows by place in the run."""
        self._flush()
        first = len(self.counts)
        self.counts.extend(counts)
        self._blocks.append(bounds)
        self.rows.update((first + k, of_k) for k, of_k in rows.items())
        return range(first, len(self.counts))

    def bounds(self) -> Bounds:
        """All bounds, in the order of the conjunctions."""
        self._flush()
        if not self._blocks:
            none = np.zeros(0, bool)
            return Bounds.of(np.zeros(0, np.int64), none, none, ())
        return Bounds.joined(self._blocks)

    def _flush(self) -> None:
        if self._single:
            variable, upper, strict, values = zip(*self._single, strict=True)
            block = Bounds.of(np.array(variable, np.int64), np.array(upper), np.array(strict), values)
            self._blocks.append(block)
            self._single.clear()


@dataclass
class _Frame:
    """An open connective. "and": `fixed` must all hold, and one of each of `choices`. "or": any of `alternatives`."""

    conjunctive: bool
    fixed: list[int] = field(default_factory=list)
    choices: list[Alternatives] = field(default_factory=list)
    alternatives: Alternatives = field(default_factory=list)

    def check(self) -> None:
        """Raises TooLarge where closing the frame would write down too much."""
        count = prod(map(len, self.choices)) if self.conjunctive else len(self.alternatives)
        if count > MOST_DISJUNCTS:
            raise TooLarge(f"the formula has {count:,} disjuncts in normal form; the limit is {MOST_DISJUNCTS:,}")
        width = len(self.fixed) + sum(max(map(len, choice), default=0) for choice in self.choices)
        if self.conjunctive and count * width > MOST_REFERENCES:
            raise TooLarge(
                f"the formula's normal form has up to {count * width:,} parts; the limit is {MOST_REFERENCES:,}"
            )

    def closed(self) -> Alternatives:
        if not self.conjunctive:
            return self.alternatives
        fixed = tuple(self.fixed)
        if not self.choices:
            return [fixed]
        return [sum(parts, fixed) for parts in product(*self.choices)]


class Formula:
    """A conjunction of assertions; see the module. Atoms added outside any open connective are assertions."""

    def __init__(self) -> None:
        self.conjunctions = Conjunctions()
        self._frames = [_Frame(conjunctive=True)]

    @property
    def depth(self) -> int:
        """How many connectives are open."""
        return len(self._frames) - 1

    @property
    def in_disjunction(self) -> bool:
        return not self._frames[-1].conjunctive

    def open(self, conjunctive: bool) -> None:
        """An "and" (or else an "or") begins. One directly inside its like is the same one."""
        top = self._frames[-1]
        self._frames.append(top if top.conjunctive == conjunctive else _Frame(conjunctive))

    def close(self) -> None:
        """The innermost connective ends.

        Raises:
            TooLarge: the normal form would be.
        """
        frame = self._frames.pop()
        if frame is not self._frames[-1]:
            frame.check()
            self._add(frame.closed())

    def add_comparison(self, expression: Linear, relation: str) -> None:
        """The atom `expression relation 0`; relation is one of <= < >= > =.

        Raises:
            NumberTooLarge: a number is.
        """
        if relation == "=":
            self.open(conjunctive=True)
            self.add_comparison(Linear(dict(expression.coefficients), expression.constant), "<=")
            self.add_comparison(expression, ">=")
            self.close()
            return
        if relation in (">=", ">"):
            expression.scale(Fraction(-1))
        strict = relation in ("<", ">")
        row = at_most_zero(expression, strict)
        if not row.inputs and not row.outputs and not row.products:
            self.add_truth(row.constant > 0 or (row.constant == 0 and not strict))
            return
        self._begin_atom()
        if len(row.inputs) == 1 and not row.outputs and not row.products:
            variable, coefficient = row.inputs[0]
            self.conjunctions.add_bound(variable, coefficient > 0, strict, row.constant / coefficient)
        else:
            self.conjunctions.add_row(row)

    def add_run(
        self, counts: Sequence[int], bounds: Bounds, rows: dict[int, list[LinearConstraint]], false: set[int]
    ) -> None:
        """Conjunctions in bulk, as `Conjunctions.add_run` takes them; those at the places `false` cannot hold."""
        numbers = self.conjunctions.add_run(counts, bounds, rows)
        top = self._frames[-1]
        if top.conjunctive:
            top.fixed.extend(numbers)
            top.choices.extend([] for _ in false)
        else:
            top.alternatives.extend((n,) for k, n in enumerate(numbers) if k not in false)
            top.check()

    def add_truth(self, true: bool) -> None:
        """The atom "true" or "false"."""
        if true != self.in_disjunction:  # true in an "and", false in an "or": no effect
            return
        self._add([()] if true else [])

    def normal_form(self) -> Alternatives:
        """The alternatives of all assertions together; no connective may be open.

        Raises:
            TooLarge: they are too many.
        """
        (frame,) = self._frames
        frame.check()
        return frame.closed()

    def _begin_atom(self) -> None:
        """Makes the newest conjunction one that a single atom of the innermost connective can join."""
        top, newest = self._frames[-1], len(self.conjunctions.counts) - 1
        if not top.conjunctive:
            top.alternatives.append((self.conjunctions.new(),))
        elif not top.fixed or top.fixed[-1] != newest:
            top.fixed.append(self.conjunctions.new())

    def _add(self, alternatives: Alternatives) -> None:
        top = self._frames[-1]
        if not top.conjunctive:
            top.alternatives.extend(alternatives)
        elif len(alternatives) == 1:
            top.fixed.extend(alternatives[0])
        else:
            top.choices.append(alternatives)
        top.check()
