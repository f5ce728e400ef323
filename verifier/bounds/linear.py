"""CROWN bounds of every node: interval propagation, tightened by a backward pass where that can pay.

A pre-activation matters only through the function that follows it. So a backward pass is run for just those entries
whose interval leaves the next relaxation a choice: unstable relus, and all entries of other functions and products.
Every interval is the intersection of both methods; a deadline only leaves some entries with the coarser one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from verifier.arrays import Array, convert_like, namespace, to_numpy
from verifier.bounds.backward import BackwardPass
from verifier.bounds.enclosure import Interval, intersected
from verifier.bounds.interval import node_interval
from verifier.bounds.layout import open_entries
from verifier.deadline import Deadline
from verifier.network.graph import Affine, Elementwise, Network, Product
from verifier.property.balls import Ball
from verifier.relaxations.lines import Policy

ROW_ENTRIES = 1 << 23
"""Rows are propagated for at most this many coefficients (64 MB of float64) at a time."""


def linear_bounds(
    network: Network,
    lower: Array,
    upper: Array,
    deadline: Deadline | None = None,
    known: Sequence[Interval] | None = None,
    ball: Ball | None = None,
) -> list[Interval]:
    """An interval for every node, by backward linear bounds where they can pay and by propagation elsewhere.

    Args:
        network: with its weights in the array library of the bounds.
        lower, upper: input bounds of N boxes, shape (N, input_size), finite.
        deadline: when it expires, the remaining entries keep their propagated intervals.
        known: sound intervals of all nodes, shape (N, size), that need not be found again.
        ball: which the inputs lie in as well.
    """
    deadline = deadline or Deadline()
    consumers = _nonlinear_consumers(network)
    intervals = [Interval(lower, upper, ball)]
    for k, node in enumerate(network.nodes[1:], start=1):
        interval = node_interval(node, [intervals[i] for i in node.operands], lower)
        if known is not None:
            interval = intersected(interval, known[k])
        intervals.append(interval)
        if k in consumers and not (ball is None and _is_exact(network, k)):
            entries = _open_entries(interval, consumers[k])
            if len(entries) and not deadline.expired:
                intervals[k] = intersected(interval, _tightened(network, intervals, entries, deadline))
    return intervals


def rows_minimum(network: Network, intervals: Sequence[Interval], policies: Sequence[Policy] = tuple(Policy)) -> Array:
    """Lower bounds of the outputs, the best over `policies` of the relus' lower slopes; shape (N, outputs)."""
    xp = namespace(intervals[0].lower)
    last = len(network.nodes) - 1
    best = xp.asarray(intervals[last].lower, copy=True)
    for policy in policies:
        backward = BackwardPass(network, intervals, policy)
        for entries in _chunks(np.arange(network.output_size), network, best.shape[0]):
            found = backward.minimum(last, _unit_rows(entries, network.output_size, best)).bound
            columns = convert_like(best)(entries)
            best[:, columns] = xp.maximum(xp.take(best, columns, axis=1), found)
    return best


def maps_of_ball(network: Network, inputs: Interval) -> Mapping[int, Interval]:
    """Intervals of the nodes that are one map of the input, exact for the input's box and ball, by index."""
    known: dict[int, Interval] = {}
    for k, node in enumerate(network.nodes):
        if isinstance(node, Affine) and node.operands == (0,):
            last = node_interval(node, [inputs], inputs.lower)
            short = Network((network.nodes[0], node))
            known[k] = intersected(last, _tightened(short, [inputs, last], np.arange(node.size), Deadline()))
    return known


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


def _tightened(network: Network, intervals: Sequence[Interval], entries: np.ndarray, deadline: Deadline) -> Interval:
    """The last interval with `entries` replaced by backward bounds, as far as the deadline allows."""
    xp = namespace(intervals[0].lower)
    last = intervals[-1]
    lower, upper = xp.asarray(last.lower, copy=True), xp.asarray(last.upper, copy=True)
    backward = BackwardPass(network, intervals)
    k, size = len(intervals) - 1, lower.shape[1]
    for part in _chunks(entries, network, 2 * lower.shape[0]):
        if deadline.expired:
            break
        rows = _unit_rows(part, size, lower)
        found = backward.minimum(k, xp.concat([rows, -rows], axis=1)).bound
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
