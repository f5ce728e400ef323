"""Softmax written out, exp(z_i) / sum_j exp(z_j), as the reader writes the operator: 1 / sum_j exp(z_j - z_i).

Bounded as written, numerator and denominator lose that they grow together: the quotient's range exceeds [0, 1], and
large logits have exponentials beyond any bound. In differences it is at most 1 whatever the bounds, a shift that all
logits share (their maximum, taken off against overflow) is gone, and the order of the logits decides. The same goes for
the logarithm, z_i - log sum_j exp(z_j) = -log sum_j exp(z_j - z_i).

As functions of real numbers the two are the same everywhere. What floats make of it is not: the runtime computes what
the model says, and exp overflows there where no maximum was taken off. The network is marked (`may_overflow`), so that
a proof can say so (`methods.rounding`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from verifier.network.functions.exponential import Exp, Log
from verifier.network.functions.powers import Reciprocal
from verifier.network.fusion import Monomial
from verifier.network.graph import Affine, Elementwise, Network, Node
from verifier.network.linear_maps import Composition, Dense, LinearMap, Scaling, Selection, Sparse
from verifier.network.quotients import quotients_at
from verifier.network.simplify import drop_dead, renamed

MOST_PAIRS = 1 << 22
"""Differences up to which a softmax is rewritten."""


@dataclass(frozen=True, eq=False)
class _Softmax:
    """What an entry of a node is: exp(z[logit]) over the sum of exp(z) over its members, or the logarithm of that.

    Attributes:
        logits: the node z.
        own: for each entry its logit, shape (size,).
        group: for each entry its sum, shape (size,).
        members: for each sum its logits, shape (sums, z's size), a sparse matrix of ones.
        logarithm: whether it is the logarithm.
    """

    logits: int
    own: np.ndarray
    group: np.ndarray
    members: Sparse
    logarithm: bool

    @property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """The entry and the member of each difference, those of an entry together, shape (pairs,) each."""
        chosen = self.members.matrix[self.group]
        return np.repeat(np.arange(len(self.own)), np.diff(chosen.indptr)), chosen.indices


def softmax_by_differences(network: Network) -> Network:
    """The network, its weights NumPy arrays, with every softmax written out rewritten; the outputs are the same."""
    nodes: list[Node] = []
    names: dict[int, int] = {}
    for k, node in enumerate(network.nodes):
        found = _softmax_at(network, k)
        if found is None:
            nodes.append(renamed(node, names))
        else:
            nodes += _by_differences(network, found, names, len(nodes))
        names[k] = len(nodes) - 1
    if len(nodes) == len(network.nodes):
        return network
    return drop_dead(replace(network, nodes=tuple(nodes), may_overflow=True))


def _softmax_at(network: Network, k: int) -> _Softmax | None:
    found = _quotient(network, k) or _logarithm(network, k)
    if found is None:
        return None
    sizes = np.diff(found.members.matrix.indptr)[found.group]
    return found if sizes.min(initial=1) > 0 and sizes.sum() <= MOST_PAIRS else None


def _quotient(network: Network, k: int) -> _Softmax | None:
    """Node k if it is exp(z), or entries of it, over sums of exp(z)."""
    quotients = quotients_at(network, k)
    sums = _sums_of_exponentials(network, quotients.denominator) if quotients else None
    if quotients is None or sums is None:
        return None
    exponentials, members = sums
    own = _chosen_from(network, quotients.numerator, exponentials)
    if own is None:
        return None
    return _Softmax(network.nodes[exponentials].operands[0], own, quotients.group, members, False)


def _logarithm(network: Network, k: int) -> _Softmax | None:
    """Node k if it is z, or entries of it, less logarithms of sums of exp(z)."""
    node = network.nodes[k]
    if not isinstance(node, Affine) or len(node.operands) != 2 or node.bias_magnitude.any():
        return None
    (logits, of_logits), (logarithms, of_logarithms) = zip(node.operands, node.maps, strict=True)
    source = network.nodes[logarithms]
    if not isinstance(source, Elementwise) or not isinstance(source.function, Log):
        return None
    sums = _sums_of_exponentials(network, source.operands[0])
    own, taken = Monomial.of(of_logits), Monomial.of(of_logarithms)
    if sums is None or own is None or taken is None or network.nodes[sums[0]].operands != (logits,):
        return None
    if own.factors is not None or taken.factors is None or not taken.exact or (taken.factors != -1).any():
        return None
    which, group = own.places, taken.places
    if (which < 0).any() or (group < 0).any():
        return None
    return _Softmax(logits, which, group, sums[1], True)


def _sums_of_exponentials(network: Network, k: int) -> tuple[int, Sparse] | None:
    """The node exp(z) and which of its entries are added up, if node k is such sums and nothing else."""
    node = network.nodes[k]
    if not isinstance(node, Affine) or len(node.operands) != 1 or node.bias_magnitude.any():
        return None
    inner = network.nodes[node.operands[0]]
    if not isinstance(inner, Elementwise) or not isinstance(inner.function, Exp):
        return None
    members = Sparse(node.maps[0].to_sparse())
    members.matrix.eliminate_zeros()
    return (node.operands[0], members) if (members.matrix.data == 1).all() else None


def _chosen_from(network: Network, k: int, source: int) -> np.ndarray | None:
    """Which entries of the node `source` node k consists of, if it consists of such."""
    node = network.nodes[k]
    if k == source:
        return np.arange(node.size)
    if not isinstance(node, Affine) or node.operands != (source,) or node.bias_magnitude.any():
        return None
    moved = Monomial.of(node.maps[0])
    return moved.places if moved is not None and moved.factors is None and (moved.places >= 0).all() else None


def _by_differences(network: Network, softmax: _Softmax, names: dict[int, int], start: int) -> list[Node]:
    """The nodes, the first of them number `start`; `names` are the new indices of old nodes."""
    entries, member = softmax.pairs
    gaps = _differences(network, softmax.logits, softmax.own[entries], member)
    gaps = Affine(tuple(names[i] for i in gaps.operands), gaps.maps, gaps.bias, gaps.bias_magnitude)
    size, pairs = len(softmax.own), len(entries)
    nodes: list[Node] = [
        gaps,
        Elementwise((start,), Exp(), pairs),
        Affine((start + 1,), (_sums(entries, size),), np.zeros(size)),
    ]
    if not softmax.logarithm:
        return [*nodes, Elementwise((start + 2,), Reciprocal(), size)]
    opposite = Scaling(np.full(size, -1.0), exact=True)
    return [*nodes, Elementwise((start + 2,), Log(), size), Affine((start + 3,), (opposite,), np.zeros(size))]


def _sums(entries: np.ndarray, size: int) -> LinearMap:
    """Adds up, for each of `size` entries, the pairs that are its own; `entries` are ascending, shape (pairs,)."""
    from scipy.sparse import csr_array

    counts = np.bincount(entries, minlength=size)
    if (counts == counts[0]).all():
        return Dense(np.ones((1, int(counts[0]))), size)
    pairs = len(entries)
    return Sparse(csr_array((np.ones(pairs), (entries, np.arange(pairs))), shape=(size, pairs)))


def _differences(network: Network, k: int, own: np.ndarray, member: np.ndarray) -> Affine:
    """z[member] - z[own], z the value of node k; what both have of an operand that is only moved is left out."""
    node = network.nodes[k]
    same = member == own
    plus, minus = (Selection(np.where(same, -1, places), node.size) for places in (member, own))
    parts: list[tuple[int, LinearMap]] = [(k, plus), (k, Composition(Scaling(-np.ones(len(own)), exact=True), minus))]
    moved = [Monomial.of(m) for m in node.maps] if isinstance(node, Affine) else []
    if not isinstance(node, Affine) or len(moved) < 2 or node.bias_magnitude.any() or any(m is None for m in moved):
        return Affine(tuple(i for i, _ in parts), tuple(m for _, m in parts), np.zeros(len(own)))
    first, second = Monomial.of(plus), Monomial.of(parts[1][1])
    assert first is not None
    assert second is not None
    taken: list[tuple[int, LinearMap]] = []
    for operand, monomial in zip(node.operands, moved, strict=True):
        assert monomial is not None
        ahead, behind = first.after(monomial), second.after(monomial)
        if monomial.moves and np.array_equal(ahead.places, behind.places):
            continue
        taken += [(operand, ahead.to_map()), (operand, behind.to_map())]
    return Affine(tuple(i for i, _ in taken), tuple(m for _, m in taken), np.zeros(len(own)))
