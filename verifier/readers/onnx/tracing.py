"""What a tensor is as an affine function of what is not affine: which indices are constant, or move together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from verifier.network.graph import Affine
from verifier.readers.onnx.builder import GraphBuilder
from verifier.readers.onnx.tensors import Variable

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MOST_ENTRIES = 1 << 16
"""Larger tensors are not traced: they are no indices."""


@dataclass(frozen=True, eq=False)
class Traced:
    """matrix x + bias, of some vector x.

    Attributes:
        matrix: shape (size, ...), without stored zeros.
        bias: shape (size,).
    """

    matrix: csr_array
    bias: np.ndarray

    @property
    def constant(self) -> np.ndarray:
        """Which entries are the same whatever the input, booleans, shape (size,)."""
        return np.asarray(np.diff(self.matrix.indptr) == 0)


def traced(graph: GraphBuilder, x: Variable) -> Traced | None:
    """The tensor as an affine function of the values of nodes that are none; None where it is too large."""
    from scipy.sparse import csr_array, eye_array, hstack

    if x.size > MOST_ENTRIES:
        return None
    bias = np.zeros(x.size)
    pending = {x.node: csr_array(eye_array(x.size))}
    atoms: list[csr_array] = []
    while pending:
        k = max(pending)
        matrix, node = pending.pop(k), graph.nodes[k]
        if not isinstance(node, Affine):
            atoms.append(matrix)
            continue
        bias = bias + matrix @ node.bias
        for operand, linear_map in zip(node.operands, node.maps, strict=True):
            if linear_map.out_size > MOST_ENTRIES or linear_map.in_size > MOST_ENTRIES:
                return None
            part = csr_array(matrix @ linear_map.to_sparse())
            pending[operand] = csr_array(pending[operand] + part) if operand in pending else part
    whole = csr_array(hstack(atoms)) if atoms else csr_array((x.size, 0))
    whole.eliminate_zeros()
    whole.sort_indices()
    return Traced(whole, bias)


def constant_value(graph: GraphBuilder, x: Variable) -> np.ndarray | None:
    """The tensor's value where the input has no say in it, in its shape; None where it has."""
    found = traced(graph, x)
    return found.bias.reshape(x.shape) if found is not None and found.constant.all() else None
