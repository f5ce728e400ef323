"""A lower bound on a program's optimum from any row multipliers, valid in real arithmetic.

A. Neumaier, O. Shcherbina: Safe bounds in linear and mixed-integer linear programming, Mathematical Programming 99
(2004), section 3. For every x with l <= x <= u and every y,

    c.x  =  y.(A x) + (c - A^T y).x  >=  sum_i y_i side_i + sum_j min over [l_j, u_j] of (c - A^T y)_j x_j,

where side_i is the row's lower side for y_i > 0 and its upper side for y_i < 0. Nothing is assumed of y: a solver's
word is never needed, and poor multipliers only make the bound poor. The rounding of this very sum is bounded a priori
and taken off, and so is |y_i| row_error_i, so that the bound also holds for the network's real values. Where some
columns lie in a ball as well, their minimum is that over box and ball (`property.support`).
"""

from __future__ import annotations

import numpy as np

from verifier.programs.program import Program
from verifier.property.support import least
from verifier.tolerances import UNDERFLOW, gamma


def safe_bound(program: Program, cost: np.ndarray, multipliers: np.ndarray) -> float:
    """A number that cost . x cannot fall below on the feasible set of `program`.

    Args:
        program: integrality is ignored.
        cost: shape (n,); need not be the program's own.
        multipliers: shape (m,), of either sign, positive where a row's lower side presses. Anything else (wrong shape,
            NaN, infinite) gives the bound -inf.

    Returns:
        A finite number, or -inf where the multipliers prove nothing.
    """
    y = np.asarray(multipliers, dtype=np.float64)
    if y.shape != program.row_lower.shape or not np.isfinite(y).all() or not np.isfinite(cost).all():
        return -np.inf
    side = np.where(y > 0, program.row_lower, program.row_upper)
    # A multiplier on a side that does not exist is a solver's noise; any other multiplier is as lawful, so take zero.
    y = np.where(np.isfinite(side), y, 0.0)
    side = np.where(y == 0, 0.0, side)
    with np.errstate(over="ignore", invalid="ignore"):
        of_rows = y * side
        of_columns, of_rounding = _column_terms(program, cost, y)
        slack = np.abs(y) @ program.row_error + np.sum(of_rounding)
        total = np.sum(of_rows) + np.sum(of_columns) - slack
        size = np.sum(np.abs(of_rows)) + np.sum(np.abs(of_columns)) + slack
        bound = total - gamma(len(y) + 2 * len(cost) + 4) * size - UNDERFLOW
    return float(bound) if np.isfinite(bound) else -np.inf


def _column_terms(program: Program, cost: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Min of d x for the computed d = cost - A^T y, and how far the rounding of d can lower it, for each column.

    The minimum over the columns of a ball, which is no sum, stands at the first of them.
    """
    reduced = cost - program.columns @ y
    longest = int(np.diff(program.columns.indptr).max(initial=0))
    error = gamma(longest + 2) * (np.abs(cost) + program.absolute_columns @ np.abs(y)) + UNDERFLOW
    # A column that no row and no objective mentions has d = 0 exactly and adds nothing, even where it is unbounded.
    idle = (cost == 0) & (program.absolute_columns @ (y != 0).astype(np.float64) == 0)
    end = np.where(reduced > 0, program.lower, program.upper)
    terms = np.where(idle | (reduced == 0), 0.0, reduced * end)
    if program.ball is not None and len(program.ball.columns):
        columns = program.ball.columns
        ends = program.lower[columns][None], program.upper[columns][None]
        terms[columns] = 0.0
        terms[columns[0]] = least(reduced[columns][None, None], *ends, program.ball.ball).bound[0, 0]
    return terms, np.where(idle, 0.0, error * program.column_magnitude)
