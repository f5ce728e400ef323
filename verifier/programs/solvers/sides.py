"""The rows of a program by their sides, for modelling layers that know one-sided rows and equations only.

A row with two finite sides stands among those with a lower side and among those with an upper one; its multiplier is
the sum of both. Rows without entries are left out, as some layers refuse them; one that cannot hold is its own proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from verifier.deadline import Deadline
from verifier.programs.program import Program
from verifier.programs.solvers.outcome import LpOutcome, SolveStatus


@dataclass(frozen=True, eq=False)
class Sides:
    """Indices of a program's rows, each ascending.

    Attributes:
        equal: rows that are equations.
        above: other rows with a finite lower side.
        below: other rows with a finite upper side.
    """

    equal: np.ndarray
    above: np.ndarray
    below: np.ndarray

    @classmethod
    def of(cls, program: Program) -> Sides:
        """The rows of `program` that have entries."""
        low, high = program.row_lower, program.row_upper
        filled = np.diff(program.rows.indptr) > 0
        equation = filled & (low == high)
        above, below = (filled & ~equation & np.isfinite(side) for side in (low, high))
        return cls(*(np.flatnonzero(rows) for rows in (equation, above, below)))

    def same_as(self, other: Sides) -> bool:
        """Whether the rows stand in the same places."""
        mine, theirs = (self.equal, self.above, self.below), (other.equal, other.above, other.below)
        return all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))

    def multipliers(self, count: int, equal: np.ndarray, above: np.ndarray, below: np.ndarray) -> np.ndarray | None:
        """Multipliers of all `count` rows from those of the three kinds, each positive where a lower side presses."""
        parts = ((self.equal, equal), (self.above, above), (self.below, below))
        if any(np.shape(values) != rows.shape for rows, values in parts):
            return None
        y = np.zeros(count)
        for rows, values in parts:
            y[rows] += values
        return y


def contradiction(program: Program) -> np.ndarray | None:
    """A ray that proves the program infeasible by one row without entries, shape (m,); None where there is none."""
    empty = np.diff(program.rows.indptr) == 0
    ray = np.where(empty & (program.row_lower > program.row_error), 1.0, 0.0)
    ray -= np.where(empty & (program.row_upper < -program.row_error), 1.0, 0.0)
    return ray if ray.any() else None


def settled(program: Program, deadline: Deadline) -> LpOutcome | None:
    """The outcome that is known before any solver is asked: the time is up, or an empty row proves there is none."""
    if deadline.expired:
        return LpOutcome(SolveStatus.STOPPED)
    ray = contradiction(program)
    return None if ray is None else LpOutcome(SolveStatus.INFEASIBLE, multipliers=ray)
