"""Programs whose optimum is the margin of a conjunction: the minimum over inputs of the largest of (form - threshold).

One row is an objective on the form's column. Several take an epigraph column t with rows t >= form_i - threshold_i
(Boyd & Vandenberghe, Convex Optimization, section 4.1.3). All programs of one encoding share the same sparse rows and
differ in sides and objective only, so that one solver session serves thousands of conjunctions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.programs.encode import Encoding
from verifier.programs.program import Program


@dataclass(frozen=True, eq=False)
class Objective:
    """A conjunction as a program: its margin is the optimum of `program` minus `threshold`.

    Attributes:
        form: the form, where there is a single row; the program is then the same for all thresholds. Else None.
    """

    program: Program
    threshold: float
    form: int | None


class ConjunctionPrograms:
    """Makes the programs.

    Args:
        encoding: of the network whose outputs are the forms.
        lower, upper: sound bounds on the forms, shape (K,), finite.
        several: whether conjunctions of more than one row will be asked for.
    """

    def __init__(self, encoding: Encoding, lower: np.ndarray, upper: np.ndarray, several: bool) -> None:
        self._column, self._lower, self._upper = encoding.outputs.column, lower, upper
        self.program = _with_epigraph(encoding) if several else encoding.program
        self._first_row = encoding.program.rows.shape[0]

    def of(self, rows: np.ndarray, thresholds: np.ndarray) -> Objective | None:
        """The program for these forms and thresholds, shape (R,); None where the forms' bounds say it all."""
        varying = self._column[rows] >= 0
        if not varying.any() or not np.isfinite(thresholds).all():
            return None
        if len(rows) == 1:
            cost = self._unit(int(self._column[rows[0]]))
            return Objective(replace(self.program, cost=cost), float(thresholds[0]), int(rows[0]))
        sides = np.full(self.program.rows.shape[0] - self._first_row, -np.inf)
        np.maximum.at(sides, rows[varying], -thresholds[varying])
        row_lower = np.concatenate([self.program.row_lower[: self._first_row], sides])
        lower, upper = self.program.lower.copy(), self.program.upper.copy()
        lower[-1] = known_margin(self._lower, rows, thresholds)
        upper[-1] = max(lower[-1], np.nextafter(np.max(self._upper[rows] - thresholds), np.inf))
        cost = self._unit(-1)
        return Objective(replace(self.program, cost=cost, row_lower=row_lower, lower=lower, upper=upper), 0.0, None)

    def _unit(self, column: int) -> np.ndarray:
        cost = np.zeros(self.program.rows.shape[1])
        cost[column] = 1.0
        return cost


def known_margin(lower: np.ndarray, rows: np.ndarray, thresholds: np.ndarray) -> float:
    """The margin that lower bounds on the forms prove by themselves, rounded down; -inf without rows."""
    gaps = np.nextafter(lower[rows] - thresholds, -np.inf)
    return float(np.max(np.where(np.isnan(gaps), -np.inf, gaps), initial=-np.inf))


def _with_epigraph(encoding: Encoding) -> Program:
    """The program with a last column t and a row t - form_k >= -inf for each of the K forms."""
    from scipy.sparse import csr_array, vstack

    program, column = encoding.program, encoding.outputs.column
    (m, n), count = program.rows.shape, len(column)
    varying = np.flatnonzero(column >= 0)
    above = csr_array((program.rows.data, program.rows.indices, program.rows.indptr), shape=(m, n + 1))
    index = (np.r_[np.arange(count), varying], np.r_[np.full(count, n), column[varying]])
    values = np.r_[np.ones(count), -np.ones(len(varying))]
    below = csr_array((values, index), shape=(count, n + 1))
    return Program(
        lower=np.r_[program.lower, 0.0],
        upper=np.r_[program.upper, 0.0],
        cost=np.r_[program.cost, 0.0],
        integrality=np.r_[program.integrality, False],
        rows=csr_array(vstack([above, below])),
        row_lower=np.r_[program.row_lower, np.full(count, -np.inf)],
        row_upper=np.r_[program.row_upper, np.full(count, np.inf)],
        row_error=np.r_[program.row_error, np.zeros(count)],
        ball=program.ball,
    )
