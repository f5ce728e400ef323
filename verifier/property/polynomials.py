"""Products of inputs and outputs in a property's rows: their exact values, and squares that bound them tightly.

A variable is a code as in the readers: input i is i, output j is -1 - j. A monomial is the codes that it multiplies,
ascending, each as often as its exponent says; at least two.

A quadratic form that is convex, or concave, is a sum of squares of linear forms of one sign, which L D L' finds in
rational numbers. Squares are bounded by their own tangents and chords, so that nothing is lost by bounding products
apart; other products are bounded by their four planes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np

Monomial: TypeAlias = tuple[int, ...]
Terms: TypeAlias = tuple[tuple[Monomial, Fraction], ...]
"""Monomials with coefficients that are not 0, in order."""

Linear: TypeAlias = tuple[tuple[int, Fraction], ...]
"""Codes with coefficients, ascending."""

MOST_VARIABLES = 40
"""Variables of a quadratic form up to which squares are looked for."""


@dataclass(frozen=True)
class Square:
    """The square of a linear form of inputs and outputs."""

    form: Linear


Atom: TypeAlias = Monomial | Square
"""What a node of the forms' network computes."""


def entry(code: int, x: np.ndarray, y: np.ndarray) -> float:
    """The value of a variable."""
    return float(x[code]) if code >= 0 else float(y[-1 - code])


def exact(monomial: Monomial, x: np.ndarray, y: np.ndarray) -> Fraction:
    """The value of a monomial at finite floats, exactly."""
    value = Fraction(1)
    for code in monomial:
        value *= Fraction(entry(code, x, y))
    return value


def computed(atoms: Sequence[Atom], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The atoms in float64 at inputs, shape (N, input_size), and outputs, (N, output_size); shape (N, atoms)."""

    def column(code: int) -> np.ndarray:
        return x[:, code] if code >= 0 else y[:, -1 - code]

    def value(atom: Atom) -> np.ndarray:
        if isinstance(atom, Square):
            return np.sum([float(factor) * column(code) for code, factor in atom.form], axis=0) ** 2
        return np.prod([column(code) for code in atom], axis=0)

    return np.stack([value(atom) for atom in atoms], axis=1)


def atoms_of(terms: Terms) -> list[tuple[Atom, Fraction]]:
    """The terms as atoms with coefficients: quadratic ones as squares of one sign where they are a sum of such."""
    quadratic = [(m, c) for m, c in terms if len(m) == 2]
    mixed = any(m[0] != m[1] for m, _ in quadratic)
    squares = _squares(quadratic) if mixed else None
    if squares is None:
        return list(terms)
    return [*squares, *((m, c) for m, c in terms if len(m) != 2)]


def _squares(terms: Sequence[tuple[Monomial, Fraction]]) -> list[tuple[Atom, Fraction]] | None:
    """A quadratic form as a sum of multiples of one sign of squares; None where it is not such, or too large."""
    codes = sorted({code for monomial, _ in terms for code in monomial})
    if len(codes) > MOST_VARIABLES:
        return None
    place = {code: k for k, code in enumerate(codes)}
    matrix = [[Fraction(0)] * len(codes) for _ in codes]
    for (a, b), coefficient in terms:
        matrix[place[a]][place[b]] += coefficient / 2
        matrix[place[b]][place[a]] += coefficient / 2
    found: list[tuple[Atom, Fraction]] = []
    for k, row in enumerate(matrix):
        pivot = row[k]
        if not pivot:
            if any(row[k:]):
                return None
            continue
        if found and (pivot > 0) != (found[0][1] > 0):
            return None
        multipliers = [value / pivot for value in row]
        form = tuple((codes[j], multipliers[j]) for j in range(k, len(codes)) if multipliers[j])
        found.append((Square(form), pivot))
        for i in range(k + 1, len(codes)):
            for j in range(k + 1, len(codes)):
                matrix[i][j] -= row[i] * multipliers[j]
    return found
