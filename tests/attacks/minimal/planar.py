"""The exact minimal perturbation of a small relu network with two inputs, by cutting the plane into linear pieces.

Every relu cuts each convex cell along a line, so that the network is affine on the cells that remain; where another
class leads is a cell cut once more. The distance from a point to a convex polygon is attained on one of its edges, and
on an edge at one of a few points that are known in closed form.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from verifier.network.graph import Affine, Elementwise, Network


def minimal_distance(
    network: Network, x: np.ndarray, label: int, norm: float, box: tuple[np.ndarray, np.ndarray]
) -> float:
    """The least `norm` of a step inside the box to where some class leads the label, or ties with it."""
    lower, upper = box
    corners = np.array([[lower[0], lower[1]], [upper[0], lower[1]], [upper[0], upper[1]], [lower[0], upper[1]]])
    distances = [math.inf]
    for cell, (weight, bias) in _pieces(network, corners):
        for k in range(len(bias)):
            if k == label:
                continue
            region = _cut(cell, weight[k] - weight[label], bias[k] - bias[label])
            if len(region):
                distances.append(_distance(region, x, norm))
    return min(distances)


def _pieces(network: Network, corners: np.ndarray) -> list[tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]]:
    """Convex cells, each with the (weight, bias) of the network's outputs on it. A chain of affine nodes and relus."""
    pieces = [(corners, (np.eye(2), np.zeros(2)))]
    for node in network.nodes[1:]:
        if isinstance(node, Affine):
            matrix = node.maps[0].to_sparse().toarray()
            pieces = [(cell, (matrix @ w, matrix @ b + node.bias)) for cell, (w, b) in pieces]
        else:
            assert isinstance(node, Elementwise)
            for i in range(node.size):
                pieces = [part for cell, form in pieces for part in _split(cell, form, i)]
    return pieces


def _split(cell: np.ndarray, form: tuple[np.ndarray, np.ndarray], i: int) -> list:
    (weight, bias), parts = form, []
    active, idle = _cut(cell, weight[i], bias[i]), _cut(cell, -weight[i], -bias[i])
    if len(active):
        parts.append((active, form))
    if len(idle):
        weight, bias = weight.copy(), bias.copy()
        weight[i], bias[i] = 0.0, 0.0
        parts.append((idle, (weight, bias)))
    return parts


def _cut(cell: np.ndarray, weight: np.ndarray, bias: float) -> np.ndarray:
    """The part of a convex polygon where weight x + bias >= 0 (Sutherland & Hodgman); empty where there is none."""
    values, corners = cell @ weight + bias, []
    for k in range(len(cell)):
        after = (k + 1) % len(cell)
        if values[k] >= 0:
            corners.append(cell[k])
        if values[k] * values[after] < 0:
            share = values[k] / (values[k] - values[after])
            corners.append(cell[k] + share * (cell[after] - cell[k]))
    return np.array(corners)


def _distance(region: np.ndarray, x: np.ndarray, norm: float) -> float:
    return min(_to_segment(region[k - 1] - x, region[k] - x, norm) for k in range(len(region)))


def _to_segment(start: np.ndarray, end: np.ndarray, norm: float) -> float:
    """The least norm on the segment: at an end, at the foot (2), where an entry vanishes or two are equal (1, inf)."""
    way = end - start
    forms = [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0, 1.0]), np.array([1.0, -1.0]), way]
    shares = [0.0, 1.0]
    for form in forms:
        if form @ way != 0:
            shares.append(float(np.clip(-(form @ start) / (form @ way), 0.0, 1.0)))
    return min(float(np.linalg.norm(start + share * way, norm)) for share in shares)


def grid_distance(
    network: Network, x: np.ndarray, label: int, norm: float, box: tuple[np.ndarray, np.ndarray], count: int
) -> float:
    """An upper bound of the same from a grid of count x count points: a check on the code above."""
    axes = [np.linspace(box[0][i], box[1][i], count) for i in range(2)]
    points = np.array(list(product(*axes)))
    outputs = network.forward(points)
    adversarial = (np.delete(outputs, label, axis=1) > outputs[:, label : label + 1]).any(axis=1)
    distances = np.linalg.norm(points - x, norm, axis=1)
    return float(distances[adversarial].min(initial=math.inf))
