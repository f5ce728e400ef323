"""CROWN bounds of every node: interval propagation, tightened by a backward pass where that can pay.

A pre-activation matters only through the function that follows it. So a backward pass is run for just those entries
whose interval leaves the next relaxation a choice (unstable relus, and all entries of other functions and products),
and on which some output depends. Every interval is the intersection of both methods; a deadline only leaves some
entries with the coarser one: each node has a share of the time, and the entries that weigh most on the outputs first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy, zeros
from verifier.bounds.backward import BackwardPass
from verifier.bounds.enclosure import Interval, intersected
from verifier.bounds.interval import node_interval
from verifier.bounds.layout import open_entries
from verifier.bounds.windowed import WindowedPass
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.property.support import Minimum
from verifier.relaxations.lines import Policy

ROW_ENTRIES = 1 << 23
"""Rows are propagated for at most this many coefficients (64 MB of float64) at a time."""


class RowBounder(Protocol):
    """Bounds linear rows on the nodes of a network, given intervals of those."""

    network: Network
    intervals: Sequence[Interval]

    def minimum(self, node: int, rows: Array) -> Minimum:
        """Lower bounds of `rows`, shape (N, R, size) or (1, R, size), times the value of `node`."""


LEAST_SHARE = 0.05
"""Of the time left, for any node."""

TINY = 1e-300

RowRule: TypeAlias = Callable[[Network, Sequence[Interval]], RowBounder]


def linear_bounds(
    network: Network,
    lower: Array,
    upper: Array,
    deadline: Deadline | None = None,
    known: Sequence[Interval] | None = None,
    rule: RowRule = WindowedPass,
) -> list[Interval]:
    """An interval for every node, by backward linear bounds where they can pay and by propagation elsewhere.

    Args:
        network: with its weights in the array library of the bounds.
        lower, upper: input bounds of N boxes, shape (N, input_size), finite.
        deadline: when it expires, the remaining entries keep their propagated intervals.
        known: sound intervals of all nodes, shape (N, size), that need not be found again.
        rule: how rows are bounded.
    """
    return bounds_within(network, Interval(lower, upper), deadline, known, rule)


def bounds_within(
    network: Network,
    inputs: Interval,
    deadline: Deadline | None = None,
    known: Sequence[Interval] | None = None,
    rule: RowRule = WindowedPass,
) -> list[Interval]:
    """What `linear_bounds` does, over inputs that may lie in a ball as well."""
    deadline = deadline or Deadline()
    consumers = _nonlinear_consumers(network)
    weights, work = influences(network, inputs.lower), _Work(network, consumers)
    intervals = [inputs]
    for k in range(1, len(network.nodes)):
        interval = node_interval(network, k, intervals)
        if known is not None:
            interval = intersected(interval, known[k])
        intervals.append(interval)
        if k in consumers and not (inputs.ball is None and _is_exact(network, k)):
            entries = _by_weight(_open_entries(interval, consumers[k]), interval, weights[k])
            if len(entries) and not deadline.expired:
                share = deadline.within(deadline.remaining * work.share(k, len(entries)))
                intervals[k] = intersected(interval, _tightened(rule(network, intervals), entries, share))
    return intervals


def influences(network: Network, example: Array) -> list[np.ndarray]:
    """How much the entries of each node weigh on the outputs, shape (size,), relative to each other; 0 is not at all.

    Sums of |weights| over all paths, functions and products taken as 1.

    Args:
        example: an array of the library of the network's weights.
    """
    xp, last = namespace(example), len(network.nodes) - 1
    weights = {k: zeros(example, (node.size,)) for k, node in enumerate(network.nodes)}
    weights[last] = weights[last] + 1.0
    for k in range(last, 0, -1):
        node, own = network.nodes[k], weights[k]
        own = own / xp.maximum(xp.max(own), xp.asarray(TINY, dtype=own.dtype))  # so that deep networks do not overflow
        for i, operand in enumerate(node.operands):
            part = node.maps[i].magnitude.adjoint(own) if isinstance(node, Affine) else own
            weights[operand] = weights[operand] + part
    return [to_numpy(weights[k]) for k in range(last + 1)]


class _Work:
    """How the time of `bounds_within` is shared among the nodes that need rows.

    A row on a node passes all values before it, so that a node's work is its rows times those.
    """

    def __init__(self, network: Network, consumers: Mapping[int, object]) -> None:
        before = np.cumsum([node.size for node in network.nodes])
        self._before = before
        self._full = {k: float(before[k]) * network.nodes[k].size for k in consumers if not _is_exact(network, k)}

    def share(self, k: int, rows: int) -> float:
        """The part of the time left that node k may take for so many rows, if all rows of later nodes are needed."""
        own = float(self._before[k]) * rows
        return max(LEAST_SHARE, own / (own + sum(work for j, work in self._full.items() if j > k)))


def _by_weight(entries: np.ndarray, interval: Interval, weights: np.ndarray) -> np.ndarray:
    """The entries that weigh anything, those first whose interval times their weight is widest."""
    entries = entries[weights[entries] > 0]
    widths = to_numpy(namespace(interval.lower).max(interval.upper - interval.lower, axis=0))[entries]
    return entries[np.argsort(-(widths * weights[entries]), kind="stable")]


def intervals_within(network: Network, inputs: Interval) -> list[Interval]:
    """Interval propagation over box and ball: maps of the input are bounded exactly, the ball is forgotten then."""
    intervals = [inputs]
    for k in range(1, len(network.nodes)):
        node, interval = network.nodes[k], node_interval(network, k, intervals)
        if node.operands and _is_exact(network, k) and inputs.ball is not None:
            alone = BackwardPass(Network((network.nodes[0], node)), [inputs, interval])
            interval = intersected(interval, _tightened(alone, np.arange(node.size), Deadline()))
        intervals.append(interval)
    return intervals


def rows_minimum(network: Network, intervals: Sequence[Interval], policies: Sequence[Policy] = tuple(Policy)) -> Array:
    """Lower bounds of the outputs, the best over `policies` of the relus' lower slopes; shape (N, outputs)."""
    best = namespace(intervals[-1].lower).asarray(intervals[-1].lower, copy=True)
    for policy in policies:
        best = outputs_minimum(WindowedPass(network, intervals, policy), best)
    return best


