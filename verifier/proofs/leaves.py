"""Weights and multipliers for a part in which nothing is left to cut: the duals of its linear program.

With their lines, values are linear in the inputs: the checker's own rows on the inputs. The least excess of the rows
over what the cuts allow is then a linear program, whose cuts may be missed at a price, so that it has a solution. Its
duals are only a choice: the checker's bound decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.checker.bounds import Bounder, Hints, State

PRICE = 1e4
"""Of missing a cut: no multiplier is larger."""


@dataclass(frozen=True, eq=False)
class Question:
    """What is bounded on one part.

    Attributes:
        node: that the rows are on.
        rows: shape (R, size).
        thresholds: shape (R,).
        cuts: the nodes and entries whose intervals press.
        hints: the lines.
    """

    node: int
    rows: np.ndarray
    thresholds: np.ndarray
    cuts: Sequence[tuple[int, int]]
    hints: Hints


def duals(bounder: Bounder, part: State, asked: Question) -> tuple[np.ndarray, np.ndarray] | None:
    """Weights of the rows, shape (R,), and multipliers of the cuts, shape (C,); None where a solver finds none."""
    from scipy.optimize import linprog

    low, high = part.lower[0][0], part.upper[0][0]
    matrix, constant = _on_inputs(bounder, part, asked.node, asked.rows, asked.hints)
    ones, none = np.ones((len(matrix), 1)), np.zeros((len(matrix), 1))
    sides, limits = [np.hstack([matrix, -ones, none])], [asked.thresholds - constant]
    for k, entry in asked.cuts:
        row = np.zeros((1, bounder.graph.nodes[k].size))
        row[0, entry] = 1.0
        matrix, constant = _on_inputs(bounder, part, k, row, asked.hints)
        for sign, ends in ((1.0, part.upper), (-1.0, part.lower)):
            sides.append(np.hstack([sign * matrix, [[0.0, -1.0]]]))
            limits.append(sign * (ends[k][0, entry : entry + 1] - constant))
    price = np.concatenate([np.zeros(len(low)), [1.0, PRICE]])
    bounds = [*zip(low, high, strict=True), (None, None), (0.0, None)]
    done = linprog(price, np.concatenate(sides), np.concatenate(limits), bounds=bounds, method="highs")
    if done.status != 0:
        return None
    found, count = -done.ineqlin.marginals, len(asked.rows)
    return np.maximum(found[:count], 0.0), found[count::2] - found[count + 1 :: 2]


def _on_inputs(
    bounder: Bounder, part: State, node: int, rows: np.ndarray, hints: Hints
) -> tuple[np.ndarray, np.ndarray]:
    """Rows on a node as rows on the inputs, and constants."""
    least, on_inputs = bounder.minimum(part, node, rows[None], Hints(hints.slopes))
    low, high = part.lower[0][0], part.upper[0][0]
    return on_inputs[0], least[0] - np.minimum(on_inputs[0] * low, on_inputs[0] * high).sum(1)
