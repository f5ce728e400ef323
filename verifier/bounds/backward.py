"""Linear bounds propagated backward (CROWN; Zhang et al., arXiv 1811.00866), sound in floating point.

A row of coefficients A on a node's value is rewritten as a row on its operands', down to the input, where the box
gives its minimum. At an affine node the row passes through the adjoint map; at a function, positive coefficients take
the lower line of its relaxation and negative ones the upper.

Rounding is covered by a running error: whatever a step does to A changes the bound by at most gamma times |A| times
the largest magnitudes of the values it multiplies, which the intervals of the nodes give. It costs one more dot
product a node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from verifier.arrays import Array, namespace, zeros
from verifier.bounds.enclosure import Interval, minimum
from verifier.bounds.interval import affine_magnitude
from verifier.network.graph import Affine, Elementwise, Network, Node, Product
from verifier.property.support import Minimum
from verifier.relaxations.lines import Policy, lines
from verifier.relaxations.products import chosen_planes
from verifier.tolerances import UNDERFLOW, UNIT_ROUNDOFF, gamma


@dataclass(frozen=True, eq=False)
class Enclosure:
    """A line (for a product, a plane) below and one above every entry of a node, sound in real arithmetic.

    lower_slopes, upper_slopes: for each operand, shape (N, size). lower_intercept, upper_intercept: shape (N, size).
    """

    lower_slopes: tuple[Array, ...]
    upper_slopes: tuple[Array, ...]
    lower_intercept: Array
    upper_intercept: Array


Enclose: TypeAlias = Callable[[int], Enclosure]
"""Gives the lines of the function or product with this index."""


@dataclass(frozen=True, eq=False)
class Pressure:
    """Multipliers of the constraints lower <= value <= upper of a node's entries.

    Attributes:
        multipliers: shape (N, size); positive ones press the upper end, negative ones the lower; 0 where there is none.
        sides: the end that is pressed, finite, shape (N, size).
    """

    multipliers: Array
    sides: Array


@dataclass(frozen=True, eq=False)
class _Step:
    """An enclosure with the absolute values that each line adds up, for the rounding error, shape (N, size)."""

    lines: Enclosure
    lower_magnitude: Array
    upper_magnitude: Array


class BackwardPass:
    """Lower bounds of linear rows on any node of a network over a batch of boxes.

    Args:
        network: with its weights in the array library of the intervals.
        intervals: sound intervals of the nodes, one per node up to the highest asked about; relaxations are built on
            them, once.
        lines: which of the sound lines a function takes: a policy, or a rule that gives them.
        pressures: multipliers on the intervals of nodes, by index.
        places: for nodes whose entries add up to 1, by index, what these share, shape (N, partitions) (`Shares`); None:
            the middle, of all such nodes.
    """

    def __init__(
        self,
        network: Network,
        intervals: Sequence[Interval],
        lines: Policy | Enclose = Policy.ADAPTIVE,
        pressures: Mapping[int, Pressure] | None = None,
        places: Mapping[int, Array] | None = None,
    ) -> None:
        if places is None:
            example = intervals[0].lower
            places = {k: zeros(example, (1, s.count)) + 0.5 for k, s in network.shares.items() if k < len(intervals)}
        self._places = places
        self.network, self.intervals, self.pressures = network, intervals, pressures or {}
        self._enclose = by_policy(network, intervals, lines) if isinstance(lines, Policy) else lines
        self._steps: dict[int, _Step] = {}
        self._magnitudes: dict[int, Array] = {}

    def minimum(self, node: int, rows: Array) -> Minimum:
        """Lower bounds of `rows` (shape (N, R, size), or (1, R, size) for all) times the value of `node`.

        Pressures on nodes after it have a say as well: what is known of what comes out tells of what goes in.
        """
        xp = namespace(rows)
        count = max(self.intervals[0].lower.shape[0], rows.shape[0])  # one box may serve many subproblems
        pending: dict[int, Any] = {node: self._started(node, xp.broadcast_to(rows, (count, *rows.shape[1:])))}
        total = zeros(rows, (count, rows.shape[1]))
        error = zeros(rows, (count, rows.shape[1]))
        for k in range(max(node, *self.pressures) if self.pressures else node, 0, -1):
            if k > node and k in self.pressures and k not in pending:
                pending[k] = zeros(rows, (count, rows.shape[1], self.network.nodes[k].size))
            if k in pending:
                if k in self.pressures:
                    pending[k], constant, slack = self._pressed(k, pending[k])
                    total = total + constant
                    error = error + slack + 2 * UNIT_ROUNDOFF * xp.abs(total)
                if k in self._places:
                    pending[k], constant, slack = self._shared(k, self._whole(pending[k]))
                    total = total + constant
                    error = error + slack + 2 * UNIT_ROUNDOFF * xp.abs(total)
                constant, slack = self._step_back(k, pending.pop(k), pending)
                total = total + constant
                error = error + slack + 2 * UNIT_ROUNDOFF * xp.abs(total)
        if 0 not in pending:
            pending[0] = zeros(rows, (count, rows.shape[1], self.network.input_size))
        return self._concretised(self._whole(pending[0]), total, error)

    def _started(self, node: int, rows: Array) -> Any:
        """Rows on a node in the form in which they are moved."""
        return rows

    def _whole(self, rows: Any) -> Array:
        """Rows as an array again, shape (N, R, size)."""
        return rows

    def _concretised(self, rows: Array, total: Array, error: Array) -> Minimum:
        xp = namespace(rows)
        box = self.intervals[0]
        lowest = minimum(box, rows)
        rounding = gamma(self.network.input_size + len(self.network.nodes))
        error = error + rounding * (_weighted(xp.abs(rows), box.magnitude) + xp.abs(total)) + UNDERFLOW
        bound = total + lowest.bound - error * (1 + 2 * rounding)
        return Minimum(xp.where(xp.isfinite(bound), bound, xp.full_like(bound, -math.inf)), lowest.point)

    def _pressed(self, k: int, rows: Array) -> tuple[Array, Array, Array]:
        """The rows with the multipliers of node k, the constant these bring, and a bound of the rounding error."""
        xp = namespace(rows)
        pressure = self.pressures[k]
        pressed = rows + pressure.multipliers[:, None, :]
        products = pressure.multipliers * pressure.sides
        constant = -xp.sum(products, axis=1)[:, None]
        slack = gamma(products.shape[1]) * xp.sum(xp.abs(products), axis=1)[:, None]
        slack = slack + 2 * UNIT_ROUNDOFF * _weighted(xp.abs(pressed), self.intervals[k].magnitude)
        return pressed, constant, slack

    def _shared(self, k: int, rows: Array) -> tuple[Array, Array, Array]:
        """The rows without what entries share that add up to 1, the constant it is, and a bound of the rounding error.

        The constant is what was taken off, to the bit; what is left was rounded once an entry.
        """
        xp, shares = namespace(rows), self.network.shares[k]
        flat = xp.reshape(rows, (-1, rows.shape[2]))
        places = xp.broadcast_to(self._places[k][:, None, :], (*rows.shape[:2], shares.count))
        left, taken = shares.take_off(flat, xp.reshape(places, (-1, shares.count)))
        off = xp.reshape(taken.off, (*rows.shape[:2], shares.count))
        left = xp.reshape(left, rows.shape)
        slack = gamma(shares.count) * xp.sum(xp.abs(off), axis=2)
        slack = slack + 2 * UNIT_ROUNDOFF * _weighted(xp.abs(left), self.intervals[k].magnitude)
        return left, xp.sum(off, axis=2), slack

    def _step_back(self, k: int, rows: Any, pending: dict[int, Any]) -> tuple[Array, Array]:
        """Moves `rows` from node k to its operands; the constant it leaves, and a bound of its rounding error."""
        node = self.network.nodes[k]
        xp = namespace(rows)
        if isinstance(node, Affine):
            constant = rows @ node.bias
            moved = [m.adjoint(rows) for m in node.maps]
            rounding = gamma(node.size + sum(m.adjoint_terms for m in node.maps) + len(self.network.nodes))
            slack = rounding * _weighted(xp.abs(rows), self._affine_magnitude(k, node))
        else:
            step = self._relaxed(k)
            lines = step.lines
            positive, negative = xp.maximum(rows, zeros(rows, (1,))), xp.minimum(rows, zeros(rows, (1,)))
            constant = _weighted(positive, lines.lower_intercept) + _weighted(negative, lines.upper_intercept)
            slopes = zip(lines.lower_slopes, lines.upper_slopes, strict=True)
            moved = [positive * low[:, None, :] + negative * high[:, None, :] for low, high in slopes]
            size = _weighted(positive, step.lower_magnitude) + _weighted(-negative, step.upper_magnitude)
            slack = gamma(node.size + len(self.network.nodes)) * size
        for operand, part in zip(node.operands, moved, strict=True):
            pending[operand] = pending[operand] + part if operand in pending else part
        return constant, slack

    def _affine_magnitude(self, k: int, node: Affine) -> Array:
        if k not in self._magnitudes:
            self._magnitudes[k] = affine_magnitude(node, [self.intervals[i] for i in node.operands])
        return self._magnitudes[k]

    def _relaxed(self, k: int) -> _Step:
        """The node's lines, kept for the next rows."""
        if k in self._steps:
            return self._steps[k]
        operands = [self.intervals[i] for i in self.network.nodes[k].operands]
        lines = self._enclose(k)
        step = _Step(
            lines,
            _line_magnitude(lines.lower_slopes, lines.lower_intercept, operands),
            _line_magnitude(lines.upper_slopes, lines.upper_intercept, operands),
        )
        self._steps[k] = step
        return step


