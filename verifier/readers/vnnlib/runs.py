"""Runs of simple atoms, taken apart in bulk.

A run has matched one of the patterns of `tokens`, so it is known to be relations, variables, numbers and parentheses
in the right places, and `str.split` yields three words an atom.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import compress
from operator import itemgetter

import numpy as np

from verifier.property.query import LinearConstraint
from verifier.readers.vnnlib.bounds import Bounds
from verifier.readers.vnnlib.formula import Formula
from verifier.readers.vnnlib.linear import LARGEST_CONSTANT, Linear, NumberTooLarge, at_most_zero, output_code
from verifier.readers.vnnlib.written import Written

_ONE, _MINUS_ONE = Fraction(1), Fraction(-1)
_UPPER = {"<=": True, "<": True, ">=": False, ">": False}


class Codes(dict[str, int]):
    """The codes of the variables seen: `X_i` is i, `Y_j` is `output_code(j)`. The names must be well formed."""

    def __missing__(self, name: str) -> int:
        index = int(name[2:])
        self[name] = code = index if name[0] == "X" else output_code(index)
        return code


class Runs:
    """Adds runs to a formula. Equal rows become one object, so thousands of disjuncts can share them."""

    def __init__(self, formula: Formula | Written, codes: Codes) -> None:
        self._formula, self._codes = formula, codes
        self._rows: dict[tuple[str, str, str], LinearConstraint | bool] = {}

    def add_atoms(self, run: str, keyword: str = "") -> int:
        """Adds the atoms of a run to the innermost connective; returns how many.

        Raises:
            NumberTooLarge: a number is.
        """
        words = _words(run, keyword)
        count = len(words) // 3
        self._add(words, [1] * count if self._formula.in_disjunction else [count])
        return count

    def add_conjunctions(self, run: str, keyword: str = "and") -> int:
        """Adds the conjunctions of a run to the innermost connective, a disjunction; returns how many.

        Raises:
            NumberTooLarge: a number is.
        """
        counts = [piece.count(")") - 1 for piece in run.split(keyword)[1:]]
        self._add(_words(run, keyword), counts)
        return len(counts)

    def _add(self, words: list[str], counts: Sequence[int]) -> None:
        """Adds atoms, `counts[k]` of them in the k-th conjunction."""
        relations, left, right = words[0::3], words[1::3], words[2::3]
        codes = np.fromiter(map(self._codes.__getitem__, left), np.int64, len(left))
        is_row = (codes < 0) | np.fromiter(map("XY".__contains__, map(itemgetter(0), right)), bool, len(right))
        owners = np.repeat(np.arange(len(counts)), counts)
        rows: dict[int, list[LinearConstraint]] = {}
        false: set[int] = set()
        for place, owner in zip(np.flatnonzero(is_row).tolist(), owners[is_row].tolist(), strict=True):
            row = self._row(relations[place], left[place], right[place])
            if isinstance(row, LinearConstraint):
                rows.setdefault(owner, []).append(row)
            elif not row:
                false.add(owner)
        bounded = ~is_row
        of_bounds = list(compress(relations, bounded))
        upper = np.fromiter(map(_UPPER.__getitem__, of_bounds), bool, len(of_bounds))
        strict = np.fromiter(map(len, of_bounds), np.int64, len(of_bounds)) == 1
        bounds = Bounds.of(codes[bounded], upper, strict, list(compress(right, bounded)))
        self._formula.add_run(np.bincount(owners[bounded], minlength=len(counts)).tolist(), bounds, rows, false)

    def _row(self, relation: str, left: str, right: str) -> LinearConstraint | bool:
        """The row of an atom that is no bound of an input; True or False where both sides are the same variable."""
        known = self._rows.get((relation, left, right))
        if known is not None:
            return known
        one, strict = _ONE if _UPPER[relation] else _MINUS_ONE, len(relation) == 1
        row: LinearConstraint | bool
        if left == right:
            row = not strict
        elif right[0] in "XY":
            row = at_most_zero(Linear({self._codes[left]: one, self._codes[right]: -one}), strict)
        else:  # an output and a number, as this is no bound of an input
            if not abs(float(right)) <= float(LARGEST_CONSTANT):  # as 1e300 in float64 is above 10^300
                raise NumberTooLarge(right)
            constant = Decimal(right)  # reads a decimal five times faster than Fraction
            constant = constant if one is _ONE else constant.copy_negate()
            row = LinearConstraint((), ((int(left[2:]), one),), Fraction(constant), strict)
        self._rows[relation, left, right] = row
        return row


def _words(run: str, keyword: str) -> list[str]:
    if keyword:
        run = run.replace(keyword, " ")
    return run.replace("(", " ").replace(")", " ").split()
