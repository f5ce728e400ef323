"""Nodes that do the same with the same, read once: what two copies of a quantity differ by is then known to be 0.

Exporters write a shared layer as often as it is used, and a property may compare a quantity with itself. Bounded
apart, two copies seem to differ by their whole range; as one node they cancel to the bit. It is done on the model's own
nodes, whose attributes and constants are exact, and not on what is read of them, where equal weights may be roundings
of different ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeAlias

import numpy as np
import onnx

from verifier.readers.onnx.tensors import Tensor, Variable

Operands: TypeAlias = Sequence[Tensor | None]
Results: TypeAlias = tuple[Tensor | None, ...]


class Repeated:
    """What nodes read so far have made."""

    def __init__(self) -> None:
        self._known: dict[Hashable, list[tuple[Operands, Results]]] = {}

    def results(self, node: onnx.NodeProto, operands: Operands) -> Results | None:
        """What an earlier node made that does the same with the same operands; None where there was none."""
        for known, results in self._known.get(_sketch(node, operands), ()):
            if all(map(_same, known, operands)):
                return results
        return None

    def made(self, node: onnx.NodeProto, operands: Operands, results: Results) -> None:
        """Takes note of what a node has made."""
        self._known.setdefault(_sketch(node, operands), []).append((operands, results))


def _sketch(node: onnx.NodeProto, operands: Operands) -> Hashable:
    """Equal for nodes that do the same, and cheap: constants are left for `_same`."""
    attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
    of_operands = (
        None if o is None else (o.node if isinstance(o, Variable) else o.dtype.str, o.shape) for o in operands
    )
    return (node.domain, node.op_type, len(node.output), *attributes, *of_operands)


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a is b or (a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    return a is b or (isinstance(a, Variable) and isinstance(b, Variable) and a == b and a.masked is b.masked)