def outputs_minimum(bounder: RowBounder, known: Array) -> Array:
    """Lower bounds of the outputs by one rule, at least the `known` ones; shape (N, outputs)."""
    network, xp = bounder.network, namespace(known)
    best, last = xp.asarray(known, copy=True), len(network.nodes) - 1
    for entries in _chunks(np.arange(network.output_size), network, best.shape[0]):
        found = bounder.minimum(last, _unit_rows(entries, network.output_size, best)).bound
        columns = convert_like(best)(entries)
        best[:, columns] = xp.maximum(xp.take(best, columns, axis=1), found)
    return best


def _nonlinear_consumers(network: Network) -> dict[int, list[Elementwise | Product]]:
    """For each node that feeds a function or a product, those that it feeds."""
    consumers: dict[int, list[Elementwise | Product]] = {}
    for node in network.nodes:
        if isinstance(node, (Elementwise, Product)):
            for operand in node.operands:
                consumers.setdefault(operand, []).append(node)
    return consumers


def _is_exact(network: Network, k: int) -> bool:
    """Whether interval propagation of a box is already exact for node k: the input, or one map of the input."""
    node = network.nodes[k]
    return not node.operands or (isinstance(node, Affine) and node.operands == (0,))


def _open_entries(interval: Interval, consumers: Sequence[Elementwise | Product]) -> np.ndarray:
    """The entries for which a tighter interval would change some consumer's relaxation in some subproblem."""
    wanted = [to_numpy(open_entries(node, interval)).any(axis=0) for node in consumers]
    return np.flatnonzero(np.any(wanted, axis=0))


def _tightened(bounder: RowBounder, entries: np.ndarray, deadline: Deadline) -> Interval:
    """The last interval with `entries` replaced by bounds of their rows, as far as the deadline allows."""
    last = bounder.intervals[-1]
    xp = namespace(last.lower)
    lower, upper = xp.asarray(last.lower, copy=True), xp.asarray(last.upper, copy=True)
    k, size = len(bounder.intervals) - 1, lower.shape[1]
    for part in _chunks(entries, bounder.network, 2 * lower.shape[0]):
        if deadline.expired:
            break
        rows = _unit_rows(part, size, lower)
        found = bounder.minimum(k, xp.concat([rows, -rows], axis=1)).bound
        columns = convert_like(lower)(part)
        lower[:, columns] = found[:, : len(part)]
        upper[:, columns] = -found[:, len(part) :]
    return Interval(lower, upper)


def _chunks(entries: np.ndarray, network: Network, copies: int) -> list[np.ndarray]:
    widest = max(node.size for node in network.nodes)
    step = max(1, ROW_ENTRIES // max(1, widest * copies))
    return [entries[i : i + step] for i in range(0, len(entries), step)]


def _unit_rows(entries: np.ndarray, size: int, example: Array) -> Array:
    """Unit vectors, shape (1, len(entries), size)."""
    rows = np.zeros((1, len(entries), size))
    rows[0, np.arange(len(entries)), entries] = 1.0
    return convert_like(example)(rows)
