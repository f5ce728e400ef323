"""Rows of a query with some inputs replaced by linear combinations of others."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from verifier.property.polynomials import Monomial
from verifier.property.query import LinearConstraint

Expression: TypeAlias = dict[int, Fraction]
"""A combination: coefficients by place."""


def substituted(row: LinearConstraint, expressions: Mapping[int, Expression]) -> LinearConstraint:
    """The row with the inputs at these places replaced; exact."""
    linear: dict[int, Fraction] = {-1 - j: factor for j, factor in row.outputs}
    products: dict[Monomial, Fraction] = {}
    for i, factor in row.inputs:
        for k, own in expressions.get(i, {i: Fraction(1)}).items():
            linear[k] = linear.get(k, Fraction(0)) + factor * own
    for monomial, factor in row.products:
        for codes, own in _expanded(monomial, expressions).items():
            products[codes] = products.get(codes, Fraction(0)) + factor * own
    inputs = tuple((k, c) for k, c in sorted(linear.items()) if k >= 0 and c)
    terms = tuple((m, c) for m, c in sorted(products.items()) if c)
    return LinearConstraint(inputs, row.outputs, row.constant, row.strict, terms)


def _expanded(monomial: Monomial, expressions: Mapping[int, Expression]) -> dict[Monomial, Fraction]:
    """The monomial as a sum of monomials; one variable replaced after another."""
    found: dict[Monomial, Fraction] = {(): Fraction(1)}
    for code in monomial:
        terms = expressions.get(code, {code: Fraction(1)})
        grown: dict[Monomial, Fraction] = {}
        for codes, factor in found.items():
            for k, own in terms.items():
                key = tuple(sorted((*codes, k)))
                grown[key] = grown.get(key, Fraction(0)) + factor * own
        found = grown
    return found
