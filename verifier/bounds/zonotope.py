"""Forward affine forms with error symbols (zonotopes; Singh et al., Fast and Effective Robustness Certification, 2018).

A node's value is a centre and a sum of columns, one for each varying input and one for each entry of a function or
product that was not linear so far. Symbols are shared by all nodes, so what cancels in a later layer does cancel, as in
backward bounds: with parallel lines, the intervals of relu networks are those of CROWN with these lines. But one pass
of the columns serves all entries of all nodes, where backward bounds take two rows an entry through all nodes below
it. That pays where inputs and open entries are few against entries: deep networks on small boxes.

Rounding goes into `slack`, what the columns leave unsaid, which is carried along through |W|.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy, zeros
from verifier.bounds.backward import Enclosure, by_policy
from verifier.bounds.columns import Columns
from verifier.bounds.enclosure import Interval, intersected, repaired
from verifier.bounds.interval import node_interval
from verifier.network.fusion import Monomial
from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Selection
from verifier.relaxations.lines import Policy
from verifier.tolerances import UNDERFLOW, gamma

COLUMN_VALUES = 1 << 25
"""Values of the columns of any node (256 MB of float64). Beyond, the smallest new symbols become slack."""


@dataclass(frozen=True, eq=False)
class _Forms:
    """One node's value over N boxes: |value - centre - columns . (t, e)| <= slack for any input t and its symbols e.

    Attributes:
        centre: shape (N, size).
        columns: m + E of them: for the inputs t in [-1, 1]^m, and for the symbols e in [-1, 1]^E that were
            there when the node was reached; later ones have the coefficient 0.
        slack: shape (N, size); NaN where nothing is known.
    """

    centre: Array
    columns: Columns
    slack: Array

    @cached_property
    def reach(self) -> Array:
        """Sum of the absolute values of all columns, as computed, shape (N, size)."""
        return self.columns.magnitude(self.slack)

    @property
    def size(self) -> Array:
        """At least the absolute values of the centre, all columns and the slack together, shape (N, size)."""
        total = namespace(self.centre).abs(self.centre) + self.reach + self.slack
        return total * (1 + gamma(self.columns.count + 2))


def zonotope_bounds(network: Network, lower: Array, upper: Array, column_values: int = COLUMN_VALUES) -> list[Interval]:
    """An interval for every node, the intersection of zonotopes and interval propagation.

    Args:
        network: with its weights in the array library of the bounds.
        lower, upper: input bounds of N boxes, shape (N, input_size), finite. Inputs that vary in no box cost nothing.
        column_values: see `COLUMN_VALUES`.
    """
    intervals = [Interval(lower, upper)]
    forms: dict[int, _Forms] = {0: _input_forms(lower, upper)}
    enclose = by_policy(network, intervals, Policy.PARALLEL)
    last_use = {i: k for k, node in enumerate(network.nodes) for i in node.operands}
    symbols = forms[0].columns.count
    for k, node in enumerate(network.nodes[1:], start=1):
        operands = [_padded(forms[i], symbols) for i in node.operands]
        ranges = [intervals[i] for i in node.operands]
        if isinstance(node, Affine) and len(node.maps) == 1 and isinstance(node.maps[0], Selection):
            forms[k] = _copied(node, node.maps[0], operands[0])
        elif isinstance(node, Affine):
            forms[k] = _through_maps(node, operands, forms[0])
        else:
            room = column_values // (lower.shape[0] * max(later.size for later in network.nodes[k:]))
            forms[k] = _through_lines(enclose(k), operands, ranges, max(0, room - symbols))
            symbols = forms[k].columns.count
        intervals.append(intersected(node_interval(network, k, intervals), _interval(forms[k])))
        for i in set(node.operands) - {0}:
            if last_use[i] == k:
                del forms[i]
    return intervals


def _input_forms(lower: Array, upper: Array) -> _Forms:
    """The input: middle + reach t, with reach rounded up."""
    xp = namespace(lower)
    varying = np.flatnonzero((to_numpy(lower) < to_numpy(upper)).any(axis=0))
    middle = 0.5 * (lower + upper)
    reach = xp.maximum(upper - middle, middle - lower) * (1 + gamma(2))
    columns = zeros(lower, (lower.shape[0], len(varying), lower.shape[1]))
    which, number = convert_like(lower)(varying), convert_like(lower)(np.arange(len(varying)))
    columns[:, number, which] = reach[:, which]
    return _Forms(middle, Columns.stored(columns), xp.zeros_like(middle))


def _padded(forms: _Forms, count: int) -> _Forms:
    """With zero columns for the symbols that came later."""
    if count == forms.columns.count:
        return forms
    padded = _Forms(forms.centre, forms.columns.padded(count, forms.centre), forms.slack)
    padded.__dict__["reach"] = forms.reach  # what `cached_property` would keep
    return padded


def _copied(node: Affine, selection: Selection, operand: _Forms) -> _Forms:
    """Copies of entries and a bias; sums of absolute values are copied too, as adding them up takes the longest."""
    rounding = gamma(2)
    centre, slack = selection.apply(operand.centre) + node.bias, selection.apply(operand.slack)
    slack = slack + rounding * (node.bias_magnitude + namespace(centre).abs(centre)) + UNDERFLOW
    of = operand.columns

    def make(start: int, stop: int) -> Array:
        return selection.apply(of.make(start, stop))

    columns = Columns.lazily(make, (of.shape[0], of.count, node.size), of.depth + 1, centre)
    forms = _Forms(centre, columns, slack * (1 + 2 * rounding))
    forms.__dict__["reach"] = selection.apply(operand.reach)
    return forms


def _through_maps(node: Affine, operands: Sequence[_Forms], inputs: _Forms) -> _Forms:
    xp = namespace(inputs.centre)
    count = inputs.centre.shape[0]
    rounding = gamma(sum(m.terms for m in node.maps) + len(node.maps) + 1)
    centre = xp.broadcast_to(node.bias, (count, node.size))
    slack = xp.broadcast_to(rounding * node.bias_magnitude + UNDERFLOW, (count, node.size))
    for linear_map, operand in zip(node.maps, operands, strict=True):
        centre = centre + linear_map.apply(operand.centre)
        slack = slack + linear_map.magnitude.apply(operand.slack + rounding * operand.size)
    symbols = max((operand.columns.count for operand in operands), default=inputs.columns.count)

    def make(start: int, stop: int) -> Array:
        total = zeros(centre, (count, stop - start, node.size))
        for linear_map, operand in zip(node.maps, operands, strict=True):
            total = total + linear_map.apply(operand.columns.make(start, stop))
        return total

    shape, depth = (count, symbols, node.size), max((o.columns.depth for o in operands), default=0)
    moved = all(Monomial.of(m) is not None for m in node.maps)
    columns = Columns.lazily(make, shape, depth + 1, centre) if moved else Columns(make, shape).kept(centre)
    return _Forms(centre, columns, slack * (1 + 2 * rounding))


def _through_lines(lines: Enclosure, operands: Sequence[_Forms], ranges: Sequence[Interval], room: int) -> _Forms:
    """The mean of the two lines, and for how far they are apart a new symbol each for at most `room` entries."""
    xp = namespace(lines.lower_intercept)
    half = _half_distance(lines, ranges)
    known = xp.isfinite(half)
    size = xp.abs(lines.lower_intercept) + xp.abs(lines.upper_intercept)
    centre = xp.where(known, 0.5 * (lines.lower_intercept + lines.upper_intercept), 0.0)
    slack, means = xp.full_like(half, UNDERFLOW), []
    for low, high, operand in zip(lines.lower_slopes, lines.upper_slopes, operands, strict=True):
        mean = xp.where(known, 0.5 * (low + high), 0.0)
        used = mean != 0
        centre = centre + xp.where(used, mean * operand.centre, 0.0)
        means.append(mean)
        slack = slack + xp.where(used, xp.abs(mean) * operand.slack, 0.0)
        size = size + xp.where(used, xp.abs(mean) * operand.size, 0.0)
    slack = xp.where(known, (slack + gamma(4 * len(operands)) * size) * (1 + gamma(4)), xp.nan)

    def make(start: int, stop: int) -> Array:
        parts = [mean[:, None, :] * o.columns.make(start, stop) for mean, o in zip(means, operands, strict=True)]
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    depth = 1 + max(operand.columns.depth for operand in operands)
    columns = Columns(make, (half.shape[0], operands[0].columns.count, half.shape[1]), depth)
    half = xp.where(known, half, 0.0)
    forms = _with_symbols(_Forms(centre, columns, slack), half, room)
    if len(operands) == 1 or forms.columns.depth:  # else it is worth adding up what cancels in a product
        reach = half - _rest(half, room)[1]
        for mean, operand in zip(means, operands, strict=True):
            reach = reach + xp.where(mean != 0, xp.abs(mean) * operand.reach, 0.0)
        forms.__dict__["reach"] = reach * (1 + gamma(4))
    return forms


def _half_distance(lines: Enclosure, ranges: Sequence[Interval]) -> Array:
    """At least half the distance of the lines anywhere in the ranges, shape (N, size); not finite where unknown."""
    xp = namespace(lines.lower_intercept)
    half = 0.5 * (lines.upper_intercept - lines.lower_intercept)
    size = xp.abs(lines.upper_intercept) + xp.abs(lines.lower_intercept)
    for low, high, operand in zip(lines.lower_slopes, lines.upper_slopes, ranges, strict=True):
        slope, steepest = 0.5 * (high - low), xp.abs(low) + xp.abs(high)
        most = xp.maximum(slope * operand.lower, slope * operand.upper)
        half = half + xp.where(slope == 0, 0.0, most)
        size = size + xp.where(slope == 0, 0.0, steepest * operand.magnitude)
    exact = (half == 0) & (size == 0)
    half = xp.maximum(half, xp.zeros_like(half)) + gamma(4 * len(ranges)) * size
    return xp.where(exact, 0.0, half)


def _rest(half: Array, room: int) -> tuple[np.ndarray, Array]:
    """The `room` entries where `half` is largest, and `half` without them, shape (N, size)."""
    xp = namespace(half)
    most = to_numpy(xp.max(half, axis=0))
    chosen = np.flatnonzero(most > 0)
    if len(chosen) > room:
        chosen = np.sort(np.argsort(-most, kind="stable")[:room])
    rest = xp.asarray(half, copy=True)
    rest[:, convert_like(half)(chosen)] = 0.0
    return chosen, rest


def _with_symbols(forms: _Forms, half: Array, room: int) -> _Forms:
    """Adds `half` as a symbol of its own for the `room` entries where it is largest, and as slack for the others."""
    xp = namespace(half)
    chosen, rest = _rest(half, room)
    boxes, known, size = forms.columns.shape
    convert = convert_like(half)

    def make(start: int, stop: int) -> Array:
        old = [forms.columns.make(start, min(stop, known))] if start < known else []
        if stop <= known:
            return old[0]
        which = chosen[max(start - known, 0) : stop - known]
        fresh, entries = zeros(half, (boxes, len(which), size)), convert(which)
        fresh[:, convert(np.arange(len(which))), entries] = half[:, entries]
        return xp.concat([*old, fresh], axis=1)

    slack = (forms.slack + rest) * (1 + gamma(1))
    shape = boxes, known + len(chosen), size
    return _Forms(forms.centre, Columns.lazily(make, shape, forms.columns.depth, half), slack)


def _interval(forms: _Forms) -> Interval:
    """What the columns and the slack leave possible."""
    xp = namespace(forms.slack)
    rounding = gamma(forms.columns.count + 2)
    radius = (forms.reach + forms.slack) * (1 + 2 * rounding) + rounding * xp.abs(forms.centre) + UNDERFLOW
    low, high = forms.centre - radius, forms.centre + radius
    known = (low == low) & (high == high)
    return repaired(xp.where(known, low, -xp.inf), xp.where(known, high, xp.inf))
