"""Forward linear bounds: every node enclosed by two linear functions of the inputs that vary.

A node's value lies within centre(x) +- gap(x), both linear in the m varying inputs. An affine map W takes the centre
by W and the gap by |W|; a function takes the lower function by its lower line and the upper by its upper. One pass
serves all nodes: the cost is 2 (m + 1) values an entry, whatever the depth, where backward bounds of all intermediate
nodes grow with its square (Xu et al., arXiv 2002.12920, section 3.1: the forward mode). It is looser than backward
bounds, as a function's lines are applied to a bound and not to the value itself.

Rounding is covered by a column of its own: `size` bounds the absolute values that a centre and a gap add up to, and
gamma times what goes through |W| is added to the gap's constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.backward import Enclosure, by_policy
from verifier.bounds.enclosure import Interval, intersected, repaired
from verifier.bounds.interval import node_interval
from verifier.network.graph import Affine, Network
from verifier.relaxations.lines import Policy
from verifier.tolerances import UNDERFLOW, gamma

FORWARD_VALUES = 20_000
"""Values of all nodes up to which boxes are bounded forward, many at a time. Networks beyond are deep: forward bounds
blow up in them (outputs of cifar_biasfield 0: 67,700 wide, CROWN's 65); zonotopes, of one box at a time, do not."""


@dataclass(frozen=True, eq=False)
class _Forms:
    """centre +- gap of one node over N boxes, as functions of t in [-1, 1]^m; columns m linear ones, then the constant.

    centre, gap: shape (N, m + 1, size). size: at least |centre| + |gap| summed over columns, shape (N, size).
    """

    centre: Array
    gap: Array
    size: Array


def forward_bounds(network: Network, lower: Array, upper: Array) -> list[Interval]:
    """An interval for every node, the intersection of forward linear and interval bounds.

    Args:
        network: with its weights in the array library of the bounds.
        lower, upper: input bounds of N boxes, shape (N, input_size), finite. Inputs that vary in no box cost nothing.
    """
    varying = np.flatnonzero((to_numpy(lower) < to_numpy(upper)).any(axis=0))
    forms: dict[int, _Forms | None] = {0: _input_forms(lower, upper, varying)}
    intervals = [Interval(lower, upper)]
    enclose = by_policy(network, intervals, Policy.ADAPTIVE)
    last_use = {i: k for k, node in enumerate(network.nodes) for i in node.operands}
    for k, node in enumerate(network.nodes[1:], start=1):
        operands = [forms[i] for i in node.operands]
        interval = node_interval(network, k, intervals)
        forms[k] = None
        if all(o is not None for o in operands) and operands:
            if isinstance(node, Affine):
                forms[k] = _through_maps(node, operands)
            else:
                forms[k] = _through_lines(enclose(k), operands)
            interval = intersected(interval, _interval(forms[k]))
        intervals.append(interval)
        for i in set(node.operands):
            if last_use[i] == k:
                forms[i] = None
    return intervals


def _input_forms(lower: Array, upper: Array, varying: np.ndarray) -> _Forms:
    """The input: middle + reach t, with reach rounded up; shapes as in `_Forms`."""
    xp = namespace(lower)
    count, size = lower.shape
    middle = 0.5 * (lower + upper)
    reach = xp.maximum(upper - middle, middle - lower) * (1 + gamma(2))
    centre = xp.zeros((count, len(varying) + 1, size), dtype=lower.dtype)
    columns = convert_like(lower)(varying)
    rows = convert_like(lower)(np.arange(len(varying)))
    centre[:, rows, columns] = reach[:, columns]
    centre[:, -1, :] = middle
    gap = xp.zeros_like(centre)
    return _Forms(centre, gap, xp.abs(middle) + reach)


def _through_maps(node: Affine, operands: Sequence[_Forms | None]) -> _Forms:
    first = next(o for o in operands if o is not None)
    xp = namespace(first.centre)
    centre = xp.zeros((*first.centre.shape[:2], node.size), dtype=first.centre.dtype)
    centre[:, -1, :] = node.bias
    terms = first.centre.shape[1] + len(node.maps)
    total = xp.broadcast_to(node.bias_magnitude, (centre.shape[0], node.size))
    gap = xp.zeros_like(centre)
    for linear_map, operand in zip(node.maps, operands, strict=True):
        assert operand is not None
        centre = centre + linear_map.apply(operand.centre)
        gap = gap + linear_map.magnitude.apply(operand.gap)
        size = linear_map.magnitude.apply(operand.size)
        total, terms = total + size, terms + linear_map.terms
    rounding = gamma(terms)
    gap[:, -1, :] += 2 * rounding * total + UNDERFLOW
    return _Forms(centre, gap, total * (1 + 4 * rounding) + UNDERFLOW)


def _through_lines(lines: Enclosure, operands: Sequence[_Forms | None]) -> _Forms:
    """sum_i slope_i x_i + intercept: a positive slope takes the operand's own side, a negative one the other."""
    first = operands[0]
    assert first is not None
    xp = namespace(first.centre)
    columns = first.centre.shape[1]
    below, above = xp.zeros_like(first.centre), xp.zeros_like(first.centre)
    below[:, -1, :], above[:, -1, :] = lines.lower_intercept, lines.upper_intercept
    size = xp.abs(lines.lower_intercept) + xp.abs(lines.upper_intercept)
    for low, high, operand in zip(lines.lower_slopes, lines.upper_slopes, operands, strict=True):
        assert operand is not None
        below = below + low[:, None, :] * operand.centre - xp.abs(low)[:, None, :] * operand.gap
        above = above + high[:, None, :] * operand.centre + xp.abs(high)[:, None, :] * operand.gap
        size = size + (xp.abs(low) + xp.abs(high)) * operand.size
    rounding = gamma(columns + 4 * len(operands))
    gap = 0.5 * (above - below)
    gap[:, -1, :] += 2 * rounding * size + UNDERFLOW
    return _Forms(0.5 * (below + above), gap, 2 * size * (1 + 4 * rounding) + UNDERFLOW)


def _interval(forms: _Forms | None) -> Interval:
    """The least of centre - gap and the greatest of centre + gap over t in [-1, 1]^m."""
    assert forms is not None
    xp = namespace(forms.centre)
    ends = []
    for sign in (-1.0, 1.0):
        form = forms.centre + sign * forms.gap
        reach = xp.sum(xp.abs(form[:, :-1, :]), axis=1)
        ends.append(form[:, -1, :] + sign * reach)
    slack = 4 * gamma(forms.centre.shape[1]) * forms.size + UNDERFLOW
    low, high = ends[0] - slack, ends[1] + slack
    known = (low == low) & (high == high)
    return repaired(xp.where(known, low, -xp.inf), xp.where(known, high, xp.inf))
