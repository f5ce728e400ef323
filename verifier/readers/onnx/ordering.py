"""The nodes of an ONNX graph in an order in which each can be lowered."""

from __future__ import annotations

from collections import Counter

import onnx

from verifier.errors import ModelError
from verifier.readers.onnx.checks import reads


def in_order(graph: onnx.GraphProto, wanted: set[str], known: set[str], place: str) -> list[onnx.NodeProto]:
    """The nodes that the tensors `wanted` need, each after those it depends on; the file's order where that is one.

    Args:
        graph: the graph.
        wanted: names of the outputs asked for.
        known: names of its inputs and initialisers.
        place: the file, for messages.

    Raises:
        ModelError: a tensor is made twice, or nodes depend on each other in a circle.
    """
    made = Counter(name for node in graph.node for name in node.output if name)
    twice = next((name for name, count in made.items() if count > 1 or name in known), None)
    if twice is not None:
        raise ModelError(f"tensor '{twice}' is made twice", place, "export the model again")
    order: list[onnx.NodeProto] = []
    done, waiting = set(known), _needed(graph, wanted)
    while waiting:
        later = []
        for node in waiting:
            if all(name in done or name not in made for name in reads(node)):
                order.append(node)
                done.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            label = later[0].name or next(iter(later[0].output), "")
            raise ModelError("the graph has a cycle", f"node '{label}' ({later[0].op_type}) of {place}")
        waiting = later
    return order


def _needed(graph: onnx.GraphProto, wanted: set[str]) -> list[onnx.NodeProto]:
    maker = {name: k for k, node in enumerate(graph.node) for name in node.output if name}
    needed: set[int] = set()
    names = list(wanted)
    while names:
        k = maker.get(names.pop())
        if k is not None and k not in needed:
            needed.add(k)
            names.extend(reads(graph.node[k]))
    return [node for k, node in enumerate(graph.node) if k in needed]
