"""What is known of the range of affine nodes beyond the intervals of their operands, read off the network."""

from __future__ import annotations

import numpy as np

from verifier.arrays import convert_like, namespace
from verifier.network.affine_forms import Form
from verifier.network.choices import with_choices
from verifier.network.graph import Affine, Elementwise, Network
from verifier.network.twins import only_moves, with_twins


def ranges_of(network: Network) -> dict[int, Form]:
    """The forms of those affine nodes, by index, of which something is known: maxima, minima, differences of twins."""
    sums = {k: node for k, node in enumerate(network.nodes) if isinstance(node, Affine) and _may_meet(network, node)}
    if not sums:
        return {}
    example = next(iter(sums.values())).bias
    on_host = namespace(example).__name__.endswith("numpy")
    host = network if on_host else network.like(np.zeros(0))
    found: dict[int, Form] = {}
    for k in sums:
        node = host.nodes[k]
        assert isinstance(node, Affine)
        form = with_choices(host, node, with_twins(host, node))
        if form.choices or form.twins:
            found[k] = form if on_host else form.converted(convert_like(example))
    return found


def _may_meet(network: Network, node: Affine) -> bool:
    """Whether the node is made of functions, or of two nodes that may be, perhaps put together before."""
    operands = [network.nodes[i] for i in node.operands]
    return len(operands) > 1 or any(isinstance(n, Elementwise) or only_moves(n) for n in operands)
