"""Rows that hold a program's input columns in a ball: exactly for norm 1, by tangents for norm 2.

Norm 1: a column p_j >= |x_j - c_j| for each input, and sum_j p_j <= r.

Norm 2, lifted: a column q_j >= ((x_j - c_j) / r)^2 for each input, and sum_j q_j <= 1. A square is above each of its
tangents, and so is q_j. Tangents at a few points for each input do what exponentially many planes would have to do
without the lift (Vielma, Dunning, Huchette & Lubin, Extended formulations in mixed integer conic quadratic
programming, Math. Prog. Comp. 9, 2017); more are added at what the solver comes up with. That is for solvers that know
no cones; those that do take `Program.ball` as it is.
"""

from __future__ import annotations

import numpy as np

from verifier.programs.program import ColumnBall
from verifier.programs.rows import Entries, ProgramBuilder
from verifier.tolerances import UNDERFLOW, gamma

FIRST_TANGENTS = (0.4, 0.8, 1.4, 2.2, 4.0)
"""Where tangents touch at first, on both sides: in units of radius / sqrt(n), the size of an entry where all n are
alike. The tangent at 0 is q_j >= 0."""


def add_ball(builder: ProgramBuilder, within: ColumnBall, touching: np.ndarray | None) -> None:
    """The rows of a ball; none for one of norm 2 where `touching` is None."""
    if within.ball.norm == 1:
        p = absolute_columns(builder, within)
        rows_of_sum(builder, p, [], within.ball.radius)
    elif touching is not None:
        q = square_columns(builder, within, touching)
        rows_of_sum(builder, q, [], 1.0)


def absolute_columns(builder: ProgramBuilder, within: ColumnBall) -> Entries:
    """Columns p_j >= |x_j - c_j| from 0 to the radius; all their numbers are exact."""
    count, centre = len(within.columns), within.ball.centre
    x, one = entries_of(within.columns), np.ones(count)
    p = entries_of(builder.columns(np.zeros(count), np.full(count, within.ball.radius)))
    builder.rows_of_terms([(one, p), (-one, x)], -centre, np.inf)
    builder.rows_of_terms([(one, p), (one, x)], centre, np.inf)
    return p


def square_columns(builder: ProgramBuilder, within: ColumnBall, touching: np.ndarray) -> Entries:
    """Columns q_j from 0 to 1, above tangents of ((x_j - c_j) / r)^2, for a positive radius.

    A tangent of slope k, whatever float64 that is, is q >= k (x - c) - (k r / 2)^2: the side is rounded down.

    Args:
        builder: takes the rows.
        within: the columns and their ball.
        touching: points at which tangents touch, beside the first ones, shape (T, columns).
    """
    count, centre, radius = len(within.columns), within.ball.centre, within.ball.radius
    first = np.outer([*FIRST_TANGENTS, *(-t for t in FIRST_TANGENTS)], np.full(count, radius / np.sqrt(count)))
    x, one = entries_of(within.columns), np.ones(count)
    q = entries_of(builder.columns(np.zeros(count), one))
    for gaps in (*first, *(touching - centre)):
        slope = 2 * gaps / radius / radius
        halved = 0.5 * slope * radius
        side, size = -slope * centre - halved * halved, np.abs(slope * centre) + halved * halved
        usable = np.flatnonzero(np.isfinite(size) & (slope != 0))
        side = side - 2 * gamma(8) * size - UNDERFLOW
        builder.rows_of_terms([(one[usable], q[usable]), (-slope[usable], x[usable])], side[usable], np.inf)
    return q


def entries_of(columns: np.ndarray) -> Entries:
    """Columns as entries."""
    return Entries(columns, np.zeros(len(columns)))


def rows_of_sum(
    builder: ProgramBuilder, entries: Entries, others: list[tuple[np.ndarray, Entries]], most: float
) -> None:
    """A row: the sum of the entries, and of other terms, is at most `most`."""
    one = np.ones(1)
    terms = [(one, entries[np.array([j])]) for j in range(len(entries.column))]
    builder.rows_of_terms([*terms, *others], -np.inf, np.array([most]))
