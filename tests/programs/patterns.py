"""The exact margin of a tiny relu network by enumeration of all activation patterns: one linear program for each."""

from __future__ import annotations

import itertools

import numpy as np
from scipy.optimize import linprog

from verifier.network.graph import Affine, Elementwise, Network


def exact_minimum(
    network: Network, lower: np.ndarray, upper: np.ndarray, rows: np.ndarray, thresholds: np.ndarray
) -> float:
    """The min over the box of max over rows of (output[row] - threshold), for a network of affine nodes and relus."""
    relus = [k for k, node in enumerate(network.nodes) if isinstance(node, Elementwise)]
    sizes = [network.nodes[k].size for k in relus]
    matrices = {
        k: [m.to_sparse().toarray() for m in node.maps]
        for k, node in enumerate(network.nodes)
        if isinstance(node, Affine)
    }
    best = np.inf
    for pattern in itertools.product([0.0, 1.0], repeat=sum(sizes)):
        active = dict(zip(relus, np.split(np.array(pattern), np.cumsum(sizes)[:-1]), strict=True))
        best = min(best, _minimum_of_pattern(network, matrices, (lower, upper), (rows, thresholds), active))
    return best


def _minimum_of_pattern(
    network: Network,
    matrices: dict[int, list[np.ndarray]],
    box: tuple[np.ndarray, np.ndarray],
    conjunction: tuple[np.ndarray, np.ndarray],
    active: dict[int, np.ndarray],
) -> float:
    """With the pattern fixed every node is A x + b; the pattern's region is a polytope."""
    n, (lower, upper) = network.input_size, box
    affine: list[tuple[np.ndarray, np.ndarray]] = [(np.eye(n), np.zeros(n))]
    region: list[tuple[np.ndarray, np.ndarray]] = []
    for k, node in enumerate(network.nodes[1:], start=1):
        if isinstance(node, Affine):
            parts = list(zip(matrices[k], node.operands, strict=True))
            a = sum((m @ affine[i][0] for m, i in parts), np.zeros((node.size, n)))
            b = sum((m @ affine[i][1] for m, i in parts), np.array(node.bias))
        else:
            a, b = affine[node.operands[0]]
            sign = 1 - 2 * active[k]  # active: -(a x + b) <= 0
            region.append((sign[:, None] * a, -sign * b))
            a, b = active[k][:, None] * a, active[k] * b
        affine.append((a, b))
    if any((np.where(c > 0, c * lower, c * upper).sum(1) > d).any() for c, d in region):
        return np.inf  # some row of the region holds nowhere in the box
    rows, thresholds = conjunction
    a, b = affine[-1][0][rows], affine[-1][1][rows] - thresholds
    above = np.hstack([a, -np.ones((len(rows), 1))])
    matrix = np.vstack([above, *(np.hstack([c, np.zeros((len(c), 1))]) for c, _ in region)])
    sides = np.concatenate([-b, *(d for _, d in region)])
    bounds = [*zip(lower, upper, strict=True), (None, None)]
    solved = linprog(np.r_[np.zeros(n), 1.0], A_ub=matrix, b_ub=sides, bounds=bounds)
    return float(solved.fun) if solved.status == 0 else np.inf
