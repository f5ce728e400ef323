"""Weighted means written around their value at a point: sum_j p_j v_j = c + sum_j p_j (v_j - c), where sum_j p_j = 1.

Attention adds up values v_j with the entries p_j of a softmax as weights. Each weight is relaxed by itself, so that
bounds lose that they add up to 1; what its relaxation loses is then multiplied by the value. Taking a constant off
all values of a mean changes nothing, as long as it is put back, and leaves what the values differ by instead of what
they are. The identity holds for every c, so the point decides tightness only. On vision transformers of two blocks
(pgd_2_3_16) it did more for the bounds than alpha-CROWN of all intermediate ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from verifier.network.graph import Affine, Network, Node, Product
from verifier.network.linear_maps import Identity, Selection
from verifier.network.partitions import Partitions, partitions_at
from verifier.network.simplify import drop_dead, renamed
from verifier.tolerances import LARGEST_VALUE, WEIGHT_ROUNDINGS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_WEIGHTS = 1 << 23
"""Weights of a map up to which it is looked at."""


@dataclass(frozen=True, eq=False)
class _Means:
    """The means that an affine node adds up: bundles of products, one for each member of a partition.

    Attributes:
        place: which operand of the affine node has the products.
        side: which operand of the product node, 0 or 1, has the values.
        bundle: for each product its bundle, -1 where it is in none, shape (products,).
        weights: of the products in the affine node, shape (size, products).
    """

    place: int
    side: int
    bundle: np.ndarray
    weights: csr_array

    def centre(self, products: np.ndarray) -> np.ndarray:
        """For each product the mean that it is part of, given the products at a point; 0 where there is none."""
        which = self.bundle >= 0
        with np.errstate(all="ignore"):
            mean = np.bincount(self.bundle[which], products[which], self.bundle.max() + 1)[self.bundle]
        return np.where(which & (np.abs(mean) < LARGEST_VALUE), mean, 0.0)


def centred_means(network: Network, point: Callable[[], np.ndarray]) -> Network:
    """The network with its weighted means written around their values at a point; the outputs are the same.

    Args:
        network: its weights NumPy arrays.
        point: gives the point, shape (input_size,); asked only where there is something to rewrite.
    """
    uses = Counter(i for node in network.nodes for i in node.operands)
    found = {k: means for k in range(len(network.nodes)) if (means := _means_at(network, k, uses)) is not None}
    if not found:
        return network
    with np.errstate(all="ignore"):
        values = [value[0] for value in network.values(np.asarray(point(), np.float64)[None, :])]
    taken_up = {network.nodes[k].operands[means.place]: (k, means) for k, means in found.items()}
    centres = {i: means.centre(values[i]) for i, (_, means) in taken_up.items()}
    nodes: list[Node] = []
    names: dict[int, int] = {}
    for k, node in enumerate(network.nodes):
        new = renamed(node, names)
        if k in taken_up:
            side = taken_up[k][1].side
            nodes.append(_shifted(nodes[new.operands[side]], new.operands[side], centres[k]))
            operands = (len(nodes) - 1, new.operands[1]) if side == 0 else (new.operands[0], len(nodes) - 1)
            new = Product(operands, node.size)
        elif k in found:
            new = _with_centres(new, found[k], centres[node.operands[found[k].place]])
        names[k] = len(nodes)
        nodes.append(new)
    return drop_dead(replace(network, nodes=tuple(nodes)))


def _shifted(node: Node, k: int, centre: np.ndarray) -> Affine:
    """The values of node k less their centres."""
    if isinstance(node, Affine):
        return replace(node, bias=node.bias - centre, bias_magnitude=node.bias_magnitude + np.abs(centre))
    return Affine((k,), (Identity(len(centre)),), -centre)


def _with_centres(node: Node, means: _Means, centre: np.ndarray) -> Affine:
    """The affine node with the centres of its means put back: one of each bundle, with the weight that all have.

    A sum of n terms needs gamma(n), and whoever uses the magnitude of a bias is sure to take gamma(0), which holds
    WEIGHT_ROUNDINGS: hence the factor.
    """
    assert isinstance(node, Affine)
    _, first = np.unique(means.bundle, return_index=True)
    one = np.zeros(len(centre))
    one[first] = centre[first]  # that of the bundle -1 is 0
    terms = 1.0 + np.diff(means.weights.indptr).max(initial=0)
    magnitude = (1.0 + terms / WEIGHT_ROUNDINGS) * (node.bias_magnitude + abs(means.weights) @ np.abs(one))
    return replace(node, bias=node.bias + means.weights @ one, bias_magnitude=magnitude)


def _means_at(network: Network, k: int, uses: Counter[int]) -> _Means | None:
    """The means that node k adds up, of the first of its operands that has any."""
    node = network.nodes[k]
    for place, i in enumerate(node.operands if isinstance(node, Affine) else ()):
        assert isinstance(node, Affine)
        product = network.nodes[i]
        if not isinstance(product, Product) or uses[i] > 1:
            continue
        for side in (0, 1):
            shares = _shares(network, product.operands[1 - side])
            if shares is not None:
                weights = node.maps[place].to_sparse()
                bundle = _bundles(weights, shares) if weights.nnz <= MOST_WEIGHTS else None
                return None if bundle is None else _Means(place, side, bundle, weights)
    return None


def _shares(network: Network, k: int) -> Partitions | None:
    """The partitions of node k, which may be copies of entries of another one that has them."""
    node = network.nodes[k]
    if not isinstance(node, Affine):
        return partitions_at(network, k)
    if len(node.maps) != 1 or not isinstance(node.maps[0], Selection) or node.bias_magnitude.any():
        return None
    found = partitions_at(network, node.operands[0])
    return None if found is None else found.taken(node.maps[0].indices)


def _bundles(weights: csr_array, shares: Partitions) -> np.ndarray | None:
    """Products whose weights are alike all over the affine node, one of each member of a partition; None without any.

    Returns:
        Their number for each product, -1 where it is in no such bundle, shape (products,).
    """
    columns = weights.tocsc()
    columns.sum_duplicates()
    bundle = np.full(len(shares.partition), -1)
    alike: dict[tuple[int, bytes, bytes], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for j in np.flatnonzero(shares.member >= 0).tolist():
        part = slice(columns.indptr[j], columns.indptr[j + 1])
        key = int(shares.partition[j]), columns.indices[part].tobytes(), columns.data[part].tobytes()
        alike[key][int(shares.member[j])].append(j)
    count = 0
    for (partition, *_), by_member in alike.items():
        if len(by_member) == shares.sizes[partition]:
            for several in zip(*by_member.values(), strict=False):
                bundle[list(several)] = count
                count += 1
    return bundle if count else None
