"""Entries that add up to 1: a softmax as the reader writes it, 1 / sum_m exp(z_m - z_e), one entry for each z_e.

That they do is read off the differences themselves, exactly, whoever wrote them: if the differences of an entry e are
those of another entry f less z_e - z_f, all of them, then p_e = p_f exp(z_e - z_f), and both have the same sum.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.arrays import namespace
from verifier.network.functions.exponential import Exp
from verifier.network.functions.powers import Reciprocal
from verifier.network.fusion import Monomial
from verifier.network.graph import Affine, Elementwise, Network

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_DIFFERENCES = 1 << 22
"""Differences of a node up to which they are looked at."""


@dataclass(frozen=True, eq=False)
class Partitions:
    """Which entries of a node add up to 1: those of the same partition, one of each member.

    Attributes:
        partition, member: shape (size,); -1 where nothing is known of an entry.
        sizes: of each partition, how many members it has.
    """

    partition: np.ndarray
    member: np.ndarray
    sizes: np.ndarray

    def taken(self, indices: np.ndarray) -> Partitions:
        """Those of copies of entries; -1 stands for none."""
        partition, member = (np.where(indices >= 0, a[indices], -1) for a in (self.partition, self.member))
        return Partitions(partition, member, self.sizes)


def partitions_at(network: Network, k: int) -> Partitions | None:
    """The partitions of node k, None where it has none; weights must be NumPy arrays."""
    chain = _sums_of_exponentials(network, k)
    if chain is None:
        return None
    differences, pairs = chain
    # A number for each difference, exact: those of an entry, less their least, are the same all over a partition.
    random = np.random.default_rng(0).integers(-(1 << 40), 1 << 40, differences.shape[1])
    numbers = np.asarray(differences.astype(np.int64) @ random)
    alike: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    ordered: list[np.ndarray] = []
    for e in range(len(pairs.indptr) - 1):
        own = pairs.indices[pairs.indptr[e] : pairs.indptr[e + 1]]
        ordered.append(own[np.argsort(numbers[own], kind="stable")])
        rising = numbers[ordered[e]]
        if len(own):
            alike[(rising - rising[0]).tobytes()].append((int(np.searchsorted(rising, 0)), e))
    partition, member = np.full(len(ordered), -1), np.full(len(ordered), -1)
    sizes = np.array([len(found) for found in alike.values()])
    for number, found in enumerate(alike.values()):
        places, entries = (np.array(a) for a in zip(*sorted(found), strict=True))
        complete = len(entries) == len(ordered[entries[0]]) and (places == np.arange(len(entries))).all()
        if complete and _is_partition(differences, np.stack([ordered[e] for e in entries])):
            partition[entries], member[entries] = number, places
    return Partitions(partition, member, sizes) if (member >= 0).any() else None


def limits_of_shares(network: Network) -> dict[int, np.ndarray]:
    """For nodes 1 / sums of exponentials, by index, what no entry exceeds, shape (size,): 1 where one is exp(0).

    Interval arithmetic would say a little more than 1, as it allows for the rounding of the sum.
    """
    host: Network | None = None
    found: dict[int, np.ndarray] = {}
    for k, node in enumerate(network.nodes):
        if not isinstance(node, Elementwise) or not isinstance(node.function, Reciprocal):
            continue
        host = host or _on_host(network)
        chain = _sums_of_exponentials(host, k)
        if chain is not None:
            differences, pairs = chain
            zero = np.asarray(abs(differences).sum(axis=1)).reshape(-1) == 0
            found[k] = np.where(pairs @ zero.astype(np.float64) >= 1, 1.0, np.inf)
    return found


def _on_host(network: Network) -> Network:
    biases = [node.bias for node in network.nodes if isinstance(node, Affine)]
    on_host = not biases or namespace(biases[0]).__name__.endswith("numpy")
    return network if on_host else network.like(np.zeros(0))


def _is_partition(differences: csr_array, pairs: np.ndarray) -> bool:
    """Whether the difference pairs[e, m] is pairs[0, m] less pairs[0, e], for all e and m; shape (M, M)."""
    count = len(pairs)
    of_first, own = np.tile(pairs[0], count), np.repeat(pairs[0], count)
    left = differences[pairs.reshape(-1)] - (differences[of_first] - differences[own])
    return not left.data.any()


def _sums_of_exponentials(network: Network, k: int) -> tuple[csr_array, csr_array] | None:
    """Of node k = 1 / sums of exp(d), d differences of entries: the matrix of d, and which d each entry adds up."""
    reciprocal = network.nodes[k]
    if not isinstance(reciprocal, Elementwise) or not isinstance(reciprocal.function, Reciprocal):
        return None
    sums = network.nodes[reciprocal.operands[0]]
    if not isinstance(sums, Affine) or len(sums.operands) != 1 or sums.bias_magnitude.any():
        return None
    exponential = network.nodes[sums.operands[0]]
    if not isinstance(exponential, Elementwise) or not isinstance(exponential.function, Exp):
        return None
    node = network.nodes[exponential.operands[0]]
    if not isinstance(node, Affine) or node.bias_magnitude.any() or node.size > MOST_DIFFERENCES:
        return None
    differences = _moved_entries(node)
    pairs = sums.maps[0].to_sparse()
    pairs.eliminate_zeros()
    return None if differences is None or (pairs.data != 1).any() else (differences, pairs)


def _moved_entries(node: Affine) -> csr_array | None:
    """The matrix of a node that only adds up and takes off entries of its operands side by side; exact integers."""
    from scipy.sparse import csr_array, hstack

    columns: dict[int, csr_array] = {}
    for operand, linear_map in zip(node.operands, node.maps, strict=True):
        monomial = Monomial.of(linear_map)
        if monomial is None or not monomial.moves:
            return None
        part = monomial.to_map().to_sparse()
        columns[operand] = columns[operand] + part if operand in columns else part
    return csr_array(hstack(list(columns.values()), format="csr")) if columns else None
