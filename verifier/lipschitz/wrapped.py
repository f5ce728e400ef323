"""Convolutions on images that are padded around, recognised in a network: circular ones of exactly the image's size.

Exported, padding around is a few selections of the image's entries and then a convolution without padding. Their
composition commutes with every cyclic move of the image, so that the Fourier transform on the image itself takes it to
one small matrix a frequency (`fourier.wrapped_norm`), of any size of kernel: orthogonal convolutions that are made at
each frequency (Trockman & Kolter, ICLR 2021) have kernels as large as the image.

What is recognised is structure, never values: maps that move entries and have no weights, one source for each entry.
The image's entries may lie in any order before, as a stride that is taken as blocks of pixels to channels leaves them.
"""

from __future__ import annotations

import numpy as np

from verifier.network.graph import Affine, Network
from verifier.network.linear_maps import Composition, Convolution, Identity, LinearMap, Selection


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
    convolution, window = node.maps[0], node.maps[0].window
    plain = set(window.strides) == {1} and not any((*window.pads_begin, *window.pads_end))
    if not plain or window.groups != 1 or convolution.in_shape[0] != 1:
        return None
    padded, sides = convolution.in_shape[1:], convolution.out_shape[2:]
    base, sources = node.operands[0], np.arange(network.nodes[node.operands[0]].size)
    while (moved := _moved(network, base)) is not None:
        base, order = moved
        sources = order[sources]
        if sources.min(initial=0) < 0:
            return None
        if _is_wrapped(sources, padded, sides):
            return base, convolution, sides
    return None


def _moved(network: Network, k: int) -> tuple[int, np.ndarray] | None:
    """The one node whose entries node k has, and which, shape (size,), -1 for none; None if there is none."""
    node = network.nodes[k]
    if not isinstance(node, Affine) or len(set(node.operands)) != 1:
        return None
    order = np.full(node.size, -1)
    for linear_map in node.maps:
        sources = _sources(linear_map)
        if sources is None or ((sources >= 0) & (order >= 0)).any():  # a sum of two entries
            return None
        order = np.where(sources >= 0, sources, order)
    return node.operands[0], order


def _sources(linear_map: LinearMap) -> np.ndarray | None:
    """Which entry each output is, -1 for none; None for maps that may do more than move entries."""
    if isinstance(linear_map, Identity):
        return np.arange(linear_map.in_size)
    if isinstance(linear_map, Selection):
        return linear_map.indices
    if isinstance(linear_map, Composition):
        outer, inner = _sources(linear_map.outer), _sources(linear_map.inner)
        if outer is not None and inner is not None:
            return np.where(outer >= 0, np.append(inner, -1)[outer], -1)
    return None


def _is_wrapped(sources: np.ndarray, padded: tuple[int, ...], sides: tuple[int, ...]) -> bool:
    """Whether the entries of a padded image repeat every `sides` pixels, and are all different within that.

    An image may be moved or have its entries in any order: norms are the same.

    Args:
        sources: where each entry comes from.
        padded: channels and sides after padding.
        sides: before it.
    """
    image = (padded[0], *sides)
    if not sources.size or any(n < s for n, s in zip(padded[1:], sides, strict=True)):
        return False
    places = [np.arange(padded[0]), *(np.arange(n) % s for n, s in zip(padded[1:], sides, strict=True))]
    place = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), image).reshape(-1)
    first = np.empty(np.prod(image), np.int64)
    first[place] = sources
    return len(np.unique(first)) == first.size and bool((first[place] == sources).all())
