"""Functions of what is 0 or 1 are affine: f(c + w b) = f(c) + (f(c + w) - f(c)) b for b in {0, 1}, whatever f is.

A comparison is 0 or 1, so what compares, casts or counts it once more adds no function of its own: that a pixel's class
equals a given one is a step of the difference of logits, or one less that step, and how many pixels do is affine in the
steps. It takes the input's constants to see it (the given classes are often inputs that a property fixes); so both are
done together, for a network that is asked about certain boxes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array, eye_array

from verifier.network.functions.clip import Clip
from verifier.network.functions.near import Near
from verifier.network.functions.relu import Relu
from verifier.network.functions.steps import Step, StepFunction
from verifier.network.graph import Affine, Elementwise, Input, Network, Node
from verifier.network.linear_maps import Composition, Identity, LinearMap, Scaling, Selection
from verifier.network.simplify import drop_identities, exact_sum, fold_constants, with_moved_bias
from verifier.tolerances import UNDERFLOW, gamma


def with_known_inputs(network: Network, values: np.ndarray) -> Network:
    """The network where some inputs are known, the same function of the others.

    Args:
        network: its weights NumPy arrays.
        values: shape (input_size,), NaN for an input that varies.
    """
    known = ~np.isnan(values)
    if not known.any():
        return network
    fixed = Affine((), (), np.where(known, values, 0.0))
    free = Selection(np.where(known, -1, np.arange(len(values))), len(values))
    nodes: list[Node] = [n if isinstance(n, Input) else _known(n, known, fixed, free) for n in network.nodes]
    return fold_constants(replace(network, nodes=tuple(nodes)))


def _known(node: Node, known: np.ndarray, fixed: Affine, free: Selection) -> Node:
    if not isinstance(node, Affine) or 0 not in node.operands:
        return node
    bias, magnitude = node.bias, node.bias_magnitude
    parts: list[tuple[int, LinearMap]] = []
    for operand, linear_map in zip(node.operands, node.maps, strict=True):
        if operand:
            parts.append((operand, linear_map))
            continue
        reached = linear_map.magnitude.apply((~known).astype(np.float64)) > 0
        if _exact(linear_map):
            before = bias
            added = linear_map.apply(fixed.bias)
            bias, error = exact_sum(before, added)
            exact = (error == 0) & (magnitude == np.abs(before))
            magnitude = np.where(exact, np.abs(bias), magnitude + 2 * np.abs(added))
            magnitude = np.where(exact, magnitude, np.nextafter(magnitude, np.inf))
        else:
            bias, magnitude = with_moved_bias(bias, magnitude, linear_map, fixed)
        if reached.any():
            parts.append((0, Composition(linear_map, free)))
    return Affine(tuple(i for i, _ in parts), tuple(m for _, m in parts), bias, magnitude)


def _exact(m: LinearMap) -> bool:
    """Whether each entry of a map's value is an entry, or its opposite, or 0."""
    if isinstance(m, Composition):
        return _exact(m.outer) and _exact(m.inner)
    return isinstance(m, Identity | Selection) or (isinstance(m, Scaling) and m.exact)


def with_two_valued(network: Network) -> Network:
    """The network with functions of a single comparison in each entry replaced by affine nodes, the same function."""
    nodes = list(network.nodes)
    for k, node in enumerate(nodes):
        if isinstance(node, Elementwise) and isinstance(node.function, StepFunction | Near | Relu | Clip):
            nodes[k] = _affine_of_comparisons(nodes, node) or node
    return drop_identities(fold_constants(replace(network, nodes=tuple(nodes))))


def _is_comparison(node: Node) -> bool:
    return isinstance(node, Elementwise) and isinstance(node.function, Step | Near)


def _affine_of_comparisons(nodes: list[Node], node: Elementwise) -> Affine | None:
    """What the node is as an affine function of comparisons; None where an entry depends on more than one."""
    found = _traced(nodes, node.operands[0])
    if found is None:
        return None
    parts, bias, slack = found
    counts = sum((np.diff(part.indptr) for part in parts.values()), np.zeros(node.size, np.int64))
    if (counts > 1).any():
        return None
    weights = sum((np.asarray(part.sum(axis=1)).reshape(-1) for part in parts.values()), np.zeros(node.size))
    at_zero, at_one = (node.function.image(x - slack, x + slack) for x in (bias, bias + weights))
    if (at_zero[0] != at_zero[1]).any() or (at_one[0] != at_one[1]).any():
        return None
    rise = at_one[0] - at_zero[0]
    maps: list[LinearMap] = []
    for part in parts.values():
        indices = np.full(node.size, -1)
        rows = np.flatnonzero(np.diff(part.indptr))
        indices[rows] = part.indices
        indices[rise == 0] = -1
        factors = np.where(indices >= 0, rise, 1.0)
        scaling = Scaling(factors, exact=bool((np.abs(factors) == 1).all()))
        maps.append(Composition(scaling, Selection(indices, part.shape[1])))
    return Affine(tuple(parts), tuple(maps), at_zero[0])


def _traced(nodes: list[Node], k: int) -> tuple[dict[int, csr_array], np.ndarray, np.ndarray] | None:
    """Node k as weights of comparisons by node, a bias, and what rounding both may have; None where it is not."""
    waiting, seen = [k], {k}
    while waiting:
        node = nodes[waiting.pop()]
        if isinstance(node, Affine):
            waiting += [i for i in node.operands if i not in seen]
            seen.update(node.operands)
        elif not _is_comparison(node):
            return None
    size, terms, inexact = np.zeros(nodes[k].size), len(seen), np.zeros(nodes[k].size, bool)
    pending = {k: (csr_array(eye_array(nodes[k].size)),) * 2}  # the weights, and what they were added up from
    parts: dict[int, csr_array] = {}
    bias = np.zeros(nodes[k].size)
    while pending:
        i = max(pending)
        (matrix, magnitude), node = pending.pop(i), nodes[i]
        if not isinstance(node, Affine):
            matrix.eliminate_zeros()
            parts[i] = matrix
            size = size + np.asarray(magnitude.sum(axis=1)).reshape(-1)
            continue
        bias = bias + matrix @ node.bias
        size = size + magnitude @ node.bias_magnitude
        terms += int(np.diff(matrix.indptr).max(initial=0)) + sum(m.terms for m in node.maps)
        inexact |= magnitude @ (node.bias_magnitude != np.abs(node.bias)).astype(np.float64) > 0
        for operand, linear_map in zip(node.operands, node.maps, strict=True):
            part = csr_array(matrix @ linear_map.to_sparse()), csr_array(magnitude @ linear_map.magnitude.to_sparse())
            if not _exact(linear_map):
                inexact |= np.asarray(part[1].sum(axis=1)).reshape(-1) > 0
            if operand in pending:
                part = csr_array(pending[operand][0] + part[0]), csr_array(pending[operand][1] + part[1])
            pending[operand] = part
    weights = sum((np.asarray(p.sum(axis=1)).reshape(-1) for p in parts.values()), np.zeros(len(bias)))
    inexact |= (len(seen) > 2) | (exact_sum(bias, weights)[1] != 0)  # sums on the way may round too
    return parts, bias, np.where(inexact & (size > 0), gamma(terms) * size + UNDERFLOW, 0.0)
