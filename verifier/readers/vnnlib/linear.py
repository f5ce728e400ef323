"""Expressions over the network's inputs and outputs, with exact coefficients: linear, and in version 2.0 polynomials.

A variable is a *code*: input i is i, output j is -1 - j. A product of variables is the tuple of their codes, ascending
(`property.polynomials`). Both versions of VNN-LIB build their terms with these rules.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from verifier.property.polynomials import Monomial
from verifier.property.query import LinearConstraint

LARGEST_CONSTANT = 10**300
"""Constants and coefficients beyond this are refused: bounds are computed in float64, where they would overflow."""


MOST_TERMS = 100_000
"""Terms of one product of polynomials."""


class NumberTooLarge(ValueError):
    """A constant, coefficient or bound is beyond `LARGEST_CONSTANT`; `number` is its text where that is known."""

    def __init__(self, number: str = "") -> None:
        super().__init__(f"the number {number} is larger than 1e300" if number else "a number is larger than 1e300")
        self.number = number


def output_code(index: int) -> int:
    """The code of output `index`; an input's code is its index."""
    return -1 - index


Variable: TypeAlias = int | Monomial


class Linear:
    """constant + sum of coefficient * variable; built up in place while a term is read.

    Attributes:
        coefficients: by code, or by the codes of a product; may hold zeros.
    """

    __slots__ = ("coefficients", "constant")

    def __init__(self, coefficients: dict[Variable, Fraction] | None = None, constant: Fraction | int = 0) -> None:
        self.coefficients = coefficients or {}
        self.constant = Fraction(constant)

    @property
    def is_constant(self) -> bool:
        return not any(self.coefficients.values())

    def add(self, other: Linear, factor: int = 1) -> Linear:
        """Adds `factor * other` to this expression, in place."""
        for code, coefficient in other.coefficients.items():
            self.coefficients[code] = self.coefficients.get(code, Fraction(0)) + factor * coefficient
        self.constant += factor * other.constant
        return self

    def minus(self, other: Linear) -> Linear:
        """The difference, as a new expression."""
        return Linear(dict(self.coefficients), self.constant).add(other, -1)

    def scale(self, factor: Fraction) -> Linear:
        """Multiplies this expression, in place."""
        for code in self.coefficients:
            self.coefficients[code] *= factor
        self.constant *= factor
        return self


def combine(operator: str, arguments: list[Linear], polynomials: bool = False) -> Linear:
    """The value of `(operator arguments...)`; the arguments are used up.

    Args:
        polynomials: whether variables may be multiplied.

    Raises:
        ValueError: what is wrong: no arguments, an unknown operator, a product of variables, a division by zero.
    """
    if not arguments:
        raise ValueError(f"({operator}) has no arguments")
    first, *rest = arguments
    if operator == "+":
        for argument in rest:
            first.add(argument)
        return first
    if operator == "-":
        if not rest:
            return first.scale(Fraction(-1))
        for argument in rest:
            first.add(argument, -1)
        return first
    if operator == "*":
        for argument in rest:
            first = _product(first, argument, polynomials)
        return first
    if operator == "/":
        for argument in rest:
            first = _quotient(first, argument)
        return first
    raise ValueError(f"operator {operator} is not supported in a term")


def _product(a: Linear, b: Linear, polynomials: bool) -> Linear:
    if a.is_constant:
        return b.scale(a.constant)
    if b.is_constant:
        return a.scale(b.constant)
    if not polynomials:
        raise ValueError("the product of two variables is not linear, and only linear properties are supported")
    if len(a.coefficients) * len(b.coefficients) > MOST_TERMS:
        raise ValueError(f"a product has more than {MOST_TERMS:,} terms: give it in fewer")
    result = Linear(constant=a.constant * b.constant)
    for left, factor in _all_terms(a):
        for right, other in _all_terms(b):
            if left or right:
                codes = tuple(sorted(left + right))
                key = codes if len(codes) > 1 else codes[0]
                result.coefficients[key] = result.coefficients.get(key, Fraction(0)) + factor * other
    return result


def _all_terms(of: Linear) -> list[tuple[Monomial, Fraction]]:
    """The terms by their codes, of which the constant has none."""
    terms = [(key if isinstance(key, tuple) else (key,), c) for key, c in of.coefficients.items() if c]
    return [((), of.constant), *terms] if of.constant else terms


def _quotient(a: Linear, b: Linear) -> Linear:
    if not b.is_constant:
        raise ValueError("a division by a variable is not linear, and only linear properties are supported")
    if not b.constant:
        raise ValueError("division by zero")
    return a.scale(1 / b.constant)


def at_most_zero(expression: Linear, strict: bool) -> LinearConstraint:
    """The row `expression <= 0` (`< 0` where strict).

    Raises:
        NumberTooLarge: for float64.
    """
    used = [(key, c) for key, c in expression.coefficients.items() if c]
    if any(abs(c) > LARGEST_CONSTANT for c in (*(c for _, c in used), expression.constant)):
        raise NumberTooLarge()
    terms = sorted((key, c) for key, c in used if isinstance(key, int))
    products = tuple(sorted((key, c) for key, c in used if isinstance(key, tuple)))
    outputs = tuple((-1 - code, c) for code, c in reversed(terms) if code < 0)
    inputs = tuple(t for t in terms if t[0] >= 0)
    return LinearConstraint(inputs, outputs, -expression.constant, strict, products)
