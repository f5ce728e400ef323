"""Which tensors hold whole numbers only (`network.whole`), those of integer types among them."""

from __future__ import annotations

import numpy as np

from verifier.network.whole import are_whole, node_is_whole
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.tensors import Tensor


def is_whole(graph: GraphBuilder, tensor: Tensor) -> bool:
    """Whether all entries are whole numbers: integers, booleans, and floats that are made from such."""
    if isinstance(tensor, np.ndarray):
        return tensor.dtype.kind in "iub" or are_whole(tensor.astype(np.float64))
    return tensor.integral or node_is_whole(graph.nodes, graph.whole, tensor.node)
