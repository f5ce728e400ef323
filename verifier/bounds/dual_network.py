"""The dual network: bounds from the dual of the relaxed network in closed form (Wong & Kolter, arXiv 1711.00851).

The convex outer adversarial polytope replaces every relu by its triangle. Theorem 1 there writes the dual of a linear
program over it as a network itself, run backward: nu at the end is minus the objective, an affine layer multiplies by
its transpose, and at a relu on l < 0 < u

    nu^ = u / (u - l) [nu]_+  -  alpha [nu]_-,     0 <= alpha <= 1,

while an active relu passes nu on and an inactive one stops it. Any nu of that form is feasible, so that

    J(nu) = - sum_i nu_{i+1} . b_i  -  c . nu^_1  -  r . |nu^_1|  +  sum_{l < 0 < u} l u / (u - l) [nu]_+

is a lower bound of the objective over the box c - r <= x <= c + r. As in the paper, alpha is u / (u - l). CROWN with
the same slopes is the same number, found from the primal side (Salman et al., arXiv 1902.08722): each checks the other,
and neither is tighter than the linear program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from verifier.arrays import Array, namespace, zeros
from verifier.bounds.enclosure import Interval, minimum
from verifier.bounds.interval import affine_magnitude
from verifier.network.functions.relu import Relu
from verifier.network.graph import Affine, Elementwise, Input, Network
from verifier.property.support import Minimum
from verifier.relaxations.lines import Policy
from verifier.relaxations.rectifier import relu_lines
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma


def has_dual_network(network: Network) -> bool:
    """Whether all its functions are relus, which the closed form is for."""
    return all(
        isinstance(node, Input | Affine) or (isinstance(node, Elementwise) and isinstance(node.function, Relu))
        for node in network.nodes
    )


class DualNetwork:
    """The dual objective for rows on any node.

    Args:
        network: of affine nodes and relus, its weights in the array library of the intervals.
        intervals: sound intervals of the nodes, shape (N, size), one per node up to the highest asked about.
    """

    def __init__(self, network: Network, intervals: Sequence[Interval]) -> None:
        self.network, self.intervals = network, intervals

    def minimum(self, node: int, rows: Array) -> Minimum:
        """Lower bounds of `rows` (shape (N, R, size), or (1, R, size) for all) times the value of `node`.

        The point is the input that the dual solution is complementary to.
        """
        count = max(self.intervals[0].lower.shape[0], rows.shape[0])
        dual: dict[int, Array] = {node: -namespace(rows).broadcast_to(rows, (count, *rows.shape[1:]))}
        objective = error = zeros(rows, (count, rows.shape[1]))
        for k in range(node, 0, -1):
            if k in dual:
                step = self._affine if isinstance(self.network.nodes[k], Affine) else self._relu
                gained, slack, passed = step(k, dual.pop(k))
                objective = objective + gained
                error = error + slack + 2 * UNIT_ROUNDOFF * abs(objective)
                for operand, part in passed.items():
                    dual[operand] = dual[operand] + part if operand in dual else part
        at_input = dual.get(0)
        if at_input is None:
            at_input = zeros(rows, (count, rows.shape[1], self.network.input_size))
        return self._at_input(at_input, objective, error)

    def _affine(self, k: int, nu: Array) -> tuple[Array, Array, dict[int, Array]]:
        """What the bias brings, a bound of the step's rounding, and nu at the operands."""
        node = self.network.nodes[k]
        assert isinstance(node, Affine)
        passed: dict[int, Array] = {}
        for operand, linear_map in zip(node.operands, node.maps, strict=True):
            part = linear_map.adjoint(nu)
            passed[operand] = passed[operand] + part if operand in passed else part
        magnitude = affine_magnitude(node, [self.intervals[i] for i in node.operands])
        rounding = gamma(node.size + sum(m.adjoint_terms for m in node.maps) + len(self.network.nodes))
        return -(nu @ node.bias), rounding * _dot(abs(nu), magnitude), passed

    def _relu(self, k: int, nu: Array) -> tuple[Array, Array, dict[int, Array]]:
        """Likewise; the intercept of the upper line is -l u / (u - l), 0 where the relu is stable."""
        xp = namespace(nu)
        (operand,) = self.network.nodes[k].operands
        interval = self.intervals[operand]
        line = relu_lines(interval.lower, interval.upper, Policy.PARALLEL)
        positive = xp.maximum(nu, zeros(nu, (1,)))
        before = line.upper_slope[:, None, :] * positive + line.lower_slope[:, None, :] * (nu - positive)
        steepest = xp.maximum(line.upper_slope, line.lower_slope)
        size = abs(line.upper_intercept) + xp.where(steepest == 0, 0.0, steepest * interval.magnitude)
        slack = gamma(int(nu.shape[2]) + len(self.network.nodes)) * _dot(abs(nu), size)
        return -_dot(positive, line.upper_intercept), slack, {operand: before}

    def _at_input(self, nu: Array, objective: Array, error: Array) -> Minimum:
        xp, box = namespace(nu), self.intervals[0]
        if box.ball is not None:
            least, rounding = minimum(box, -nu), gamma(len(self.network.nodes) + 2)
            bound = objective + least.bound - (error + rounding * (abs(objective) + abs(least.bound))) * (1 + rounding)
            return Minimum(xp.where(xp.isfinite(bound), bound, -math.inf), least.point)
        centre = 0.5 * box.lower + 0.5 * box.upper
        radius = xp.maximum(box.upper - centre, centre - box.lower) * (1 + 2 * UNIT_ROUNDOFF)
        value = objective - _dot(nu, centre) - _dot(abs(nu), radius)
        rounding = gamma(2 * self.network.input_size + len(self.network.nodes) + 4)
        size = _dot(abs(nu), abs(centre) + radius) + abs(objective)
        bound = value - (error + rounding * size + UNDERFLOW) * (1 + 2 * rounding)
        point = xp.where(nu < 0, box.lower[:, None, :], box.upper[:, None, :])
        return Minimum(xp.where(xp.isfinite(bound), bound, -math.inf), point)


def _dot(rows: Array, values: Array) -> Array:
    """sum_j rows[n, r, j] values[n, j], shape (N, R), where 0 times infinity is 0; one row of values may serve all."""
    xp = namespace(rows)
    products = xp.where(rows == 0, 0.0, rows * values[:, None, :])
    return xp.sum(products, axis=2)
