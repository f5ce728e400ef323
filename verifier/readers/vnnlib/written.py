"""A formula written down in either version of VNN-LIB while it is read in another.

`Written` takes what a `Formula` takes, so that both readers tell it what they see. Comparisons are written as the
reader hands them on, an expression against 0, with exact decimals; a bound of one variable as such.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

from verifier.property.query import LinearConstraint
from verifier.readers.vnnlib.bounds import Bounds
from verifier.readers.vnnlib.linear import Linear, Variable

MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}


@dataclass(frozen=True)
class Style:
    """How a version writes things.

    Attributes:
        element: what a variable is called, by its code.
        equals: the word for equality.
        polynomials: whether it has products of variables.
    """

    element: Callable[[int], str]
    equals: str
    polynomials: bool


@dataclass
class _Frame:
    """An open connective and its written parts."""

    conjunctive: bool
    parts: list[str] = field(default_factory=list)


class Written:
    """The assertions of a formula as text; see the module.

    Args:
        style: the version's.
    """

    def __init__(self, style: Style) -> None:
        self._style = style
        self._frames = [_Frame(conjunctive=True)]

    @property
    def depth(self) -> int:
        """How many connectives are open."""
        return len(self._frames) - 1

    @property
    def in_disjunction(self) -> bool:
        return not self._frames[-1].conjunctive

    @property
    def assertions(self) -> list[str]:
        """A line for each assertion, once all has been read."""
        return [f"(assert {part})" for part in self._frames[0].parts]

    def open(self, conjunctive: bool) -> None:
        """An "and" (or else an "or") begins."""
        self._frames.append(_Frame(conjunctive))

    def close(self) -> None:
        """The innermost connective ends; one of one part is that part."""
        frame = self._frames.pop()
        self._frames[-1].parts.append(self._joined(frame.conjunctive, frame.parts))

    def add_comparison(self, expression: Linear, relation: str) -> None:
        """The atom `expression relation 0`."""
        self._frames[-1].parts.append(self._atom(expression.coefficients, expression.constant, relation))

    def add_run(
        self, counts: Sequence[int], bounds: Bounds, rows: dict[int, list[LinearConstraint]], false: set[int]
    ) -> None:
        """Conjunctions in bulk, as a `Formula` takes them."""
        position, top = 0, self._frames[-1]
        for k, count in enumerate(counts):
            parts = [self._bound(bounds, p) for p in range(position, position + count)]
            parts += [self._row(row) for row in rows.get(k, ())]
            parts += [self._truth(False)] if k in false else []
            position += count
            if top.conjunctive:
                top.parts += parts
            else:
                top.parts.append(self._joined(True, parts))

    def add_truth(self, true: bool) -> None:
        """The atom "true" or "false"."""
        self._frames[-1].parts.append(self._truth(true))

    def _joined(self, conjunctive: bool, parts: Sequence[str]) -> str:
        if not parts:
            return self._truth(conjunctive)
        return parts[0] if len(parts) == 1 else f"({'and' if conjunctive else 'or'} {' '.join(parts)})"

    def _truth(self, true: bool) -> str:
        """Version 2.0 has no word for it, so that an input is compared with itself."""
        name = self._style.element(0)
        return f"({'<=' if true else '<'} {name} {name})"

    def _bound(self, bounds: Bounds, position: int) -> str:
        relation = ("<" if bounds.upper[position] else ">") + ("" if bounds.strict[position] else "=")
        name = self._style.element(int(bounds.variable[position]))
        return f"({relation} {name} {decimal(bounds.value(position))})"

    def _row(self, row: LinearConstraint) -> str:
        coefficients: dict[Variable, Fraction] = {}
        coefficients.update(row.inputs)
        coefficients.update((-1 - j, c) for j, c in row.outputs)
        coefficients.update(row.products)
        return self._atom(coefficients, -row.constant, "<" if row.strict else "<=")

    def _atom(self, coefficients: dict[Variable, Fraction], constant: Fraction, relation: str) -> str:
        terms = {key: factor for key, factor in coefficients.items() if factor}
        if not terms:
            return self._truth(_holds(constant, relation))
        if len(terms) == 1:
            ((key, factor),) = terms.items()
            relation = relation if factor > 0 else MIRRORED.get(relation, relation)
            terms, constant = {key: Fraction(1)}, constant / factor
        scale = lcm(*(_third_parts(number) for number in (*terms.values(), constant)))
        left = [self._term(key, factor * scale) for key, factor in terms.items()]
        word = self._style.equals if relation == "=" else relation
        joined = left[0] if len(left) == 1 else f"(+ {' '.join(left)})"
        return f"({word} {joined} {decimal(-constant * scale)})"

    def _term(self, key: Variable, factor: Fraction) -> str:
        codes = key if isinstance(key, tuple) else (key,)
        if len(codes) > 1 and not self._style.polynomials:
            raise ValueError("products of variables cannot be said in version 1.0")
        names = [self._style.element(code) for code in codes]
        factors = names if factor == 1 else [decimal(factor), *names]
        return factors[0] if len(factors) == 1 else f"(* {' '.join(factors)})"


def _holds(value: Fraction, relation: str) -> bool:
    return {"<=": value <= 0, "<": value < 0, ">=": value >= 0, ">": value > 0, "=": value == 0}[relation]


def _third_parts(number: Fraction) -> int:
    """What a number has to be multiplied by so that it has a decimal: its denominator without factors of 2 and 5."""
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest


def decimal(number: Fraction) -> str:
    """The exact decimal of a number that has one, with a point.

    >>> decimal(Fraction(-3, 8)), decimal(Fraction(2))
    ('-0.375', '2.0')
    """
    places = 0
    while (number * 10**places).denominator > 1:
        places += 1
    digits = str(abs(int(number * 10**places))).rjust(places + 1, "0")
    sign = "-" if number < 0 else ""
    return f"{sign}{digits[: len(digits) - places]}.{digits[len(digits) - places :] or '0'}"
