"""The optimum of a tiny linear program in rational arithmetic, by enumeration of vertices."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np

from verifier.programs.program import Program


def random_program(rng: np.random.Generator, columns: int, rows: int, scale: float = 1.0) -> Program:
    """A relaxation with finite column bounds; sides may be one- or two-sided, or equal. It may be infeasible."""
    from scipy.sparse import csr_array

    matrix = np.round(rng.normal(size=(rows, columns)) * 3) * scale ** rng.uniform(-1, 1, size=(rows, columns))
    inside = rng.uniform(-1, 2, size=columns)
    activity = matrix @ inside
    gap = np.abs(rng.normal(size=(2, rows))) * np.abs(activity).max(initial=1.0)
    kind = rng.integers(0, 4, size=rows)
    lower = np.where(kind == 1, -np.inf, np.where(kind == 3, activity, activity - gap[0]))
    upper = np.where(kind == 0, np.inf, np.where(kind == 3, activity, activity + gap[1]))
    return Program(
        lower=np.full(columns, -1.0),
        upper=rng.choice([0.5, 2.0, 3.0], size=columns),
        cost=rng.normal(size=columns) * scale ** rng.uniform(-1, 1, size=columns),
        integrality=np.zeros(columns, bool),
        rows=csr_array(matrix),
        row_lower=lower,
        row_upper=upper,
        row_error=np.zeros(rows),
    )


def optimum(program: Program) -> Fraction | None:
    """The exact minimum over the program's stored numbers, sides widened by the row errors; None where infeasible."""
    matrix = [[Fraction(float(v)) for v in row] for row in program.rows.toarray()]
    planes: list[tuple[list[Fraction], Fraction, int]] = []  # a.x >= side (sign 1) or <= side (sign -1)
    error = [Fraction(float(e)) for e in program.row_error]
    for row, low, high, e in zip(matrix, program.row_lower, program.row_upper, error, strict=True):
        planes += [(row, Fraction(float(low)) - e, 1)] if np.isfinite(low) else []
        planes += [(row, Fraction(float(high)) + e, -1)] if np.isfinite(high) else []
    for j, (low, high) in enumerate(zip(program.lower, program.upper, strict=True)):
        unit = [Fraction(int(i == j)) for i in range(len(program.cost))]
        planes += [(unit, Fraction(float(low)), 1), (unit, Fraction(float(high)), -1)]
    cost = [Fraction(float(c)) for c in program.cost]
    values = []
    for chosen in itertools.combinations(planes, len(cost)):
        vertex = _solved([list(a) for a, _, _ in chosen], [side for _, side, _ in chosen])
        if vertex is not None and all(sign * (_dot(a, vertex) - side) >= 0 for a, side, sign in planes):
            values.append(_dot(cost, vertex))
    return min(values, default=None)


def _dot(a: list[Fraction], x: list[Fraction]) -> Fraction:
    return sum((p * q for p, q in zip(a, x, strict=True)), Fraction(0))


def _solved(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction] | None:
    """Gauss-Jordan elimination; None for a singular matrix."""
    n = len(matrix)
    rows = [[*row, side] for row, side in zip(matrix, right, strict=True)]
    for k in range(n):
        pivot = next((i for i in range(k, n) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i in range(n):
            if i != k:
                rows[i] = [v - rows[i][k] * w for v, w in zip(rows[i], rows[k], strict=True)]
    return [row[n] for row in rows]
