"""Coordinates of differences: they hold every input, their rows say the same, and rounding keeps spans where it can."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from verifier.property.grid import FLOAT32
from verifier.property.query import Box, Disjunct, LinearConstraint, Query
from verifier.property.relations import with_differences

quarters = st.integers(-8, 8).map(lambda n: Fraction(n, 4))
SIZE = 4
"""Two networks of two inputs each."""


def at_most(terms: dict[int, Fraction | int], constant: Fraction | float, strict: bool = False) -> LinearConstraint:
    pairs = tuple((i, Fraction(c)) for i, c in sorted(terms.items()) if c)
    return LinearConstraint(pairs, (), Fraction(constant), strict)


def asked(rows: list[LinearConstraint], high: float = 1.0) -> Query:
    box = Box.exact(np.full(SIZE, -1.0), np.full(SIZE, high))
    return Query((Disjunct(box, tuple(rows)),), SIZE, 1)


@st.composite
def relations(draw: st.DrawFn) -> list[LinearConstraint]:
    """Equations and inequalities between inputs."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        terms = {i: draw(quarters) for i in draw(st.sets(st.integers(0, SIZE - 1), min_size=2, max_size=3))}
        if draw(st.booleans()):
            i, j = sorted(draw(st.sets(st.integers(0, SIZE - 1), min_size=2, max_size=2)))
            terms = {i: Fraction(-1), j: Fraction(1)}
        constant = draw(quarters)
        rows.append(at_most(terms, constant))
        if draw(st.booleans()):
            rows.append(at_most({i: -c for i, c in terms.items()}, draw(st.sampled_from([-constant, Fraction(2)]))))
    return rows


@given(relations(), st.lists(st.integers(-4, 4), min_size=SIZE, max_size=SIZE), st.randoms())
def test_coordinates_hold_every_input(rows: list[LinearConstraint], numbers: list[int], random: object) -> None:
    query = asked([row for row in rows if len(row.inputs) > 1])
    changed = with_differences(query, [0, 2])
    x = [Fraction(n, 4) for n in numbers]
    holds = all(sum(c * x[i] for i, c in row.inputs) <= row.constant for row in query.disjuncts[0].rows)
    if changed.change is None or not holds:
        return
    (disjunct,) = changed.disjuncts
    z = _coordinates(x, changed)
    assert all(
        Fraction(lo) <= v <= Fraction(hi) for lo, v, hi in zip(disjunct.box.lower, z, disjunct.box.upper, strict=True)
    )
    for row in disjunct.rows:
        assert sum(c * z[i] for i, c in row.inputs) <= row.constant
    np.testing.assert_allclose(changed.change.inputs(np.array(z, float)), np.array(x, float))


def _coordinates(x: list[Fraction], query: Query) -> list[Fraction]:
    assert query.change is not None
    z = list(x)
    for j, source in query.change.sources.items():
        z[j] = x[j] - sum(factor * x[i] for i, factor in source)
    return z


@given(st.integers(0, 2**32 - 1))
def test_rounded_inputs_keep_their_differences(seed: int) -> None:
    rows = [at_most({0: -1, 2: 1}, Fraction(1, 100)), at_most({0: 1, 2: -1}, Fraction(1, 100))]
    rows += [at_most({1: -1, 3: 1}, 0), at_most({1: 1, 3: -1}, 0)]
    changed = with_differences(asked(rows), [0, 2])
    (disjunct,) = changed.disjuncts
    assert changed.change is not None
    assert changed.change.equal == {3}
    z = np.random.default_rng(seed).uniform(disjunct.box.lower, disjunct.box.upper)
    z[2] = np.sign(z[2]) * 0.01  # at an end of its span, where rounding may leave it
    origin = disjunct.origin
    assert origin is not None
    x = origin.inputs(z, FLOAT32)
    assert (x == x.astype(np.float32)).all()
    assert x[3] == x[1]
    assert abs(Fraction(float(x[2])) - Fraction(float(x[0]))) <= Fraction(1, 100)


def test_only_what_all_disjuncts_say_is_used() -> None:
    equal = [at_most({0: -1, 2: 1}, 0), at_most({0: 1, 2: -1}, 0)]
    one = asked(equal)
    other = asked([at_most({0: -1, 2: 1}, 3)])
    both = Query((*one.disjuncts, *asked([]).disjuncts), SIZE, 1)
    assert with_differences(both, [0, 2]) is both
    assert with_differences(Query((*one.disjuncts, *other.disjuncts), SIZE, 1), [0, 2]).change is not None
    assert with_differences(asked([at_most({0: -1, 1: 1}, 0)]), [0, 2]).change is None  # of one network, no equation


def test_a_difference_that_cannot_be_leaves_no_disjunct() -> None:
    rows = [at_most({0: -1, 2: 1}, -3)]  # x_2 <= x_0 - 3, and the box is 2 wide
    assert with_differences(asked(rows), [0, 2]).disjuncts == ()


def test_products_are_substituted_exactly() -> None:
    equal = [at_most({0: -1, 2: 1}, 0), at_most({0: 1, 2: -1}, 0)]
    product = LinearConstraint((), (), Fraction(1), products=(((-1, 2), Fraction(2)), ((2, 2), Fraction(1))))
    (disjunct,) = with_differences(asked([*equal, product]), [0, 2]).disjuncts
    (row,) = disjunct.rows
    assert row.products == (((-1, 0), Fraction(2)), ((0, 0), Fraction(1)))


def test_factors_of_any_size_are_read() -> None:
    """What is far out of proportion stays a row; ends beyond float64 are none."""
    steep = {0: Fraction(10) ** 200, 1: Fraction(10) ** -200}
    rows = [at_most(steep, 0), at_most({i: -c for i, c in steep.items()}, 0)]
    assert with_differences(asked(rows), [0, 2]).change is None
    tiny = {0: Fraction(-1, 10**200), 2: Fraction(1, 10**200)}
    changed = with_differences(asked([at_most(tiny, Fraction(10) ** 200)]), [0, 2])
    assert changed.disjuncts[0].box.upper[2] == 2.0
