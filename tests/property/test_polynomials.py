"""Products in rows: the forms' network computes them, squares are found where they bound better, bounds hold."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import random_relu_network
from verifier.bounds.interval import interval_bounds
from verifier.bounds.linear import linear_bounds
from verifier.property.forms import with_forms
from verifier.property.polynomials import Square, atoms_of, exact
from verifier.property.query import Box, Disjunct, LinearConstraint, Query

codes = st.integers(-2, 2).filter(lambda code: code != 2)
"""Inputs 0 and 1, outputs 0 (code -1) and 1 (code -2)."""
monomials = st.lists(codes, min_size=2, max_size=4).map(lambda found: tuple(sorted(found)))
factors = st.integers(-6, 6).filter(bool).map(lambda n: Fraction(n, 4))


@settings(max_examples=30)
@given(st.dictionaries(monomials, factors, min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_forms_are_what_rows_say(products: dict[tuple[int, ...], Fraction], seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_relu_network(rng, [2, 3, 2])
    row = LinearConstraint(
        ((0, Fraction(1)),), ((1, Fraction(-1)),), Fraction(0), products=tuple(sorted(products.items()))
    )
    low, high = -rng.uniform(0, 1, 2), rng.uniform(0, 1, 2)
    query = Query((Disjunct(Box.exact(low, high), (row,)),), 2, 2)
    forms = with_forms(network, query.patterns)
    x = rng.uniform(low, high, (20, 2))
    y = network.forward(x)
    found = forms.forward(x)
    for point, outputs, value in zip(x, y, found, strict=True):
        truth = row.excess(point, outputs)
        assert abs(Fraction(float(value[0])) - truth) <= Fraction(1, 10**9)
    np.testing.assert_allclose(query.patterns.forms(x, y), found, atol=1e-9)
    for bounds in (interval_bounds(forms, low[None], high[None]), linear_bounds(forms, low[None], high[None])):
        assert (found >= bounds[-1].lower - 1e-12).all()
        assert (found <= bounds[-1].upper + 1e-12).all()


@given(st.lists(st.lists(factors, min_size=3, max_size=3), min_size=1, max_size=3), st.booleans())
def test_semidefinite_forms_are_sums_of_squares(rows: list[list[Fraction]], negative: bool) -> None:
    sign = -1 if negative else 1
    terms: dict[tuple[int, int], Fraction] = {}
    for row in rows:  # the sum of (row . x)^2
        for i in range(3):
            for j in range(3):
                key = (min(i, j), max(i, j))
                terms[key] = terms.get(key, Fraction(0)) + sign * row[i] * row[j]
    products = tuple(sorted((m, c) for m, c in terms.items() if c))
    atoms = atoms_of(products)
    if any(m[0] != m[1] for m, _ in products):
        assert all(isinstance(atom, Square) and (c > 0) != negative for atom, c in atoms)
    x = np.array([0.5, -1.25, 2.0])
    value = Fraction(0)
    for atom, c in atoms:
        if isinstance(atom, Square):
            value += c * sum(f * Fraction(float(x[code])) for code, f in atom.form) ** 2
        else:
            value += c * exact(atom, x, x)
    assert value == sum(c * exact(m, x, x) for m, c in products)


def test_indefinite_forms_stay_products() -> None:
    one = Fraction(1)
    for products in ((((0, 1), one),), (((0, 0), one), ((0, 1), 3 * one), ((1, 1), one))):
        assert not any(isinstance(atom, Square) for atom, _ in atoms_of(products))
