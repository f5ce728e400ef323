"""Which input of a box to cut: the one that makes the relaxation loose, and the bound steep.

A row's bound is too low by what the lines of all functions on its way cost it: |coefficient| x distance of the lines,
for each entry of each function. An entry's lines are apart because its operand varies, and each input has a share in
that: |slope of the operand's linear bound| x width, relative to the sum over the inputs. Costs are charged to the
inputs by these shares. Beside it counts, less, what the row's own linear bound varies with the input; that alone is
the usual choice, and took 2 to 10 times the boxes on acasxu.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from verifier.arrays import to_numpy
from verifier.bounds.boxwise import Dependence, Plan

STEEPNESS = 0.3
"""Weight of what the linear bound itself varies by."""


def input_to_cut(steepness: np.ndarray, costs: np.ndarray, width: np.ndarray) -> np.ndarray:
    """For each box the input to cut, shape (N,).

    Args:
        steepness: what the worst row's linear bound varies by with each input, shape (N, input_size).
        costs: of the relaxation, charged to the inputs, the same shape.
        width: of the box, the same shape.
    """
    score = np.where(width > 0, STEEPNESS * steepness + costs, 0.0)
    useful = np.isfinite(score).all(axis=1, keepdims=True) & (score.max(axis=1, keepdims=True) > 0)
    return np.argmax(np.where(useful, score, width), axis=1)


class Charges:
    """Charges what relaxations cost to the inputs of boxes.

    Args:
        plan: of the network.
        width: of the boxes, shape (N, input_size).
        dependences: of the tightened nodes on the inputs, as far as they are open.
    """

    def __init__(self, plan: Plan, width: np.ndarray, dependences: Mapping[int, Sequence[Dependence]]) -> None:
        self.plan, self.width, self.dependences = plan, width, dependences
        self._number = np.arange(len(width))[:, None]

    def of(self, costs: Mapping[int, np.ndarray]) -> np.ndarray:
        """What each input is charged, shape (N, input_size), for `costs` of functions, shape (N, size) each."""
        total = np.zeros_like(self.width)
        for k, cost in costs.items():
            for operand in set(self.plan.network.nodes[k].operands):
                total = total + self._charged(operand, cost)
        return total

    def _charged(self, operand: int, cost: np.ndarray) -> np.ndarray:
        if operand == 0:
            return cost
        if operand in self.dependences:
            parts = [(to_numpy(d.entries), to_numpy(d.slopes)) for d in self.dependences[operand]]
            total = np.zeros_like(self.width)
            for entries, slopes in parts:
                total = total + self._shared(cost[self._number, entries], slopes)
            return total
        matrices = self.plan.matrices(operand)
        if matrices is None or len(matrices) != 1:  # too large a map, or a constant
            return np.zeros_like(self.width)
        return self._shared(cost, np.abs(to_numpy(matrices[0]))[None])

    def _shared(self, cost: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Costs, shape (N, R), by the shares of the inputs in what the entries vary by."""
        varied = slopes * self.width[:, None, :]
        whole = varied.sum(axis=-1)
        rate = np.where(whole > 0, cost / np.where(whole > 0, whole, 1.0), 0.0)
        return np.einsum("nr,nrd->nd", rate, varied)
