"""Convolutions on images that are padded around, recognised in a network: circular ones of exactly the image's size.

Exported, padding around is a few selections of the image's entries and then a convolution without padding. Their
composition commutes with every cyclic move of the image, so that the Fourier transform on the image itself takes it to
one small matrix a frequency (`fourier.wrapped_norm`), of any size of kernel: orthogonal convolutions that are made at
each frequency (Trockman & Kolter, ICLR 2021) have kernels as large as the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from verifier.lipschitz.blocks import taken_in
from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Convolution, Identity

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def wrapped_convolution(network: Network, k: int) -> tuple[int, Convolution, tuple[int, ...]] | None:
    """The node that holds the image, the convolution, and the image's sides, where node k is such a convolution of it.

    Args:
        network: with NumPy weights.
        k: an affine node.
    """
    node = network.nodes[k]
    assert isinstance(node, Affine)
    if len(node.maps) != 1 or not isinstance(node.maps[0], Convolution):
        return None
    convolution, padded = node.maps[0], network.nodes[node.operands[0]].size
    window = convolution.window
    plain = set(window.strides) == {1} and not any((*window.pads_begin, *window.pads_end))
    if not plain or window.groups != 1 or convolution.in_shape[0] != 1:
        return None
    parts = taken_in(network, [(node.operands[0], Identity(padded))])
    bases = {i for i, _ in parts}
    if bases == {node.operands[0]} or len(bases) != 1:
        return None
    (base,) = bases
    moves = sum((m.to_sparse() for _, m in parts[1:]), parts[0][1].to_sparse())
    sides = convolution.out_shape[2:]
    return (base, convolution, sides) if _is_wrapped(moves, convolution.in_shape[1:], sides) else None


def _is_wrapped(moves: csr_array, padded: tuple[int, ...], sides: tuple[int, ...]) -> bool:
    """Whether a matrix takes images of some sides to larger ones, every pixel being that at its place modulo the sides.

    Args:
        moves: from the image's entries to those of the padded one, all channels alike.
        padded: channels and sides after it.
        sides: before it.
    """
    moves.eliminate_zeros()
    image = (padded[0], *sides)
    single = moves.shape == (np.prod(padded), np.prod(image)) and (np.diff(moves.indptr) == 1).all()
    if not single or not (moves.data == 1.0).all():
        return False
    first = np.unravel_index(int(moves.indices[0]), image)[1:]
    places = [np.arange(padded[0]), *((np.arange(n) + o) % s for n, o, s in zip(padded[1:], first, sides, strict=True))]
    expected = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), image)
    return bool((moves.indices.reshape(padded) == expected).all())
