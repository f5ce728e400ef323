"""The exact minimal perturbation of tiny relu networks with two inputs, by enumeration of activation patterns."""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.optimize import linprog

from verifier.network.graph import Affine, Elementwise, Network

SLACK = 1e-9
"""Rows are met up to this by candidates, which may make the distance too small by as much: to our disadvantage."""


def minimal_perturbation(network: Network, x: np.ndarray, label: int, norm: float) -> float:
    """The least ||delta||_p such that some output reaches that of `label`; inf where none does."""
    best = math.inf
    neurons = sum(node.size for node in network.nodes if isinstance(node, Elementwise))
    for pattern in itertools.product((0.0, 1.0), repeat=neurons):
        rows, sides, outputs, constants = pattern_region(network, np.array(pattern))
        for j in range(len(outputs)):
            if j != label:
                all_rows = np.vstack([rows, outputs[label] - outputs[j]])
                all_sides = np.r_[sides, constants[j] - constants[label]]
                best = min(best, distance(all_rows, all_sides - all_rows @ x, norm))
    return best


def pattern_region(network: Network, pattern: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows A x <= b of the pattern's region, and the outputs' rows and constants on it."""
    values = [(np.eye(network.input_size), np.zeros(network.input_size))]
    rows, sides, used = [], [], 0
    for node in network.nodes[1:]:
        weight, constant = values[node.operands[0]]
        if isinstance(node, Affine):
            matrix = node.maps[0].to_sparse().toarray()
            values.append((matrix @ weight, matrix @ constant + node.bias))
        else:
            active = pattern[used : used + node.size]
            used += node.size
            sign = 1 - 2 * active  # inactive: z <= 0; active: -z <= 0
            rows.append(sign[:, None] * weight)
            sides.append(-sign * constant)
            values.append((active[:, None] * weight, active * constant))
    return np.vstack(rows), np.concatenate(sides), *values[-1]


def distance(rows: np.ndarray, sides: np.ndarray, norm: float) -> float:
    """The least p-norm of a point of {d in R^2: rows d <= sides}."""
    if norm == 2.0:
        return _euclidean(rows, sides)
    n = rows.shape[1]
    if norm == 1.0:  # d = u - v
        found = linprog(np.ones(2 * n), A_ub=np.hstack([rows, -rows]), b_ub=sides, bounds=(0, None))
    else:
        ends = np.vstack([np.hstack([s * np.eye(n), -np.ones((n, 1))]) for s in (1, -1)])
        a_ub = np.vstack([np.hstack([rows, np.zeros((len(rows), 1))]), ends])
        found = linprog(np.r_[np.zeros(n), 1], A_ub=a_ub, b_ub=np.r_[sides, np.zeros(2 * n)], bounds=(None, None))
    return float(found.fun) if found.status == 0 else math.inf


def _euclidean(rows: np.ndarray, sides: np.ndarray) -> float:
    """The projection of 0 is 0, the foot on some line, or where two lines meet."""
    candidates = [np.zeros(2)]
    lengths = (rows**2).sum(axis=1)
    candidates += [row * side / length for row, side, length in zip(rows, sides, lengths, strict=True) if length > 0]
    for i, j in itertools.combinations(range(len(rows)), 2):
        pair = rows[[i, j]]
        if abs(np.linalg.det(pair)) > 1e-12:
            candidates.append(np.linalg.solve(pair, sides[[i, j]]))
    feasible = [c for c in candidates if (rows @ c <= sides + SLACK * (1 + np.abs(rows) @ np.abs(c))).all()]
    return min((float(np.linalg.norm(c)) for c in feasible), default=math.inf)
