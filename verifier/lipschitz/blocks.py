"""Blocks of a network: affine nodes whose operands are one node u, and functions of affine forms of u.

A product of norms takes u and the functions for independent: max(a, b) = a + relu(b - a) would get a constant above 1,
though it has 1. In a block they are seen together: between any two points at which the slopes s hold,

    dy = (M + N diag(s) D) du,

with M the direct map (0 where there is none), D the forms and N what is made of the functions. MaxMin, GroupSort, |x|,
maximum pooling, leaky relus and residual layers are blocks once they are lowered to affine maps and relus.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.lipschitz.slopes import Values, slopes
from verifier.network.functions import Relu
from verifier.network.fusion import roundings
from verifier.network.graph import Affine, Elementwise, Network
from verifier.network.linear_maps import Composition, Identity, LinearMap

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ENTRIES = 1 << 22
"""Weights of a block's maps at most; larger ones are left to the product of norms."""


@dataclass(frozen=True, eq=False)
class Weights:
    """A matrix as computed, and what the terms of each of its entries add up to in absolute value."""

    value: csr_array
    size: csr_array

    def scaled(self, rows: np.ndarray | None, columns: np.ndarray | None) -> Weights:
        """diag(rows) W diag(columns), for factors that are not negative."""
        value, size = self.value, self.size
        if rows is not None:
            value, size = value.multiply(rows[:, None]).tocsr(), size.multiply(rows[:, None]).tocsr()
        if columns is not None:
            value, size = value.multiply(columns[None, :]).tocsr(), size.multiply(columns[None, :]).tocsr()
        return Weights(value, size)


@dataclass(frozen=True, eq=False)
class Block:
    """What differences of the output of an affine node obey; m outputs, r functions, n entries of the base.

    Attributes:
        base: the node u.
        direct: M, shape (m, n).
        after: N, shape (m, r).
        before: D, shape (r, n).
        low, high: the functions' slopes, shape (r,), possibly infinite.
        terms: roundings in an entry of M + N diag(s) D, as `tolerances.gamma` counts them.
        residual: whether the output depends on the base other than by functions.
    """

    base: int
    direct: Weights
    after: Weights
    before: Weights
    low: np.ndarray
    high: np.ndarray
    terms: int
    residual: bool


def blocks(network: Network, values: Values, k: int) -> Iterator[Block]:
    """The ways to see affine node k as a block with a function in it, if it is small enough.

    Args:
        network: with NumPy weights.
        values: bounds of all nodes.
        k: an affine node.
    """
    node = network.nodes[k]
    assert isinstance(node, Affine)
    if sum(isinstance(network.nodes[i], Elementwise) for i in node.operands) == 0 or len(node.operands) < 2:
        return
    for base in _bases(network, node):
        maps = [m for i in node.operands for m, _ in _forms(network, i, base)]
        if sum(m.out_size * m.terms for m in (*node.maps, *maps)) <= MOST_ENTRIES:
            yield _block(network, values, node, base)


def straight(network: Network, k: int) -> Iterator[tuple[int, Weights, int]]:
    """An affine node as a sum of one matrix for each node it depends on, with what only moves entries taken in.

    Padding an image copies entries, and has a norm above 1; what a convolution makes of it need not. Nothing where
    that would be no other sum than that of the node's own maps, or too large a matrix.

    Yields:
        The node, the matrix, and the roundings in an entry of it, as `tolerances.gamma` counts them: copies of one
        entry fall into one weight, which may be a sum of far more terms than a row has weights.
    """
    node = network.nodes[k]
    assert isinstance(node, Affine)
    parts = _taken_in(network, list(zip(node.operands, node.maps, strict=True)))
    bases = {i for i, _ in parts}
    if len(bases) == len(node.operands) and bases == set(node.operands):
        return
    if sum(m.out_size * min(m.terms, m.in_size) for _, m in parts) > MOST_ENTRIES:
        return
    for base in sorted(bases):
        maps = [m for i, m in parts if i == base]
        yield base, _sum(maps, (node.size, network.nodes[base].size)), sum(m.terms for m in maps)


def _taken_in(network: Network, parts: list[tuple[int, LinearMap]]) -> list[tuple[int, LinearMap]]:
    """The operands and maps with affine operands replaced by theirs, where that is one node whose entries they move."""
    found: list[tuple[int, LinearMap]] = []
    for i, linear_map in parts:
        inner = network.nodes[i]
        if isinstance(inner, Affine) and len(set(inner.operands)) == 1 and all(m.terms <= 2 for m in inner.maps):
            composed = [Composition(linear_map, m) for m in inner.maps]
            found += _taken_in(network, list(zip(inner.operands, composed, strict=True)))
        else:
            found.append((i, linear_map))
    return found


def _bases(network: Network, node: Affine) -> list[int]:
    """The nodes that all operands of the node are, or are functions of affine forms of."""
    found = set(node.operands)
    for i in node.operands:
        inner = network.nodes[i]
        if isinstance(inner, Elementwise):
            found.add(inner.operands[0])
            found.update(network.nodes[inner.operands[0]].operands)
    all_of = sorted(u for u in found if all(i == u or _forms(network, i, u) for i in node.operands))
    return [u for u in all_of if set(node.operands) != {u}]


