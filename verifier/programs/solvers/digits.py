"""Mixed-integer programs as they are read back from a file with so many decimal digits.

Modelling layers write coefficients with 12 or 13 digits. The program that a solver reads is then another one; here it
is made beforehand, with sides and bounds that give way by what the text rounds off, so that a bound on it is one on the
program that was meant. Equations stay equations where that is below what a solver overlooks anyway.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.programs.program import Program
from verifier.tolerances import SOLVER_FEASIBILITY


def with_digits(program: Program, digits: int) -> tuple[Program, float]:
    """The program with numbers of so many significant digits, and what to take off a bound of its objective.

    Args:
        program: its columns are bounded.
        digits: that the file has, significant.
    """
    rows = program.rows.copy()
    rows.data = rounded(rows.data, digits)
    change = abs(program.rows - rows)
    change.eliminate_zeros()  # so that no 0 meets an infinite bound
    lost = change @ program.column_magnitude
    unit = 10.0 ** (1 - digits)
    low, high = (_outward(side, lost, unit, sign) for side, sign in ((program.row_lower, -1), (program.row_upper, 1)))
    kept = (program.row_lower == program.row_upper) & (lost + unit * np.abs(program.row_lower) < SOLVER_FEASIBILITY)
    low, high = np.where(kept, program.row_lower, low), np.where(kept, program.row_upper, high)
    lower, upper = (_outward(end, 0.0, unit, sign) for end, sign in ((program.lower, -1), (program.upper, 1)))
    whole = program.integrality
    cost = rounded(program.cost, digits)
    made = replace(
        program,
        lower=np.where(whole, program.lower, rounded(lower, digits)),
        upper=np.where(whole, program.upper, rounded(upper, digits)),
        cost=cost,
        rows=rows,
        row_lower=rounded(low, digits),
        row_upper=rounded(high, digits),
    )
    off = np.abs(program.cost - cost)
    lost_cost = off[off > 0] @ program.column_magnitude[off > 0]
    return made, float(lost_cost * (1.0 + unit))


def rounded(values: np.ndarray, digits: int) -> np.ndarray:
    """Each value as its text of so many significant digits reads."""
    distinct, place = np.unique(values, return_inverse=True)
    return np.array([float(f"{v:.{digits - 1}e}") for v in distinct.tolist()], np.float64)[place].reshape(values.shape)


def _outward(ends: np.ndarray, lost: np.ndarray | float, unit: float, sign: int) -> np.ndarray:
    return ends + sign * np.where(np.isfinite(ends), lost + unit * np.abs(ends), 0.0)
