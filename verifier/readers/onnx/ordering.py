"""The nodes of an ONNX graph in an order in which each can be lowered."""

from __future__ import annotations

from collections import Counter

import onnx

from verifier.errors import ModelError


def in_order(graph: onnx.GraphProto, known: set[str], place: str) -> list[onnx.NodeProto]:
    """The nodes, each after those it depends on; the file's own order where that is one.

    Args:
        graph: the graph.
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
    done, waiting = set(known), list(graph.node)
    while waiting:
        later = []
        for node in waiting:
            if all(name in done or name not in made for name in node.input):
                order.append(node)
                done.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            label = later[0].name or next(iter(later[0].output), "")
            raise ModelError("the graph has a cycle", f"node '{label}' ({later[0].op_type}) of {place}")
        waiting = later
    return order