def _forms(network: Network, i: int, base: int) -> list[tuple[LinearMap, np.ndarray]]:
    """The forms of the base, a map and a bias each, whose sum node i is a function of; none where it is not."""
    node = network.nodes[i]
    if i == base or not isinstance(node, Elementwise):
        return []
    z = network.nodes[node.operands[0]]
    if node.operands[0] == base:
        return [(Identity(node.size), np.zeros(node.size))]
    if isinstance(z, Affine) and set(z.operands) == {base}:
        none = np.zeros(z.size)
        return [(m, z.bias if first == 0 else none) for first, m in enumerate(z.maps)]
    return []


def _block(network: Network, values: Values, node: Affine, base: int) -> Block:
    from scipy.sparse import csr_array, hstack, vstack

    n = network.nodes[base].size
    maps: dict[int, list[LinearMap]] = {}
    for i, linear_map in zip(node.operands, node.maps, strict=True):
        maps.setdefault(i, []).append(linear_map)
    direct = maps.pop(base, [])
    forms = [_forms(network, i, base) for i in maps]
    befores = [_sum([m for m, _ in parts], (parts[0][0].out_size, n)) for parts in forms]
    biases = [np.sum([b for _, b in parts], axis=0) for parts in forms]
    afters = [_sum(of, (node.size, of[0].in_size)) for of in maps.values()]
    after = Weights(*(csr_array(hstack([getattr(a, side) for a in afters])) for side in _SIDES))
    before = Weights(*(csr_array(vstack([getattr(b, side) for b in befores])) for side in _SIDES))
    ranges = [slopes(network, values, i) for i in maps]
    low, high = (np.concatenate([r[side] for r in ranges]) for side in (0, 1))
    terms = sum(m.terms for m in node.maps) + sum(m.terms for parts in forms for m, _ in parts) + len(forms) + 8
    block = Block(base, _sum(direct, (node.size, n)), after, before, low, high, terms, bool(direct))
    relus = np.concatenate([np.full(of[0].in_size, _is_exact_relu(network, i, base)) for i, of in maps.items()])
    return _without_opposites(block, np.concatenate(biases), relus)


_SIDES = ("value", "size")


def _is_exact_relu(network: Network, i: int, base: int) -> bool:
    """Whether node i is relus of forms of the base whose weights and biases are what the model has, without rounding.

    Forms that are opposites but for a rounding have kinks that lie apart: between them both relus move, or neither.
    """
    node = network.nodes[i]
    if not isinstance(node, Elementwise) or not isinstance(node.function, Relu):
        return False
    z = network.nodes[node.operands[0]]
    if node.operands[0] == base:
        return True
    assert isinstance(z, Affine)
    bias = np.asarray(z.bias)
    stored = (bias == bias.astype(np.float32)) & (np.asarray(z.bias_magnitude) == np.abs(bias))
    moved = [m.terms <= 2 or not isinstance(m, Composition) for m in z.maps]  # else entries are sums of products
    counts = [m.to_sparse().count_nonzero() for m in z.maps]
    apart = _sum([m.magnitude for m in z.maps], (z.size, network.nodes[base].size)).value.nnz == sum(counts)
    return bool(stored.all()) and all(moved) and apart and all(roundings(m) == 0 for m in z.maps)


def _sum(maps: Sequence[LinearMap], shape: tuple[int, int]) -> Weights:
    from scipy.sparse import csr_array

    value, size = csr_array(shape), csr_array(shape)
    for linear_map in maps:
        value, size = value + linear_map.to_sparse(), size + linear_map.magnitude.to_sparse()
    found = Weights(csr_array(value), csr_array(size))
    found.value.eliminate_zeros()
    found.size.eliminate_zeros()
    return found


def _without_opposites(block: Block, bias: np.ndarray, relus: np.ndarray) -> Block:
    """With relu(-z) written as relu(z) - z, so that the slopes of the two are seen to add up to 1."""
    first, second = _opposites(block.before.value, bias, relus)
    if not len(first):
        return block
    from scipy.sparse import csr_array

    chosen = csr_array((np.ones(len(first)), (second, first)), shape=(len(bias), len(bias)))
    kept = np.ones(len(bias), bool)
    kept[second] = False
    after, before = block.after, block.before
    direct = Weights(
        csr_array(block.direct.value - after.value @ chosen @ before.value),
        csr_array(block.direct.size + after.size @ chosen @ before.size),
    )
    folded = Weights(*(csr_array((w + w @ chosen)[:, kept]) for w in (after.value, after.size)))
    rest = Weights(*(csr_array(w[kept]) for w in (before.value, before.size)))
    low, high = block.low[kept], block.high[kept]
    return Block(block.base, direct, folded, rest, low, high, block.terms + 4, residual=True)


def _opposites(before: csr_array, bias: np.ndarray, relus: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of relus whose operands are each other's opposites exactly, every relu in one pair at most."""
    rows = before.copy()
    rows.sum_duplicates()
    rows.eliminate_zeros()
    waiting: dict[bytes, int] = {}
    pairs: list[tuple[int, int]] = []
    for i in np.flatnonzero(relus).tolist():
        part = slice(rows.indptr[i], rows.indptr[i + 1])
        columns, data = rows.indices[part].astype(np.int64), rows.data[part]
        own, opposite = (columns.tobytes() + (sign * np.append(data, bias[i]) + 0.0).tobytes() for sign in (1.0, -1.0))
        if opposite in waiting:
            pairs.append((waiting.pop(opposite), i))
        else:
            waiting[own] = i
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]