def by_policy(network: Network, intervals: Sequence[Interval], policy: Policy) -> Enclose:
    """The lines that a policy chooses on the intervals of the operands."""

    def enclose(k: int) -> Enclosure:
        node: Node = network.nodes[k]
        operands = [intervals[i] for i in node.operands]
        if isinstance(node, Elementwise):
            line = lines(node.function, operands[0].lower, operands[0].upper, policy)
            return Enclosure((line.lower_slope,), (line.upper_slope,), line.lower_intercept, line.upper_intercept)
        if isinstance(node, Product):
            x, y = operands
            below, above = chosen_planes(x.lower, x.upper, y.lower, y.upper, policy)
            slopes = (below.x_slope, below.y_slope), (above.x_slope, above.y_slope)
            return Enclosure(*slopes, below.intercept, above.intercept)
        raise TypeError(f"node {k} has no relaxation: {node}")

    return enclose


def _line_magnitude(slopes: Sequence[Array], intercept: Array, operands: Sequence[Interval]) -> Array:
    """|intercept| + sum |slope| |operand|; a constant line does not care how large its argument may be."""
    xp = namespace(intercept)
    total = xp.abs(intercept)
    for slope, operand in zip(slopes, operands, strict=True):
        total = total + xp.where(slope == 0, xp.zeros_like(slope), xp.abs(slope) * operand.magnitude)
    return total


def _weighted(rows: Array, values: Array) -> Array:
    """sum_j rows[n, r, j] values[n, j], shape (N, R), where 0 times infinity is 0; one row of values may serve all."""
    xp = namespace(rows)
    finite = xp.isfinite(values)
    if xp.all(finite):
        return rows @ values[0] if values.shape[0] == 1 else xp.matmul(rows, values[:, :, None])[:, :, 0]
    bounded = xp.matmul(rows, xp.where(finite, values, xp.zeros_like(values))[:, :, None])[:, :, 0]
    # An infinite value that is really used makes the bound infinite; the sign does not matter, both are useless.
    used = xp.matmul(xp.abs(rows), xp.astype(~finite, rows.dtype)[:, :, None])[:, :, 0]
    return xp.where(used > 0, xp.full_like(bounded, math.inf), bounded)
