"""Drops the nodes that the output does not need, and adds a constant in the sum that it is added to.

x W + b is often two operators, a product and a sum. As one node it costs one step of every bound instead of two.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from verifier.checker.graph import Graph, Linear, renumbered
from verifier.checker.linear import Move


def tidied(graph: Graph) -> Graph:
    """The same function of the inputs; quantities that the output does not need are dropped."""
    uses = Counter(i for node in graph.nodes for i in node.operands)
    nodes = list(graph.nodes)
    for k, node in enumerate(nodes):
        before = nodes[node.operands[0]] if len(node.operands) == 1 else None
        if isinstance(node, Linear) and isinstance(before, Linear) and uses[node.operands[0]] == 1:
            (added,) = node.maps
            if isinstance(added, Move) and added.is_identity and not before.bias.any():
                nodes[k] = replace(before, bias=node.bias, slack=node.slack)
    needed, waiting = {0}, [graph.output]
    while waiting:
        k = waiting.pop()
        if k not in needed:
            needed.add(k)
            waiting += nodes[k].operands
    number = {old: new for new, old in enumerate(sorted(needed))}
    kept = [renumbered(nodes[k], number) for k in number]
    quantities = {name: number[k] for name, k in graph.quantities.items() if k in number}
    return Graph(kept, number[graph.output], quantities)
