"""Clips written as relus, for methods that are made for relus alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verifier.arrays import convert_like
from verifier.network.functions.clip import Clip
from verifier.network.functions.relu import Relu
from verifier.network.graph import Affine, Elementwise, Network, Node
from verifier.network.linear_maps import Identity, Scaling
from verifier.network.simplify import renamed


def clips_as_relus(network: Network) -> tuple[Network, list[int]]:
    """The network with every clip as high - relu((high - low) - relu(x - low)), which keeps the range.

    Returns:
        The network, its weights in the array library of the given one's; and for each old node the new one that has
        its value.
    """
    nodes: list[Node] = []
    place: dict[int, int] = {}
    for k, node in enumerate(network.nodes):
        if isinstance(node, Elementwise) and isinstance(node.function, Clip):
            example = next(n.bias for n in network.nodes if isinstance(n, Affine))
            nodes += _as_relus(place[node.operands[0]], len(nodes), node.function, node.size, example)
        else:
            nodes.append(renamed(node, place))
        place[k] = len(nodes) - 1
    return replace(network, nodes=tuple(nodes)), list(place.values())


def _as_relus(x: int, first: int, clip: Clip, size: int, example: object) -> list[Node]:
    """Five nodes, the first of them number `first`, of which the last is clip(x)."""
    convert = convert_like(example)
    ones = np.ones(size)
    span, span_size = clip.high - clip.low, abs(clip.high) + abs(clip.low)
    negative = Scaling(convert(-ones))
    return [
        Affine((x,), (Identity(size),), convert(-clip.low * ones)),
        Elementwise((first,), Relu(), size),
        Affine((first + 1,), (negative,), convert(span * ones), convert(span_size * ones)),
        Elementwise((first + 2,), Relu(), size),
        Affine((first + 3,), (negative,), convert(clip.high * ones)),
    ]
