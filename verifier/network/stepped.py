"""Inputs that reach a network through jumps alone: of such an input no more matters than which step each jump is on.

An integer input, a position that is cast or rounded, a threshold: between two jumps nothing that depends on it
changes, so its interval falls into finitely many cells. What it goes through on the way, by itself, does not matter.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.arrays import to_numpy
from verifier.network.functions.base import ScalarFunction
from verifier.network.functions.near import Near
from verifier.network.functions.steps import StepFunction
from verifier.network.graph import Affine, Elementwise, Network, Port
from verifier.network.linear_maps import Composition, LinearMap, Selection
from verifier.network.simplify import drop_dead

LARGEST_MATRIX = 1 << 22
"""Entries of a matrix up to which it is looked at; what goes through a larger one is taken to be mixed."""


def jumps(function: ScalarFunction) -> bool:
    """Whether a function is constant but for jumps."""
    return isinstance(function, StepFunction | Near)


def has_jumps(network: Network) -> bool:
    """Whether some node is constant but for jumps."""
    return any(isinstance(node, Elementwise) and jumps(node.function) for node in network.nodes)


def stepped_entries(network: Network) -> list[np.ndarray]:
    """For each node the entries that matter through jumps alone, each by itself up to there; booleans, shape (size,).

    Args:
        network: its weights NumPy arrays.
    """
    alone = [np.ones(node.size, bool) for node in network.nodes]
    alone[-1][:] = False
    for k in range(len(network.nodes) - 1, 0, -1):
        node = network.nodes[k]
        if isinstance(node, Affine):
            mixed = sum((_row_counts(m) for m in node.maps), np.zeros(node.size)) > 1
            spoils = (mixed | ~alone[k]).astype(np.float64)
            for operand, linear_map in zip(node.operands, node.maps, strict=True):
                alone[operand] &= to_numpy(linear_map.magnitude.adjoint(spoils)) == 0
        elif not (isinstance(node, Elementwise) and jumps(node.function)):
            for operand in node.operands:
                alone[operand] &= alone[k] if isinstance(node, Elementwise) else False
    return alone


def _row_counts(m: LinearMap) -> np.ndarray:
    """About how many entries each entry of the map's value is made of; 2 stands for any number above 1."""
    if isinstance(m, Selection):
        return (m.indices >= 0).astype(np.float64)
    if isinstance(m, Composition) and m.terms > 1:
        return np.full(m.out_size, 2.0)
    if m.terms == 1 or m.in_size * m.out_size > LARGEST_MATRIX:
        return np.full(m.out_size, 1.0 if m.terms == 1 else 2.0)
    return np.diff(m.to_sparse().indptr).astype(np.float64)


def first_jumps(network: Network, entries: np.ndarray) -> Network | None:
    """A network of the jumps that some inputs reach first, over the same inputs; None where there are none.

    Args:
        network: its weights NumPy arrays.
        entries: inputs that reach it through jumps alone, booleans, shape (input_size,).
    """
    reached = [np.zeros(node.size, bool) for node in network.nodes]
    reached[0] = entries
    found: list[tuple[int, np.ndarray]] = []
    for k, node in enumerate(network.nodes):
        if isinstance(node, Affine):
            for operand, linear_map in zip(node.operands, node.maps, strict=True):
                if reached[operand].any():
                    reached[k] |= to_numpy(linear_map.magnitude.apply(reached[operand].astype(np.float64))) > 0
        elif isinstance(node, Elementwise) and reached[node.operands[0]].any():
            if jumps(node.function):
                found.append((k, np.flatnonzero(reached[node.operands[0]])))
            else:
                reached[k] = reached[node.operands[0]]
    if not found:
        return None
    size, start, maps = sum(len(columns) for _, columns in found), 0, []
    for k, columns in found:
        indices = np.full(size, -1)
        indices[start : start + len(columns)] = columns
        maps.append(Selection(indices, network.nodes[k].size))
        start += len(columns)
    output = Affine(tuple(k for k, _ in found), tuple(maps), np.zeros(size))
    return drop_dead(replace(network, nodes=(*network.nodes, output), outputs=(Port("jumps", (size,)),)))
