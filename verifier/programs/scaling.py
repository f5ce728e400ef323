"""A mixed-integer program in units of its own columns, for solvers whose tolerances are absolute.

A solver overlooks a violation of 1e-9 of a row or a bound. A column that is itself only 1e-9 wide can so be moved
across its whole range, or be taken for fixed, and later weights make much of it: a branch-and-bound tree on the
unscaled program of such a network has claimed bounds far above the optimum. Here every continuous column becomes
x = middle + radius x' with x' in [-1, 1], and every row and the objective get largest coefficients near 1, all by
powers of two, which is exact.

Then every bound and every inequality gives way by `MILP_WIDENING`, a hundred times what the solver may overlook: a true
point of the network is not merely feasible but lies inside, and no tolerance can cut it off. Widening only lowers the
optimum, so a bound on the new program is one on the old.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.programs.program import Program
from verifier.tolerances import MILP_WIDENING, SMALLEST_COEFFICIENT, UNDERFLOW, UNIT_ROUNDOFF, gamma

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Scaled:
    """The program in new units, x = middle + radius x' and objective = cost_middle + cost_unit objective'.

    Attributes:
        program: in x'; its `row_error` is zero, as its sides have given way.
        middle, radius: shape (n,); 0 and 1 for integers.
        cost_middle: the objective at the middle, rounded down.
        cost_unit: a power of two.
    """

    program: Program
    middle: np.ndarray
    radius: np.ndarray
    cost_middle: float
    cost_unit: float

    def original(self, x: np.ndarray) -> np.ndarray:
        """The old columns, shape (n,), of a solution in new units."""
        return self.middle + self.radius * x

    def objective(self, value: float) -> float:
        """An old objective value, rounded down, of a value in new units."""
        return float(np.nextafter(self.cost_middle + self.cost_unit * value, -np.inf))

    def scaled_objective(self, value: float) -> float:
        """A new objective value of a value in old units; not rounded in any direction."""
        return (value - self.cost_middle) / self.cost_unit


def scaled(program: Program, widening: float = MILP_WIDENING) -> Scaled:
    """The program in new units, its sides and bounds widened; every column must be bounded.

    Args:
        program: in the units of the network.
        widening: more than `MILP_WIDENING` for solvers that overlook more.
    """
    from scipy.sparse import csr_array, diags_array

    integral = program.integrality
    middle = np.where(integral, 0.0, program.lower / 2 + program.upper / 2)
    half = np.maximum(program.upper - middle, middle - program.lower)
    radius = np.where(integral, 1.0, _power_of_two_above(half))
    rows = csr_array(program.rows @ diags_array(radius))
    unit = 1.0 / _power_of_two_above(abs(rows).max(axis=1).toarray().ravel()) if rows.shape[0] else np.zeros(0)
    rows = csr_array(diags_array(unit) @ rows)
    rows.sort_indices()
    rows, dropped = _without_small(rows, widening)
    row_lower, row_upper = _sides(program, middle, unit, dropped, widening)
    lower = np.where(integral, program.lower, _rounded_out((program.lower - middle) / radius, -1) - widening)
    upper = np.where(integral, program.upper, _rounded_out((program.upper - middle) / radius, +1) + widening)
    cost_unit = float(_power_of_two_above(np.abs(program.cost * radius).max(initial=0.0)))
    cost_error = gamma(len(middle)) * float(np.abs(program.cost) @ np.abs(middle)) + UNDERFLOW
    return Scaled(
        Program(lower, upper, program.cost * radius / cost_unit, integral, rows, row_lower, row_upper, 0 * unit),
        middle,
        radius,
        float(program.cost @ middle) - cost_error,
        cost_unit,
    )


def _sides(
    program: Program, middle: np.ndarray, unit: np.ndarray, dropped: np.ndarray, widening: float
) -> tuple[np.ndarray, np.ndarray]:
    """The sides in new units, moved outward by all that rounding may do; inequalities by `widening` too."""
    shift = program.rows @ middle
    longest = int(np.diff(program.rows.indptr).max(initial=0))
    error = program.row_error + gamma(longest) * (abs(program.rows) @ np.abs(middle)) + UNDERFLOW
    equation = program.row_lower == program.row_upper
    slack = np.where(equation, 0.0, widening) + dropped
    lower = _rounded_out((program.row_lower - shift - error) * unit, -1) - slack
    upper = _rounded_out((program.row_upper - shift + error) * unit, +1) + slack
    # An equation stays one where what rounding may do is far below what the solver overlooks anyway.
    exact = equation & (upper - lower < MILP_WIDENING * 1e-4)
    right = (program.row_lower - shift) * unit
    return np.where(exact, right, lower), np.where(exact, right, upper)


def _without_small(rows: csr_array, widening: float) -> tuple[csr_array, np.ndarray]:
    """The rows without entries that solvers drop, and for each row what those can add up to on columns in [-1, 1]."""
    small = np.abs(rows.data) <= SMALLEST_COEFFICIENT
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    dropped = np.bincount(row[small], np.abs(rows.data[small]), rows.shape[0]) * (1 + 2 * widening)
    kept = rows.copy()
    kept.data[small] = 0.0
    kept.eliminate_zeros()
    return kept, dropped


def _rounded_out(ends: np.ndarray, direction: int) -> np.ndarray:
    """Computed ends, moved outward by the rounding of two operations."""
    return ends + direction * np.where(np.isfinite(ends), 4 * UNIT_ROUNDOFF * np.abs(ends) + UNDERFLOW, 0.0)


def _power_of_two_above(value: np.ndarray | float) -> np.ndarray:
    """The smallest power of two that is at least `value`; 1 where that is 0 or too small to be divided by."""
    mantissa, exponent = np.frexp(value)
    usable = (np.asarray(value) > UNDERFLOW) & np.isfinite(value)
    return np.where(usable, np.ldexp(1.0, np.where(usable, exponent - (mantissa == 0.5), 0)), 1.0)
